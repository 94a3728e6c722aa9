"""The history's rows in their SQLite file: writing a generation of them, and the four ways to read them.

Rows are written by a few statements of many rows each: Python hands over to SQLite once a statement, and each such
hand-over beside a busy event loop costs more than the rows themselves.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

from chatcore.journal.port import Derived, Page, Row
from chatcore.journal.tail import INDEX_BITS, Generation, NumberedRow, page

ROWS_A_STATEMENT = 256
ROWS_A_PAGE = 16

T = TypeVar("T")
Value = int | str | bytes | None


def write(db: sqlite3.Connection, ids: dict[str, int], generation: Generation, derived: Derived | None) -> int:
    """Store a generation in one transaction; returns roughly how many pages it wrote."""
    pages = 3
    db.execute("BEGIN IMMEDIATE")
    for name, share in generation.shares.items():
        log = ids[name]
        insert(db, "INSERT OR REPLACE INTO contact", 3, ((log, *contact) for contact in share.contacts.items()))
        insert(db, "INSERT OR REPLACE INTO entry", 7, (_values(log, row) for row in share.rows))
        if derived is not None:
            known = partial(keys, db, log, unwritten=share.contacts)
            pages += derived.write(db, log, [row for _, row in share.rows], known)
        pages += len(share.rows) + len(share.contacts)
        db.execute(
            "INSERT INTO log VALUES (?, ?) ON CONFLICT DO UPDATE SET projected = max(projected, excluded.projected)",
            (log, share.through),
        )
    db.execute("COMMIT")
    return pages


def _values(log: int, numbered: NumberedRow) -> tuple[Value, ...]:
    number, row = numbered
    return (log, number, row.contact, row.dialog, row.seq, row.kind, row.blob)


@lru_cache(maxsize=128)
def _statement(insertion: str, columns: int, count: int, conflict: str) -> str:
    values = "(" + ", ".join("?" * columns) + ")"
    return f"{insertion} VALUES {', '.join([values] * count)} {conflict}"


def insert(
    db: sqlite3.Connection, insertion: str, columns: int, rows: Iterable[tuple[Value, ...]], conflict: str = ""
) -> None:
    """Carry out `insertion` (INSERT … INTO a table) with the rows, many a statement."""
    rest = list(rows)
    while rest:
        some, rest = _block(rest)
        db.execute(_statement(insertion, columns, len(some), conflict), [value for row in some for value in row])


def _block(rest: list[T]) -> tuple[list[T], list[T]]:
    """What the next statement takes, a power of two, and what is left for others.

    A connection keeps its statements, with the values they were given last; one for every count took 15 MB.
    """
    count = min(ROWS_A_STATEMENT, 1 << len(rest).bit_length() - 1)
    return rest[:count], rest[count:]


def drop(db: sqlite3.Connection, log: int) -> int:
    """Forget all rows and contacts of a log."""
    db.execute("BEGIN IMMEDIATE")
    dropped = db.execute("DELETE FROM entry WHERE log = ?", (log,)).rowcount
    for table in ("contact", "dialog", "ownership"):
        db.execute(f"DELETE FROM {table} WHERE log = ?", (log,))
    db.execute("DELETE FROM log WHERE id = ?", (log,))
    db.execute("COMMIT")
    return dropped // ROWS_A_PAGE


def projected(db: sqlite3.Connection, log: int) -> int:
    """The position through which the stored rows are complete."""
    (position,) = db.execute("SELECT projected FROM log WHERE id = ?", (log,)).fetchone() or (0,)
    return int(position)


def _row(number: int, contact: int, dialog: int, seq: int, kind: int, blob: bytes) -> Row:
    return Row(contact, dialog, seq, kind, number >> INDEX_BITS, blob)


def entries(
    db: sqlite3.Connection, log: int, contact: int, after: tuple[int, int], limit: int, unwritten: Sequence[Row]
) -> list[Row]:
    """See History.entries; `unwritten` are the contact's rows that may not be in the file yet."""
    through = projected(db, log)
    found = db.execute(
        "SELECT row, contact, dialog, seq, kind, blob FROM entry "
        "WHERE log = ? AND contact = ? AND (dialog, seq) > (?, ?) AND seq > 0 ORDER BY dialog, seq, row LIMIT ?",
        (log, contact, *after, limit),
    )
    rows = [_row(*values) for values in found]
    rows += (row for row in unwritten if row.position > through and row.seq > 0 and (row.dialog, row.seq) > after)
    rows.sort(key=lambda row: (row.dialog, row.seq))
    return rows[:limit]


def audit(db: sqlite3.Connection, log: int, after: int, limit: int, unwritten: Sequence[NumberedRow]) -> Page:
    """See History.audit; `unwritten` are the log's rows that may not be in the file yet."""
    through = projected(db, log)
    found = db.execute(
        "SELECT row, contact, dialog, seq, kind, blob FROM entry WHERE log = ? AND row > ? ORDER BY row LIMIT ?",
        (log, after, limit + 1),
    )
    rows = [(values[0], _row(*values)) for values in found]
    rows += ((number, row) for number, row in unwritten if row.position > through and number > after)
    return page(rows, limit)


def keys(db: sqlite3.Connection, log: int, contacts: Collection[int], unwritten: dict[int, str]) -> dict[int, str]:
    """See History.keys; `unwritten` are contacts that may not be in the file yet."""
    found = {number: unwritten[number] for number in contacts if number in unwritten}
    rest = list(contacts)
    while rest:
        some, rest = _block(rest)
        marks = ", ".join("?" * len(some))
        found |= dict(
            db.execute(f"SELECT number, key FROM contact WHERE log = ? AND number IN ({marks})", (log, *some))
        )
    return found


def number(db: sqlite3.Connection, log: int, key: str, unwritten: dict[int, str]) -> int | None:
    """See History.number; `unwritten` are contacts that may not be in the file yet."""
    for contact, text in unwritten.items():
        if text == key:
            return contact
    found = db.execute("SELECT number FROM contact WHERE log = ? AND key = ?", (log, key)).fetchone()
    return None if found is None else int(found[0])
