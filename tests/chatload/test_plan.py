"""The plan: the same everywhere, contained in a larger one, stationary at t0, and true to the scenario's figures."""

import math
import statistics
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.draws import Draws
from chatload.plan import Call, Destination, Dialog, Plan, make_plan
from chatload.plan.arrivals import Rate
from chatload.plan.proofs import GUESSED, MISTYPED
from chatload.scenario import load
from chatload.scenario.service import Authentication

BANK = load("tbank").scenario
PLAIN = BANK.dialog.model_copy(update={"bursts": None, "attachment_share": 0.0})
TBANK = BANK.model_copy(update={"dialog": PLAIN, "returning": None})  # one customer a dialog, one message at a time
SMOKE = load("smoke").scenario


def plan_of(seed: int = 1, load: float = 1.0, duration_s: float = 60, ramp_s: float = 10) -> Plan:
    return make_plan(TBANK, seed, "peak", load, 60, duration_s, ramp_s, 400)


@pytest.fixture(scope="module")
def peak() -> Plan:
    """A minute of the peak and what is open before it."""
    return plan_of()


@pytest.fixture(scope="module")
def long() -> Plan:
    """Ten minutes of it, from an empty floor."""
    return plan_of(seed=5, duration_s=600, ramp_s=0)


def test_the_same_seed_is_the_same_plan(peak: Plan) -> None:
    """Two processes that make the plan from its arguments hold the same dialogs, answers and words."""
    again = plan_of()
    assert again.dialogs == peak.dialogs
    some = peak.dialogs[1000]
    assert again.reply(some.index, 0) == peak.reply(some.index, 0)
    assert again.text(some.index, 0) == peak.text(some.index, 0)


def test_another_seed_is_another_plan(peak: Plan) -> None:
    """No dialog is shared."""
    assert not {d.turns for d in plan_of(seed=2).dialogs} & {d.turns for d in peak.dialogs if len(d.turns) > 1}


@settings(max_examples=10)
@given(small=st.floats(0.05, 3), more=st.floats(0, 2), seed=st.integers(0, 1000))
def test_a_larger_load_contains_a_smaller_one(small: float, more: float, seed: int) -> None:
    """Every dialog of the smaller plan, ramp and all, is in the larger one unchanged."""
    plans = [make_plan(SMOKE, seed, "peak", load, 60, 10, 2, 12) for load in (small, small + more)]
    assert set(plans[0].dialogs) <= set(plans[1].dialogs)


TEAMS = load(str(Path(__file__).parents[1] / "end_to_end" / "teams.toml")).scenario
POST = load(str(Path(__file__).parents[1] / "end_to_end" / "post.toml")).scenario


def test_calls_are_planned_without_words() -> None:
    """A caller has no turns, the phone's own patience, talks as long as the scenario says, and may call again."""
    plan = make_plan(POST, 3, "peak", 10, 60, 120, 10, 180)
    calls = [d for d in plan.main if d.channel == "phone"]
    assert all((d.call is None) == (d.channel != "phone") == bool(d.turns) for d in plan.dialogs)
    talks = [d.call.talk_ms for d in calls if d.call]
    agains = [d.call.again_ms for d in calls if d.call and d.call.again_ms is not None]
    assert len(calls) / len(plan.main) == pytest.approx(0.25, abs=0.02)
    assert statistics.fmean(talks) == pytest.approx(90_000, rel=0.05)
    assert statistics.fmean(d.patience_ms for d in calls) == pytest.approx(20_000, rel=0.08)
    assert len(agains) / len(calls) == pytest.approx(0.5, abs=0.04)
    assert statistics.fmean(agains) == pytest.approx(15_000, rel=0.1)
    ramp = [d for d in plan.ramp if d.call]
    assert ramp
    assert all(d.call == Call(0.0, None) and d.start_ms < 0 < d.hold_ms for d in ramp)


def test_customers_show_who_they_are_in_a_share_of_what_the_bot_keeps() -> None:
    """As often as asked, on channels with a bot but e-mail; whoever guesses sees no mail; worker 0 plays them all."""
    asked = Authentication(share=0.5, mistyped=0.2, guessed=0.1, reads="30 s", keywords=("what do I own",))
    plan = make_plan(SMOKE.model_copy(update={"authentication": asked}), 3, "peak", 10, 60, 120, 10, 120)
    kept = [dialog for dialog in plan.main if dialog.contained]
    proofs = [dialog.proof for dialog in kept if dialog.proof is not None]
    assert all(dialog.contained for dialog in plan.dialogs if dialog.proof is not None)
    assert len(proofs) / len(kept) == pytest.approx(0.5, abs=0.05)
    steps = Counter(proof.steps for proof in proofs)
    assert steps[MISTYPED] / len(proofs) == pytest.approx(0.2, abs=0.05)
    assert steps[GUESSED] / len(proofs) == pytest.approx(0.1, abs=0.05)
    assert all((proof.mail_ms is None) == (proof.steps is GUESSED) for proof in proofs)
    assert len({proof.account for proof in proofs}) == len(proofs)
    assert [dialog for dialog in plan.share(1, 2) if dialog.proof is not None] == []
    assert sorted((*plan.share(0, 2), *plan.share(1, 2)), key=lambda d: d.index) == sorted(
        plan.dialogs, key=lambda d: d.index
    )
    assert {plan.asking(dialog.index, 0) for dialog in kept[:9]} == {"what do I own"}


def test_an_offer_that_lapses_is_not_doomed_to_lapse_again(long: Plan) -> None:
    """How long an operator looks is drawn for each offer: a dialog that one was too slow for is taken from the next."""
    offer_ms = long.scenario.timers.offer
    slow = [dialog.index for dialog in long.dialogs if long.accept_ms(dialog.index, 1) > offer_ms]
    assert slow
    assert all(any(long.accept_ms(index, number) < offer_ms for number in range(2, 6)) for index in slow)


def test_transfers_and_holds_are_drawn_by_dialog() -> None:
    """A larger share contains a smaller one; a dialog is sent on to another department, or to a skill."""
    plans = {}
    for share in (0.2, 0.5):
        operators = TEAMS.operators.model_copy(update={"transfer_share": share, "hold_share": share})
        plans[share] = make_plan(TEAMS.model_copy(update={"operators": operators}), 1, "peak", 1, 60, 10, 1, 12)
    indices = [dialog.index for dialog in plans[0.2].dialogs]
    sent_on = {share: {index for index in indices if plan.transfer(index, 1, 0.0)} for share, plan in plans.items()}
    on_hold = {share: {index for index in indices if plan.holds(index)} for share, plan in plans.items()}
    assert set() < sent_on[0.2] < sent_on[0.5] < set(indices)
    assert set() < on_hold[0.2] < on_hold[0.5] < set(indices)
    assert on_hold[0.5] != sent_on[0.5]
    found = {plans[0.5].transfer(index, 1, 0.0) for index in sent_on[0.5]}
    assert found == {Destination(department="loans"), Destination(skill="cards")}


def test_without_departments_or_skills_a_dialog_is_sent_to_a_colleague() -> None:
    """Never to oneself; nobody is left to send to where one works alone; a scenario that is silent sends nothing on."""
    silent = make_plan(SMOKE, 1, "peak", 1, 60, 60, 2, 12)
    assert not any(silent.transfer(dialog.index, 1, 0.0) or silent.holds(dialog.index) for dialog in silent.dialogs)
    people = SMOKE.operators.model_copy(update={"transfer_share": 1.0})
    plan = make_plan(SMOKE.model_copy(update={"operators": people}), 1, "peak", 1, 60, 60, 2, 3)
    assert {plan.transfer(dialog.index, 2, 0.0) for dialog in plan.dialogs} == {Destination("o1"), Destination("o3")}
    alone = make_plan(SMOKE.model_copy(update={"operators": people}), 1, "peak", 1, 60, 60, 2, 1)
    assert {alone.transfer(dialog.index, 1, 0.0) for dialog in alone.dialogs} == {None}


def test_nobody_is_sent_on_to_who_is_off_duty() -> None:
    """To the departments of those specialists who are there; where none of them is, the operator keeps the dialog."""
    alfabank = load("alfabank_kz").scenario
    people = alfabank.operators.model_copy(update={"transfer_share": 1.0})
    plan = make_plan(alfabank.model_copy(update={"operators": people}), 1, "day", 1, 1, 86_400, 0, 22)
    sent: list[set[Destination | None]] = []
    there: list[set[Destination | None]] = []
    for hour in range(24):
        at_ms = hour * 3_600_000
        sent.append({plan.transfer(dialog.index, 1, at_ms) for dialog in plan.dialogs[:100]})
        known = {name for n in range(2, 23) if plan.staff.is_there(n, at_ms) for name in people.team(n).departments}
        there.append({Destination(department=name) for name in known - {"general"}})
    assert sent == [departments or {None} for departments in there]
    assert {None} in sent
    assert {Destination(department="loans"), Destination(department="cards")} in sent


def test_a_dialog_is_sent_on_to_who_may_have_it() -> None:
    """A customer's to no internal department and to nobody who is in these alone; an employee's within its own."""
    halyk = load("halyk").scenario
    assert halyk.operators.internal == ("legal", "hr")
    people = halyk.operators.model_copy(update={"transfer_share": 1.0})
    plan = make_plan(halyk.model_copy(update={"operators": people}), 1, "peak", 2, 1, 3600, 0, 56)
    found: dict[str, set[Destination | None]] = {"": set(), "general": set(), "legal": set(), "hr": set()}
    for dialog in plan.dialogs:
        asks = next((at for at, turn in enumerate(dialog.turns) if turn.to == "handover"), None)
        says = plan.bot_says(dialog.index, asks) if asks is not None else None
        topics = halyk.bot.topics
        found[topics.get(says.topic, "general") if says else ""].add(plan.transfer(dialog.index, 7, 0.0))
    internal = {n for n in range(1, 57) if halyk.operators.team(n).departments == ("legal", "hr")}
    there = {n for n in range(1, 57) if plan.staff.is_there(n, 0.0)}
    customers, experts = (
        {Destination(operator=f"o{n}") for n in numbers & there}
        for numbers in ({*range(1, 57)} - internal - {7}, internal)
    )
    assert len(there & internal) > 1
    assert {*range(1, 57)} - there
    assert (found["general"], found["legal"], found["hr"]) == (customers, experts, experts)


def test_load_multiplies_arrivals(peak: Plan) -> None:
    """Load 3 starts three times as many dialogs as load 1, within sampling error."""
    assert len(plan_of(load=3).main) == pytest.approx(3 * len(peak.main), abs=5 * math.sqrt(9000))


def test_a_longer_run_begins_as_a_shorter_one(peak: Plan) -> None:
    """The dialogs of the first minute are the same."""
    shorter = plan_of(duration_s=30)
    assert shorter.dialogs == tuple(d for d in peak.dialogs if d.start_ms < 30 * 60_000)


@settings(max_examples=20)
@given(workers=st.integers(1, 9), seed=st.integers(0, 1000))
def test_any_number_of_workers_plays_the_same_plan(workers: int, seed: int) -> None:
    """Of plans made apart the workers' shares are together the whole one, every dialog once, turns, texts and all."""
    whole = make_plan(SMOKE, seed, "peak", 1, 60, 10, 2, 12)
    made = [make_plan(SMOKE, seed, "peak", 1, 60, 10, 2, 12), whole]
    shares = [made[worker % 2].share(worker, workers) for worker in range(workers)]
    together = sorted((dialog for share in shares for dialog in share), key=lambda d: (d.start_ms, d.index))
    assert tuple(together) == whole.dialogs
    some = whole.dialogs[0]
    assert {plan.text(some.index, 0) for plan in made} == {whole.text(some.index, 0)}
    assert {plan.reply(some.index, 0) for plan in made} == {whole.reply(some.index, 0)}


def test_messages_and_minutes_come_out_as_the_scenario_says(long: Plan) -> None:
    """Within five standard errors over some 30,000 dialogs, although nobody publishes turns or thinking times."""
    messages = [2 * len(d.turns) for d in long.main]
    minutes = [long.expected_ms(d) / 60_000 for d in long.main]
    assert statistics.fmean(messages) == pytest.approx(
        TBANK.dialog.messages, abs=5 * statistics.stdev(messages) / math.sqrt(len(messages))
    )
    lasts = TBANK.dialog.duration / 60_000
    assert statistics.fmean(minutes) == pytest.approx(
        lasts, abs=5 * statistics.stdev(minutes) / math.sqrt(len(minutes))
    )


def test_starts_are_poisson(long: Plan) -> None:
    """The counts of business minutes have the mean of the peak hour, and a variance equal to the mean."""
    counts = Counter(int(d.start_ms // 60_000) for d in long.main)
    per_minute = [counts[minute] for minute in range(600)]
    assert statistics.fmean(per_minute) == pytest.approx(50, abs=5 * math.sqrt(50 / 600))
    assert statistics.variance(per_minute) == pytest.approx(50, rel=0.3)


def test_channels_and_the_bot_have_their_shares(long: Plan) -> None:
    """Each of the six channels has its share; the bot is on the site and in the apps."""
    n = len(long.main)
    shares = {channel: count / n for channel, count in Counter(d.channel for d in long.main).items()}
    published = {"web": 0.20, "app": 0.45, "telegram": 0.12, "messenger": 0.05, "viber": 0.09, "vk": 0.09}
    assert shares == {channel: pytest.approx(share, abs=0.015) for channel, share in published.items()}
    with_bot = [d for d in long.main if d.channel in ("web", "app")]
    assert statistics.fmean(d.contained for d in with_bot) == pytest.approx(0.3, abs=0.015)
    assert not any(d.contained for d in long.main if d.channel not in ("web", "app"))


def test_turns_follow_the_way_of_a_dialog(peak: Plan) -> None:
    """Bot, hand-over, operator in this order; a contained dialog has only the bot's."""
    for dialog in peak.dialogs:
        whom = [turn.to for turn in dialog.turns]
        if dialog.contained:
            assert set(whom) == {"bot"}
        else:
            assert whom.count("handover") == 1
            assert whom == sorted(whom, key=["bot", "handover", "operator"].index)
    assert all(d.turns[0].to == "handover" for d in peak.dialogs if d.channel == "telegram")


def test_only_the_app_drops_its_socket(long: Plan) -> None:
    """As often as the scenario says."""
    drops = [turn.drop_ms is not None for d in long.main if d.channel == "app" for turn in d.turns]
    assert statistics.fmean(drops) == pytest.approx(0.15, abs=0.01)
    assert all(turn.drop_ms is None for d in long.main if d.channel != "app" for turn in d.turns)


def test_the_ramp_holds_the_dialogs_that_are_open_at_t0(peak: Plan) -> None:
    """About rate times duration of them, all introduced before t0, none with more turns than it would have had."""
    expected = 3000 / 60 * 12
    assert len(peak.ramp) == pytest.approx(expected, abs=5 * math.sqrt(expected))
    assert all(-10 * 60_000 <= d.start_ms < 0 <= d.hold_ms for d in peak.ramp)
    assert all(d.index < -1 for d in peak.ramp)
    assert all(d.index >= 0 for d in peak.main)
    left = statistics.fmean(len(d.turns) for d in peak.ramp)
    assert left < statistics.fmean(len(d.turns) for d in peak.main)


@pytest.mark.parametrize("load", [0.5, 1, 2.5])
def test_no_dialog_is_minus_one(load: float) -> None:
    """Minus one is how a record says that it is about no planned dialog; the ramp begins with minus two."""
    indices = {d.index for seed in range(20) for d in make_plan(SMOKE, seed, "peak", load, 60, 1, 2, 12).ramp}
    assert -1 not in indices
    assert max(indices) == -2


def test_the_floor_is_in_balance_over_the_whole_run(peak: Plan) -> None:
    """Dialogs in progress one mean duration after t0 are as many as at t0: nothing fills up or empties."""

    def open_at(moment_ms: float) -> int:
        return sum(d.start_ms <= moment_ms < end_of(d) for d in peak.dialogs)

    def end_of(dialog: Dialog) -> float:
        begin = dialog.start_ms if dialog.phase == "main" else max(0.0, dialog.hold_ms - dialog.turns[-1].think_ms)
        return begin + peak.expected_ms(dialog)

    moments = [open_at(minute * 60_000) for minute in (12, 24, 36, 48)]
    assert statistics.fmean(moments) == pytest.approx(600, rel=0.12)


def test_nobody_is_taken_for_gone(peak: Plan, long: Plan) -> None:
    """No pause that a customer means to make is as long as the platform's inactivity time, the ramp's wait included."""
    limit_ms = TBANK.timers.inactivity
    assert all(turn.think_ms < limit_ms for d in long.main for turn in d.turns)
    assert all(d.hold_ms - d.start_ms < limit_ms for d in peak.ramp)


def test_the_last_turn_is_the_last(peak: Plan) -> None:
    """By the counter in the text, which starts at 1."""
    dialog = peak.dialogs[700]
    last = [peak.is_last(dialog.index, counter) for counter in range(1, len(dialog.turns) + 1)]
    assert last == [False] * (len(dialog.turns) - 1) + [True]


def test_the_day_follows_the_curve() -> None:
    """Each hour has its share of the day, which is as busy as its draw says."""
    day = make_plan(TBANK, 3, "day", 1, 600, 144, 0, 400)
    hours = Counter(int(d.start_ms // 3_600_000) for d in day.main)
    total = sum(TBANK.volume.intraday)
    busyness = Rate(TBANK, "day", Draws(3)).expected(86_400_000) / 30_000
    assert busyness == pytest.approx(1, abs=0.5)
    assert busyness != 1
    for hour, weight in enumerate(TBANK.volume.intraday):
        expected = busyness * 30_000 * weight / total
        assert hours[hour] == pytest.approx(expected, abs=5 * math.sqrt(expected))


@given(st.floats(0, 90_000_000))
def test_when_is_the_inverse_of_expected(at_ms: float) -> None:
    """Also past midnight."""
    rate = Rate(TBANK, "day", Draws(3))
    assert rate.when(rate.expected(at_ms)) == pytest.approx(at_ms, abs=1)


def test_no_ramp_is_an_empty_start() -> None:
    """With --ramp 0s nothing is open at t0."""
    assert plan_of(ramp_s=0).ramp == ()


def test_users_are_people_the_channel_can_name(peak: Plan) -> None:
    """One customer a dialog; Telegram's are numbers."""
    users = [(d.channel, d.user) for d in peak.dialogs]
    assert len(set(users)) == len(users)
    assert all(user.isdecimal() for channel, user in users if channel == "telegram")


def test_ratings_have_the_share_and_the_split_of_the_scenario() -> None:
    """Of the operators' dialogs this share are rated, in the scenario's proportion; of the bot's none."""
    plan = make_plan(TEAMS, 1, "peak", 1, 60, 1200, 0, 12)
    asked, mine = TEAMS.feedback, [dialog for dialog in plan.main if not dialog.contained]
    assert asked is not None
    scores = Counter(dialog.rating.score for dialog in mine if dialog.rating is not None)
    assert not any(dialog.rating for dialog in plan.main if dialog.contained)
    assert scores.total() / len(mine) == pytest.approx(asked.share, abs=0.02)
    assert scores[2] / scores.total() == pytest.approx(250 / 370, abs=0.02)


def test_closing_takes_a_lognormal_or_an_exponential_time() -> None:
    """Both have the scenario's mean; the exponential law has one time in ten below a tenth of it, the other none."""
    operators = SMOKE.operators.model_copy(update={"wrap_up_law": "exponential"})
    mean_ms = operators.wrap_up
    for scenario, short in ((SMOKE, 0.0), (SMOKE.model_copy(update={"operators": operators}), 0.095)):
        plan = make_plan(scenario, 1, "peak", 1.0, 60, 1, 0, 12)
        times = [plan.wrap_up_ms(index) for index in range(20_000)]
        assert statistics.fmean(times) == pytest.approx(mean_ms, rel=0.02)
        assert sum(time < mean_ms / 10 for time in times) / len(times) == pytest.approx(short, abs=0.006)


def test_what_a_customer_reads_is_what_the_operator_writes() -> None:
    """A turn knows how long its answer is; where none was planned, as after a bot that failed, one is drawn."""
    plan = make_plan(load("tbank").scenario, 3, "peak", 0.1, 60.0, 20.0, 5.0, 40)
    asked = {
        (turn.to, turn.answer > 0, plan.reply(dialog.index, at).length == turn.answer)
        for dialog in plan.dialogs
        for at, turn in enumerate(dialog.turns)
        if turn.to != "more"
    }
    assert asked == {("bot", False, False), ("handover", True, True), ("operator", True, True)}
    assert {turn.answer for dialog in plan.dialogs for turn in dialog.turns if turn.to == "more"} == {0}
