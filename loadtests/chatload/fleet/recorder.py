"""The ledger's writer: one packed row per thing that happened, about a microsecond each.

Rows go into preallocated buffers in the layout of `rundir.ROW`; a full buffer becomes one Parquet part in a thread
whose work is done by numpy and Arrow outside the interpreter lock. Text columns hold dictionary ids, given by `text`.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chatreport.rundir import ROW, TEXT_COLUMNS, write_part

_LAYOUT: Final = Struct("<6q16i5B")
_CODES: Final = {"<i8": "q", "<i4": "i", "|u1": "B"}
_SIZE: Final = _LAYOUT.size
_pack: Final = _LAYOUT.pack_into

ROWS_PER_PART: Final = 65_536


def _same_layout() -> bool:
    """Whether the struct puts every column where `ROW` has it."""
    fields = [ROW.fields[name] for name in ROW.names or ()] if ROW.fields else []
    codes = "".join(_CODES[field[0].str] for field in fields)
    offsets = [field[1] for field in fields]
    expected = [Struct(f"<{codes[:n]}").size for n in range(len(codes))]
    return codes == "q" * 6 + "i" * 16 + "B" * 5 and offsets == expected and ROW.itemsize == _SIZE


if not _same_layout():
    raise ImportError("chatreport.rundir.ROW and the recorder's layout differ: change both together")


def _warm_up(rows: int) -> None:
    """Write a part to nowhere, in the writer's thread: a second of imports, and all memory that the thread keeps."""
    part = np.frombuffer(np.random.default_rng(0).bytes(rows * _SIZE), ROW).copy()
    for name in TEXT_COLUMNS:
        part[name] = 0
    with TemporaryDirectory() as nowhere:
        write_part(Path(nowhere), "warm", 0, part, ["x"])


class _Ids(dict[str, int]):
    """The ids of texts; a text that has none is put at the end of `texts`."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__({"": -1})
        self._texts = texts

    def __missing__(self, text: str) -> int:
        found = self[text] = len(self._texts)
        self._texts.append(text)
        return found


class Recorder:
    """Appends rows for one worker; every row is on disk after `close`.

    Belongs to one thread; `put` never blocks: while the disk is behind, more buffers are allocated. `text` gives the id
    of a text for the text columns; callers keep the ids of texts they use often.
    """

    def __init__(self, folder: Path, worker: str, rows_per_part: int = ROWS_PER_PART) -> None:
        self._folder = folder
        self._worker = worker
        self._end = rows_per_part * _SIZE
        self._buffer = self._blank()
        self._free: deque[bytearray] = deque([self._blank()])
        self._offset = 0
        self._parts = 0
        self._full_rows = 0
        self._texts: list[str] = []
        self.text = _Ids(self._texts).__getitem__
        self._writer = ThreadPoolExecutor(1, "ledger")
        self._writing: deque[Future[None]] = deque()
        self._writer.submit(_warm_up, rows_per_part).result()

    @property
    def rows(self) -> int:
        """Rows put so far."""
        return self._full_rows + self._offset // _SIZE

    def put(  # noqa: PLR0913, PLR0917  one argument per column of the ledger, so that a row is one call and one pack
        self,
        what: int,
        outcome: int = 0,
        kind: int = 0,
        phase: int = 0,
        channel: int = 0,
        intended: int = -1,
        started: int = -1,
        done: int = -1,
        assignment: int = -1,
        place: int = -1,
        provider_id: int = -1,
        plan: int = -1,
        number: int = -1,
        seq: int = -1,
        counter: int = -1,
        cause_seq: int = -1,
        priority: int = -1,
        epoch: int = -1,
        cursor: int = -1,
        size: int = -1,
        attempt: int = -1,
        who: int = -1,
        contact: int = -1,
        sender: int = -1,
        author: int = -1,
        rule: int = -1,
        reason: int = -1,
    ) -> None:
        """Append one row; columns as `rundir.ROW` defines them, codes from `codes`, text columns as ids from `text`."""
        offset = self._offset
        _pack(
            self._buffer, offset, intended, started, done, assignment, place, provider_id, plan, number, seq, counter,
            cause_seq, priority, epoch, cursor, size, attempt, who, contact, sender, author, rule, reason,
            what, outcome, kind, phase, channel,
        )  # fmt: skip
        self._offset = offset + _SIZE
        if self._offset == self._end:
            self._hand_over()

    def check(self) -> None:
        """Raise what the writer could not do (a full disk), if anything."""
        while self._writing and self._writing[0].done():
            self._writing.popleft().result()

    def close(self) -> None:
        """Write what is left and wait for the disk.

        Raises:
            OSError: a part could not be written; whole parts stay.
        """
        self._hand_over()
        self._writer.shutdown()
        self.check()

    def _hand_over(self) -> None:
        count = self._offset // _SIZE
        if not count:
            return
        self._writing.append(self._writer.submit(self._write, self._buffer, count, self._parts))
        self._full_rows += count
        self._parts += 1
        self._offset = 0
        self._buffer = self._free.popleft() if self._free else self._blank()

    def _blank(self) -> bytearray:
        """An empty buffer, all its pages touched: a run's memory does not grow while it fills."""
        return bytearray(b"\0") * self._end

    def _write(self, buffer: bytearray, count: int, part: int) -> None:
        rows = np.frombuffer(buffer, ROW, count).copy()
        self._free.append(buffer)
        write_part(self._folder, self._worker, part, rows, self._used_texts(rows))

    def _used_texts(self, rows: npt.NDArray[Any]) -> list[str]:
        """Renumber the text columns of `rows` to the texts they use, and return those: a part carries no others."""
        known = len(self._texts)
        used = np.zeros(known + 1, bool)  # the last stands for "none", whose id is -1
        for name in TEXT_COLUMNS:
            used[rows[name]] = True
        used[-1] = False
        renumbered = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
        for name in TEXT_COLUMNS:
            rows[name] = renumbered[rows[name]]
        return [self._texts[found] for found in np.flatnonzero(used)]
