"""The ledger's columns in memory: apart by kind of row, as narrow as they are written.

Most columns of most kinds hold the same value in every row, mostly none; such a column takes no memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]


class Columns:
    """The columns of every kind, filled part by part in the order of recording."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[str, list[Column]]] = {}
        self._whole: dict[int, dict[str, Column]] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, part: Mapping[str, Column]) -> None:
        """Take a part of the ledger; its columns are copied."""
        what = part["what"]
        order = np.argsort(what, kind="stable")
        kinds, begins = np.unique(what[order], return_index=True)
        ends = [*begins[1:], len(what)][: len(kinds)]
        for name, values in {**part, "recorded": np.arange(self._rows, self._rows + len(what))}.items():
            sorted_values = values[order]
            for kind, begin, end in zip(kinds.tolist(), begins, ends, strict=True):
                self._parts.setdefault(kind, {}).setdefault(name, []).append(_spared(sorted_values[begin:end]))
        self._rows += len(what)

    def kinds(self) -> Iterator[int]:
        """The kinds that have rows."""
        return iter(self._parts)

    def of(self, kind: int, name: str) -> Column:
        """One column of one kind, in the order of recording; `recorded` is a row's place in that order."""
        columns = self._whole.setdefault(kind, {})
        if name not in columns:
            columns[name] = _joined(self._parts.get(kind, {}).pop(name, []))
        return columns[name]

    def has(self, kind: int, name: str) -> bool:
        """Whether a column was put, or recorded and asked for before."""
        return name in self._whole.get(kind, {})

    def put(self, kind: int, name: str, values: Column) -> None:
        """Add a column that was made from others."""
        self._whole.setdefault(kind, {})[name] = _spared(values)


def is_one_value(values: Column) -> bool:
    """Whether a column is one value, repeated without memory."""
    return len(values) > 0 and values.strides == (0,)


def repeated(value: Any, rows: int) -> Column:
    """A column of one value that takes no memory, and cannot be written to."""
    return np.broadcast_to(value, rows)


def _spared(values: Column) -> Column:
    """A copy, without memory if all values are equal."""
    return repeated(values[0], len(values)) if len(values) and (values == values[0]).all() else values.copy()


def _joined(parts: list[Column]) -> Column:
    if not parts:
        return np.zeros(0, np.int64)
    one = parts[0][:1]
    if all(is_one_value(part) and part[0] == one[0] for part in parts):
        return repeated(one[0], sum(map(len, parts)))
    return np.concatenate(parts)
