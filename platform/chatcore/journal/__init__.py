"""Durable logs of records: one port, and its implementations in memory and in SQLite."""

from chatcore.journal.errors import (
    CommitFailed,
    JournalDamaged,
    JournalError,
    JournalMisuse,
    JournalTooNew,
    JournalUnreachable,
    SnapshotFailed,
    StaleWriter,
)
from chatcore.journal.port import Derived, Done, History, Journal, Page, Recovery, Row, Snapshot

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
    "Recovery",
    "Row",
    "Snapshot",
    "SnapshotFailed",
    "StaleWriter",
]
