"""Strangers in the record: refused ones change nothing; one that was let in, or left something, is a phantom."""

import pytest

from chatreport.rundir import Channel, Kind, Outcome, What
from tests.chatreport.breaks import honest
from tests.chatreport.ledgers import MS, T0, Record

PRETENDED = "tg/5700000000"


def besieged() -> Record:
    """The honest record, and strangers beside it: two refused, a flood among them, and one without an answer."""
    record = honest().copy()
    tried = {"what": What.HOSTILE, "who": "stranger", "contact": PRETENDED, "channel": Channel.TELEGRAM, "started": T0}
    record.rows += [
        {**tried, "outcome": Outcome.REJECTED, "rule": "signature", "reason": "401", "size": 1, "done": T0 + MS},
        {**tried, "outcome": Outcome.REJECTED, "rule": "flood", "reason": "429", "size": 300, "done": T0 + MS},
        {**tried, "outcome": Outcome.INDETERMINATE, "rule": "head", "reason": "disconnected", "size": 1, "contact": ""},
    ]
    return record


def test_refused_strangers_change_nothing() -> None:
    """All guarantees are as before, and how many requests there were is counted, by what became of them."""
    before, (found, counts) = honest().findings(), besieged().checked()
    assert found == before
    hostile = {name: count for name, count in counts.items() if name.startswith("hostile")}
    assert hostile == {"hostile_requests": 302, "hostile_refused": 301, "hostile_unanswered": 1}


@pytest.mark.parametrize("how", ["let in", "stored"])
def test_a_stranger_who_was_let_in_is_found(how: str) -> None:
    """Answered as if genuine, or with a place in the history: G2 is violated, and no other."""
    record = besieged()
    if how == "let in":
        record.one(What.HOSTILE)["outcome"] = Outcome.OK
    else:
        entry = {"what": What.AUDIT, "who": "auditor", "contact": PRETENDED, "channel": Channel.TELEGRAM, "number": 1}
        record.rows.append({**entry, "seq": 1, "kind": Kind.CLOSED})
    assert record.violated() == {"G2"}
