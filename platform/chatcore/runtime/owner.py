"""The owner of one log: decides, applies, commits in groups, and holds every output until its state is durable.

A record's way: `submit` decides and applies at once, adds the record to what is pending, and holds the outputs. One
append a log is under way at a time; once it is durable, the outputs up to its position leave in log order, and what
collected meanwhile is the next append. So a busy log commits in batches, and an idle one does not wait.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from chatcore.journal.port import Journal, Piece, Recovery
from chatcore.machines import commands as c
from chatcore.machines import events as e

logger = logging.getLogger("chatcore")

SNAPSHOT_VERSION = 9
SNAPSHOT_BYTES_A_RECORD = 400
"""A snapshot comes after one record for so many bytes of the last: a large state must not make records dearer."""
REPLAY_PAGE = 20_000


class MachineState(Protocol):
    """What an owner needs to know of a machine's state."""

    now: int
    applied: dict[str, int]

    def dump(self) -> bytes:
        """The state as a snapshot, without the pieces that stand apart."""

    def load(self, blob: bytes) -> None:
        """Take over a snapshot."""


class Poisoned(Exception):
    """A command on which `decide` raised: it is stored as an inert entry, and its contact goes on."""


class Owner(ABC):
    """One log's single writer. `now_ms` is the wall clock; `fatal` ends the process after a failed commit."""

    def __init__(
        self,
        log: str,
        state: MachineState,
        journal: Journal,
        now_ms: Callable[[], int],
        fatal: Callable[[Exception], None],
        snapshot_every: int,
    ) -> None:
        self.log = log
        self.journal = journal
        self.position = 0  # of the last record applied
        self.durable = 0  # of the last record that survives a crash
        self.commits = 0  # appends that became durable
        self.inert = 0  # commands on which `decide` raised
        self._state = state
        self._now_ms = now_ms
        self._fatal = fatal
        self._snapshot_every = snapshot_every
        self._next_snapshot = snapshot_every
        self._epoch = 0
        self._pending: list[bytes] = []
        self._appending = 0
        self._scheduled = False
        self._held: deque[tuple[int, Callable[..., None], tuple[Any, ...]]] = deque()

    # --- what the two kinds of owner add ---------------------------------------------------------------------------

    @abstractmethod
    def _step(self, command: Any, now: int) -> list[Any]:
        """Decide on `command` and apply what follows; returns all events of it."""

    @abstractmethod
    def _apply(self, event: Any) -> None:
        """Apply one event of a replayed record."""

    @abstractmethod
    def _publish(self, position: int, events: list[Any], origin: object) -> Callable[[], None]:
        """Prepare what the world shall see of a record; the result is called once the record is durable."""

    def _unstored(self) -> Sequence[Piece]:
        """The pieces of the state that the next snapshot is to store apart."""
        return ()

    def _leave(self, stored: Sequence[Piece]) -> None:  # noqa: B027  # a hook: the floor's state has no pieces
        """Forget the pieces that were stored."""

    # --- commands --------------------------------------------------------------------------------------------------

    def submit(self, command: Any, origin: object = None, answer: Callable[[], None] | None = None) -> None:
        """Carry out a command of an edge; `answer` is called, before other outputs of it, once its state is durable.

        `origin` is the session that must not be shown its own message.

        Raises:
            Refused: the state does not allow the command. Hold the refusal like any other output.
            Poisoned: `decide` raised; the command is kept as an inert entry.
        """
        now = self._now()
        try:
            events = self._step(command, now)
        except c.Refused:
            raise
        except Exception as error:
            self._record(now, "", 0, [self._inert(command, error)])
            raise Poisoned(str(error)) from error
        if answer is not None:
            self._held.append((self.position + (1 if events else 0), answer, ()))
        if events:
            self._record(now, "", 0, events, origin)
        elif answer is not None:
            self._release()

    def deliver(self, source: str, position: int, commands: Sequence[Any]) -> None:
        """Carry out what record `position` of log `source` asks; a second delivery of it changes nothing."""
        if position <= self._state.applied.get(source, 0):
            return
        now = self._now()
        events: list[Any] = []
        for command in commands:
            try:
                events += self._step(command, now)
            except Exception as error:  # noqa: BLE001 - whatever it is, the commands behind it must be carried out
                events.append(self._inert(command, error))
        self._state.applied[source] = position
        self._record(now, source, position, events)

    def hold(self, output: Callable[..., None], *args: Any) -> None:
        """Call `output` once everything applied until now is durable, after the outputs held before it."""
        self._held.append((self.position, output, args))
        self._release()

    def settled(self) -> asyncio.Future[None]:
        """A future that is done once everything applied until now is durable."""
        future = asyncio.get_running_loop().create_future()
        self.hold(_wake, future)
        return future

    def _now(self) -> int:
        self._state.now = max(self._now_ms(), self._state.now)
        return self._state.now

    def _inert(self, command: Any, error: Exception) -> e.Inert:
        self.inert += 1
        logger.error("log %s: a %s was set aside: %s", self.log, type(command).__name__, type(error).__name__)
        return e.Inert(repr(command), f"{type(error).__name__}: {error}")

    # --- records, commits, outputs ---------------------------------------------------------------------------------

    def _record(self, now: int, source: str, source_position: int, events: list[Any], origin: object = None) -> None:
        self.position += 1
        self._pending.append(e.encode_record(e.Record(now, source, source_position, events)))
        self._held.append((self.position, self._publish(self.position, events, origin), ()))
        if self.position >= self._next_snapshot:
            self._snapshot()
        if not self._scheduled and not self._appending:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._append)

    def _append(self) -> None:
        self._scheduled = False
        if self._appending or not self._pending:
            return
        batch, self._pending = self._pending, []
        self._appending = len(batch)
        self.journal.append(self.log, self.durable, self._epoch, batch, self._appended)

    def _appended(self, error: Exception | None) -> None:
        if error is not None:
            self._fatal(error)
            return
        self.durable += self._appending
        self.commits += 1
        self._appending = 0
        self._append()
        self._release()
        self._after_commit()

    def _after_commit(self) -> None:  # noqa: B027  # a hook: the floor has no history to project
        """Called in the same turn of the loop as the release, so that no read can come between them."""

    def _release(self) -> None:
        held = self._held
        while held and held[0][0] <= self.durable:
            _, output, args = held.popleft()
            try:
                output(*args)
            except Exception:
                logger.exception("log %s: an output failed", self.log)

    def _snapshot(self) -> None:
        blob = self._state.dump()
        self._next_snapshot = self.position + self._until_snapshot(len(blob))
        self._held.append((self.position, self._store, (self.position, blob, self._unstored())))

    def _until_snapshot(self, last_bytes: int) -> int:
        return max(self._snapshot_every, last_bytes // SNAPSHOT_BYTES_A_RECORD)

    def _store(self, position: int, blob: bytes, pieces: Sequence[Piece]) -> None:
        done = partial(self._stored, pieces)
        self.journal.snapshot(self.log, position, SNAPSHOT_VERSION, blob, pieces, done)

    def _stored(self, pieces: Sequence[Piece], error: Exception | None) -> None:
        if error is not None:
            logger.warning("log %s: no snapshot was stored: %s", self.log, error)
        else:
            self._leave(pieces)

    # --- recovery --------------------------------------------------------------------------------------------------

    def restore(self, recovery: Recovery) -> None:
        """Rebuild the state from the snapshot and the records after it. Blocks; before anything is served."""
        self._epoch = recovery.epoch
        snapshot = recovery.snapshot
        if snapshot is not None and snapshot.version == SNAPSHOT_VERSION:
            self._state.load(snapshot.blob)
            self.position = snapshot.position
            self._next_snapshot = self.position + self._until_snapshot(len(snapshot.blob))
        elif snapshot is not None:
            self.journal.drop_snapshot(self.log)
        for position, record in self.records(self.position):
            self._state.now = record.now
            if record.source:
                self._state.applied[record.source] = record.source_position
            for event in record.events:
                self._apply(event)
            self.position = position
        self.durable = self.position

    def records(self, after: int) -> Iterator[tuple[int, e.Record]]:
        """The durable records after a position, read page by page. Blocks."""
        position = after
        while page := self.journal.read(self.log, position, REPLAY_PAGE):
            for position, blob in page:
                yield position, e.decode_record(blob)

    def probe(self) -> asyncio.Future[None]:
        """Commit an empty record; done when the journal proved that it stores."""
        self._record(self._now(), "", 0, [])
        return self.settled()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
