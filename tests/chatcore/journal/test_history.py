"""What every journal promises about its history."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chatcore.journal.stores import STORES, Store, commit, play

from chatcore.journal import History, Page, Row
from chatcore.journal.history import FLUSH_AT_ROWS

FIRST, SECOND = 1, 2
RECEIPT = 0


@pytest.fixture(params=STORES, ids=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    make: Callable[[Path], Store] = request.param
    return make(tmp_path)


def row(contact: int, dialog: int, seq: int, position: int) -> Row:
    return Row(contact, dialog, seq, 7, position, f"{contact}#{dialog}.{seq}@{position}".encode())


TWO_CONTACTS = [
    row(FIRST, 1, 1, 1),
    row(FIRST, 1, 2, 1),
    row(SECOND, 1, 1, 2),
    row(FIRST, 1, RECEIPT, 3),
    row(FIRST, 2, 1, 4),
    row(SECOND, 1, 2, 5),
]


async def whole(history: History, log: str, portion: int) -> list[Row]:
    """The log's audit, read in portions."""
    found: list[Row] = []
    after: int | None = 0
    while after is not None:
        page = await history.audit(log, after, portion)
        found += page.rows
        after = page.next
    return found


def test_rows_are_readable_as_soon_as_they_are_handed_in(store: Store) -> None:
    """A read begun after `project` contains its rows, stored or not: by contact, and all in log order."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a", "b"])
        history = journal.history
        history.project("a", 5, TWO_CONTACTS, [(FIRST, "web/u1"), (SECOND, "tg/2")])
        assert await history.entries("a", FIRST, (0, 0), 10) == [TWO_CONTACTS[n] for n in (0, 1, 4)]
        assert await history.entries("a", FIRST, (1, 1), 1) == [TWO_CONTACTS[1]]
        assert await history.entries("a", FIRST, (2, 1), 10) == []
        assert await history.entries("b", FIRST, (0, 0), 10) == []
        assert [await whole(history, "a", portion) for portion in (1, 2, 5, 6, 7)] == [TWO_CONTACTS] * 5
        assert await history.audit("b", 0, 10) == Page([], None)
        assert await history.keys("a", [SECOND, FIRST, 99]) == {FIRST: "web/u1", SECOND: "tg/2"}
        assert [await history.number("a", key) for key in ("tg/2", "tg/3")] == [SECOND, None]
        assert await history.keys("b", [FIRST]) == {}
        await journal.close()

    play(scene())


def test_the_history_survives_an_orderly_end(store: Store) -> None:
    """What was handed in before `close` is stored, with the position through which it is complete."""

    async def scene() -> None:
        first = store.journal()
        first.open(["a", "b"])
        assert await commit(first, "a", 0, 1, *[b"x"] * 6) is None
        first.history.project("a", 5, TWO_CONTACTS, [(FIRST, "web/u1"), (SECOND, "tg/2")])
        first.history.project("a", 6, [])
        await first.close()
        second = store.journal()
        second.open(["a", "b"])
        assert (second.history.projected("a"), second.history.projected("b")) == (6, 0)
        assert await whole(second.history, "a", 4) == TWO_CONTACTS
        assert await second.history.entries("a", SECOND, (0, 0), 10) == [TWO_CONTACTS[2], TWO_CONTACTS[5]]
        assert await second.history.keys("a", [FIRST, SECOND]) == {FIRST: "web/u1", SECOND: "tg/2"}
        assert await second.history.number("a", "web/u1") == FIRST
        await second.close()

    play(scene())


def test_projecting_again_changes_nothing(store: Store) -> None:
    """Rows up to what is there already are passed over, in one journal and in the next."""

    async def scene() -> None:
        for _ in range(2):
            journal = store.journal()
            journal.open(["a"])
            journal.history.project("a", 3, TWO_CONTACTS[:4], [(FIRST, "web/u1")])
            journal.history.project("a", 2, TWO_CONTACTS[:3], [(FIRST, "web/u1")])
            journal.history.project("a", 5, TWO_CONTACTS, [(FIRST, "web/u1")])
            assert await whole(journal.history, "a", 10) == TWO_CONTACTS
            await journal.close()

    play(scene())


def test_many_rows_are_stored_in_order_while_they_are_read(store: Store) -> None:
    """Generations on their way to the disk, stored and not, read as one history at every moment."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        rows = [row(n % 3, 1 + n // 300, 1 + n % 300, 1 + n) for n in range(4 * FLUSH_AT_ROWS)]
        for start in range(0, len(rows), 100):
            journal.history.project("a", min(start + 100, len(rows)), rows[start : start + 100])
            assert await whole(journal.history, "a", 1_000) == rows[: start + 100]
            read = await journal.history.entries("a", 1, (1, 200), 150)
            assert read == [r for r in rows[: start + 100] if r.contact == 1 and (r.dialog, r.seq) > (1, 200)][:150]
        await journal.close()

    play(scene())


def test_a_long_backlog_is_handed_in_at_once(store: Store) -> None:
    """However many rows one call brings, and however many a record has, they are stored whole and in order."""

    async def scene() -> None:
        first = store.journal()
        first.open(["a"])
        rows = [row(n % 3, 1, 1 + n, 1 + n // 5) for n in range(5 * FLUSH_AT_ROWS)]
        rows += [row(n % 3, 2, 1 + n, FLUSH_AT_ROWS + 1) for n in range(2 * FLUSH_AT_ROWS)]
        assert await commit(first, "a", 0, 1, *[b"x"] * (FLUSH_AT_ROWS + 9)) is None
        first.history.project("a", FLUSH_AT_ROWS + 9, rows, [(FIRST, "web/u1")])
        assert await whole(first.history, "a", 1_000) == rows
        await first.close()
        second = store.journal()
        second.open(["a"])
        assert second.history.projected("a") == FLUSH_AT_ROWS + 9
        assert await whole(second.history, "a", 1_000) == rows
        assert await second.history.number("a", "web/u1") == FIRST
        await second.close()

    play(scene())


def test_a_rebuilt_history_is_the_same(store: Store) -> None:
    """After `rebuild` the log's history is empty and starts from 0; other logs keep theirs."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a", "b"])
        for log in "ab":
            assert await commit(journal, log, 0, 1, *[b"x"] * 5) is None
            journal.history.project(log, 5, TWO_CONTACTS, [(FIRST, "web/u1")])
        await journal.close()
        again = store.journal()
        again.open(["a", "b"])
        again.history.rebuild("a")
        assert (again.history.projected("a"), again.history.projected("b")) == (0, 5)
        assert (await whole(again.history, "a", 9), await whole(again.history, "b", 9)) == ([], TWO_CONTACTS)
        assert (await again.history.keys("a", [FIRST]), await again.history.number("a", "web/u1")) == ({}, None)
        again.history.project("a", 5, TWO_CONTACTS, [(FIRST, "web/u1")])
        assert await whole(again.history, "a", 9) == TWO_CONTACTS
        await again.close()

    play(scene())
