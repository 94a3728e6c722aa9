"""Key figures against a plain recount of made-up runs: the whole, and every channel, department and half hour."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatreport.episodes import Contacts
from chatreport.floor import Floor
from chatreport.kpi import FIGURES, key_figures
from chatreport.kpi.breakdown import HALF_HOUR_S
from chatreport.kpi.handling import WORKDAY_H
from chatreport.kpi.queue import SHORT_S
from chatreport.rundir import Channel, Kind, Outcome, What
from tests.chatreport import besides
from tests.chatreport.ledgers import MS, T0, Record
from tests.chatreport.recount import Dialog, Owned, Recount, Span, mean, ratio, union
from tests.chatreport.worlds import play

Shape = tuple[int, int, int, int, float]  # dialogs, operators, slots, seed, speed
FAST = 3600.0  # at this speed the made-up run takes two business hours
ADDED = ("dialogs_opened", "dialogs_offered", "dialogs_answered", "dialogs_abandoned", "dialogs_rated", "slot_use")


def waited(recount: Recount, dialogs: Iterable[Dialog], until: str) -> list[float]:
    """Business seconds from the queue to a moment of each dialog."""
    return [recount.seconds(max(getattr(each, until) - (each.queued or 0), 0)) for each in dialogs]


def queue(recount: Recount, dialogs: list[Dialog], target_s: float) -> dict[str, float | None]:
    """The queue's figures; the service level as its variants are named."""
    offered = [each for each in dialogs if each.queued is not None]
    answered, left = ([each for each in offered if getattr(each, how)] for how in ("answered", "abandoned"))
    waits, gone = waited(recount, answered, "accepted"), waited(recount, left, "left")
    fast, early = (sum(each <= target_s for each in times) for times in (waits, gone))
    short = sum(each <= SHORT_S for each in gone)
    told = [any(entry["kind"] == Kind.CLOSED and entry["reason"] == "customer" for entry in each.entries)
            for each in left]  # fmt: skip
    replied = [each for each in offered if each.replied is not None]
    asked = [(each, [m for m in recount.messages(each) if m["seq"] < entry["seq"]][-1])
             for each in answered for entry in each.entries if entry["kind"] == Kind.QUEUED]  # fmt: skip
    ended = len(answered) + len(left)
    return {
        "dialogs_opened": len(dialogs), "dialogs_offered": len(offered), "dialogs_answered": len(answered),
        "dialogs_abandoned": len(left), "level": ratio(fast, len(offered)), "level_of_ended": ratio(fast, ended),
        "level_without_short": ratio(fast, ended - short), "level_with_abandoned": ratio(fast + early, ended),
        "level_of_answered": ratio(fast, len(answered)), "accepted_share": ratio(len(answered), len(offered)),
        "abandonment": ratio(len(left), len(offered)), "abandonment_spoken": ratio(sum(told), len(offered)),
        "abandonment_silent": ratio(len(left) - sum(told), len(offered)),
        "abandonment_short": ratio(short, len(offered)),
        "abandonment_without_short": ratio(len(left) - short, len(offered) - short),
        "left_unanswered": ratio(sum(
            each.left is not None and (each.replied is None or each.replied > each.left) for each in answered
        ), len(offered)),
        "asa_s": mean(waits), "abandoned_after_s": mean(gone),
        "time_to_connect_s": mean(recount.seconds((each.accepted or 0) - recount.sent(m)) for each, m in asked),
        "first_response_s": mean(waited(recount, replied, "replied")),
        "first_response_from_start_s": mean(
            recount.seconds((each.replied or 0) - recount.sent(recount.messages(each)[0]))
            for each in dialogs if each.replied is not None
        ),
        "next_response_s": mean(each for dialog in dialogs for each in next_responses(recount, dialog)),
    }  # fmt: skip


def next_responses(recount: Recount, dialog: Dialog) -> Iterable[float]:
    """From the customer's message to the operator's answer, after the first message of an operator."""
    known, since = False, 0
    for message, before, then in recount.turns(dialog):
        if message["sender"][0] == "o":
            if known and before is not None and before["sender"][0] == "c":
                yield recount.seconds(max(recount.sent(message) - since, 0))
            known = True
        since = then


def handling(recount: Recount, dialogs: list[Dialog]) -> dict[str, float | None]:
    """What operators did in the dialogs."""
    accepted = [each for each in dialogs if each.owned]
    ended = [each for each in accepted
             if each.has(Kind.CLOSED) and all(owned.end < 1 << 62 for owned in each.owned)]  # fmt: skip
    spans: dict[str, list[Span]] = {}
    for dialog in ended:
        for operator, span in recount.clamped(dialog):
            spans.setdefault(operator, []).append(span)
    closed = [each for each in dialogs if each.has(Kind.CLOSED)]
    completed = [each.script for each in dialogs if each.script["outcome"] == Outcome.COMPLETED]
    return {
        "handling_time_s": mean(recount.seconds(sum(o.end - o.begin for o in each.owned)) for each in ended),
        "agent_time_s": ratio(recount.seconds(sum(map(union, spans.values()))), len(ended), 1.0),
        "duration_s": mean(recount.seconds(row["done"] - row["started"]) for row in completed),
        "messages_per_dialog": mean(sum(e["kind"] == Kind.MESSAGE for e in each.entries) for each in closed),
        "transfers_share": ratio(sum(each.has(Kind.TRANSFERRED) for each in accepted), len(accepted)),
        "hold_share": ratio(sum(each.has(Kind.HELD) for each in accepted), len(accepted)),
        "hold_s": mean(recount.seconds(0) for each in accepted if each.has(Kind.HELD)),
    }


def floor(recount: Recount, owned: list[Owned], everybody: list[Owned], windows: list[Span]) -> dict[str, float | None]:
    """Operators' time."""
    mine, whole = recount.floor(owned, windows), recount.floor(everybody, windows)
    first = {each.key: each.begin for each in sorted(owned, key=lambda each: -each.begin)}
    taken_up = sum(low <= begin < high for begin in first.values() for low, high in windows)
    return {
        "concurrency": ratio(mine["held"], mine["busy"], 1.0), "occupancy": ratio(mine["busy"], whole["there"]),
        "slot_use": ratio(mine["held"], whole["offered"]),
        "contacts_per_operator_day": ratio(taken_up, whole["shift"] / WORKDAY_H, 1.0),
    }  # fmt: skip


def bot_and_ratings(recount: Recount, dialogs: list[Dialog]) -> dict[str, float | None]:
    """What the bot did alone, and what customers thought."""
    rows = {(row["contact"], row["number"]): row for row in recount.record.find(What.AUDIT_RATING)}
    scores = {each.key: rows[each.key]["size"] for each in dialogs if each.key in rows}
    good, bad = (sum(score == wanted for score in scores.values()) for wanted in (2, 1))
    closed = [each for each in dialogs if each.has(Kind.CLOSED)]
    served = [each for each in closed if any(
        entry.get("author") == "bot" and not any(
            other["kind"] == Kind.QUEUED and other["seq"] < entry["seq"] for other in each.entries)
        for entry in each.entries)]  # fmt: skip
    alone = [each for each in served if not each.has(Kind.QUEUED)]
    content = [each for each in alone
               if each.script["outcome"] == Outcome.COMPLETED and scores.get(each.key) != 1]  # fmt: skip
    handled = [each for each in closed if each.owned]
    return {
        "bot_containment": ratio(len(alone), len(served)), "bot_share": ratio(len(alone), len(closed)),
        "bot_containment_content": ratio(len(content), len(served)), "dialogs_rated": len(scores),
        "rated_share": ratio(sum(each.key in scores for each in handled), len(handled)),
        "satisfaction": ratio(good, len(scores)), "ratings_good_to_bad": ratio(good, bad, 1.0),
    }  # fmt: skip


def counted(recount: Recount, dialogs: list[Dialog], owned: list[Owned], windows: list[Span]) -> dict[str, Any]:
    """Every figure over some dialogs, some ownerships and some windows; those that have no value are left out."""
    found = queue(recount, dialogs, 20) | handling(recount, dialogs) | bot_and_ratings(recount, dialogs)
    found |= floor(recount, owned, recount.owned if owned is not recount.owned else owned, windows)
    found = {name.replace("level", "service_level_20s", 1) if name.startswith("level") else name: value
             for name, value in found.items()}  # fmt: skip
    assert found.keys() == FIGURES.keys()
    return {name: pytest.approx(value, abs=1e-3, rel=1e-3) for name, value in found.items() if value is not None}


def lively(dialogs: int, operators: int, slots: int, seed: int, speed: float) -> Record:
    """A made-up run with departments, ratings, silent leaving, and somebody who takes a break with dialogs in hand."""
    record = play(dialogs, operators, slots, seed=seed)
    record.manifest["speed"] = speed
    besides.rate(record)
    for entry in record.find(What.AUDIT, kind=Kind.QUEUED):
        entry["reason"] = "general" if entry["channel"] != Channel.APP else "apps"
    for closing in record.find(What.AUDIT, kind=Kind.CLOSED, reason="customer")[::2]:
        closing["reason"] = "inactive"
    for accepted in record.find(What.ACCEPT, outcome=Outcome.OK)[::5]:
        for script in record.find(What.DIALOG, contact=accepted["contact"], number=accepted["number"]):
            script |= {"outcome": Outcome.ABANDONED, "done": accepted["done"] + MS}
    pause = record.one(What.PRESENCE, who=f"o{operators}") | {"reason": "away", "done": T0 + 300 * MS}
    record.rows += [pause, pause | {"reason": "online", "done": T0 + 600 * MS}]
    return record


def measured(record: Record) -> tuple[dict[str, float], dict[str, Any]]:
    """The whole run's values, and those of its parts."""
    evidence = record.evidence()
    floor_of_it = Floor(evidence)
    whole, parts = key_figures(evidence, floor_of_it, Contacts(evidence, floor_of_it))
    return {name: entry["value"] for name, entry in whole.items() if entry["value"] is not None}, parts


SHAPES = st.tuples(
    st.integers(6, 18), st.integers(2, 3), st.integers(1, 2), st.integers(0, 10**6), st.sampled_from([2.0, FAST])
)


@settings(max_examples=12, deadline=None)
@given(SHAPES)
def test_every_figure_is_what_a_plain_recount_says(shape: Shape) -> None:
    """Each definition, numerator and denominator, over a whole run."""
    record = lively(*shape)
    recount = Recount(record)
    assert measured(record)[0] == counted(recount, recount.dialogs, recount.owned, [recount.window])


@settings(max_examples=6, deadline=None)
@given(SHAPES)
def test_a_channels_figures_are_those_of_its_dialogs_alone(shape: Shape) -> None:
    """Also of its ownerships in everybody's time; what can be added up adds up to the whole."""
    record = lively(*shape)
    recount, (whole, parts) = Recount(record), measured(record)
    channels = {"web": "web", "app": "app", "telegram": "tg"}
    for name, account in channels.items():
        dialogs = [each for each in recount.dialogs if each.key[0].startswith(account)]
        owned = [each for each in recount.owned if each.key[0].startswith(account)]
        if dialogs:
            assert parts["channel"][name] == counted(recount, dialogs, owned, [recount.window]), name
    for name in ADDED:
        assert sum(part.get(name, 0) for part in parts["channel"].values()) == pytest.approx(whole[name], abs=0.01)


@settings(max_examples=6, deadline=None)
@given(SHAPES)
def test_a_dialog_belongs_to_the_department_where_it_was_last(shape: Shape) -> None:
    """Sent on, it counts there; who never left the bot is in none."""
    record = lively(*shape)
    recount, (whole, parts) = Recount(record), measured(record)

    def department(key: tuple[str, int]) -> str:
        asked = [entry.get("reason") for entry in recount.history.get(key, [])
                 if entry["kind"] in (Kind.QUEUED, Kind.TRANSFERRED)]  # fmt: skip
        return asked[-1] or "none" if asked else "none"

    assert parts["department"].keys() == {department(each.key) for each in recount.dialogs}
    for name, found in parts["department"].items():
        dialogs = [each for each in recount.dialogs if department(each.key) == name]
        owned = [each for each in recount.owned if department(each.key) == name]
        assert found == counted(recount, dialogs, owned, [recount.window]), name
    for name in ADDED[:-1]:
        assert sum(part.get(name, 0) for part in parts["department"].values()) == whole[name]


@settings(max_examples=6, deadline=None)
@given(SHAPES)
def test_a_half_hours_figures_are_those_of_the_dialogs_that_start_in_it(shape: Shape) -> None:
    """Business time from t0 to the end, with everybody's time in it; counts add up to the whole."""
    record = lively(*shape)
    recount, (whole, parts) = Recount(record), measured(record)
    begin, end = recount.window
    step = int(HALF_HOUR_S * 1e9 / recount.speed)
    assert [part["from_s"] for part in parts["half_hour"]] == list(
        range(0, (4 if recount.speed == FAST else 1) * 1800, 1800)
    )
    for number, part in enumerate(parts["half_hour"]):
        window = begin + number * step, min(begin + (number + 1) * step, end)
        dialogs = [
            each for each in recount.dialogs if window[0] <= each.script["intended"] < begin + (number + 1) * step
        ]
        assert part["figures"] == counted(recount, dialogs, recount.owned, [window]), number
    late = sum(each.script["intended"] >= end for each in recount.dialogs)
    assert sum(part["figures"]["dialogs_opened"] for part in parts["half_hour"]) == whole["dialogs_opened"] - late
