"""The journal in a SQLite file, write-ahead logged and flushed at every commit; history and snapshots lie beside it."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from chatcore.journal import logs as stored
from chatcore.journal import rows
from chatcore.journal.errors import CommitFailed, JournalMisuse, SnapshotFailed
from chatcore.journal.fence import Append, Fence, known
from chatcore.journal.group import GroupCommit
from chatcore.journal.history import SqliteHistory
from chatcore.journal.port import Derived, Done, Piece, Recovery
from chatcore.journal.projector import Projector
from chatcore.journal.reader import Reader
from chatcore.journal.schema import connect_history, connect_logs, storage_errors
from chatcore.journal.snapshots import Snapshots, Unsaved, open_snapshots
from chatcore.journal.writer import Writer

FILE, HISTORY_FILE, SNAPSHOT_FILE = "journal.db", "history.db", "snapshots.db"


class _Parts(NamedTuple):
    """What an open journal is made of."""

    ids: dict[str, int]
    fence: Fence
    writer: Writer
    reader: Reader
    projector: Projector
    history_reader: Reader
    analyst: Reader
    history: SqliteHistory
    snapshots: Snapshots
    snapshot_thread: ThreadPoolExecutor


class SqliteJournal:
    """See Journal. All files are in `folder`, which is created if missing; `clock` is monotonic, in seconds."""

    synchronous = "FULL"

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._clock = clock
        self._derived: Derived | None = None
        self._opened: _Parts | None = None

    @property
    def _parts(self) -> _Parts:
        if self._opened is None:
            raise JournalMisuse(f"{self._path}: open the journal first")
        return self._opened

    @property
    def history(self) -> SqliteHistory:
        """See Journal.history."""
        return self._parts.history

    def derive(self, derived: Derived) -> None:
        """See Journal.derive."""
        self._derived = derived

    def open(self, logs: Sequence[str]) -> dict[str, Recovery]:
        """See Journal.open."""
        if self._opened is not None:
            raise JournalMisuse(f"{self._path}: the journal is already open")
        with storage_errors(self._path):
            db = connect_logs(self._path, self.synchronous)
            try:
                taken = stored.take_over(db, logs)
                identity = stored.identity(db)
                snapshots = open_snapshots(self._folder / SNAPSHOT_FILE, identity, taken)
                self._opened = self._assemble(db, taken, snapshots, self._open_history(identity, taken))
            except BaseException:
                db.close()
                raise
        self._opened.writer.start()
        for old in self._folder.glob("snapshot-*.bin"):
            old.unlink()  # of a version that had a file each
        return {log: Recovery(own.epoch, own.position, snapshots.found.pop(log)) for log, own in taken.items()}

    def _open_history(self, identity: bytes, taken: dict[str, stored.Taken]) -> sqlite3.Connection:
        """The history's file; what it holds beyond the end of a log is not of this log and is dropped."""
        path = self._folder / HISTORY_FILE
        with storage_errors(path):
            db = connect_history(path, identity)
            for own in taken.values():
                if rows.projected(db, own.id) > own.position:
                    rows.drop(db, own.id)
        return db

    def _assemble(
        self,
        db: sqlite3.Connection,
        taken: dict[str, stored.Taken],
        snapshots: Snapshots,
        past: sqlite3.Connection,
    ) -> _Parts:
        ids = {log: own.id for log, own in taken.items()}
        fence = Fence()
        for log, own in taken.items():
            fence.grant(log, own.epoch, own.position)
        writer = Writer(db, str(self._path), GroupCommit(fence, ids, self._store))
        path = self._folder / HISTORY_FILE
        projector, reader, analyst = Projector(past, str(path), writer.give_up), Reader(path), Reader(path)
        projected = {log: rows.projected(past, own.id) for log, own in taken.items()}
        history = SqliteHistory(ids, projected, reader, analyst, projector.submit, self._derived)
        readers = projector, reader, analyst
        return _Parts(ids, fence, writer, Reader(self._path), *readers, history, snapshots, ThreadPoolExecutor(1))

    def _store(self, db: sqlite3.Connection, batches: Sequence[stored.Batch]) -> set[int]:
        """Commit, in the writer's thread; the place where tests make a commit fail, hang or wait."""
        return stored.store(db, batches)

    def append(self, log: str, expected_position: int, epoch: int, records: Sequence[bytes], done: Done) -> None:
        """See Journal.append."""
        parts = self._parts
        self._id(log)
        if not records:
            raise JournalMisuse(f"log {log!r}: no records to append")
        parts.writer.append(Append(log, expected_position, epoch, records, done, self._clock()))

    def read(self, log: str, after_position: int, limit: int) -> list[tuple[int, bytes]]:
        """See Journal.read."""
        own, where = self._id(log), str(self._path)
        return self._parts.reader.now(partial(stored.read, where=where, log=own, after=after_position, limit=limit))

    def snapshot(self, log: str, position: int, version: int, blob: bytes, pieces: Sequence[Piece], done: Done) -> None:
        """See Journal.snapshot."""
        self._id(log)
        mark = partial(self._store_snapshot, log, Unsaved(position, version, blob, pieces), done)
        self._parts.writer.after_appends(mark)

    def drop_snapshot(self, log: str) -> None:
        """See Journal.drop_snapshot."""
        with storage_errors(self._folder / SNAPSHOT_FILE):
            self._parts.snapshots.drop(self._id(log))

    def piece(self, log: str, name: int | str) -> bytes | None:
        """See Journal.piece."""
        return self._parts.snapshots.piece(self._id(log), name)

    def group(self, log: str, name: str) -> list[int]:
        """See Journal.group."""
        return self._parts.snapshots.group(self._id(log), name)

    def _store_snapshot(self, log: str, snapshot: Unsaved, done: Done, failure: CommitFailed | None) -> None:
        parts = self._parts
        if failure is not None:
            parts.writer.post([(done, SnapshotFailed(str(self._path), failure.cause))])
        elif snapshot.position > parts.fence.head(log):
            cause = f"position {snapshot.position} of log {log!r} never became durable"
            parts.writer.post([(done, SnapshotFailed(str(self._path), cause))])
        else:
            parts.snapshot_thread.submit(self._save, parts.ids[log], snapshot, done)

    def _save(self, log: int, snapshot: Unsaved, done: Done) -> None:
        failed: SnapshotFailed | CommitFailed | None = None
        try:
            self._parts.snapshots.save(log, snapshot)
        except SnapshotFailed as error:
            failed = error
        except CommitFailed as error:
            self._parts.writer.give_up(error)
            failed = error
        self._parts.writer.post([(done, failed)])

    def oldest_pending_s(self, now_s: float) -> float:
        """See Journal.oldest_pending_s."""
        return self._parts.writer.oldest_pending_s(now_s)

    @property
    def failure(self) -> Exception | None:
        """See Journal.failure."""
        return self._parts.writer.failure

    async def close(self) -> None:
        """See Journal.close."""
        if self._opened is not None:
            self._opened.history.flush()
            self._opened.writer.close()
            await asyncio.to_thread(self._end)
            self._opened.snapshots.close()  # here, where pieces are read

    def _end(self) -> None:
        self._parts.writer.join()
        self._parts.projector.close()
        self._parts.snapshot_thread.shutdown()
        self._parts.history_reader.close()
        self._parts.analyst.close()
        self._parts.reader.close()

    def _id(self, log: str) -> int:
        return known(self._parts.ids, log)
