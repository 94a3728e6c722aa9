"""Whatever ends the process, and whatever the disk had not flushed: what was acknowledged is there."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests import unsynced
from tests.chatcore.journal import crash_child
from tests.chatcore.journal.stores import play

from chatcore.journal.sqlite import SqliteJournal

ROOT = Path(__file__).parents[3]
KILLS = 20
CUTS = 10
End = Callable[[subprocess.Popen[bytes]], None]


class Acknowledged(NamedTuple):
    """The last position a child said was durable, of one log under one epoch."""

    log: str
    epoch: int
    position: int


def run_until(
    folder: Path, seed: int, acks: int, end: End, *, extra: dict[str, str], synchronous: str = "FULL", code: int = -9
) -> list[Acknowledged]:
    """Start a child, end it after so many acknowledgements, and return all that it acknowledged, in order."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.chatcore.journal.crash_child", str(folder), str(seed), synchronous],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}"} | extra,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child, child.stdout as lines:
        try:
            told = [line for _, line in zip(range(acks), lines, strict=False)]
            end(child)
            told += lines
        finally:
            child.kill()
    assert child.returncode == code
    whole = [line.split() for line in told if line.endswith(b"\n")]
    return [Acknowledged(log.decode(), int(epoch), int(position)) for log, epoch, position in whole]


def check_pieces(journal: SqliteJournal, log: str, position: int) -> None:
    """All pieces must be those of the snapshot at this position, by number, by key and by group."""
    numbers = range(1, crash_child.PIECES + 1)
    pieces = [crash_child.piece(number, position) for number in numbers]
    assert [journal.piece(log, number) for number in numbers] == [blob for *_, blob in pieces]
    assert [journal.piece(log, key) for _, key, _, _ in pieces] == [blob for *_, blob in pieces]
    groups = {group: list(numbers) for _, _, group, _ in pieces}
    assert {group: journal.group(log, group) for group in ("even", "odd")} == {"even": [], "odd": []} | groups


def kill(child: subprocess.Popen[bytes]) -> None:
    """End it as `kill -9` does."""
    child.kill()


def wait(child: subprocess.Popen[bytes]) -> None:
    """Let it end by itself."""
    child.wait(timeout=30)


class Survey:
    """What several children acknowledged, and what is found on the disk after each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[tuple[str, int], int] = {}

    def lost(self, acknowledged: list[Acknowledged]) -> list[Acknowledged]:
        """Acknowledged records that are not there; everything else about the journal must be in order."""
        lost: list[Acknowledged] = []

        async def scene() -> None:
            journal = SqliteJournal(self._folder)
            for log, recovery in journal.open(crash_child.LOGS).items():
                found = journal.read(log, 0, 1_000_000)
                assert [position for position, _ in found] == list(range(1, recovery.position + 1))
                self._know_writers(log, found)
                lost.extend(ack for ack in acknowledged if ack.log == log and not self._wrote(ack))
                if recovery.snapshot is not None:
                    position, _, blob = recovery.snapshot
                    assert (position <= recovery.position, blob) == (True, crash_child.record(log, 0, position))
                    check_pieces(journal, log, position)
                through = journal.history.projected(log)
                rows = (await journal.history.audit(log, 0, 1_000_000)).rows
                assert through <= recovery.position
                assert rows == [crash_child.row(log, position) for position in range(1, through + 1)]
            await journal.close()

        play(scene())
        return lost

    def _know_writers(self, log: str, found: list[tuple[int, bytes]]) -> None:
        for position, blob in found:
            epoch = int(blob.split(maxsplit=2)[1])
            assert blob == crash_child.record(log, epoch, position)
            assert self._writers.setdefault((log, position), epoch) == epoch
        for known in [place for place in self._writers if place[0] == log and place[1] > len(found)]:
            del self._writers[known]

    def _wrote(self, ack: Acknowledged) -> bool:
        return self._writers.get((ack.log, ack.position)) == ack.epoch


def test_no_kill_takes_back_an_acknowledged_append(tmp_path: Path) -> None:
    """Twenty times `kill -9` at seeded moments, the journal growing on: every acknowledged record is there, once."""
    survey, chance = Survey(tmp_path), random.Random(1)
    acknowledged: list[Acknowledged] = []
    for seed in range(KILLS):
        acknowledged += run_until(tmp_path, seed, chance.randrange(1, 300), kill, extra={})
        assert survey.lost(acknowledged) == []
    assert len({ack.epoch for ack in acknowledged}) == KILLS


@pytest.mark.parametrize("keeps", [False, True], ids=["nothing unflushed is kept", "half of it is kept"])
def test_no_power_loss_takes_back_an_acknowledged_append(tmp_path: Path, keeps: bool) -> None:
    """Power lost at seeded moments, all or a random half of the unflushed writes with it: nothing acknowledged is."""
    shim = unsynced.build(tmp_path)
    folder = tmp_path / "journal"
    survey, chance = Survey(folder), random.Random(2)
    acknowledged: list[Acknowledged] = []
    for seed in range(CUTS):
        extra = unsynced.environment(shim, folder, keep_seed=seed if keeps else None)
        acknowledged += run_until(folder, seed, chance.randrange(1, 300), unsynced.cut_power, extra=extra)
        assert survey.lost(acknowledged) == []
    assert len(acknowledged) > CUTS


@pytest.mark.parametrize("step", [*range(1, 25, 3), 40, 77, 150, 300])
def test_no_write_or_flush_is_a_wrong_moment(tmp_path: Path, step: int) -> None:
    """Power lost in place of a given write or flush, from the file's creation on: the next start finds all in order."""
    shim = unsynced.build(tmp_path)
    folder = tmp_path / "journal"
    extra = unsynced.environment(shim, folder, die_at=step, keep_seed=step)
    assert Survey(folder).lost(run_until(folder, step, 100_000, wait, extra=extra)) == []


def test_without_flushes_power_loss_does_lose_acknowledged_appends(tmp_path: Path) -> None:
    """The control: with synchronous=OFF the same journal under the same power loss loses, so the test can notice."""
    shim = unsynced.build(tmp_path)
    folder = tmp_path / "journal"
    extra = unsynced.environment(shim, folder)
    acknowledged = run_until(folder, 1, 200, unsynced.cut_power, synchronous="OFF", extra=extra)
    assert len(Survey(folder).lost(acknowledged)) > 100


def test_a_flush_that_fails_ends_the_process_without_loss(tmp_path: Path) -> None:
    """When the disk refuses a flush nothing more is acknowledged, and the next start finds what was."""
    shim = unsynced.build(tmp_path)
    folder = tmp_path / "journal"
    extra = unsynced.environment(shim, folder, fail_sync_at=40)
    acknowledged = run_until(folder, 1, 100_000, wait, code=70, extra=extra)
    assert len(acknowledged) > 10
    assert Survey(folder).lost(acknowledged) == []
