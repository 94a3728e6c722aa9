"""The journals under test, with commits that can be held, hung and failed, and the callers that wait for them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Protocol

from chatcore.journal import Done, Journal, Piece
from chatcore.journal.logs import Batch
from chatcore.journal.memory import Disk, Fault, MemoryJournal
from chatcore.journal.sqlite import SqliteJournal

PATIENCE_S = 30


class Controlled(Journal, Protocol):
    """A journal whose commits a test steers."""

    def hold(self) -> None: ...

    def release(self) -> None: ...

    def fault_next(self, fault: Fault) -> None: ...

    async def settle(self) -> None:
        """Wait until the history handed in is stored."""


class ControlledMemory(MemoryJournal):
    """The memory journal, whose history is stored at once."""

    async def settle(self) -> None:
        pass


class ControlledSqlite(SqliteJournal):
    """The SQLite journal with a gate in front of its commits."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        super().__init__(folder, clock)
        self._gate = threading.Event()
        self._gate.set()
        self._unhang = threading.Event()
        self._fault: Fault | None = None
        self._at_gate = False
        self.commits: list[list[Batch]] = []

    def hold(self) -> None:
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def fault_next(self, fault: Fault) -> None:
        self._fault = fault

    def unhang(self) -> None:
        """Let a hung commit go on, as a disk that answers again after all."""
        self._unhang.set()

    async def until_committing(self) -> None:
        """Wait until a commit stands at the gate."""
        while not self._at_gate:
            await turns(1)

    async def settle(self) -> None:
        self.history.flush()
        await asyncio.wrap_future(self._parts.projector.submit(lambda db: 0))
        await turns()

    def _store(self, db: Connection, batches: Sequence[Batch]) -> set[int]:
        self._at_gate = True
        assert self._gate.wait(PATIENCE_S)
        self._at_gate = False
        fault, self._fault = self._fault, None
        if fault is Fault.HANG:
            assert self._unhang.wait(PATIENCE_S)
        if fault is Fault.ABSENT:
            raise OSError("told to fail")
        superseded = super()._store(db, batches)
        self.commits.append(list(batches))
        if fault is Fault.PRESENT:
            raise OSError("told to fail")
        return superseded


class Store(Protocol):
    """Something that outlives its journals. `now_s` is the clock they read."""

    now_s: float

    def journal(self) -> Controlled:
        """One more journal over what is stored."""

    async def abandon(self, journal: Controlled) -> None:
        """Leave a journal as a crash would, writing nothing more."""


class MemoryStore:
    def __init__(self, folder: Path) -> None:
        del folder
        self._disk = Disk()
        self.now_s = 0.0

    def journal(self) -> ControlledMemory:
        return ControlledMemory(self._disk, lambda: self.now_s)

    async def abandon(self, journal: Controlled) -> None:
        journal.hold()


class SqliteStore:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self.now_s = 0.0

    def journal(self) -> ControlledSqlite:
        return ControlledSqlite(self._folder, lambda: self.now_s)

    async def abandon(self, journal: Controlled) -> None:
        assert isinstance(journal, ControlledSqlite)
        journal.release()
        journal.unhang()
        await journal.close()


STORES: list[Callable[[Path], Store]] = [MemoryStore, SqliteStore]


class Told:
    """Collects what `done` callbacks were told, in order."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[object, Exception | None]] = []
        self._changed = asyncio.Event()

    def done(self, name: object) -> Done:
        """A callback that notes its outcome under a name."""

        def note(error: Exception | None) -> None:
            self.outcomes.append((name, error))
            self._changed.set()

        return note

    async def reach(self, count: int) -> list[tuple[object, Exception | None]]:
        """All outcomes, once there are so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.outcomes) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.outcomes


async def commit(journal: Journal, log: str, position: int, epoch: int, *records: bytes) -> Exception | None:
    """Append and wait for the outcome."""
    return await outcome(lambda done: journal.append(log, position, epoch, records, done))


async def keep(
    journal: Journal, log: str, position: int, version: int, blob: bytes, *pieces: Piece
) -> Exception | None:
    """Store a snapshot and wait for the outcome."""
    return await outcome(lambda done: journal.snapshot(log, position, version, blob, pieces, done))


async def outcome(call: Callable[[Done], None]) -> Exception | None:
    """What the call tells its `done`."""
    told = Told()
    call(told.done(None))
    ((_, error),) = await told.reach(1)
    return error


async def turns(count: int = 20) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def play(scene: Coroutine[None, None, None] | Awaitable[None]) -> None:
    """Run an asynchronous test, in bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(2 * PATIENCE_S):
            await scene

    asyncio.run(bounded())
