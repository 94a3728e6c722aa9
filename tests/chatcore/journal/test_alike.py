"""Memory and SQLite answer alike, whatever is asked of them."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chatcore.journal.stores import Controlled, MemoryStore, SqliteStore, Store, Told, keep, play

from chatcore.journal import Row

LOGS = ["a", "b"]
log = st.sampled_from(LOGS)
small = st.integers(0, 3)
PIECES = st.tuples(st.integers(1, 3), st.sampled_from(["", "p"]), st.binary(max_size=5))
STEPS = st.one_of(
    st.tuples(st.just("append"), log, st.lists(st.binary(max_size=5), min_size=1, max_size=4)),
    st.tuples(st.just("append"), log, st.lists(st.binary(max_size=5), min_size=1, max_size=4)),
    st.tuples(st.just("misplaced"), log, st.integers(-2, 3)),
    st.tuples(st.just("old epoch"), log),
    st.tuples(st.just("wait")),
    st.tuples(st.just("read"), log, st.integers(0, 12), st.integers(1, 6)),
    st.tuples(st.just("snapshot"), log, st.integers(0, 12), st.binary(max_size=5), st.lists(PIECES, max_size=3)),
    st.tuples(st.just("drop snapshot"), log),
    st.tuples(st.just("pieces"), log, small),
    st.tuples(st.just("project"), log, st.lists(st.tuples(small, small, st.integers(-1, 3)), max_size=5)),
    st.tuples(st.just("entries"), log, small, st.tuples(small, small), st.integers(1, 5)),
    st.tuples(st.just("audit"), log, st.integers(0, 12), st.integers(1, 5)),
    st.tuples(st.just("names"), log, small),
    st.tuples(st.just("rebuild"), log),
    st.tuples(st.just("reopen")),
    st.tuples(st.just("supersede")),
)


class Player:
    """Plays steps against one store and notes every answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told = Told()
        self._asked = 0
        self.answers: list[object] = []
        self._journals: list[Controlled] = []

    async def play(self, steps: list[tuple[object, ...]]) -> None:
        self._open()
        for kind, *rest in steps:
            await getattr(self, "_" + str(kind).replace(" ", "_"))(*rest)
        await self._reopen()
        for name in LOGS:
            self.answers += [self._journal.read(name, 0, 1_000), await self._journal.history.audit(name, 0, 1_000)]
        for journal in self._journals:
            await journal.close()

    def _open(self) -> None:
        self._journal = self._store.journal()
        self._journals.append(self._journal)
        found = self._journal.open(LOGS)
        self.answers += [found, {name: self._journal.history.projected(name) for name in LOGS}]
        self._heads = {name: recovery.position for name, recovery in found.items()}
        self._epochs = {name: recovery.epoch for name, recovery in found.items()}

    def _hand_in(self, journal: Controlled, name: str, position: int, epoch: int, records: list[bytes]) -> None:
        journal.append(name, position, epoch, records, self._told.done(self._asked))
        self._asked += 1

    async def _append(self, name: str, records: list[bytes]) -> None:
        self._hand_in(self._journal, name, self._heads[name], self._epochs[name], records)
        self._heads[name] += len(records)

    async def _misplaced(self, name: str, by: int) -> None:
        self._hand_in(self._journal, name, self._heads[name] + by, self._epochs[name], [b"misplaced"])
        self._heads[name] += by == 0

    async def _old_epoch(self, name: str) -> None:
        self._hand_in(self._journal, name, self._heads[name], self._epochs[name] - 1, [b"old"])

    async def _wait(self) -> None:
        outcomes = await self._told.reach(self._asked)
        self.answers.append([(name, type(error)) for name, error in outcomes])

    async def _read(self, name: str, after: int, limit: int) -> None:
        await self._wait()
        self.answers.append(self._journal.read(name, after, limit))

    async def _snapshot(self, name: str, position: int, blob: bytes, shapes: list[tuple[int, str, bytes]]) -> None:
        await self._wait()
        pieces = [(number, f"k{number}", group, piece) for number, group, piece in shapes]
        self.answers.append(type(await keep(self._journal, name, position, 1, blob, *pieces)))

    async def _drop_snapshot(self, name: str) -> None:
        await self._reopen()
        self._journal.drop_snapshot(name)

    async def _pieces(self, name: str, number: int) -> None:
        journal = self._journal
        self.answers += [journal.piece(name, number), journal.piece(name, f"k{number}"), journal.group(name, "p")]

    async def _project(self, name: str, shapes: list[tuple[int, int, int]]) -> None:
        await self._wait()
        head = len(self._journal.read(name, 0, 1_000))
        rows = [
            Row(contact, dialog, seq, 1, 1 + n * head // len(shapes), b"%d" % n)
            for n, (contact, dialog, seq) in enumerate(shapes)
        ]
        self._journal.history.project(name, head, rows if head else [], [(r.contact, f"k{r.contact}") for r in rows])

    async def _entries(self, name: str, contact: int, after: tuple[int, int], limit: int) -> None:
        self.answers.append(await self._journal.history.entries(name, contact, after, limit))

    async def _audit(self, name: str, after: int, limit: int) -> None:
        self.answers.append(await self._journal.history.audit(name, after << 20, limit))

    async def _names(self, name: str, contact: int) -> None:
        history = self._journal.history
        self.answers += [await history.keys(name, [contact, 2]), await history.number(name, f"k{contact}")]

    async def _rebuild(self, name: str) -> None:
        await self._reopen()
        self._journal.history.rebuild(name)

    async def _reopen(self) -> None:
        await self._journal.close()
        await self._wait()
        self._open()

    async def _supersede(self) -> None:
        await self._wait()
        await self._journal.settle()
        old, epochs, heads = self._journal, self._epochs, self._heads
        self._open()
        self._hand_in(old, "a", heads["a"], epochs["a"], [b"superseded"])
        await self._wait()


@settings(max_examples=50)
@given(st.lists(STEPS, max_size=25))
def test_memory_and_sqlite_give_the_same_answers(steps: list[tuple[object, ...]]) -> None:
    """Outcomes, records, snapshots, history: equal after any sequence of calls, endings and take-overs."""
    answers = []
    for make in (MemoryStore, SqliteStore):
        with tempfile.TemporaryDirectory() as folder:
            player = Player(make(Path(folder)))
            play(player.play(steps))
            answers.append(player.answers)
    assert answers[0] == answers[1]
