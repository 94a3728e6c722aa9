"""What the bank says of a person, in the record: for them alone, after they have shown who they are."""

from collections.abc import Callable

import pytest

from chatreport.rundir import Channel, Kind, Outcome, Phase, What
from tests.chatreport.breaks import honest
from tests.chatreport.ledgers import MS, T0, Record, Row

MASKED = 4711  # the messenger's id of the message with the code
ANNA: Row = {"contact": "tg/5000000088", "channel": Channel.TELEGRAM, "phase": Phase.MAIN, "plan": 88}


def at(ms: int) -> int:
    """So long after t0."""
    return T0 + ms * MS


def told() -> Record:
    """The honest record, and a customer beside it who typed the code, which was stored as dots, and was told."""
    record = honest().copy()
    said: Row = {"what": What.SEND, "kind": Kind.MESSAGE, "outcome": Outcome.OK, "who": "telegram", "sender": "c88"}
    audit: Row = {"what": What.AUDIT, "kind": Kind.MESSAGE, "who": "auditor", "number": 1, **ANNA}
    record.rows += [
        {**said, "counter": 1, "provider_id": MASKED, "attempt": 1, "intended": at(10), "started": at(10),
         "done": at(12), **ANNA},
        {"what": What.CODE, "outcome": Outcome.OK, "reason": "typed", "who": "c88", "started": at(10), **ANNA},
        {"what": What.BANK, "outcome": Outcome.OK, "reason": "balance", "who": "bank", "sender": "b88", "counter": 1,
         "started": at(20), "done": at(20), **ANNA},
        {"what": What.ATTEMPT, "outcome": Outcome.OK, "who": "telegram", "sender": "b88", "counter": 1,
         "provider_id": 90, "started": at(22), "done": at(22), **ANNA},
        {**audit, "seq": 1, "author": "customer", "provider_id": MASKED, "plan": -1},
        {**audit, "seq": 2, "author": "bot", "cause_seq": 1, "rule": "operation:done", "sender": "b88", "counter": 1},
        {"what": What.AUDIT, "kind": Kind.CLOSED, "who": "auditor", "number": 1, "seq": 3, **ANNA},
        {"what": What.AUDIT_RECEIPT, "who": "auditor", "number": 1, "seq": 2, "provider_id": 90, "reason": "sent",
         **ANNA},
    ]  # fmt: skip
    return record


def of_anna(record: Record, what: What) -> Row:
    """Her first row of a kind."""
    return record.one(what, contact=ANNA["contact"])


def before_the_code(record: Record) -> None:
    """She was told before she had typed it."""
    of_anna(record, What.CODE)["started"] = at(30)


def without_the_code(record: Record) -> None:
    """She typed another."""
    of_anna(record, What.CODE)["reason"] = "mistyped"


def to_somebody_else(record: Record) -> None:
    """Another customer, who had shown who they are, was told."""
    record.add(of_anna(record, What.CODE), contact="tg/5000000089")
    record.add(of_anna(record, What.ATTEMPT), contact="tg/5000000089", provider_id=91)


def made_up(record: Record) -> None:
    """The bank said no such thing."""
    of_anna(record, What.BANK)["reason"], of_anna(record, What.BANK)["counter"] = "account", -1


def lost_under_its_mask(record: Record) -> None:
    """What is stored as dots is another message than she sent."""
    record.one(What.AUDIT, contact=ANNA["contact"], seq=1)["provider_id"] = 1


BROKEN: list[tuple[Callable[[Record], None], set[str]]] = [
    (before_the_code, {"G5"}), (without_the_code, {"G5"}), (to_somebody_else, {"G5", "G11"}), (made_up, {"G2"}),
    (lost_under_its_mask, {"G1", "G2"}),
]  # fmt: skip


def test_who_has_typed_the_code_may_be_told() -> None:
    """The code is found under its mask by the messenger's id, and nothing else changes."""
    before, found = honest().findings(), told().findings()
    assert {name: each.status for name, each in found.items()} == {name: each.status for name, each in before.items()}
    assert found["G1"].count == before["G1"].count + 1


@pytest.mark.parametrize("break_it, wrong", BROKEN, ids=[broken[0].__name__ for broken in BROKEN])
def test_what_is_told_to_others_is_found(break_it: Callable[[Record], None], wrong: set[str]) -> None:
    """Each defect violates the guarantees that forbid it, and no others; what went out again was sent twice, too."""
    record = told()
    break_it(record)
    assert record.violated() == wrong
