"""A format that does not exist, registered as the next one would be, and a process that brings a journal to it.

python -m tests.chatcore.journal.made_up FOLDER
"""

import os
import sqlite3
import sys
from pathlib import Path

from chatcore.journal import migrations
from chatcore.journal.framing import pack, unpack
from chatcore.journal.sqlite import SqliteJournal

LOG = "dialogs-0"


def shout(db: sqlite3.Connection) -> None:
    """Records are in capitals from here on, and each batch is listed; stdout tells of each."""
    db.execute("CREATE TABLE shouted(log INTEGER NOT NULL, first INTEGER NOT NULL)")
    for log, first, blob in db.execute("SELECT log, first, blob FROM batch").fetchall():
        db.execute("INSERT INTO shouted VALUES (?, ?)", (log, first))
        louder = pack([record.upper() for record in unpack(blob)])
        db.execute("UPDATE batch SET blob = ? WHERE log = ? AND first = ?", (louder, log, first))
        os.write(1, b".")


def forget(db: sqlite3.Connection) -> None:
    """Empty the history."""
    for table in ("entry", "contact", "log"):
        db.execute(f"DELETE FROM {table}")


NEXT = migrations.Step(logs=shout, history=forget)


def main() -> None:
    """Open the journal."""
    migrations.STEPS[migrations.newest()] = NEXT
    SqliteJournal(Path(sys.argv[1])).open([LOG])
    os._exit(0)


if __name__ == "__main__":
    main()
