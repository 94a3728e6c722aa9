"""The thread that writes the history's file, beside the commits of the logs' file and never in their way."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from chatcore.journal.errors import CommitFailed

CHECKPOINT_PAGES = 4_000

Work = Callable[[sqlite3.Connection], int]
"""A transaction of its own; returns roughly how many pages it wrote."""


class Projector:
    """Owns `db`; after work that failed it does none any more, and `failed` is told, in the projector's thread."""

    def __init__(self, db: sqlite3.Connection, where: str, failed: Callable[[CommitFailed], None]) -> None:
        self._db = db
        self._where = where
        self._failed = failed
        self._failure: CommitFailed | None = None
        self._pages = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"history {where}")

    def submit(self, work: Work) -> Future[None]:
        """Do the work after all that was submitted before; the future is completed in the projector's thread."""
        return self._thread.submit(self._do, work)

    def _do(self, work: Work) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            self._pages += work(self._db)
            if self._pages >= CHECKPOINT_PAGES:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._pages = 0
        except Exception as error:
            self._failure = CommitFailed(self._where, str(error))
            self._failed(self._failure)
            raise self._failure from error

    def close(self) -> None:
        """Finish what was submitted, then release the file; blocks."""
        self._thread.shutdown()
        self._db.close()
