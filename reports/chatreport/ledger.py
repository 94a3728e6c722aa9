"""The ledger in memory: columns of numbers by kind of row, one numbering of all texts, keys that fit one integer."""

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from chatreport.errors import UnreadableRun
from chatreport.grouping import Ints, Mask
from chatreport.rundir import ROW, TEXT_COLUMNS, What, read_ledger, row_clocks

CUSTOMER: Final = 1
OPERATOR: Final = 2
PROBE: Final = 3
_ROLES: Final = {"c": CUSTOMER, "o": OPERATOR, "p": PROBE}
_ACTOR: Final = re.compile(r"[cop]-?\d+")

_COUNTER_BITS: Final = 32
_KEY_BITS: Final = 63


class Rows:
    """Some rows of the ledger in the order of recording; `rows["seq"]` is a column as 64-bit integers.

    Beside the columns of `rundir.ROW` there are `dialog` (a number per contact and dialog number), `spot` (dialog
    and seq), `seat` (who and dialog), `sight` (who, dialog and seq) and `identity` (sender and counter); each is -1
    where a part of it is missing. `clock` is the number of the clock that stamped it, where there are several.
    """

    def __init__(self, ledger: "Ledger", index: npt.NDArray[np.int64]) -> None:
        self._ledger = ledger
        self._index = index
        self._taken: dict[str, Ints] = {}

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, column: str) -> Ints:
        if column not in self._taken:
            self._taken[column] = self._make(column)
        return self._taken[column]

    def where(self, mask: Mask) -> "Rows":
        """The rows for which `mask` holds."""
        return Rows(self._ledger, self._index[mask])

    def at(self, positions: Ints) -> "Rows":
        """The rows at these positions, in their order."""
        return Rows(self._ledger, self._index[positions])

    def is_(self, column: str, value: int) -> "Rows":
        """The rows whose `column` equals `value`."""
        return self.where(self[column] == value)

    def _make(self, column: str) -> Ints:
        ledger = self._ledger
        match column:
            case "spot":
                return ledger.spot(self["dialog"], self["seq"])
            case "seat":
                return ledger.seat(self["who"], self["dialog"])
            case "sight":
                return ledger.sight(self["who"], self["spot"])
            case "identity":
                return identity(self["sender"], self["counter"])
            case _:
                return ledger.columns[column][self._index].astype(np.int64)


class Ledger:
    """Every row of a run, and the texts its text columns number; text -1 is the empty one."""

    def __init__(self, columns: dict[str, npt.NDArray[Any]], texts: list[str], where: Path = Path()) -> None:
        self.texts = texts
        self.roles = np.array([_ROLES[text[0]] if _ACTOR.fullmatch(text) else 0 for text in [*texts, ""]], np.int64)
        pairs = np.where(
            (columns["contact"] >= 0) & (columns["number"] >= 0),
            columns["contact"].astype(np.int64) << 32 | columns["number"],
            -1,
        )
        distinct, dialogs = np.unique(pairs, return_inverse=True)
        lacking = int(len(distinct) > 0 and distinct[0] < 0)
        self._pairs = distinct[lacking:]
        self.several_clocks = "clock" in columns
        self.columns = {**columns, "dialog": (dialogs - lacking).astype(np.int32)}
        self._seq_bits = _bits(int(columns["seq"].max(initial=0)))
        self._place_bits = self._seq_bits + _bits(len(self._pairs))
        if self._place_bits + _bits(len(texts)) > _KEY_BITS:
            raise UnreadableRun(where, "more dialogs, people and entries than one judgement holds", "split the run")
        what = columns["what"]
        self._by_kind = np.argsort(what, kind="stable").astype(np.int64)
        self._bounds = np.searchsorted(what[self._by_kind], np.arange(max(What) + 2))

    @classmethod
    def read(cls, run: Path, manifest: dict[str, Any]) -> "Ledger":
        """The ledger of a run directory.

        Raises:
            UnreadableRun: there is none, or a part of it cannot be read.
        """
        table = read_ledger(run)
        encoded = {name: _one_chunk(table.column(name)) for name in TEXT_COLUMNS}
        everything = pa.concat_arrays([column.dictionary for column in encoded.values()]).unique()
        texts = everything.to_pylist()
        nothing = texts.index("") if "" in texts else -1
        columns: dict[str, npt.NDArray[Any]] = {}
        for name in ROW.names or ():
            if name in TEXT_COLUMNS:
                numbers = _numbers(pc.index_in(encoded[name].dictionary, everything))
                columns[name] = np.where(numbers == nothing, -1, numbers)[_numbers(encoded[name].indices)]
            else:
                columns[name] = _numbers(_one_chunk(table.column(name)))
        clocks = row_clocks(run, manifest)
        if clocks is not None:
            columns["clock"] = clocks
        return cls(columns, texts, run)

    def __len__(self) -> int:
        return len(self._by_kind)

    def of(self, *kinds: What) -> Rows:
        """The rows of these kinds, in the order of recording."""
        parts = [self._by_kind[self._bounds[kind] : self._bounds[kind + 1]] for kind in kinds]
        return Rows(self, parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts)))

    def text(self, number: int) -> str:
        """A text by its number; -1 is the empty one."""
        return self.texts[number] if number >= 0 else ""

    def number(self, text: str) -> int:
        """The number of a text; -2, which no row has, if no row has the text."""
        try:
            return self.texts.index(text)
        except ValueError:
            return -2

    def role(self, people: Ints) -> Ints:
        """CUSTOMER, OPERATOR, PROBE or 0 for each text number."""
        return self.roles[people]

    def spot(self, dialogs: Ints, seqs: Ints) -> Ints:
        """Dialog and seq in one number; it grows with seq, and with the dialogs of one contact."""
        return np.where((dialogs >= 0) & (seqs >= 0), dialogs << self._seq_bits | seqs, -1)

    def seat(self, people: Ints, dialogs: Ints) -> Ints:
        """Somebody and a dialog in one number."""
        return np.where((people >= 0) & (dialogs >= 0), people << self._place_bits - self._seq_bits | dialogs, -1)

    def sight(self, people: Ints, places: Ints) -> Ints:
        """Somebody and a place in one number."""
        return np.where((people >= 0) & (places >= 0), people << self._place_bits | places, -1)

    def dialog_of(self, places: Ints) -> Ints:
        """The dialog of each place; -1 of none."""
        return np.where(places >= 0, places >> self._seq_bits, -1)

    def seq_of(self, places: Ints) -> Ints:
        """The seq of each place; -1 of none."""
        return np.where(places >= 0, places & (1 << self._seq_bits) - 1, -1)

    def spot_of(self, sights: Ints) -> Ints:
        """The place of each sight."""
        return sights & (1 << self._place_bits) - 1

    def viewer_of(self, sights: Ints) -> Ints:
        """Who each sight belongs to."""
        return sights >> self._place_bits

    def contact_of(self, dialogs: Ints) -> Ints:
        """The contact of each dialog."""
        return self._pairs[dialogs] >> 32

    def dialog_name(self, dialog: int) -> str:
        """A dialog as the wire names it: ACCOUNT/USER#N."""
        pair = int(self._pairs[dialog])
        return f"{self.text(pair >> 32)}#{pair & 0xFFFFFFFF}"

    def identity_name(self, key: int) -> str:
        """An identity as texts carry it: sender:counter."""
        return f"{self.text(key >> _COUNTER_BITS)}:{key & 0xFFFFFFFF}"


def identity(senders: Ints, counters: Ints) -> Ints:
    """Sender and counter in one number."""
    return np.where((senders >= 0) & (counters >= 0), senders << _COUNTER_BITS | counters, -1)


def sender_of(identities: Ints) -> Ints:
    """The sender of each identity."""
    return identities >> _COUNTER_BITS


def _bits(largest: int) -> int:
    return max(largest, 1).bit_length()


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _numbers(array: pa.Array) -> npt.NDArray[Any]:
    """An array's memory as numpy sees it; unlike `to_numpy` this does not import pandas."""
    numbers: npt.NDArray[Any] = np.from_dlpack(array)
    return numbers
