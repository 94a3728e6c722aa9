"""Durable logs of records: one port, and its implementations in memory and in SQLite."""

from chatcore.journal.errors import (
    CommitFailed,
    JournalDamaged,
    JournalError,
    JournalMisuse,
    JournalTooNew,
    JournalUnreachable,
    SnapshotFailed,
    SnapshotUnreadable,
    StaleWriter,
)
from chatcore.journal.port import Derived, Done, History, Journal, Page, Piece, Recovery, Row, Snapshot

__all__ = [
    "CommitFailed",
    "Derived",
    "Done",
    "History",
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalMisuse",
    "JournalTooNew",
    "JournalUnreachable",
    "Page",
    "Piece",
    "Recovery",
    "Row",
    "Snapshot",
    "SnapshotFailed",
    "SnapshotUnreadable",
    "StaleWriter",
]
