"""Customers as they are: some come back, some write several messages at once, some send a screenshot."""

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.accounts import user_of
from chatload.draws import Draws
from chatload.plan import Dialog, Plan, make_plan
from chatload.plan.dialogs import SOCKETS, Dialogs
from chatload.scenario import Scenario, load, shape_of
from chatload.scenario.people import Bursts, Returning

SMOKE = load("smoke").scenario
TBANK = load("tbank").scenario
HOUR_MS = 3_600_000.0


def livelier(scenario: Scenario) -> Scenario:
    """The scenario with all that customers do."""
    dialog = scenario.dialog.model_copy(update={"bursts": Bursts(share=0.4, messages=2.5), "attachment_share": 0.3})
    return scenario.model_copy(update={"dialog": dialog, "returning": Returning(share=0.4, after="20 min")})


LIVELY = livelier(SMOKE)


@pytest.fixture(scope="module")
def hours() -> Plan:
    """Hours of the lively small bank at load 4."""
    return make_plan(LIVELY, 5, "peak", 4, 60, 200, 5, 12)


def by_person(plan: Plan) -> dict[int, list[Dialog]]:
    """The dialogs of those who have come back, in the order of their starts."""
    persons = {dialog.person for dialog in plan.main if dialog.person is not None}
    found: dict[int, list[Dialog]] = {person: [] for person in persons}
    for dialog in plan.main:
        person = dialog.index if dialog.person is None else dialog.person
        if person in found:
            found[person].append(dialog)
    return found


@settings(max_examples=8, deadline=None)
@given(small=st.floats(0.05, 3), more=st.floats(0, 2), longer_s=st.sampled_from([0, 10]), seed=st.integers(0, 1000))
def test_a_larger_plan_contains_a_smaller(small: float, more: float, longer_s: int, seed: int) -> None:
    """By load or by duration: every dialog of the smaller, with its customer, bursts and files, is in it unchanged."""
    less = make_plan(LIVELY, seed, "peak", small, 60, 30, 2, 12)
    plan = make_plan(LIVELY, seed, "peak", small + more, 60, 30 + longer_s, 2, 12)
    assert set(less.dialogs) <= set(plan.dialogs)


@settings(max_examples=8, deadline=None)
@given(workers=st.integers(1, 9), seed=st.integers(0, 1000))
def test_a_customers_dialogs_are_played_by_one_worker(workers: int, seed: int) -> None:
    """Of plans made apart the shares are together the whole one; who comes back comes to the worker that knows them."""
    whole = make_plan(LIVELY, seed, "peak", 2, 60, 40, 2, 12)
    made = [make_plan(LIVELY, seed, "peak", 2, 60, 40, 2, 12), whole]
    shares = [made[worker % 2].share(worker, workers) for worker in range(workers)]
    together = sorted((dialog for share in shares for dialog in share), key=lambda d: (d.start_ms, d.index))
    assert tuple(together) == whole.dialogs
    played_by = {(d.channel, d.user): worker for worker, share in enumerate(shares) for d in share}
    assert all(played_by[d.channel, d.user] == worker for worker, share in enumerate(shares) for d in share)


def test_who_comes_back_adds_no_dialog_and_moves_none(hours: Plan) -> None:
    """They begin dialogs that would start anyway: the starts are the Poisson process that the planned curve tells."""
    nobody = make_plan(LIVELY.model_copy(update={"returning": None}), 5, "peak", 4, 60, 200, 5, 12)
    assert any(dialog.person is not None for dialog in hours.main)
    assert [(d.index, d.start_ms) for d in hours.dialogs] == [(d.index, d.start_ms) for d in nobody.dialogs]


def test_who_comes_back_has_been_here_on_that_channel_and_is_done(hours: Plan) -> None:
    """Under the name of their first dialog; no two of a customer's dialogs overlap, nor the rating and the silence."""
    details = Dialogs(LIVELY, shape_of(LIVELY), Draws(5))
    chains = by_person(hours)
    assert any(len(chain) > 2 for chain in chains.values())
    for person, chain in chains.items():
        assert (chain[0].index, chain[0].person) == (person, None)
        channel = chain[0].channel
        assert {(dialog.channel, dialog.user) for dialog in chain} == {(channel, user_of(person, channel))}
        assert all(details.over_ms(before) < after.start_ms for before, after in pairwise(chain))
        for before in chain:
            end_ms = before.start_ms + hours.expected_ms(before)
            seen = before.channel in SOCKETS and not (before.contained and before.silent)
            idle_ms = 0 if seen else LIVELY.timers.inactivity
            assert details.over_ms(before) >= end_ms + idle_ms


def test_returns_have_their_share_and_their_time(hours: Plan) -> None:
    """Once the day is long enough for it, as often and as much later as the scenario says."""
    details = Dialogs(LIVELY, shape_of(LIVELY), Draws(5))
    gaps_ms = [
        after.start_ms - details.over_ms(before)
        for chain in by_person(hours).values()
        for before, after in pairwise(chain)
    ]
    assert statistics.fmean(gaps_ms) == pytest.approx(20 * 60_000, rel=0.15)
    late = [dialog for dialog in hours.main if dialog.start_ms > 1.5 * HOUR_MS]
    assert statistics.fmean(dialog.person is not None for dialog in late) == pytest.approx(0.4, abs=0.04)


def test_a_burst_is_one_message_that_asks_and_more_right_after_it(hours: Plan) -> None:
    """To an operator only, 50 to 200 ms apart; only the last of them drops the socket."""
    sizes = [len(burst) for d in hours.main for burst in d.bursts() if d.turns[burst.start].to != "bot"]
    assert statistics.fmean(sizes) == pytest.approx(1 + 0.4 * 1.5, rel=0.03)
    assert statistics.fmean(size > 1 for size in sizes) == pytest.approx(0.4, abs=0.02)
    for dialog in hours.main:
        for burst in dialog.bursts():
            first, *rest = (dialog.turns[position] for position in burst)
            assert first.to != "more"
            assert not rest or first.to != "bot"
            assert all(turn.to == "more" and 50 <= turn.think_ms <= 200 for turn in rest)
            assert all(turn.drop_ms is None for turn in [first, *rest][:-1])
    answered = [hours.is_last(d.index, c) for d in hours.main[:200] for c in range(1, len(d.turns) + 1)]
    assert sum(answered) == sum(len(d.burst(len(d.turns) - 1)) for d in hours.main[:200])


@pytest.mark.parametrize("scenario", [livelier(TBANK), livelier(SMOKE)], ids=["bot here and there", "small"])
def test_messages_and_minutes_still_come_out(scenario: Scenario) -> None:
    """Within five standard errors of what the scenario says, although some are written at once."""
    plan = make_plan(scenario, 5, "peak", 1 if scenario.title.startswith("T-Bank") else 6, 60, 120, 0, 400)
    messages = [plan.expected_messages(d) for d in plan.main]
    minutes = [plan.expected_ms(d) / 60_000 for d in plan.main]
    error = statistics.stdev(messages) / math.sqrt(len(messages))
    assert statistics.fmean(messages) == pytest.approx(scenario.dialog.messages, abs=5 * error)
    error = statistics.stdev(minutes) / math.sqrt(len(minutes))
    assert statistics.fmean(minutes) == pytest.approx(scenario.dialog.duration / 60_000, abs=5 * error)
    assert plan.messages == sum(messages)


def test_files_take_the_place_of_texts_to_operators(hours: Plan) -> None:
    """Images and documents alike; a bot, which understands words, gets words."""
    to_bot = [
        turn
        for d in hours.dialogs
        for turn in d.turns
        if turn.to == "bot" or (turn.to == "handover" and d.channel != "telegram")
    ]
    others = [turn for d in hours.main for turn in d.turns if turn.to in ("operator", "more")]
    files = [turn.attachment for turn in others if turn.attachment]
    assert not any(turn.attachment for turn in to_bot)
    assert len(files) / len(others) == pytest.approx(0.3, abs=0.02)
    assert statistics.fmean(file.kind == "png" for file in files) == pytest.approx(0.5, abs=0.05)
    assert all(256 <= file.size < 20_256 for file in files)
    assert any(d.turns[0].attachment for d in hours.main if d.channel == "telegram")


def test_what_is_open_at_t0_goes_on_with_a_whole_burst(hours: Plan) -> None:
    """The opening turn stands alone before it, and nobody comes back in the ramp."""
    assert hours.ramp
    assert all(next(iter(d.bursts())) == range(1) for d in hours.ramp)
    assert not any(d.person for d in hours.ramp)


def test_who_answers_calls_is_kept_from_chats() -> None:
    """A call needs its operator whole: of Cash-U's chats none is sent on to where only calls come in."""
    cashu = load("cashu").scenario
    sending = cashu.model_copy(update={"operators": cashu.operators.model_copy(update={"transfer_share": 1.0})})
    plan = make_plan(sending, 1, "day", 1.0, 1.0, 86_400.0, 0.0, 12)
    written = [dialog for dialog in plan.dialogs if dialog.turns and not dialog.contained]
    found = [plan.transfer(dialog.index, 1, dialog.start_ms) for dialog in written]
    assert {to.department for to in found if to is not None} == {""}
    assert any(found)
