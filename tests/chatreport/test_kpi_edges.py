"""Key figures where a record ends or a socket closes: a run to be reckoned by hand, with one thing more."""

from typing import Any

from chatreport.rundir import Channel, Kind, Outcome, What
from tests.chatreport.ledgers import MS, T0, Record, Row
from tests.chatreport.test_figures import MAIN, TELEGRAM, at, kpi_of, row, tiny

CALL: Row = {**MAIN, "contact": "ph/+79000000077", "number": 1, "channel": Channel.PHONE}
CALLED: list[Row] = [
    {"kind": Kind.CALL, "provider_id": 101, "reason": "ringing"},
    {"kind": Kind.QUEUED, "reason": "calls"},
    {"kind": Kind.ASSIGNED, "author": "o9", "assignment": 9},
    {"kind": Kind.CALL, "provider_id": 101, "reason": "answered"},
    {"kind": Kind.CALL, "provider_id": 101, "reason": "finished"},
    {"kind": Kind.CLOSED, "reason": "finished"},
]


def values(record: Record, *names: str) -> list[Any]:
    """The values of some key figures."""
    found = kpi_of(record)
    return [found[name]["value"] for name in names]


def test_who_hung_up_waits_from_their_message_and_not_from_their_redial() -> None:
    """They asked at 30 ms, were accepted at 2.5 s, and saw the queue at 4 s: 24.7 s at ten times life's speed.

    The other dialog waited for 50 s.
    """
    record = tiny().copy()
    asked = record.one(What.SEND, sender="c0", counter=2)
    record.add(asked, outcome=Outcome.INDETERMINATE, reason="dropped", done=-1, attempt=1)
    asked.update(at(started=4000, done=4002), attempt=2)
    record.one(What.ENTRY, who="c0", kind=Kind.QUEUED).update(at(done=4001))
    record.one(What.ACCEPT, assignment=1).update(at(started=2499, done=2500))
    for shown in record.find(What.ENTRY, who="o1", contact="web/u0"):
        if shown["done"] < T0 + 100 * MS:
            shown.update(at(done=2500))
    found = kpi_of(record)
    assert [round(found["asa_s"]["value"] * 2 - 50.0, 6), found["service_level_20s"]["part"]] == [24.7, 0]


def test_a_dialog_that_is_cut_off_at_the_end_was_not_handled() -> None:
    """Its operator signs off after the drain, so it is released; it is as open as before."""
    record = tiny().copy()
    names = "handling_time_s", "agent_time_s"
    before = values(record, *names)
    released: Row = {"seq": 5, "kind": Kind.RELEASED, "assignment": 2, "reason": "signed_off"}
    record.rows.append(row(What.AUDIT, TELEGRAM, released, author="o1"))
    record.rows.append(row(What.ENTRY, TELEGRAM, released, at(done=10_499), who="o1", epoch=1))
    assert values(record, *names) == before == [1.0, 0.18]


def test_a_call_is_no_written_dialog_of_the_operators_time() -> None:
    """It is part of the handling time, and of neither side of the time in focus."""
    record = tiny().copy()
    before = values(record, "agent_time_s")
    record.rows += [
        row(What.PRESENCE, at(done=-900), who="o9", reason="online", size=2),
        *(row(What.CALL, CALL, at(intended=ms, started=ms, done=ms + 1), who="phone", provider_id=101, reason=state,
              plan=77) for ms, state in ((10, "ringing"), (30, "answered"), (90, "finished"))),
        row(What.OFFER, CALL, at(done=12), who="o9", assignment=9, place=9, priority=1, size=0),
        row(What.ACCEPT, CALL, at(started=20, done=21), who="o9", assignment=9, seq=3),
        row(What.ENTRY, CALL, at(done=95), who="o9", seq=6, kind=Kind.CLOSED, reason="finished"),
        row(What.DIALOG, CALL, at(intended=9, started=9, done=90), outcome=Outcome.COMPLETED, who="c77", plan=77),
        *(row(What.AUDIT, CALL, entry, seq=seq, who="auditor") for seq, entry in enumerate(CALLED, 1)),
    ]  # fmt: skip
    found = kpi_of(record)
    assert found["handling_time_s"]["n"] == 2
    assert [found["agent_time_s"]["value"]] == before


def test_a_hold_began_when_its_first_owner_saw_it_whoever_is_recorded_first() -> None:
    """The next owner is shown it as well, later; workers' records stand in the order of their names."""
    record = tiny().copy()
    held: list[Row] = [
        {"seq": 5, "kind": Kind.HELD, **at(done=5400)},
        {"seq": 6, "kind": Kind.RESUMED, **at(done=5420)},
    ]
    shown_again = [row(What.ENTRY, TELEGRAM, each, at(done=7000), who="o2") for each in held]
    record.rows += [row(What.AUDIT, TELEGRAM, each) for each in held]
    record.rows = [*shown_again, *record.rows, *(row(What.ENTRY, TELEGRAM, each, who="o1") for each in held)]
    assert values(record, "hold_s") == [0.2]
