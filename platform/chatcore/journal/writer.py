"""The thread that owns the logs' connection: it commits what waits, and nothing else.

Appends that are handed in during a commit make up the next one. Checkpoints are made when idle, early and small, and
at a limit that bounds the write-ahead log when it is never idle. Not a file for a first change.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from chatcore.journal.errors import CommitFailed, JournalMisuse
from chatcore.journal.fence import Append
from chatcore.journal.group import GroupCommit
from chatcore.journal.outcome import Outcome, deliver

CHECKPOINT_WHEN_IDLE_PAGES = 256
CHECKPOINT_ALWAYS_PAGES = 4_000
COMMITS_EVERY_S = 0.003
"""Under load a commit holds what came in this time, instead of a message or two; after a pause the first is at once."""
COMMIT_BYTES = 1 << 20
"""A commit takes no further append above this size, so that neither a commit nor the reading of a batch gets long."""

Mark = Callable[[CommitFailed | None], None]
"""Called in the writer's thread, once all appends before it were committed, or with the reason why they were not."""


class Writer(threading.Thread):
    """Owns `db` from `start` on. Public verbs are for other threads, `append` for the event loop's."""

    def __init__(self, db: sqlite3.Connection, where: str, group: GroupCommit) -> None:
        super().__init__(name=f"journal {where}", daemon=True)
        self._db = db
        self._where = where
        self._group = group
        self._wake = threading.Condition()
        self._appends: list[Append] = []
        self._marks: list[Mark] = []
        self._given_up: CommitFailed | None = None
        self._closing = False
        self._taken: list[Append] = []
        self._taken_marks: list[Mark] = []
        self._pages_since_checkpoint = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failure: CommitFailed | None = None

    # What others call.

    def append(self, append: Append) -> None:
        """Commit it with all that waits; see Journal.append."""
        with self._wake:
            loop = self._bind()
            if self.failure is not None:
                loop.call_soon(deliver, [(append.done, self.failure)])
                return
            if not self._appends:
                self._wake.notify()
            self._appends.append(append)

    def after_appends(self, mark: Mark) -> None:
        """Call `mark` when all that was appended so far is committed."""
        with self._wake:
            self._bind()
            if self.failure is None:
                self._marks.append(mark)
                self._wake.notify()
                return
        mark(self.failure)

    def give_up(self, failure: CommitFailed) -> None:
        """Write nothing more: something else of the journal has failed."""
        with self._wake:
            self._given_up = failure
            self._wake.notify()

    def post(self, outcomes: list[Outcome]) -> None:
        """Deliver the outcomes on the event loop, in one turn of it."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(deliver, outcomes)

    def oldest_pending_s(self, now_s: float) -> float:
        """See Journal.oldest_pending_s."""
        with self._wake:
            pending = self._taken or self._appends
            return max(0.0, now_s - pending[0].since_s) if pending else 0.0

    def close(self) -> None:
        """Take nothing more; the thread ends, and closes the connection, when all is written."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def _bind(self) -> asyncio.AbstractEventLoop:
        self._refuse_after_close()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _refuse_after_close(self) -> None:
        if self._closing:
            raise JournalMisuse(f"{self._where}: the journal is closed")

    # The thread's own.

    def run(self) -> None:
        """Take turns until closed, or until something fails: then nothing is ever written again."""
        try:
            while self._next_turn():
                began_s = time.monotonic()
                self._commit()
                self._checkpoint_when_due()
                time.sleep(max(0.0, began_s + COMMITS_EVERY_S - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the commit is indeterminate
            self._fail(error)
        else:
            self._db.close()

    def _next_turn(self) -> bool:
        with self._wake:
            while not (self._appends or self._marks or self._given_up or self._closing):
                self._wake.wait()
            if self._given_up is not None:
                raise self._given_up
            self._taken, self._appends = self._appends, []
            self._taken_marks, self._marks = self._marks, []
            return bool(self._taken or self._taken_marks)

    def _commit(self) -> None:
        while self._taken:
            group = self._group_of(self._taken)
            outcomes, pages = self._group.commit(self._db, group)
            self._pages_since_checkpoint += pages
            with self._wake:
                del self._taken[: len(group)]
            self.post(outcomes)
        while self._taken_marks:
            self._taken_marks.pop(0)(None)

    def _group_of(self, appends: list[Append]) -> list[Append]:
        """The first of these that go into one commit: at least one."""
        size = 0
        for index, append in enumerate(appends):
            if size > COMMIT_BYTES:
                return appends[:index]
            size += sum(map(len, append.records))
        return appends.copy()

    def _checkpoint_when_due(self) -> None:
        if self._pages_since_checkpoint >= (CHECKPOINT_ALWAYS_PAGES if self._appends else CHECKPOINT_WHEN_IDLE_PAGES):
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._pages_since_checkpoint = 0

    def _fail(self, error: Exception) -> None:
        failure = error if isinstance(error, CommitFailed) else CommitFailed(self._where, str(error))
        if failure is not error:
            failure.__cause__ = error
        with self._wake:
            self.failure = failure
            lost, marks = self._taken + self._appends, self._taken_marks + self._marks
            self._taken, self._appends, self._taken_marks, self._marks = [], [], [], []
            self.post([(append.done, failure) for append in lost])
        for mark in marks:
            mark(failure)
