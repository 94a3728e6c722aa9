"""The SQLite files: their tables, their connections, and their errors in this package's words."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chatcore.journal.errors import JournalDamaged, JournalUnreachable
from chatcore.journal.migrations import DIALOGS, HISTORY, LOGS, format_of, migrate, newest

LOCK_TIMEOUT_S = 5.0
CACHE_KIB = 512
"""Pages that one of some seven connections keeps; what a log appends and a history looks up is near what was last."""

LOG_TABLES = """
CREATE TABLE journal(identity BLOB NOT NULL);
CREATE TABLE log(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL);
CREATE TABLE batch(
    log INTEGER NOT NULL, first INTEGER NOT NULL, epoch INTEGER NOT NULL, count INTEGER NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (log, first)
) WITHOUT ROWID;
"""
HISTORY_TABLES = f"""
CREATE TABLE journal(identity BLOB NOT NULL);
CREATE TABLE log(id INTEGER PRIMARY KEY, projected INTEGER NOT NULL);
CREATE TABLE entry(
    log INTEGER NOT NULL, row INTEGER NOT NULL, contact INTEGER NOT NULL, dialog INTEGER NOT NULL,
    seq INTEGER NOT NULL, kind INTEGER NOT NULL, blob BLOB NOT NULL, PRIMARY KEY (log, row)
) WITHOUT ROWID;
CREATE INDEX entry_by_contact ON entry(log, contact, dialog, seq) WHERE seq > 0;
CREATE TABLE contact(
    log INTEGER NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (log, number)
) WITHOUT ROWID;
CREATE INDEX contact_by_key ON contact(log, key);
{DIALOGS}
"""
SNAPSHOT_FORMAT = 1
"""A snapshots' file of another one is not brought to it: it is made anew, and the logs are replayed."""
SNAPSHOT_TABLES = """
CREATE TABLE journal(identity BLOB NOT NULL);
CREATE TABLE log(
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, position INTEGER NOT NULL, version INTEGER NOT NULL,
    checksum INTEGER NOT NULL, state BLOB NOT NULL
);
CREATE TABLE piece(
    id INTEGER PRIMARY KEY, log INTEGER NOT NULL, key TEXT NOT NULL, kin TEXT NOT NULL, checksum INTEGER NOT NULL,
    blob BLOB NOT NULL
);
CREATE UNIQUE INDEX piece_by_key ON piece(log, key);
CREATE INDEX piece_by_kin ON piece(log, kin) WHERE kin != '';
"""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into JournalUnreachable (cannot be used now) or JournalDamaged (is not what was written)."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise JournalUnreachable(str(path), str(error)) from error
    except sqlite3.DatabaseError as error:
        raise JournalDamaged(str(path), str(error)) from error
    except OSError as error:
        raise JournalUnreachable(str(path), error.strerror or str(error)) from error


def create(path: Path, tables: str, identity: bytes, format_: int) -> None:
    """Create folder and file, durably and whole or not at all, so that an empty file always means damage."""
    create_folder(path.parent)
    if path.exists():
        return
    unfinished = path.with_suffix(f".new-{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    db = sqlite3.connect(unfinished, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(f"BEGIN; {tables} PRAGMA user_version = {format_}; COMMIT;")
        db.execute("INSERT INTO journal VALUES (?)", (identity,))
    finally:
        db.close()
    with suppress(FileExistsError):  # another process was faster, and its file is as good
        path.hardlink_to(unfinished)
    unfinished.unlink()
    sync_folder(path.parent)


def connect_logs(path: Path, synchronous: str) -> sqlite3.Connection:
    """The one connection that writes and checkpoints the logs, which are created if missing.

    Raises JournalTooNew, JournalDamaged, and SQLite's own errors.
    """
    create(path, LOG_TABLES, secrets.token_bytes(16), newest())
    return _connect_writer(path, synchronous, LOGS)


def _connect_writer(path: Path, synchronous: str, part: int) -> sqlite3.Connection:
    db = _connect(path)
    try:
        format_of(db, path)  # one of another program is left as it is
        _set_up(db, synchronous)
        migrate(db, path, part)
    except BaseException:
        db.close()
        raise
    return db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return db


def _set_up(db: sqlite3.Connection, synchronous: str) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("PRAGMA wal_autocheckpoint = 0")  # which would keep a failed flush to itself


def connect_snapshots(path: Path, identity: bytes) -> sqlite3.Connection:
    """The one connection that writes the snapshots of the journal `identity`; another one's are replaced.

    Raises SQLite's own errors, DatabaseError if the file is not what was written.
    """
    if not path.exists():
        remove(path)  # a write-ahead log that was left would be taken for the new file's
    create(path, SNAPSHOT_TABLES, identity, SNAPSHOT_FORMAT)
    db = _connect(path)
    try:
        _set_up(db, "NORMAL")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found == SNAPSHOT_FORMAT and db.execute("SELECT identity FROM journal").fetchone() == (identity,):
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    remove(path)
    return connect_snapshots(path, identity)


def remove(path: Path) -> None:
    """Remove a database with what lies beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def connect_history(path: Path, identity: bytes) -> sqlite3.Connection:
    """The one connection that writes the history of the journal `identity`; another one's is replaced.

    Its transactions are atomic, but not flushed one by one: the history is made again from the log.
    """
    create(path, HISTORY_TABLES, identity, newest())
    db = _connect_writer(path, "NORMAL", HISTORY)
    if bytes(db.execute("SELECT identity FROM journal").fetchone()[0]) != identity:
        db.close()
        path.unlink()
        return connect_history(path, identity)
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads."""
    db = _connect(path)
    db.execute("PRAGMA query_only = ON")
    return db


def create_folder(folder: Path) -> None:
    """Create the folder, durably."""
    if not folder.is_dir():
        create_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
