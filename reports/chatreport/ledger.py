"""The ledger in memory: columns of numbers by kind of row, one numbering of all texts, keys that fit one integer."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from chatreport.columns import Column, Columns, is_one_value, repeated
from chatreport.errors import UnreadableRun
from chatreport.grouping import Ints, Mask, Numbering, dense, position, raise_to, unique
from chatreport.rundir import ROW, TEXT_COLUMNS, Kind, What, part_clocks, read_parts

CUSTOMER: Final = 1
OPERATOR: Final = 2
PROBE: Final = 3
_ROLES: Final = {"c": CUSTOMER, "o": OPERATOR, "p": PROBE}
_ACTOR: Final = re.compile(r"[cop]-?\d+")

_KEY_BITS: Final = 63
_KEYS: Final = {"spot": ("dialog", "seq"), "identity": ("sender", "counter")}


class Rows:
    """Some rows of the ledger in the order of recording; `rows["seq"]` is a column as 64-bit integers, to be read only.

    Beside the columns of `rundir.ROW` there are `dialog` (a number per contact and dialog number), `spot` (dialog
    and seq), `seat` (who and dialog), `sight` (who, dialog and seq) and `identity` (sender and counter); each is -1
    where a part of it is missing. `clock` is the number of the clock that stamped it, where there are several.
    """

    def __init__(self, ledger: "Ledger", kinds: tuple[What, ...], index: Ints | None = None) -> None:
        self._ledger = ledger
        self._kinds = kinds
        self._index = index  # among the rows of all the kinds; None: all of them

    def __len__(self) -> int:
        return self._ledger.count(*self._kinds) if self._index is None else len(self._index)

    def __getitem__(self, column: str) -> Ints:
        match column:
            case "seat":
                return self._ledger.seat(self["who"], self["dialog"])
            case "sight":
                return self._ledger.sight(self["who"], self["spot"])
            case _:
                return self._recorded(column)

    def where(self, mask: Mask) -> "Rows":
        """The rows for which `mask` holds."""
        return self if mask.all() else self.at(np.flatnonzero(mask))

    def at(self, positions: Ints) -> "Rows":
        """The rows at these positions, in their order."""
        return Rows(self._ledger, self._kinds, positions if self._index is None else self._index[positions])

    def is_(self, column: str, value: int) -> "Rows":
        """The rows whose `column` equals `value`."""
        return self.where(self[column] == value)

    def _recorded(self, column: str) -> Ints:
        values = self._ledger.column(column, *self._kinds)
        if is_one_value(values):
            return repeated(np.int64(values[0]), len(self))
        return (values if self._index is None else values[self._index]).astype(np.int64)


class Ledger:
    """Every row of a run, and the texts its text columns number; text -1 is the empty one."""

    def __init__(
        self,
        parts: Iterable[Mapping[str, Column]],
        texts: list[str],
        where: Path = Path(),
        *,
        several_clocks: bool = False,
    ) -> None:
        self.several_clocks = several_clocks  # then there is a column `clock`
        self._columns = Columns()
        for part in parts:
            self._columns.add(part)
        self.texts = texts
        self.roles = np.array([_ROLES[text[0]] if _ACTOR.fullmatch(text) else 0 for text in [*texts, ""]], np.int64)
        self._name_masked()
        self._contacts, self._numbers = self._number_dialogs()
        self._places = Numbering(self._largest(len(self._contacts), "dialog", "seq", "cause_seq"))
        self._identities = Numbering(self._largest(len(texts), "sender", "counter"))
        self._dialog_bits, self._place_bits = _bits(len(self._contacts)), _bits(len(self._places))
        if self._place_bits + _bits(len(texts)) > _KEY_BITS:
            raise UnreadableRun(where, "more dialogs, people and entries than one judgement holds", "split the run")

    @classmethod
    def read(cls, run: Path, manifest: dict[str, Any]) -> "Ledger":
        """The ledger of a run directory.

        Raises:
            UnreadableRun: there is none, or a part of it cannot be read.
        """
        texts: list[str] = []  # grows while the parts are read
        numbers = {"": -1}
        parts = (_numbered(table, numbers, texts) for table in read_parts(run))
        clocks = part_clocks(run, manifest)
        if clocks is None:
            return cls(parts, texts, run)
        stamped = (
            part | {"clock": repeated(np.int32(clock), len(part["what"]))}
            for part, clock in zip(parts, clocks, strict=True)
        )
        return cls(stamped, texts, run, several_clocks=True)

    def _name_masked(self) -> None:
        """Give messages whose text has no identity, such as masked codes and lines of a menu, their provider's id's.

        Within a chat, that id leads back to the message that was sent, from where it is stored and where it is shown.
        """
        for kind in (What.AUDIT, What.ENTRY):
            self._name_by_id(kind, Rows(self, (What.SEND,)))

    def _name_by_id(self, stored: What, sent: Rows) -> None:
        columns = {name: self._columns.of(stored, name) for name in ("kind", "sender", "provider_id", "author")}
        masked = (columns["kind"] == Kind.MESSAGE) & (columns["sender"] < 0) & (columns["provider_id"] >= 0)
        masked = np.flatnonzero(masked & (columns["author"] == self.number("customer")))
        if not len(masked) or not len(sent):
            return
        sent = sent.where((sent["provider_id"] >= 0) & (sent["sender"] >= 0) & (sent["kind"] == Kind.MESSAGE))
        of = Rows(self, (stored,), masked)
        both = (np.concatenate([sent[name], of[name]]) for name in ("contact", "provider_id"))
        key = dense(*both)
        order = np.argsort(key[: len(sent)], kind="stable")
        line = position(key[: len(sent)][order], key[len(sent) :])
        for name in ("sender", "counter"):
            values = self._columns.of(stored, name).copy()
            values[masked] = np.append(sent[name][order], -1)[line]
            self._columns.put(stored, name, values)

    def _number_dialogs(self) -> tuple[Ints, Ints]:
        """Number the pairs of contact and dialog number in order, as column `dialog`; (contact, number) of each."""
        columns = self._columns
        kinds = list(columns.kinds())
        most = 1 + max((int(columns.of(kind, "number").max(initial=0)) for kind in kinds), default=0)

        def pairs(kind: int) -> Ints:
            contact, number = columns.of(kind, "contact").astype(np.int64), columns.of(kind, "number")
            return np.where((contact >= 0) & (number >= 0), contact * most + number, -1)

        distinct = unique(np.concatenate([np.zeros(0, np.int64), *(unique(pairs(kind)) for kind in kinds)]))
        distinct = distinct[distinct >= 0]
        for kind in kinds:
            columns.put(kind, "dialog", position(distinct, pairs(kind)).astype(np.int32))
        return distinct // most, distinct % most

    def _largest(self, groups: int, group: str, *names: str) -> Ints:
        """The largest value of some columns in each group; 0 where there is none."""
        largest = np.zeros(groups + 1, np.int64)  # the last is for rows of no group
        for kind in self._columns.kinds():
            among = self._columns.of(kind, group)
            for name in names:
                raise_to(largest, among, self._columns.of(kind, name))
        return largest[:-1]

    def __len__(self) -> int:
        return len(self._columns)

    def of(self, *kinds: What) -> Rows:
        """The rows of these kinds, in the order of recording."""
        return Rows(self, kinds, None if len(kinds) == 1 else np.argsort(self.column("recorded", *kinds)))

    def count(self, *kinds: What) -> int:
        """How many rows these kinds have."""
        return sum(len(self._columns.of(kind, "what")) for kind in kinds)

    def column(self, name: str, *kinds: What) -> Column:
        """One column as it was written, kind after kind."""
        columns = [self._column(name, kind) for kind in kinds]
        return columns[0] if len(columns) == 1 else np.concatenate(columns)

    def _column(self, name: str, kind: What) -> Column:
        columns = self._columns
        if name in _KEYS and not columns.has(kind, name):
            numbering = self._places if name == "spot" else self._identities
            group, offset = (columns.of(kind, part).astype(np.int64) for part in _KEYS[name])
            columns.put(kind, name, numbering.number(group, offset).astype(_narrowest(len(numbering))))
        return columns.of(kind, name)

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
        return self._places.number(dialogs, seqs)

    def seat(self, people: Ints, dialogs: Ints) -> Ints:
        """Somebody and a dialog in one number."""
        return np.where((people >= 0) & (dialogs >= 0), people << self._dialog_bits | dialogs, -1)

    def sight(self, people: Ints, places: Ints) -> Ints:
        """Somebody and a place in one number."""
        return np.where((people >= 0) & (places >= 0), people << self._place_bits | places, -1)

    def dialog_of(self, places: Ints) -> Ints:
        """The dialog of each place; -1 of none."""
        return self._places.group_of(places)

    def seq_of(self, places: Ints) -> Ints:
        """The seq of each place; -1 of none."""
        return self._places.offset_of(places)

    def spot_of(self, sights: Ints) -> Ints:
        """The place of each sight."""
        return sights & (1 << self._place_bits) - 1

    def viewer_of(self, sights: Ints) -> Ints:
        """Who each sight belongs to."""
        return sights >> self._place_bits

    def contact_of(self, dialogs: Ints) -> Ints:
        """The contact of each dialog."""
        return self._contacts[dialogs]

    def dialog_name(self, dialog: int) -> str:
        """A dialog as the wire names it: ACCOUNT/USER#N."""
        return f"{self.text(int(self._contacts[dialog]))}#{self._numbers[dialog]}"

    def identity_name(self, key: int) -> str:
        """An identity as texts carry it: sender:counter."""
        keys = np.array([key], np.int64)
        sender, counter = self._identities.group_of(keys), self._identities.offset_of(keys)
        return f"{self.text(int(sender[0]))}:{counter[0]}"


def _numbered(table: pa.Table, numbers: dict[str, int], texts: list[str]) -> dict[str, Column]:
    """A part's columns, texts by their numbers; new texts are appended to `texts` and numbered."""
    columns: dict[str, Column] = {}
    dictionary, own = None, np.zeros(0, np.int32)
    for name in ROW.names or ():
        values = _one_chunk(table.column(name))
        if name not in TEXT_COLUMNS:
            columns[name] = _numbers(values)
            continue
        if dictionary is None or not dictionary.equals(values.dictionary):  # mostly the part's columns share one
            dictionary = values.dictionary
            for text in dictionary.to_pylist():
                if text not in numbers:
                    numbers[text] = len(texts)
                    texts.append(text)
            own = np.array([numbers[text] for text in dictionary.to_pylist()], np.int32)
        columns[name] = own[_numbers(values.indices)]
    return columns


def _narrowest(numbers: int) -> type[np.signedinteger]:
    return np.int32 if numbers <= np.iinfo(np.int32).max else np.int64


def _bits(largest: int) -> int:
    return max(largest, 1).bit_length()


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _numbers(array: pa.Array) -> Column:
    """An array's memory as numpy sees it; unlike `to_numpy` this does not import pandas."""
    numbers: Column = np.from_dlpack(array)
    return numbers
