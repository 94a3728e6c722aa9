"""What the SQLite journal does beyond the port: its files, their damage, its commits."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chatcore.journal.stores import ControlledSqlite, Told, commit, keep, play, turns

from chatcore.journal import (
    JournalDamaged,
    JournalError,
    JournalMisuse,
    JournalUnreachable,
    Recovery,
    Row,
    Snapshot,
    SnapshotFailed,
    SnapshotUnreadable,
)
from chatcore.journal.sqlite import SqliteJournal
from chatcore.journal.writer import CHECKPOINT_ALWAYS_PAGES, COMMIT_BYTES

PIECES = 200
WAL_BYTES_AT_MOST = 2 * CHECKPOINT_ALWAYS_PAGES * 4_096


def fill(folder: Path, batches: int = 40, size: int = 900) -> None:
    """Leave an orderly closed journal with some batches in log a."""

    async def scene() -> None:
        journal = SqliteJournal(folder)
        (own,) = journal.open(["a"]).values()
        for position in range(own.position, own.position + batches):
            assert await commit(journal, "a", position, own.epoch, bytes([position % 256]) * size) is None
        await journal.close()

    play(scene())


def change(file: Path, statement: str) -> None:
    db = sqlite3.connect(file)
    with db:
        db.execute(statement)
    db.close()


def opening_and_reading(folder: Path) -> list[tuple[int, bytes]]:
    """What a recovery reads."""
    found: list[tuple[int, bytes]] = []

    async def scene() -> None:
        journal = SqliteJournal(folder)
        journal.open(["a"])
        try:
            found.extend(journal.read("a", 0, 1_000))
        finally:
            await journal.close()

    play(scene())
    return found


def test_what_waits_is_committed_together(tmp_path: Path) -> None:
    """Appends handed in during a commit make one commit, with one batch a log, and are told in one turn of the loop."""

    async def scene() -> None:
        journal = ControlledSqlite(tmp_path, lambda: 0.0)
        journal.open(["a", "b"])
        told = Told()
        journal.hold()
        journal.append("a", 0, 1, [b"first"], told.done("first"))
        await journal.until_committing()
        for position in range(1, 50):
            journal.append("a", position, 1, [b"x"], told.done(position))
            journal.append("b", position - 1, 1, [b"y"], told.done(-position))
        journal.release()
        assert len(await told.reach(2)) == 99
        assert [[(batch.first, batch.size) for batch in batches] for batches in journal.commits] == [
            [(1, 1)],
            [(2, 49), (1, 49)],
        ]
        await journal.close()

    play(scene())


def test_a_commit_takes_no_more_than_its_share(tmp_path: Path) -> None:
    """A flood of appends is committed in bounded portions, in order; a large append stays in one piece."""

    async def scene() -> None:
        journal = ControlledSqlite(tmp_path, lambda: 0.0)
        journal.open(["a"])
        told, position = Told(), 0
        journal.hold()
        for number in range(30):
            records = [b"x" * (COMMIT_BYTES // 10)] * (25 if number == 20 else 1)
            journal.append("a", position, 1, records, told.done(number))
            position += len(records)
        journal.release()
        assert await told.reach(30) == [(number, None) for number in range(30)]
        sizes = [batch.size for batches in journal.commits for batch in batches]
        assert (sum(sizes), max(sizes) < 11 + 25, len(sizes) >= 3) == (54, True, True)
        await journal.close()

    play(scene())


def cut_in_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_to_nothing(file: Path) -> None:
    file.write_bytes(b"")


def cut_the_last_byte(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def overwrite_the_head(file: Path) -> None:
    file.write_bytes(b"not a journal at all".ljust(200) + file.read_bytes()[200:])


def overwrite_the_pages(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:4_096] + b"\xa5" * (len(data) - 4_096))


def change_one_byte_of_a_record(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(bytes([7]) * 300) + 150] ^= 1
    file.write_bytes(data)


def lose_a_batch(file: Path) -> None:
    change(file, "DELETE FROM batch WHERE first = 20")


def empty_database(file: Path) -> None:
    file.unlink()
    change(file, "CREATE TABLE something(id)")


@pytest.mark.parametrize(
    "damage",
    [
        cut_in_half,
        cut_to_nothing,
        cut_the_last_byte,
        overwrite_the_head,
        overwrite_the_pages,
        change_one_byte_of_a_record,
        lose_a_batch,
        empty_database,
    ],
)
def test_a_damaged_file_is_refused_in_one_clear_line(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Truncated, overwritten, incomplete: recovery ends with what and where, and never with fewer records."""
    fill(tmp_path)
    damage(tmp_path / "journal.db")
    with pytest.raises(JournalDamaged) as refused:
        opening_and_reading(tmp_path)
    text = str(refused.value)
    assert text.startswith(f"{tmp_path}/journal.db: damaged: ")
    assert text.endswith("; restore the folder from a copy, or start with an empty one")
    assert "\n" not in text


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A path below a file, or a folder in the file's place, is the user's to mend: one line, no traceback of SQLite."""
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "journal.db").mkdir()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path):
        with pytest.raises(JournalUnreachable, match=r"cannot be opened: .*; check the path"):
            SqliteJournal(folder).open(["a"])


def test_a_journal_is_opened_once(tmp_path: Path) -> None:
    """Using it before, or opening it again, is the caller's defect; closing an unopened one is nothing."""

    async def scene() -> None:
        journal = SqliteJournal(tmp_path)
        await journal.close()
        with pytest.raises(JournalMisuse, match="open the journal first"):
            journal.read("a", 0, 1)
        journal.open(["a"])
        with pytest.raises(JournalMisuse, match="already open"):
            journal.open(["a"])
        await journal.close()

    play(scene())


def with_snapshots(folder: Path, *positions: int) -> None:
    """Store snapshots at positions of a filled journal."""

    async def scene() -> None:
        journal = SqliteJournal(folder)
        journal.open(["a"])
        for position in positions:
            pieces = [(number, f"k{number}", "", b"x" * 500) for number in range(1, PIECES + 1)]
            assert await keep(journal, "a", position, 1, b"state" * 20 + b"%d" % position, *pieces) is None
        await journal.close()

    play(scene())


def recovered(folder: Path) -> Recovery:
    """What opening finds in log a; where there is no snapshot there are no pieces."""
    found = []

    async def scene() -> None:
        journal = SqliteJournal(folder)
        found.append(journal.open(["a"])["a"])
        held = [number for number in range(1, PIECES + 1) if journal.piece("a", number) is not None]
        assert len(held) == (0 if found[0].snapshot is None else PIECES)
        await journal.close()

    play(scene())
    return found[0]


def change_the_state(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data.replace(b"state" * 20, b"State" * 20))


@pytest.mark.parametrize(
    "damage",
    [
        cut_in_half,
        cut_to_nothing,
        overwrite_the_head,
        overwrite_the_pages,
        change_the_state,
        empty_database,
        Path.unlink,
    ],
)
def test_a_damaged_snapshot_costs_only_a_full_replay(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Whatever became of its file: it is as if there had been none, no record is missing, and the next one is kept."""
    fill(tmp_path)
    with_snapshots(tmp_path, 5, 40)
    assert recovered(tmp_path) == Recovery(3, 40, Snapshot(40, 1, b"state" * 20 + b"40"))
    damage(tmp_path / "snapshots.db")
    assert recovered(tmp_path) == Recovery(4, 40, None)
    assert len(opening_and_reading(tmp_path)) == 40
    with_snapshots(tmp_path, 39)
    assert recovered(tmp_path) == Recovery(7, 40, Snapshot(39, 1, b"state" * 20 + b"39"))


def test_a_damaged_piece_is_made_again_at_the_next_start(tmp_path: Path) -> None:
    """Reading it says so, once and clearly, instead of giving what was not written; the next start replays the log."""
    fill(tmp_path)
    with_snapshots(tmp_path, 40)
    change(tmp_path / "snapshots.db", "UPDATE piece SET blob = zeroblob(500) WHERE key = 'k7'")

    async def scene() -> None:
        journal = SqliteJournal(tmp_path)
        journal.open(["a"])
        assert journal.piece("a", "k8") == b"x" * 500
        with pytest.raises(SnapshotUnreadable, match=r"snapshots\.db: cannot be read: .* of 'k7' does not match"):
            journal.piece("a", "k7")
        await journal.close()

    play(scene())
    assert recovered(tmp_path) == Recovery(4, 40, None)


def test_a_disk_that_refuses_a_snapshot_harms_nothing(tmp_path: Path) -> None:
    """It is told as failed, what was there before is as it was, and later ones are stored."""

    async def scene() -> None:
        journal = SqliteJournal(tmp_path)
        journal.open(["a"])
        assert await commit(journal, "a", 0, 1, b"one", b"two", b"three") is None
        assert await keep(journal, "a", 1, 1, b"first", (1, "k1", "", b"of the first")) is None
        too_large = (1 << 63, "k2", "", b"no integer of SQLite's")
        failed = await keep(journal, "a", 2, 1, b"second", (1, "k1", "", b"of the second"), too_large)
        assert isinstance(failed, SnapshotFailed)
        assert (journal.piece("a", "k1"), journal.failure) == (b"of the first", None)
        assert await keep(journal, "a", 3, 1, b"third", (1, "k1", "", b"of the third")) is None
        assert journal.piece("a", "k1") == b"of the third"
        await journal.close()

    play(scene())
    journal = SqliteJournal(tmp_path)
    assert journal.open(["a"])["a"] == Recovery(2, 3, Snapshot(3, 1, b"third"))


def test_a_snapshot_of_another_journal_is_passed_over(tmp_path: Path) -> None:
    """Neither a snapshot left from an earlier journal nor one beyond the last record is ever restored."""
    fill(tmp_path)
    with_snapshots(tmp_path, 30)
    (tmp_path / "journal.db").unlink()
    fill(tmp_path, batches=35)
    assert recovered(tmp_path) == Recovery(2, 35, None)
    with_snapshots(tmp_path, 35)
    change(tmp_path / "journal.db", "DELETE FROM batch WHERE first > 30")
    assert recovered(tmp_path) == Recovery(4, 30, None)


def test_the_write_ahead_log_stays_bounded(tmp_path: Path) -> None:
    """However much is written without a pause, the log beside the file does not grow past its limit."""

    async def scene() -> None:
        journal = SqliteJournal(tmp_path)
        journal.open(["a"])
        told = Told()
        largest, record = 0, b"x" * 200_000
        for position in range(600):
            journal.append("a", position, 1, [record], told.done(position))
            if position % 20 == 0:
                await told.reach(position - 20)
                largest = max(largest, (tmp_path / "journal.db-wal").stat().st_size)
        await told.reach(600)
        assert 0 < largest < WAL_BYTES_AT_MOST
        await journal.close()
        assert not (tmp_path / "journal.db-wal").exists()

    play(scene())


def test_a_history_that_a_crash_took_back_is_projected_again(tmp_path: Path) -> None:
    """Rows and their position are lost together; handing them in again gives the same history."""

    async def scene() -> None:
        crashed = SqliteJournal(tmp_path)
        crashed.open(["a"])
        rows = [Row(1, 1, seq, 0, seq, b"x") for seq in range(1, 11)]
        assert await commit(crashed, "a", 0, 1, *[b"x"] * 10) is None
        crashed.history.project("a", 10, rows)
        journal = SqliteJournal(tmp_path)
        journal.open(["a"])
        assert journal.history.projected("a") == 0
        assert (await journal.history.audit("a", 0, 99)).rows == []
        journal.history.project("a", 10, rows)
        assert (await journal.history.audit("a", 0, 99)).rows == rows
        await journal.close()
        await crashed.close()

    play(scene())


@pytest.mark.parametrize("left", ["journal.db", "history.db"])
def test_a_history_that_is_not_of_this_journal_is_dropped(tmp_path: Path, left: str) -> None:
    """With another journal's file in place of either, or an older copy of the log, nothing foreign is shown."""
    one, other, older = tmp_path / "one", tmp_path / "other", tmp_path / "older"

    async def write(folder: Path, count: int, blob: bytes) -> None:
        journal = SqliteJournal(folder)
        (own,) = journal.open(["a"]).values()
        assert await commit(journal, "a", own.position, own.epoch, *[blob] * count) is None
        rows = [Row(1, 1, seq, 0, seq, blob) for seq in range(own.position + 1, own.position + count + 1)]
        journal.history.project("a", own.position + count, rows, [(1, "web/u1")])
        await journal.close()

    async def shown(folder: Path) -> tuple[int, list[Row], int | None]:
        journal = SqliteJournal(folder)
        journal.open(["a"])
        history = journal.history
        found = history.projected("a"), (await history.audit("a", 0, 99)).rows, await history.number("a", "web/u1")
        await journal.close()
        return found

    async def scene() -> None:
        await write(one, 3, b"x")
        shutil.copytree(one, older)
        await write(one, 2, b"y")
        await write(other, 9, b"z")
        shutil.copy(one / left, other / left)
        assert await shown(other) == (0, [], None)
        shutil.copy(older / "journal.db", one / "journal.db")
        assert await shown(one) == (0, [], None)

    play(scene())


def test_a_failed_write_of_the_history_ends_the_journal(tmp_path: Path) -> None:
    """After any failed write nothing more is written: what was on its way to the disk is not known."""

    async def scene() -> None:
        journal = SqliteJournal(tmp_path)
        journal.open(["a"])
        too_large = Row(1 << 63, 1, 1, 0, 1, b"no integer of SQLite's")
        journal.history.project("a", 1, [too_large])
        journal.history.flush()
        while journal.failure is None:
            await turns(1)
        error = await commit(journal, "a", 0, 1, b"x")
        assert error is journal.failure
        assert isinstance(error, JournalError)
        await journal.close()

    play(scene())
