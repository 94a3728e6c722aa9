"""The journal without a disk: the simplest implementation, and the one whose commits tests can hold, hang and fail."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import TypeVar

from chatcore.journal.errors import CommitFailed, JournalMisuse, SnapshotFailed
from chatcore.journal.fence import Append, Fence, known
from chatcore.journal.outcome import Outcome, deliver
from chatcore.journal.port import Derived, Done, Page, Piece, Recovery, Row, Snapshot
from chatcore.journal.schema import HISTORY_TABLES
from chatcore.journal.tail import number_rows, page

T = TypeVar("T")


@dataclass(slots=True)
class StoredLog:
    """What outlives a journal: one log with its snapshots and its history."""

    epoch: int = 0
    records: list[bytes] = field(default_factory=list)
    snapshot: Snapshot | None = None
    pieces: dict[int, Piece] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    projected: int = 0
    rows: list[tuple[int, Row]] = field(default_factory=list)
    contacts: dict[int, str] = field(default_factory=dict)


class Disk(dict[str, StoredLog]):
    """The logs by name; hand the same one to the next MemoryJournal to start again after a crash."""


class Fault(Enum):
    """What the next commit does instead of succeeding."""

    ABSENT = auto()  # fails, and nothing was stored
    PRESENT = auto()  # fails, though everything was stored
    HANG = auto()  # never answers, and nothing was stored


class MemoryHistory:
    """The history in plain lists, written at once; the derived tables are made when they are asked for."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.derived: Derived | None = None

    def projected(self, log: str) -> int:
        """See History.projected."""
        return known(self._disk, log).projected

    def project(self, log: str, through: int, rows: Sequence[Row], contacts: Sequence[tuple[int, str]] = ()) -> None:
        """See History.project."""
        stored = known(self._disk, log)
        stored.contacts.update(contacts)
        stored.rows += number_rows(row for row in rows if row.position > stored.projected)
        stored.projected = max(stored.projected, through)

    def rebuild(self, log: str) -> None:
        """See History.rebuild."""
        stored = known(self._disk, log)
        stored.projected = 0
        stored.rows.clear()
        stored.contacts.clear()

    def entries(self, log: str, contact: int, after: tuple[int, int], limit: int) -> asyncio.Future[list[Row]]:
        """See History.entries."""
        own = (row for _, row in known(self._disk, log).rows if row.contact == contact and row.seq > 0)
        found = sorted((row for row in own if (row.dialog, row.seq) > after), key=lambda row: (row.dialog, row.seq))
        return _ready(found[:limit])

    def audit(self, log: str, after: int, limit: int) -> asyncio.Future[Page]:
        """See History.audit."""
        return _ready(page([numbered for numbered in known(self._disk, log).rows if numbered[0] > after], limit))

    def keys(self, log: str, contacts: Collection[int]) -> asyncio.Future[dict[int, str]]:
        """See History.keys."""
        return _ready(_of(known(self._disk, log).contacts, contacts))

    def number(self, log: str, key: str) -> asyncio.Future[int | None]:
        """See History.number."""
        return _ready(next((contact for contact, text in known(self._disk, log).contacts.items() if text == key), None))

    async def ask(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """See History.ask."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.executescript(HISTORY_TABLES)
            for log, stored in enumerate(self._disk.values()):
                db.execute("INSERT INTO log VALUES (?, ?)", (log, stored.projected))
                if self.derived is not None:
                    keys = partial(_of, stored.contacts)
                    self.derived.write(db, log, [row for _, row in stored.rows], keys)
            return query(db)


def _of(texts: dict[int, str], contacts: Collection[int]) -> dict[int, str]:
    return {contact: texts[contact] for contact in contacts if contact in texts}


class MemoryJournal:
    """See Journal. Commits take one turn of the event loop, unless a test holds them or makes one fail."""

    def __init__(self, disk: Disk | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._disk = Disk() if disk is None else disk
        self._clock = clock
        self._fence = Fence()
        self._appends: list[Append] = []
        self._snapshots: list[tuple[str, Snapshot, Sequence[Piece], Done]] = []
        self._held = self._scheduled = self._closed = False
        self._fault: Fault | None = None
        self._failure: CommitFailed | None = None
        self._history = MemoryHistory(self._disk)

    @property
    def history(self) -> MemoryHistory:
        """See Journal.history."""
        return self._history

    @property
    def failure(self) -> Exception | None:
        """See Journal.failure."""
        return self._failure

    def fault_next(self, fault: Fault) -> None:
        """Make the next commit fail or hang."""
        self._fault = fault

    def hold(self) -> None:
        """Let appends wait, as behind a slow disk, until `release`."""
        self._held = True

    def release(self) -> None:
        """Commit what waits, in the next turn of the event loop."""
        self._held = False
        self._schedule()

    def derive(self, derived: Derived) -> None:
        """See Journal.derive."""
        self._history.derived = derived

    def open(self, logs: Sequence[str]) -> dict[str, Recovery]:
        """See Journal.open."""
        epoch = 1 + max((stored.epoch for stored in self._disk.values()), default=0)
        return {log: self._take_over(log, epoch) for log in logs}

    def _take_over(self, log: str, epoch: int) -> Recovery:
        stored = self._disk.setdefault(log, StoredLog())
        stored.epoch = epoch
        self._fence.grant(log, epoch, len(stored.records))
        return Recovery(epoch, len(stored.records), stored.snapshot)

    def append(self, log: str, expected_position: int, epoch: int, records: Sequence[bytes], done: Done) -> None:
        """See Journal.append."""
        self._check(log)
        if not records:
            raise JournalMisuse(f"log {log!r}: no records to append")
        self._appends.append(Append(log, expected_position, epoch, records, done, self._clock()))
        self._schedule()

    def read(self, log: str, after_position: int, limit: int) -> list[tuple[int, bytes]]:
        """See Journal.read."""
        self._fence.head(log)
        found = self._disk[log].records[after_position : after_position + limit]
        return list(enumerate(found, after_position + 1))

    def snapshot(self, log: str, position: int, version: int, blob: bytes, pieces: Sequence[Piece], done: Done) -> None:
        """See Journal.snapshot."""
        self._check(log)
        self._snapshots.append((log, Snapshot(position, version, blob), pieces, done))
        self._schedule()

    def drop_snapshot(self, log: str) -> None:
        """See Journal.drop_snapshot."""
        stored = known(self._disk, log)
        stored.snapshot = None
        stored.pieces.clear()
        stored.numbers.clear()

    def piece(self, log: str, name: int | str) -> bytes | None:
        """See Journal.piece."""
        stored = known(self._disk, log)
        number = name if isinstance(name, int) else stored.numbers.get(name, 0)
        return stored.pieces[number][3] if number in stored.pieces else None

    def group(self, log: str, name: str) -> list[int]:
        """See Journal.group."""
        pieces = known(self._disk, log).pieces.values()
        return sorted(number for number, _, group, _ in pieces if group == name != "")

    def oldest_pending_s(self, now_s: float) -> float:
        """See Journal.oldest_pending_s."""
        return max(0.0, now_s - self._appends[0].since_s) if self._appends else 0.0

    async def close(self) -> None:
        """See Journal.close."""
        self._closed = True
        self._held = False
        self._turn()

    def _check(self, log: str) -> None:
        self._fence.head(log)
        if self._closed:
            raise JournalMisuse("the journal is closed")

    def _schedule(self) -> None:
        if (self._appends or self._snapshots) and not (self._scheduled or self._held):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if self._held:
            return
        if self._fault is Fault.HANG:
            self._held = True
            return
        appends, self._appends = self._appends, []
        snapshots, self._snapshots = self._snapshots, []
        deliver(self._commit(appends) if appends else [])
        deliver([(done, self._keep(log, snapshot, pieces)) for log, snapshot, pieces, done in snapshots])

    def _commit(self, appends: list[Append]) -> list[Outcome]:
        if self._fault is Fault.PRESENT:
            self._store(appends)
        if self._fault is not None:
            self._failure = CommitFailed("memory", f"told to fail, with the records {self._fault.name.lower()}")
            self._fault = None
        if self._failure is not None:
            return [(append.done, self._failure) for append in appends]
        return self._store(appends)

    def _store(self, appends: list[Append]) -> list[Outcome]:
        for log in {append.log for append in appends}:
            if self._disk[log].epoch != self._fence.epoch(log):
                self._fence.revoke(log, self._fence.head(log))
        admitted, refused = self._fence.sort(appends)
        for log, share in admitted.items():
            for append in share:
                self._disk[log].records += append.records
        return [(append.done, refused.get(index)) for index, append in enumerate(appends)]

    def _keep(self, log: str, snapshot: Snapshot, pieces: Sequence[Piece]) -> SnapshotFailed | None:
        stored = self._disk[log]
        if self._failure is not None:
            return SnapshotFailed("memory", self._failure.cause)
        if snapshot.position > self._fence.head(log):
            return SnapshotFailed("memory", f"position {snapshot.position} of log {log!r} never became durable")
        later = stored.snapshot is not None and stored.snapshot.position > snapshot.position
        if later or stored.epoch != self._fence.epoch(log):
            return SnapshotFailed("memory", f"log {log!r} has a later snapshot or a newer writer")
        stored.snapshot = snapshot
        stored.pieces |= {piece[0]: piece for piece in pieces}
        stored.numbers |= {key: number for number, key, _, _ in pieces}
        return None


def _ready(value: T) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
