"""What quality control finds in the table of dialogs."""

import sqlite3
from typing import Any, Final, NamedTuple

import msgspec

COLUMNS: Final = (
    "key || '#' || number, nullif(operator, ''), department, opened, closed, reason, messages, "
    "1.0 * (good_words - bad_words) / nullif(good_words + bad_words, 0), rating, nullif(scale, 0)"
)


class Sampled(msgspec.Struct):
    """A closed dialog of the sample: its last operator (null: a bot's alone), times in wall ms, mood and rating."""

    dialog: str
    operator: str | None
    department: str
    opened: int
    closed: int
    reason: str
    messages: int
    mood: float | None
    rating: int | None
    scale: int | None


class Review(msgspec.Struct):
    """How a dialog was scored last, and by whom."""

    score: int
    by: str
    comment: str


class Wanted(NamedTuple):
    """What of the sample is asked for: draws below `below`, of an operator ("" = all)."""

    below: int
    operator: str
    internal: bool
    limit: int


def waiting(db: sqlite3.Connection, wanted: Wanted) -> list[Sampled]:
    """Dialogs that nobody has scored, those that closed first before the others."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM dialog WHERE draw < :below AND closed IS NOT NULL AND score IS NULL "
        "AND internal <= :internal AND :operator IN ('', operator) ORDER BY closed, key, number LIMIT :limit",
        wanted._asdict(),
    )
    return [Sampled(*row) for row in rows]


def about(db: sqlite3.Connection, contact: int, key: str, number: int) -> tuple[Sampled, Review | None]:
    """A closed dialog, and its review if it has one; contacts' numbers are of their logs, their keys are not."""
    found: tuple[Any, ...] = db.execute(
        f"SELECT score, reviewer, comment, {COLUMNS} FROM dialog "
        "WHERE log IN (SELECT id FROM log) AND contact = ? AND number = ? AND key = ?",
        (contact, number, key),
    ).fetchone()
    return Sampled(*found[3:]), Review(*found[:3]) if found[0] is not None else None
