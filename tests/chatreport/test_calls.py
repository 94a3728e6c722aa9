"""Calls in the record: an honest one holds, each way of breaking it is found, key figures know who was there."""

from collections.abc import Callable
from typing import Any

import pytest

from chatreport.episodes import Contacts
from chatreport.kpi import key_figures
from chatreport.rundir import Channel, Kind, Outcome, Phase, What
from tests.chatreport.breaks import honest
from tests.chatreport.ledgers import MS, T0, Record, Row

CALLER: Row = {"contact": "ph/+79000000077", "channel": Channel.PHONE, "phase": Phase.MAIN}
FIRST, DIALLED = 101, 102  # the exchange's numbers of the two calls
ENTRIES: list[Row] = [
    {"kind": Kind.CALL, "provider_id": FIRST, "reason": "ringing"},
    {"kind": Kind.QUEUED, "reason": "calls"},
    {"kind": Kind.CALL, "provider_id": FIRST, "reason": "abandoned"},
    {"kind": Kind.ASSIGNED, "author": "o9", "assignment": 9001},
    {"kind": Kind.CALL, "author": "o9", "reason": "dialling"},
    {"kind": Kind.CALL, "author": "o9", "provider_id": DIALLED, "reason": "answered"},
    {"kind": Kind.CALL, "author": "o9", "provider_id": DIALLED, "reason": "finished"},
    {"kind": Kind.CLOSED, "reason": "finished"},
]


def at(ms: int) -> int:
    """So long after t0."""
    return T0 + ms * MS


def told(ms: int, call: int, state: str) -> Row:
    """The exchange told of a call, and got its 2xx a millisecond later."""
    times = {"intended": at(ms), "started": at(ms), "done": at(ms + 1), "attempt": 1}
    named = {"who": "phone", "provider_id": call, "reason": state, "plan": 77}
    return {"what": What.CALL, "outcome": Outcome.OK, **times, **named, **CALLER}


def with_a_call_back() -> Record:
    """The honest record, and a caller beside it who gave up and was called back by an operator of their own."""
    record = honest().copy()
    mine = CALLER | {"number": 1}
    desk: Row = {"who": "o9", "epoch": 1, "assignment": 9001, **mine}
    record.rows += [
        {"what": What.PRESENCE, "outcome": Outcome.OK, "who": "o9", "reason": "online", "done": at(0), "size": 2,
         "sender": "calls"},
        told(10, FIRST, "ringing"),
        told(40, FIRST, "abandoned"),
        {"what": What.OFFER, "done": at(50), "place": 9001, "priority": 1, "size": 0, "reason": "calls", **desk},
        {"what": What.ACCEPT, "outcome": Outcome.OK, "started": at(52), "done": at(53), "seq": 4, **desk},
        *({"what": What.ENTRY, **desk, "assignment": -1, **entry, "seq": seq, "done": at(53 + 9 * max(0, seq - 4))}
          for seq, entry in enumerate(ENTRIES, 1)),
        {"what": What.ATTEMPT, "outcome": Outcome.OK, "who": "phone", "started": at(54), "done": at(54),
         "provider_id": DIALLED, **CALLER},
        told(60, DIALLED, "answered"),
        told(90, DIALLED, "finished"),
        {"what": What.DIALOG, "outcome": Outcome.COMPLETED, "who": "c77", "plan": 77, "intended": at(9),
         "started": at(9), "done": at(90), **CALLER},
        *({"what": What.AUDIT, "who": "auditor", **mine, **entry, "seq": seq} for seq, entry in enumerate(ENTRIES, 1)),
        {"what": What.AUDIT_RECEIPT, "who": "auditor", "seq": 5, "provider_id": DIALLED, "reason": "sent", **mine},
    ]  # fmt: skip
    return record


def mine(record: Record, what: What, **wanted: Any) -> Row:
    """The caller's first row of a kind."""
    return record.one(what, contact=CALLER["contact"], **wanted)


def forgot_the_end(record: Record) -> None:
    """That the call ended was acknowledged, and stands nowhere."""
    mine(record, What.AUDIT, seq=7)["reason"] = "answered"
    mine(record, What.AUDIT, seq=6).update(reason="dialling", provider_id=-1)


def rang_by_itself(record: Record) -> None:
    """There is a call of which the exchange never told."""
    for what in (What.AUDIT, What.ENTRY):
        mine(record, what, seq=3)["provider_id"] = 999
    record.drop(mine(record, What.CALL, reason="abandoned"))


def said_twice(record: Record) -> None:
    """A repeated event took a place of its own."""
    for what in (What.AUDIT, What.ENTRY):
        mine(record, what, seq=6).update(provider_id=FIRST, reason="abandoned")


def never_settled(record: Record) -> None:
    """The order to dial neither reached the exchange nor failed; so nothing leads to the call it dialled, either."""
    record.drop(mine(record, What.AUDIT_RECEIPT))
    record.drop(mine(record, What.ATTEMPT))


def never_dialled(record: Record) -> None:
    """The order to dial is called sent, and the exchange never took it."""
    record.drop(mine(record, What.ATTEMPT))


def dialled_twice(record: Record) -> None:
    """The exchange dialled once more than the history knows."""
    record.add(mine(record, What.ATTEMPT), provider_id=103)


def beside_another(record: Record) -> None:
    """The operator in the call was given another dialog."""
    like = {"contact": "ph/+79000000078", "assignment": 9002, "place": 9002}
    record.add(mine(record, What.OFFER), **like, done=at(55))
    record.add(mine(record, What.ACCEPT), **like, started=at(56), done=at(57), seq=0)


BROKEN: list[tuple[Callable[[Record], None], str]] = [
    (forgot_the_end, "G1"), (rang_by_itself, "G2"), (said_twice, "G3"), (beside_another, "G8"),
    (never_settled, "G11"), (never_dialled, "G11"), (dialled_twice, "G2"),
]  # fmt: skip


def test_an_honest_call_holds() -> None:
    """A call-back beside other dialogs violates nothing, and counts: its events, its order, its acceptance."""
    before, found = honest().findings(), with_a_call_back().findings()
    assert {name: each.status for name, each in found.items()} == {name: each.status for name, each in before.items()}
    more = {name: found[name].count - before[name].count for name in ("G1", "G3", "G7", "G8", "G9", "G11")}
    assert more == {"G1": 4, "G3": 4, "G7": 1, "G8": 1, "G9": 1, "G11": 1}


@pytest.mark.parametrize("break_it, wrong", BROKEN, ids=[broken[0].__name__ for broken in BROKEN])
def test_a_broken_call_is_found(break_it: Callable[[Record], None], wrong: str) -> None:
    """Each defect violates the guarantee that forbids it."""
    record = with_a_call_back()
    break_it(record)
    assert wrong in record.violated()


@pytest.mark.parametrize("again", [False, True])
def test_who_hung_up_before_the_acceptance_has_left_unless_they_called_again(again: bool) -> None:
    """A call-back counts as abandoned, from when the caller hung up; who rang again was there."""
    record = with_a_call_back()
    if again:
        record.rows.append(told(45, FIRST, "ringing"))
    evidence = record.evidence()
    found = Contacts(evidence, record.floor(evidence)).episodes
    line = found.plan.tolist().index(77)
    times = found.queued_at[line], found.accepted_at[line], found.left_at[line]
    assert times == (at(11), at(53), -1 if again else at(40))
    assert (found.channel[line], found.messages[line]) == (Channel.PHONE, 0)


def test_calls_are_on_neither_side_of_who_left_before_the_answer() -> None:
    """Nobody writes in a call: it is among those offered, and not among those who may wait for an answer."""
    whole: dict[str, list[int]] = {}
    for record in (honest(), with_a_call_back()):
        evidence = record.evidence()
        floor = record.floor(evidence)
        found = key_figures(evidence, floor, Contacts(evidence, floor))[0]
        for name in ("accepted_share", "left_unanswered"):
            whole.setdefault(name, []).append(found[name]["whole"])
    assert whole == {"accepted_share": [18, 19], "left_unanswered": [18, 18]}
