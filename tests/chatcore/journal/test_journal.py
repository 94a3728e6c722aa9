"""What every journal promises about records, whichever way it stores them."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.chatcore.journal.stores import STORES, Store, Told, commit, keep, play, turns

from chatcore.journal import CommitFailed, JournalMisuse, Recovery, Snapshot, SnapshotFailed, StaleWriter
from chatcore.journal.memory import Fault


@pytest.fixture(params=STORES, ids=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    make: Callable[[Path], Store] = request.param
    return make(tmp_path)


def test_records_are_read_back_at_their_positions(store: Store) -> None:
    """Records come back as they were appended, numbered from 1, from any position and in any portion."""

    async def scene() -> None:
        journal = store.journal()
        opened = journal.open(["a", "b"])
        assert opened == {"a": Recovery(1, 0, None), "b": Recovery(1, 0, None)}
        assert await commit(journal, "a", 0, 1, b"one", b"", b"three") is None
        assert await commit(journal, "b", 0, 1, b"other") is None
        assert await commit(journal, "a", 3, 1, b"four" * 5_000, b"five") is None
        whole = [(1, b"one"), (2, b""), (3, b"three"), (4, b"four" * 5_000), (5, b"five")]
        portions = [journal.read("a", after, limit) for after in range(7) for limit in range(1, 7)]
        assert portions == [whole[after : after + limit] for after in range(7) for limit in range(1, 7)]
        assert journal.read("b", 0, 10) == [(1, b"other")]
        await journal.close()

    play(scene())


def test_a_closed_journal_is_found_as_it_was_left(store: Store) -> None:
    """Opening again finds all records, under a higher epoch; a log that is new starts empty."""

    async def scene() -> None:
        first = store.journal()
        first.open(["a"])
        told = Told()
        first.append("a", 0, 1, [b"one", b"two"], told.done("last"))
        await first.close()
        assert told.outcomes == [("last", None)]
        second = store.journal()
        assert second.open(["a", "b"]) == {"a": Recovery(2, 2, None), "b": Recovery(2, 0, None)}
        assert second.read("a", 0, 10) == [(1, b"one"), (2, b"two")]
        await second.close()

    play(scene())


def test_an_append_on_the_wrong_position_writes_nothing(store: Store) -> None:
    """A writer whose position is not the last one is refused, and so is all it hands in after that."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        told = Told()
        journal.append("a", 0, 1, [b"one"], told.done("right"))
        journal.append("a", 2, 1, [b"four"], told.done("ahead"))
        journal.append("a", 1, 1, [b"two"], told.done("behind a refusal"))
        outcomes = await told.reach(3)
        assert [(name, type(error)) for name, error in outcomes] == [
            ("right", type(None)),
            ("ahead", StaleWriter),
            ("behind a refusal", StaleWriter),
        ]
        assert str(outcomes[1][1]) == (
            "log 'a': append after position 2 under epoch 1 refused: the last record is at position 1; "
            "stop this writer, open the log again and recover"
        )
        assert journal.read("a", 0, 10) == [(1, b"one")]
        await journal.close()

    play(scene())


def test_a_superseded_writer_writes_nothing(store: Store) -> None:
    """Once a log is opened again, its former writer is refused, though its position is right."""

    async def scene() -> None:
        old, new = store.journal(), store.journal()
        old.open(["a", "b"])
        assert await commit(old, "a", 0, 1, b"one") is None
        assert new.open(["a"]) == {"a": Recovery(2, 1, None)}
        assert isinstance(await commit(old, "a", 1, 1, b"late"), StaleWriter)
        assert await commit(new, "a", 1, 2, b"two") is None
        assert isinstance(await commit(old, "a", 1, 1, b"later"), StaleWriter)
        assert isinstance(await commit(new, "a", 2, 1, b"under the old epoch"), StaleWriter)
        assert await commit(old, "b", 0, 1, b"other log") is None
        assert new.read("a", 0, 10) == [(1, b"one"), (2, b"two")]
        await old.close()
        await new.close()

    play(scene())


def test_a_refusal_in_one_log_harms_no_other(store: Store) -> None:
    """In one commit, the refused append of one log and the stored ones of others do not touch each other."""

    async def scene() -> None:
        old, new = store.journal(), store.journal()
        old.open(["a", "b", "c"])
        new.open(["b"])
        told = Told()
        old.hold()
        for log, position in (("a", 0), ("b", 0), ("c", 5), ("a", 1)):
            old.append(log, position, 1, [log.encode()], told.done((log, position)))
        old.release()
        outcomes = await told.reach(4)
        assert {name: type(error) for name, error in outcomes} == {
            ("a", 0): type(None),
            ("b", 0): StaleWriter,
            ("c", 5): StaleWriter,
            ("a", 1): type(None),
        }
        assert [old.read(log, 0, 10) for log in "abc"] == [[(1, b"a"), (2, b"a")], [], []]
        await old.close()
        await new.close()

    play(scene())


def test_done_is_called_once_in_order_on_the_event_loop(store: Store) -> None:
    """Outcomes come in the order of the appends, each once, in the loop's thread and never inside `append`."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a", "b"])
        told = Told()
        threads = set()

        def note(position: int, log: str, error: Exception | None) -> None:
            threads.add(threading.get_ident())
            told.done((log, position))(error)

        for position in range(100):
            for log in "ab":
                journal.append(log, position, 1, [b"x"], partial(note, position, log))
            assert len(told.outcomes) <= 2 * position
            if position % 7 == 0:
                await asyncio.sleep(0)
        await told.reach(200)
        await turns()
        assert told.outcomes == [((log, position), None) for position in range(100) for log in "ab"]
        assert threads == {threading.get_ident()}
        await journal.close()

    play(scene())


def test_a_callback_that_raises_keeps_no_other_waiting(store: Store) -> None:
    """The defect of one caller is reported to the loop, and the others hear their outcome."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        told, reported = Told(), []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        defect = ValueError("a caller's defect")

        def broken(error: Exception | None) -> None:
            raise defect

        journal.hold()
        journal.append("a", 0, 1, [b"one"], broken)
        journal.append("a", 1, 1, [b"two"], told.done("next"))
        journal.release()
        assert await told.reach(1) == [("next", None)]
        assert reported == [defect]
        await journal.close()

    play(scene())


def test_a_held_commit_releases_nothing(store: Store) -> None:
    """While the disk does not answer no `done` is called, and the age of the oldest append grows."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        assert journal.oldest_pending_s(store.now_s) == 0.0
        journal.hold()
        told = Told()
        for position in range(10):
            store.now_s = 100.0 + position
            journal.append("a", position, 1, [b"x"], told.done(position))
        await turns()
        assert (told.outcomes, journal.oldest_pending_s(107.5)) == ([], 7.5)
        journal.release()
        assert await told.reach(10) == [(position, None) for position in range(10)]
        assert journal.oldest_pending_s(200.0) == 0.0
        await journal.close()

    play(scene())


@pytest.mark.parametrize("fault, stored", [(Fault.ABSENT, []), (Fault.PRESENT, [(1, b"one"), (2, b"two")])])
def test_a_failed_commit_is_never_retried(store: Store, fault: Fault, stored: list[tuple[int, bytes]]) -> None:
    """With its records on the disk or not: it and all behind it end in CommitFailed, and nothing more is written."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a", "b"])
        assert journal.failure is None
        journal.fault_next(fault)
        told = Told()
        journal.append("a", 0, 1, [b"one", b"two"], told.done("failed"))
        await told.reach(1)
        journal.append("a", 2, 1, [b"three"], told.done("behind it"))
        journal.append("b", 0, 1, [b"other log"], told.done("of another log"))
        assert len(told.outcomes) == 1
        outcomes = await told.reach(3)
        assert [(name, type(error)) for name, error in outcomes] == [
            ("failed", CommitFailed),
            ("behind it", CommitFailed),
            ("of another log", CommitFailed),
        ]
        assert journal.failure is outcomes[0][1]
        assert isinstance(await keep(journal, "a", 0, 1, b""), SnapshotFailed)
        await store.abandon(journal)
        after = store.journal()
        assert after.open(["a", "b"]) == {"a": Recovery(2, len(stored), None), "b": Recovery(2, 0, None)}
        assert after.read("a", 0, 10) == stored
        await after.close()

    play(scene())


def test_a_hung_commit_releases_nothing_and_its_late_end_harms_nobody(store: Store) -> None:
    """A commit that never answers is seen by its age; the successor goes on, and the hung writer stays refused."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        journal.fault_next(Fault.HANG)
        told = Told()
        store.now_s = 50.0
        journal.append("a", 0, 1, [b"hung"], told.done("hung"))
        await turns()
        store.now_s = 60.0
        journal.append("a", 1, 1, [b"behind"], told.done("behind"))
        await turns()
        assert (told.outcomes, journal.oldest_pending_s(65.0), journal.failure) == ([], 15.0, None)
        after = store.journal()
        assert after.open(["a"]) == {"a": Recovery(2, 0, None)}
        assert await commit(after, "a", 0, 2, b"new") is None
        await store.abandon(journal)
        await turns()
        assert [error for _, error in told.outcomes if error is None] == []
        assert after.read("a", 0, 10) == [(1, b"new")]
        await after.close()

    play(scene())


def test_the_newest_snapshot_and_the_tail_behind_it_are_found(store: Store) -> None:
    """Opening gives the newest snapshot; reading after its position gives exactly what it does not contain."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a", "b"])
        for position in range(9):
            assert await commit(journal, "a", position, 1, str(position + 1).encode()) is None
        for position in (2, 5, 7):
            assert await keep(journal, "a", position, 3, b"state" * position) is None
        await journal.close()
        after = store.journal()
        recovered = after.open(["a", "b"])
        assert recovered == {"a": Recovery(2, 9, Snapshot(7, 3, b"state" * 7)), "b": Recovery(2, 0, None)}
        assert after.read("a", 7, 10) == [(8, b"8"), (9, b"9")]
        await after.close()

    play(scene())


def test_a_snapshot_waits_until_its_position_is_durable(store: Store) -> None:
    """A snapshot of a state that is not durable yet is stored behind it, and one that never becomes so is refused."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        journal.hold()
        told = Told()
        journal.append("a", 0, 1, [b"one"], told.done("append"))
        journal.snapshot("a", 1, 1, b"state" + b"!" * 2_500, (), told.done("snapshot"))
        await turns()
        assert told.outcomes == []
        journal.release()
        assert await told.reach(2) == [("append", None), ("snapshot", None)]
        early = await keep(journal, "a", 2, 1, b"early")
        assert isinstance(early, SnapshotFailed)
        assert early.cause == "position 2 of log 'a' never became durable"
        await journal.close()
        after = store.journal()
        assert after.open(["a"]) == {"a": Recovery(2, 1, Snapshot(1, 1, b"state" + b"!" * 2_500))}
        await after.close()

    play(scene())


def test_pieces_are_stored_with_their_snapshot(store: Store) -> None:
    """By number, key and group each is found as of the last snapshot, also if it did not change since; others are not.

    A snapshot that is refused changes none, and one that is dropped takes them with it.
    """

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a", "b"])
        assert await commit(journal, "a", 0, 1, b"one", b"two", b"three") is None
        assert (journal.piece("a", 1), journal.piece("a", "k1"), journal.group("a", "p")) == (None, None, [])
        assert await keep(journal, "a", 1, 1, b"", (1, "k1", "", b"one"), (2, "k2", "p", b"two")) is None
        assert await keep(journal, "a", 2, 1, b"", (1, "k1", "p", b"one again"), (3, "k3", "", b"three")) is None
        for position in (1, 4):
            assert isinstance(await keep(journal, "a", position, 1, b"", (1, "k1", "", b"no")), SnapshotFailed)
        await journal.close()
        after = store.journal()
        assert after.open(["a", "b"])["a"] == Recovery(2, 3, Snapshot(2, 1, b""))
        found = [b"one again", b"two", b"three", None]
        assert [after.piece("a", number) for number in (1, 2, 3, 4)] == found
        assert [after.piece("a", f"k{number}") for number in (1, 2, 3, 4)] == found
        assert [after.group("a", name) for name in ("p", "q", "")] == [[1, 2], [], []]
        assert (after.piece("b", 1), after.piece("b", "k1"), after.group("b", "p")) == (None, None, [])
        after.drop_snapshot("a")
        assert (after.piece("a", 1), after.piece("a", "k1"), after.group("a", "p")) == (None, None, [])
        await after.close()
        last = store.journal()
        assert last.open(["a"])["a"] == Recovery(3, 3, None)
        await last.close()

    play(scene())


def test_a_superseded_writer_stores_no_snapshot(store: Store) -> None:
    """Once a log is opened again, a snapshot of its former writer changes neither state nor pieces."""

    async def scene() -> None:
        old, new = store.journal(), store.journal()
        old.open(["a"])
        assert await commit(old, "a", 0, 1, b"one") is None
        new.open(["a"])
        assert await keep(new, "a", 1, 1, b"new", (1, "k1", "", b"new")) is None
        assert isinstance(await keep(old, "a", 1, 1, b"old", (1, "k1", "", b"old")), SnapshotFailed)
        assert new.piece("a", 1) == b"new"
        await old.close()
        await new.close()

    play(scene())


def test_misuse_is_told_at_once(store: Store) -> None:
    """A log that was not opened, an append without records and a closed journal are the caller's defects."""

    async def scene() -> None:
        journal = store.journal()
        journal.open(["a"])
        told = Told()
        with pytest.raises(JournalMisuse, match="log 'b' was not opened; opened are \\['a'\\]"):
            journal.append("b", 0, 1, [b"x"], told.done("unknown"))
        with pytest.raises(JournalMisuse, match="no records"):
            journal.append("a", 0, 1, [], told.done("empty"))
        with pytest.raises(JournalMisuse, match="not opened"):
            journal.read("b", 0, 1)
        await journal.close()
        with pytest.raises(JournalMisuse, match="closed"):
            journal.append("a", 0, 1, [b"x"], told.done("closed"))
        assert told.outcomes == []

    play(scene())
