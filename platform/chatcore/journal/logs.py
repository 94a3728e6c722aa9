"""What the SQLite file holds of the logs: taking them over, storing a commit, reading records.

A commit is one INSERT statement, outside any explicit transaction: it is atomic by itself, checks every log's epoch
against the file where the row is written, and crosses from Python to SQLite once.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from chatcore.journal.errors import JournalDamaged
from chatcore.journal.framing import BrokenFrame, pack, unpack


class Taken(NamedTuple):
    """A log after its take-over: its number in the file, the new epoch, the last position."""

    id: int
    epoch: int
    position: int


class Batch(NamedTuple):
    """One log's share of a commit, as stored: `size` records from position `first`."""

    log: int
    first: int
    epoch: int
    size: int
    blob: bytes


def take_over(db: sqlite3.Connection, names: Sequence[str]) -> dict[str, Taken]:
    """Give all these logs one new epoch, durably; logs that are not there are created."""
    db.execute("BEGIN IMMEDIATE")
    (epoch,) = db.execute("SELECT 1 + coalesce(max(epoch), 0) FROM log").fetchone()
    for name in names:
        db.execute(
            "INSERT INTO log(name, epoch) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET epoch = excluded.epoch",
            (name, epoch),
        )
    known = db.execute("SELECT name, id FROM log").fetchall()
    taken = {name: Taken(id, epoch, _head(db, id)) for name, id in known if name in names}
    db.execute("COMMIT")
    return taken


def _head(db: sqlite3.Connection, log: int) -> int:
    last = "SELECT first + count - 1 FROM batch WHERE log = ? ORDER BY first DESC LIMIT 1"
    (position,) = db.execute(last, (log,)).fetchone() or (0,)
    return int(position)


def identity(db: sqlite3.Connection) -> bytes:
    """What tells this journal from every other one."""
    (found,) = db.execute("SELECT identity FROM journal").fetchone()
    return bytes(found)


def batch(log: int, first: int, epoch: int, records: Sequence[bytes]) -> Batch:
    """Records as one row."""
    return Batch(log, first, epoch, len(records), pack(records))


@lru_cache(maxsize=64)
def _insert(count: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?, ?)"] * count)
    return (
        "INSERT INTO batch SELECT new.column1, new.column2, new.column3, new.column4, new.column5 "
        f"FROM (VALUES {rows}) AS new JOIN log ON log.id = new.column1 AND log.epoch = new.column3"
    )


def store(db: sqlite3.Connection, batches: Sequence[Batch]) -> set[int]:
    """Commit the batches whose epochs are still the newest of their logs; the logs of the others are returned."""
    stored = db.execute(_insert(len(batches)), [value for row in batches for value in row]).rowcount
    if stored == len(batches):
        return set()
    found = "SELECT 1 FROM batch WHERE log = ? AND first = ? AND epoch = ?"
    return {row.log for row in batches if db.execute(found, row[:3]).fetchone() is None}


def read(db: sqlite3.Connection, where: str, log: int, after: int, limit: int) -> list[tuple[int, bytes]]:
    """At most `limit` records after a position. Raises JournalDamaged for a gap or a broken batch."""
    start = "SELECT coalesce(max(first), 1) FROM batch WHERE log = ? AND first <= ?"
    rows = db.execute(
        f"SELECT first, count, blob FROM batch WHERE log = ? AND first >= ({start}) ORDER BY first",
        (log, log, after + 1),
    )
    found: list[tuple[int, bytes]] = []
    expected = None
    for first, count, blob in rows:
        if len(found) >= limit:
            break
        if first != expected and (expected is not None or first > after + 1):
            raise JournalDamaged(where, f"log {log}: the record at position {expected or after + 1} is missing")
        skipped = max(0, after + 1 - first)
        found += enumerate(_records(where, log, first, count, blob)[skipped:], first + skipped)
        expected = first + count
    return found[:limit]


def _records(where: str, log: int, first: int, count: int, blob: bytes) -> list[bytes]:
    try:
        records = unpack(blob)
    except BrokenFrame as error:
        raise JournalDamaged(where, f"log {log}, records {first} to {first + count - 1}: {error}") from error
    if len(records) != count:
        raise JournalDamaged(where, f"log {log}: {len(records)} records at position {first}, not {count}")
    return records
