"""Checkers over many records: no honest one is accused, no single defect is missed."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from chatreport.rundir import Kind, What
from tests.chatreport.ledgers import Record, Row
from tests.chatreport.worlds import play

worlds = st.builds(
    play,
    dialogs=st.integers(1, 24),
    operators=st.integers(1, 4),
    slots=st.integers(1, 3),
    ramp=st.integers(0, 3),
    seed=st.integers(0, 10_000),
)


@cache
def honest() -> Record:
    """One honest record; examples copy it."""
    return play()


def is_message_of_a_sender(row: Row) -> bool:
    """Whether a row of the history is a message that carries an identity."""
    return row["what"] == What.AUDIT and row["kind"] == Kind.MESSAGE and bool(row.get("sender"))


messages = st.sampled_from([n for n, row in enumerate(honest().rows) if is_message_of_a_sender(row)])


@settings(max_examples=60)
@given(record=worlds)
def test_an_honest_record_is_never_accused(record: Record) -> None:
    """Whatever the load, the floor and the chances: nothing is violated."""
    assert record.violated() == set()


@settings(max_examples=60)
@given(line=messages)
def test_any_acknowledged_message_missing_from_the_history_is_reported_lost(line: int) -> None:
    """Each message dropped from the final history is counted as lost, by its identity, and G1 is violated."""
    record = honest().copy()
    gone = record.rows.pop(line)
    findings, counts = record.checked()
    assert findings["G1"].status == "violated"
    assert [example["identity"] for example in findings["G1"].examples] == [f"{gone['sender']}:{gone['counter']}"]
    assert counts["messages_lost"] == 1


@settings(max_examples=60)
@given(line=messages)
def test_any_message_stored_twice_is_reported(line: int) -> None:
    """Each message that takes a second place, at the end of the open dialog, is counted as duplicated."""
    record = honest().copy()
    tail = record.find(What.AUDIT, contact="web/probe1")[-1]
    place = {name: tail[name] for name in ("contact", "number")}
    record.add(record.rows[line], **place, seq=tail["seq"] + 1)
    findings, counts = record.checked()
    assert findings["G3"].status == "violated"
    assert counts["messages_duplicated"] == 1


@settings(max_examples=60)
@given(data=st.data())
def test_any_two_entries_that_change_places_are_reported(data: st.DataObject) -> None:
    """Each pair of neighbouring messages swapped in a dialog's history violates the order."""
    record = honest().copy()
    first = data.draw(st.sampled_from([row for row in record.rows if is_message_of_a_sender(row)]))
    place = {name: first[name] for name in ("contact", "number")}
    later = [
        row for row in record.find(What.AUDIT, **place) if is_message_of_a_sender(row) and row["seq"] > first["seq"]
    ]
    if later:
        first["seq"], later[0]["seq"] = later[0]["seq"], first["seq"]
        assert record.findings()["G4"].status == "violated"


@settings(max_examples=60)
@given(data=st.data())
def test_any_entry_shown_to_an_operator_who_never_owned_the_dialog_is_a_leak(data: st.DataObject) -> None:
    """Each entry shown to somebody who holds no assignment of its dialog violates G5."""
    record = honest().copy()
    shown = data.draw(st.sampled_from(record.find(What.ENTRY)))
    record.add(record.one(What.OFFER), who="o9", assignment=90_000)
    record.add(shown, who="o9", epoch=1)
    assert record.findings()["G5"].status == "violated"


@settings(max_examples=60)
@given(end=st.integers(0, 10**6), party=st.sampled_from("co"))
def test_wherever_the_record_of_a_lost_worker_ends_nobody_is_accused(end: int, party: str) -> None:
    """Customers or operators recorded nothing after some moment, and whoever steered them was lost."""
    record = honest().copy()
    own = sorted((row for row in record.rows if row.get("who", "").startswith(party)), key=recorded)
    late = {id(row) for row in own[end * len(own) // 10**6 :]}
    record.rows = [row for row in record.rows if id(row) not in late]
    record.manifest["workers"] = [{"name": "w1", "rows": 0, "lost": True}]
    assert record.violated() == set()


def recorded(row: Row) -> int:
    """When a row was written, in ns."""
    return max(int(row.get("started", -1)), int(row.get("done", -1)))
