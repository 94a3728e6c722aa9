"""A process that appends without end and says on stdout what was acknowledged, until somebody ends it.

python -m tests.chatcore.journal.crash_child FOLDER SEED FULL|OFF
"""

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from chatcore.journal import Piece, Recovery, Row
from chatcore.journal.sqlite import SqliteJournal

LOGS = ["dialogs", "floor"]
IN_FLIGHT, PIECES = 12, 30


class Journal(SqliteJournal):
    """The SQLite journal, flushing as the command line says."""

    synchronous = sys.argv[3] if len(sys.argv) > 3 else "FULL"


def record(log: str, epoch: int, position: int) -> bytes:
    """The record that a process with this epoch puts at this position; its length varies by position."""
    return f"{log} {epoch} {position}\n".encode() * (1 + position * 7 % 60)


def row(log: str, position: int) -> Row:
    return Row(position % 5, 1, position, len(log), position, str(position).encode())


def piece(number: int, position: int) -> Piece:
    """The piece of this number as the snapshot at a position has it."""
    return number, f"k{number}", "even" if position % 2 == 0 else "odd", b"%d " % position * 40


def end_if_failed(error: Exception | None) -> None:
    """End at once, as the core does."""
    if error is not None:
        os._exit(70)


class Appender:
    """Keeps appends of one log in flight, snapshots now and then, and projects what is durable."""

    def __init__(self, journal: SqliteJournal, log: str, recovery: Recovery, chance: random.Random) -> None:
        self._journal = journal
        self._log = log
        self._epoch = recovery.epoch
        self._position = self._durable = recovery.position
        self._chance = chance
        journal.history.project(log, self._durable, self._rows(journal.history.projected(log)))
        for _ in range(IN_FLIGHT):
            self._append()

    def _rows(self, after: int) -> Sequence[Row]:
        return [row(self._log, position) for position in range(after + 1, self._durable + 1)]

    def _append(self) -> None:
        count = self._chance.choice([1, 1, 1, 2, 5])
        records = [record(self._log, self._epoch, self._position + n) for n in range(1, count + 1)]
        done = partial(self._appended, self._position + count)
        self._journal.append(self._log, self._position, self._epoch, records, done)
        self._position += count

    def _appended(self, position: int, error: Exception | None) -> None:
        end_if_failed(error)
        os.write(1, f"{self._log} {self._epoch} {position}\n".encode())
        after, self._durable = self._durable, position
        self._journal.history.project(self._log, position, self._rows(after))
        if self._chance.random() < 0.02:
            self._snapshot(position)
        self._append()

    def _snapshot(self, position: int) -> None:
        pieces = [piece(number, position) for number in range(1, PIECES + 1)]
        self._journal.snapshot(self._log, position, 1, record(self._log, 0, position), pieces, end_if_failed)


async def main() -> None:
    """Append until killed."""
    journal = Journal(Path(sys.argv[1]))
    chance = random.Random(int(sys.argv[2]))
    appenders = [Appender(journal, log, found, chance) for log, found in journal.open(LOGS).items()]
    await asyncio.Event().wait()
    del appenders


if __name__ == "__main__":
    asyncio.run(main())
