"""The journal's port, and why it keeps its promises the way it does.

What a log promises
-------------------
A *log* is a sequence of records at positions 1, 2, 3, … without gaps. A record is opaque bytes: all events of one
command. The one promise that everything else rests on: once `done(None)` was called for an append, its records survive
`kill -9` and power loss, at exactly these positions. Nothing is promised before that call, not even failure.

Group commit
------------
A durable write costs one flush of the disk, however much it carries. While one commit is under way, appends collect;
the next commit takes them together, over all logs and up to a size that keeps it short, so that under load hundreds of
messages share a flush and at rest nobody waits for company. Each log's share of a commit is stored as one row with one
blob and integer keys only.
Rejected: a commit a message (a flush each); a commit on a fixed timer (adds its period to every message at rest); a row
a message with a text key (benchmarks/groundwork.py: two to three times the time and five times the bytes of one blob a
batch). The contact and history indexes are projections, written in bulk off the commit path and rebuilt from the
records when in doubt; see `History`.

The output rule
---------------
State is applied when decided, before it is durable; so an acknowledgement, a push, even a read computed from it may
speak of something a crash can still take back. Therefore every output carries the log position of the state it was
computed from and is held until that position is durable; `done` is what releases it. `done` is called on the event
loop, exactly once an append, in the order of the appends of a log, all of one commit in one turn of the loop.
Rejected: deciding only on durable state (every message of a busy contact would wait for the flush before it), and
letting duplicates be acknowledged at once because "it is already there" (it is there in memory only).

One writer a log
----------------
`open` takes a new epoch, higher than all before, and stores it durably before it returns. An append names its epoch
and the position it builds on; inside the same transaction that would store it, both must still be the newest, or
`StaleWriter` refuses it and nothing is written. So a process that was paused and superseded cannot write over its
successor, whatever it believes. A writer once refused stays refused under that epoch: what it hands in later was
decided on records that are not there. A refusal touches no other log of the same commit; logs have no atomicity
between them, and nothing may rely on two of them sharing a commit. Rejected: a lock file or lease (a pause longer than
the lease makes two writers, and a lock left behind makes none).

A failed commit is indeterminate, and never retried
---------------------------------------------------
When a commit fails, its records may be absent, or present with only the answer lost; and after a failed flush the
operating system may drop the unwritten pages and report the next flush as a success. A retry would store the records
twice where they were present, and trust a flush that did nothing where they were absent. So the journal writes nothing
more: this append and every one behind it end in `CommitFailed`, for good. A commit that hangs answers nothing, so
nothing can be raised; `oldest_pending_s` grows, and the watchdog above sees it. In both cases the process releases no
output and exits; whoever starts it again recovers as after `kill -9` and reads from the disk, which alone knows, what
became of the commit. Clients see a lost connection, repeat, and are answered from the recovered state.

Snapshots and recovery
----------------------
A snapshot is a cache of a replay: versioned, checked, written beside the log without holding up commits, and only ever
of durable positions. One that is damaged, or written by a process that was superseded, never counts; then the log is
replayed from its beginning. Recovery is: `open`, restore `Recovery.snapshot`, `read` what follows it, project what
`History.projected` says is missing, serve.

A state that grows for ever must neither fill the memory nor be written anew each time. So what nobody is at work on
stands apart, in *pieces* that are found one by one; a snapshot stores, in one transaction with the small rest of the
state, those that changed since the one before. From then on the caller may forget them, and `piece` gives them back as
of that snapshot, which is what a replay of the tail needs. Until then it keeps them; a snapshot that fails loses
nothing. A read blocks for microseconds: a decision cannot go on without it, and no other may be made meanwhile.
Rejected: pieces in the log's own file (their pages would hold up commits), and a row for each change as it happens (a
second write for every message, for what only a restart reads).

This is not a file for a first change: the write path behind it is held by `tests/chatcore/journal`, where one suite
runs over every implementation, and child processes are killed, with and without their unflushed writes.
"""

from asyncio import Future
from collections.abc import Callable, Collection, Sequence
from sqlite3 import Connection
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Done = Callable[[Exception | None], None]
"""Called once on the event loop: None when durable, otherwise the reason why it is not known to be."""


class Snapshot(NamedTuple):
    """A state as of `position`; `version` is the caller's, for the encoding of `blob`."""

    position: int
    version: int
    blob: bytes


Piece = tuple[int, str, str, bytes]
"""A part of a state that stands apart: number, from 1 on, and key, both unique in their log; group or ""; bytes."""


class Recovery(NamedTuple):
    """What `open` found in one log: the new writer's epoch, the last record's position (0: empty), a snapshot."""

    epoch: int
    position: int
    snapshot: Snapshot | None


class Row(NamedTuple):
    """One entry of the history. Integer keys only; `contact` is a number private to its log, `kind` the caller's.

    `dialog` and `seq` order a contact's entries; rows with `seq` below 1 (receipts) appear in the audit only.
    `position` is the record the row was made from.
    """

    contact: int
    dialog: int
    seq: int
    kind: int
    position: int
    blob: bytes


class Page(NamedTuple):
    """Rows in log order, and the row number to continue after, or None at the end of what is known."""

    rows: list[Row]
    next: int | None


Keys = Callable[[Collection[int]], dict[int, str]]
"""The key texts of contact numbers."""


class Derived(Protocol):
    """Tables beside the history's rows, made of them by the caller, for questions that no single contact answers."""

    def write(self, db: Connection, log: int, rows: Sequence[Row], keys: Keys) -> int:
        """Take in the next rows of a log, each once, in the transaction that stores them; returns roughly the pages."""


class History(Protocol):
    """The projection of the logs that people read: a contact's entries, and everything in log order.

    Reads see every row handed to `project` before them, written or not, so that a read begun after an acknowledgement
    contains what was acknowledged. Except for `projected` and `rebuild`, call on the event loop.
    """

    def projected(self, log: str) -> int:
        """The position through which the stored rows are complete; project again from the record after it."""

    def project(self, log: str, through: int, rows: Sequence[Row], contacts: Sequence[tuple[int, str]] = ()) -> None:
        """Hand in the rows and the new (number, key) contacts of the records after the last call, up to `through`.

        Call it from `done`, when the records are durable. All rows of a record come in one call, in their order; a
        log's calls come in log order. Rows at or before what was handed in or stored are passed over, so repeating is
        harmless. Written in bulk later, in nobody's way; a crash before that takes back `projected`, too.
        """

    def rebuild(self, log: str) -> None:
        """Drop all rows and contacts of the log, so that `projected` is 0. Blocks; for start-up, before appends."""

    def entries(self, log: str, contact: int, after: tuple[int, int], limit: int) -> Future[list[Row]]:
        """At most `limit` rows of the contact with (dialog, seq) above `after` and seq above 0, in that order."""

    def audit(self, log: str, after: int, limit: int) -> Future[Page]:
        """At most `limit` rows of the log after row number `after` (0: from the start), receipts included."""

    def keys(self, log: str, contacts: Collection[int]) -> Future[dict[int, str]]:
        """The key texts of these contact numbers; unknown numbers are left out."""

    def number(self, log: str, key: str) -> Future[int | None]:
        """The contact number of a key text, None when unknown."""

    async def ask(self, query: Callable[[Connection], T]) -> T:
        """What a query finds in the derived tables, which hold all that was projected before.

        It may take long: it holds up neither the loop nor the history's other readers.
        """


class Journal(Protocol):
    """Logs of records, their snapshots and their history; see the head of this module for what it promises."""

    @property
    def history(self) -> History:
        """The history of the same logs."""

    def derive(self, derived: Derived) -> None:
        """Keep `derived` tables with the history; before `open`."""

    def open(self, logs: Sequence[str]) -> dict[str, Recovery]:
        """Become the one writer of these logs; what is not there is created. Once an instance, blocking.

        Raises JournalTooNew, JournalDamaged, JournalUnreachable.
        """

    def append(self, log: str, expected_position: int, epoch: int, records: Sequence[bytes], done: Done) -> None:
        """Make the records durable at expected_position + 1, +2, …: all of them or none. Returns at once.

        `done` gets None, StaleWriter (nothing was written), or CommitFailed (not known; exit). Raises JournalMisuse for
        a log that was not opened, no records, or a journal that is closed.
        """

    def read(self, log: str, after_position: int, limit: int) -> list[tuple[int, bytes]]:
        """At most `limit` durable records after a position, in order; empty at the end. Blocks: for recovery.

        Raises JournalDamaged when a record is missing or its checksum does not hold.
        """

    def snapshot(self, log: str, position: int, version: int, blob: bytes, pieces: Sequence[Piece], done: Done) -> None:
        """Store a snapshot once its position is durable, with the pieces that changed, without holding up commits.

        `done` gets None or SnapshotFailed: the disk refused it, the position never became durable, or there is a later
        one. The journal goes on as before.
        """

    def drop_snapshot(self, log: str) -> None:
        """Forget the log's snapshot and its pieces, to replay it from its beginning. Blocks; before appends."""

    def piece(self, log: str, name: int | str) -> bytes | None:
        """A piece by its number or key as of the last snapshot, None when unknown. Blocks, for some 10 µs.

        Raises SnapshotUnreadable: exit and start again.
        """

    def group(self, log: str, name: str) -> list[int]:
        """The numbers of a group's pieces as of the last snapshot, in order. As `piece`."""

    def oldest_pending_s(self, now_s: float) -> float:
        """How long the oldest append not yet durable has been waiting, on the monotonic clock; 0.0 if there is none."""

    @property
    def failure(self) -> Exception | None:
        """Why the journal writes nothing more, or None. Also set when a write of the history failed: exit, too."""

    async def close(self) -> None:
        """Write what was handed in, call every `done`, release the files. After a failure or a hang, exit instead."""
