"""The core as a process whose disk fails when a message says so: `python -m tests.chatcore.faulty_child --config FILE`.

A commit that carries the text `FAIL ABSENT` fails before it is stored, `FAIL PRESENT` after, `FAIL HANG` never answers.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from chatcore import server
from chatcore.__main__ import main
from chatcore.config import Config
from chatcore.journal.logs import Batch
from chatcore.journal.sqlite import SqliteJournal


class FaultyJournal(SqliteJournal):
    """The SQLite journal on such a disk."""

    def _store(self, db: Connection, batches: Sequence[Batch]) -> set[int]:
        carried = b"".join(batch.blob for batch in batches)
        if b"FAIL ABSENT" in carried:
            raise OSError("told to fail")
        superseded = super()._store(db, batches)
        if b"FAIL PRESENT" in carried:
            raise OSError("told to fail")
        if b"FAIL HANG" in carried:
            time.sleep(3_600)
        return superseded


def open_journal(config: Config) -> SqliteJournal:
    return FaultyJournal(Path(config.data))


if __name__ == "__main__":
    server.open_journal = open_journal
    sys.exit(main())
