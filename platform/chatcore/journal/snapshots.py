"""Snapshots in a SQLite file beside the journal, so that storing one never holds up a commit.

The file is made again from the logs whenever anything is wrong with it. Its transactions are atomic, but not flushed
one by one: a power loss takes back a snapshot and its pieces together.
"""

import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from chatcore.journal.errors import CommitFailed, JournalMisuse, SnapshotFailed, SnapshotUnreadable
from chatcore.journal.logs import Taken
from chatcore.journal.port import Piece, Snapshot
from chatcore.journal.rows import insert
from chatcore.journal.schema import connect_reader, connect_snapshots, remove, storage_errors

NUMBER_BITS: Final = 44
_NONE: Final = (-1, 0, 0, b"")  # position, version, checksum and state of a log without a snapshot


class Unsaved(NamedTuple):
    """A snapshot to be stored, with the pieces that changed since the one before."""

    position: int
    version: int
    blob: bytes
    pieces: Sequence[Piece]


class Snapshots:
    """The newest snapshot of each of the logs that were `taken`, in `path`; those that cannot be theirs are dropped.

    `piece` and `group` are for one thread at a time, `save`, `drop` and `close` for another.
    """

    def __init__(self, path: Path, identity: bytes, taken: Mapping[str, Taken]) -> None:
        self._path = path
        self._epochs = {own.id: own.epoch for own in taken.values()}
        self._db = connect_snapshots(path, identity)
        try:
            self._read = connect_reader(path)
            self.found = {log: self._take_over(own) for log, own in taken.items()}
        except BaseException:
            self._db.close()
            raise

    def _take_over(self, own: Taken) -> Snapshot | None:
        """The log's snapshot, which nobody of an older epoch replaces from now on."""
        self._db.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET epoch = excluded.epoch",
            (own.id, own.epoch, *_NONE),
        )
        columns = "SELECT position, version, checksum, state FROM log WHERE id = ?"
        position, version, checksum, blob = self._db.execute(columns, (own.id,)).fetchone()
        if position < 0:
            return None
        if position > own.position or zlib.crc32(blob) != checksum:
            self.drop(own.id)
            return None
        return Snapshot(position, version, blob)

    def save(self, log: int, snapshot: Unsaved) -> None:
        """Store a snapshot and its pieces, all or nothing.

        Raises:
            SnapshotFailed: nothing was stored, and what was there is as it was.
            CommitFailed: what is there is not known any more.
        """
        try:
            self._store(log, snapshot)
        except Exception as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise SnapshotFailed(str(self._path), str(error)) from error
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            raise CommitFailed(str(self._path), str(error)) from error

    def _store(self, log: int, new: Unsaved) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        replaced = self._db.execute(
            "UPDATE log SET position = ?, version = ?, checksum = ?, state = ? "
            "WHERE id = ? AND epoch = ? AND position <= ?",
            (new.position, new.version, zlib.crc32(new.blob), new.blob, log, self._epochs[log], new.position),
        )
        if replaced.rowcount != 1:
            raise ValueError(f"log {log} has a later snapshot or a newer writer")
        rows = (
            (log << NUMBER_BITS | number, log, key, group, zlib.crc32(blob), blob)
            for number, key, group, blob in new.pieces
        )
        insert(self._db, "INSERT OR REPLACE INTO piece", 6, rows)
        self._db.execute("COMMIT")

    def drop(self, log: int) -> None:
        """Forget the log's snapshot and its pieces."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM piece WHERE log = ?", (log,))
        self._db.execute(
            "UPDATE log SET position = ?, version = ?, checksum = ?, state = ? WHERE id = ?", (*_NONE, log)
        )
        self._db.execute("COMMIT")

    def piece(self, log: int, name: int | str) -> bytes | None:
        """See Journal.piece. What is damaged is removed, so that the next start makes it again."""
        if isinstance(name, int):
            rows = self._ask("SELECT checksum, blob FROM piece WHERE id = ?", log << NUMBER_BITS | name)
        else:
            rows = self._ask("SELECT checksum, blob FROM piece WHERE log = ? AND key = ?", log, name)
        for checksum, blob in rows:
            if zlib.crc32(blob) != checksum:
                raise self._damaged(f"the checksum of {name!r} does not match")
            return bytes(blob)
        return None

    def group(self, log: int, name: str) -> list[int]:
        """See Journal.group."""
        rows = self._ask("SELECT id FROM piece WHERE log = ? AND kin = ? AND kin != '' ORDER BY id", log, name)
        return [number & (1 << NUMBER_BITS) - 1 for (number,) in rows]

    def _ask(self, query: str, *values: int | str) -> list[Any]:
        try:
            return self._read.execute(query, values).fetchall()
        except sqlite3.ProgrammingError as error:
            raise JournalMisuse(f"{self._path}: {error}") from error
        except sqlite3.OperationalError as error:
            raise SnapshotUnreadable(str(self._path), str(error)) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> SnapshotUnreadable:
        remove(self._path)
        return SnapshotUnreadable(str(self._path), what)

    def close(self) -> None:
        """Release the file."""
        self._read.close()
        self._db.close()


def open_snapshots(path: Path, identity: bytes, taken: Mapping[str, Taken]) -> Snapshots:
    """The snapshots of a journal; a file that is not what was written is made anew, without any.

    Raises:
        JournalUnreachable: it cannot be used now.
    """
    with storage_errors(path):
        try:
            return Snapshots(path, identity, taken)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            remove(path)
            return Snapshots(path, identity, taken)
