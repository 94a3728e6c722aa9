"""Notices in the record: honest ones hold, and each way of breaking them is found."""

from collections.abc import Callable

import pytest

from chatreport.rundir import Channel, Kind, Outcome, What
from tests.chatreport.breaks import honest
from tests.chatreport.ledgers import MS, T0, Record, Row

AGREED: Row = {"contact": "wa/5500000000", "channel": Channel.WHATSAPP}
BARRED: Row = {"contact": "wa/5500000001", "channel": Channel.WHATSAPP}
SENT = 321


def noticed() -> Record:
    """The honest record, and beside it a notice that was delivered, and one that was refused."""
    record = honest().copy()
    asked: Row = {"what": What.NOTICE, "who": "bank", "rule": "news", "intended": T0, "started": T0, "done": T0 + MS}
    record.rows += [
        {**asked, "outcome": Outcome.OK, "size": 1, **AGREED},
        {**asked, "outcome": Outcome.REJECTED, "size": 0, "reason": "no_consent", **BARRED},
        {"what": What.ATTEMPT, "outcome": Outcome.OK, "who": "whatsapp", "provider_id": SENT, "started": T0 + 2 * MS,
         "done": T0 + 2 * MS, **AGREED},
        {"what": What.CALLBACK, "outcome": Outcome.OK, "who": "whatsapp", "provider_id": SENT, "reason": "delivered",
         "started": T0 + 3 * MS, "done": T0 + 4 * MS, **AGREED},
        {"what": What.AUDIT, "kind": Kind.NOTICE, "who": "auditor", "author": "system", "number": 0, "seq": 1,
         "rule": "news", **AGREED},
        {"what": What.AUDIT_RECEIPT, "who": "auditor", "number": 0, "seq": 1, "provider_id": SENT, "reason": "sent",
         **AGREED},
        {"what": What.BILL, "outcome": Outcome.OK, "who": "auditor", "contact": "wa", "size": 1},
    ]  # fmt: skip
    return record


def forgotten(record: Record) -> None:
    """It was accepted, and stands nowhere."""
    record.one(What.NOTICE, contact=BARRED["contact"]).update(outcome=Outcome.OK, size=1)


def made_up(record: Record) -> None:
    """Somebody got another template than was asked for."""
    record.add(record.one(What.AUDIT, kind=Kind.NOTICE, contact=AGREED["contact"]), seq=2, rule="due")
    record.add(record.one(What.AUDIT_RECEIPT, number=0, contact=AGREED["contact"]), seq=2, reason="failed")


def twice(record: Record) -> None:
    """It stands there twice."""
    record.add(record.one(What.AUDIT, kind=Kind.NOTICE, contact=AGREED["contact"]), seq=2)
    record.add(record.one(What.AUDIT_RECEIPT, number=0, contact=AGREED["contact"]), seq=2, reason="failed")


def to_the_barred(record: Record) -> None:
    """The messenger was asked to send it to who did not agree; that it failed does not help."""
    record.add(record.one(What.ATTEMPT, contact=AGREED["contact"]), outcome=Outcome.REJECTED, provider_id=-1, **BARRED)


def never_settled(record: Record) -> None:
    """It neither left nor failed."""
    record.one(What.AUDIT_RECEIPT, number=0, contact=AGREED["contact"])["reason"] = "delivered"


def billed_twice(record: Record) -> None:
    """The bank is to pay for two."""
    record.one(What.BILL)["size"] = 2


BROKEN: list[tuple[Callable[[Record], None], str]] = [
    (forgotten, "G1"), (made_up, "G2"), (twice, "G3"), (to_the_barred, "G5"), (never_settled, "G11"),
    (billed_twice, "G11"),
]  # fmt: skip


def test_an_honest_notice_holds() -> None:
    """It is one reply more, and all else as before."""
    before, (found, counts) = honest().findings(), noticed().checked()
    assert {name: each.status for name, each in found.items()} == {name: each.status for name, each in before.items()}
    assert found["G11"].count == before["G11"].count + 1
    assert (counts["notices"], counts["notices_delivered"]) == (2, 1)


@pytest.mark.parametrize("break_it, wrong", BROKEN, ids=[broken[0].__name__ for broken in BROKEN])
def test_a_broken_notice_is_found(break_it: Callable[[Record], None], wrong: str) -> None:
    """Each defect violates the guarantee that forbids it, and no other."""
    record = noticed()
    break_it(record)
    assert record.violated() == {wrong}
