"""The journal's formats: what brings a file of each to the next, all in one transaction when the file is opened.

A format covers a file's tables and what lies in its blobs. It also grows when kinds of events are added, which an older
program cannot read; new fields at an event's end, with defaults, are no change.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from chatcore.journal.errors import JournalDamaged, JournalTooNew

Change = Callable[[sqlite3.Connection], None]
"""Changes one file, within a transaction that is begun and ended elsewhere."""


class Step(NamedTuple):
    """What brings each of the two files from one format to the next. An emptied history is projected again."""

    logs: Change
    history: Change


LOGS, HISTORY = range(2)


def keep(db: sqlite3.Connection) -> None:
    """Change nothing but the format."""


DIALOGS: Final = """
CREATE TABLE dialog(
    log INTEGER NOT NULL, contact INTEGER NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, draw INTEGER NOT NULL,
    opened INTEGER NOT NULL, department TEXT NOT NULL, internal INTEGER NOT NULL, operator TEXT NOT NULL,
    bot INTEGER NOT NULL, queued INTEGER, accepted INTEGER, replied INTEGER, closed INTEGER, reason TEXT NOT NULL,
    owned INTEGER, handled_ms INTEGER NOT NULL, transfers INTEGER NOT NULL, messages INTEGER NOT NULL,
    good_words INTEGER NOT NULL, bad_words INTEGER NOT NULL, rating INTEGER, scale INTEGER NOT NULL,
    score INTEGER, reviewer TEXT NOT NULL, comment TEXT NOT NULL, PRIMARY KEY (log, contact, number)
) WITHOUT ROWID;
CREATE INDEX dialog_by_opening ON dialog(opened);
CREATE INDEX dialog_to_review ON dialog(draw) WHERE closed IS NOT NULL AND score IS NULL;
CREATE TABLE ownership(
    log INTEGER NOT NULL, contact INTEGER NOT NULL, number INTEGER NOT NULL, operator TEXT NOT NULL,
    handled_ms INTEGER NOT NULL, transfers INTEGER NOT NULL, PRIMARY KEY (log, contact, number, operator)
) WITHOUT ROWID;
"""


def add_dialogs(db: sqlite3.Connection) -> None:
    """Make the tables of dialogs, and empty the history, so that they are filled from the log."""
    for statement in DIALOGS.split(";"):
        db.execute(statement)
    for table in ("entry", "contact", "log"):
        db.execute(f"DELETE FROM {table}")


STEPS: Final[dict[int, Step]] = {
    1: Step(logs=keep, history=keep),  # 2 knows more kinds of events
    2: Step(logs=keep, history=add_dialogs),  # 3 knows reviews
}


def newest() -> int:
    """The format that this program writes."""
    return 1 + len(STEPS)


def migrate(db: sqlite3.Connection, path: Path, part: int) -> None:
    """Bring the file, which is the step's `part`, to the newest format: a crash leaves the old one or the new one.

    Raises what `format_of` raises.
    """
    if format_of(db, path) == newest():
        return
    db.execute("BEGIN IMMEDIATE")
    for number in range(format_of(db, path), newest()):
        STEPS[number][part](db)
    if part == LOGS:
        db.execute("UPDATE log SET epoch = 1 + (SELECT max(epoch) FROM log)")  # who writes the old format is shut out
    db.execute(f"PRAGMA user_version = {newest()}")
    db.execute("COMMIT")


def format_of(db: sqlite3.Connection, path: Path) -> int:
    """The file's format.

    Raises:
        JournalTooNew: it is later than this program's.
        JournalDamaged: there is none.
    """
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found > newest():
        raise JournalTooNew(str(path), found, newest())
    if found < 1:
        raise JournalDamaged(str(path), "it holds no journal")
    return int(found)
