"""Grouping and joining of whole columns: what a loop over rows would do, without the loop.

Groups are runs of equal values in a sorted column; keys are non-negative, -1 stands for "none".
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
CLOSE = 4  # keys that leave at most so many numbers a row unused are counted in a table instead of sorted


def order_by(*columns: npt.NDArray[Any]) -> Ints:
    """The stable order by the first column, then the second, and so on."""
    order: Ints | None = None
    for column in reversed(columns):
        step = _stable_order(column if order is None else column[order])
        if step is not None:
            order = step if order is None else order[step]
    return np.arange(len(columns[0]), dtype=np.int64) if order is None else order


def _stable_order(keys: npt.NDArray[Any]) -> Ints | None:
    """The stable order of one column; None if it is in order.

    A key and its row's index in one number: numpy sorts numbers many times faster than it finds their order.
    """
    if (keys[1:] >= keys[:-1]).all():
        return None
    low = int(keys.min())
    bits = (len(keys) - 1).bit_length()
    if (int(keys.max()) - low).bit_length() + bits > 64:
        return np.argsort(keys, kind="stable").astype(np.int64)
    packed = (keys - low).astype(np.uint64)
    packed <<= np.uint64(bits)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    packed &= np.uint64((1 << bits) - 1)
    return packed.view(np.int64)


def begins(groups: Ints) -> Mask:
    """True at the first row of every run of equal values."""
    first = np.ones(len(groups), np.bool_)
    np.not_equal(groups[1:], groups[:-1], out=first[1:])
    return first


def unique(values: Ints) -> Ints:
    """The distinct values in order."""
    if (table := _table(values, len(values))) is not None:
        low, flags = table
        flags[values - low] = 1
        return np.flatnonzero(flags) + low
    ordered: Ints = np.sort(values)
    return ordered[begins(ordered)]


def ranked(values: Ints) -> tuple[Ints, Ints]:
    """The distinct values in order, and for each row the number of its value among them."""
    if (table := _table(values, len(values))) is not None:
        low, flags = table
        flags[values - low] = 1
        numbers = np.cumsum(flags, dtype=np.int64) - 1
        return np.flatnonzero(flags) + low, numbers[values - low]
    order = order_by(values)
    ordered = values[order]
    numbers = np.empty(len(values), np.int64)
    numbers[order] = group_numbers(ordered)
    return ordered[begins(ordered)], numbers


def _table(keys: Ints, rows: int, kind: type[np.generic] = np.int8) -> tuple[int, npt.NDArray[Any]] | None:
    """(smallest key, a zero for each number from it to the largest), if that is little beside so many rows."""
    if not len(keys):
        return None
    low, high = int(keys.min()), int(keys.max())
    return (low, np.zeros(high - low + 1, kind)) if high - low < CLOSE * rows else None


def group_numbers(groups: Ints) -> Ints:
    """0, 1, 2, … for the runs of a sorted column."""
    return np.cumsum(begins(groups), dtype=np.int64) - 1


def dense(*columns: Ints) -> Ints:
    """One number per distinct tuple of the columns, in the tuples' order."""
    numbers = ranked(columns[0])[1]
    for column in columns[1:]:
        values, inverse = ranked(column)
        numbers = ranked(numbers * max(len(values), 1) + inverse)[1]
    return numbers


def position(sorted_keys: Ints, wanted: Ints) -> Ints:
    """Where each wanted key first stands in `sorted_keys`; -1 where it does not."""
    if not len(sorted_keys):
        return np.full(len(wanted), -1, np.int64)
    if (table := _table(sorted_keys, len(sorted_keys) + len(wanted), np.int32)) is not None:
        low, places = table
        places[sorted_keys[::-1] - low] = np.arange(len(sorted_keys), 0, -1)
        known = (wanted >= low) & (wanted < low + len(places))
        return np.where(known, places[np.where(known, wanted - low, 0)] - 1, -1).astype(np.int64)
    found = np.searchsorted(sorted_keys, wanted).astype(np.int64)
    inside = np.minimum(found, len(sorted_keys) - 1)
    return np.where(sorted_keys[inside] == wanted, inside, -1)


def contains(sorted_keys: Ints, wanted: Ints) -> Mask:
    """Whether each wanted key stands in `sorted_keys`."""
    return position(sorted_keys, wanted) >= 0


def lookup(sorted_keys: Ints, values: Ints, wanted: Ints, otherwise: int = -1) -> Ints:
    """The value beside the first equal key; `otherwise` where there is none."""
    if not len(sorted_keys):
        return np.full(len(wanted), otherwise, np.int64)
    at = position(sorted_keys, wanted)
    return np.where(at >= 0, values[at], otherwise)


def last_before(sorted_keys: Ints, wanted: Ints) -> Ints:
    """The index of the last key below each wanted one; -1 where there is none."""
    return np.searchsorted(sorted_keys, wanted, side="left").astype(np.int64) - 1


def between(sorted_keys: Ints, low: Ints, high: Ints) -> Ints:
    """How many keys lie in [low, high]."""
    upper = np.searchsorted(sorted_keys, high, side="right")
    return (upper - np.searchsorted(sorted_keys, low, side="left")).astype(np.int64)


def earliest(keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, each with its smallest value."""
    if not (keys[1:] >= keys[:-1]).all():
        order = order_by(keys)
        keys, values = keys[order], values[order]
    first = np.flatnonzero(begins(keys))
    return keys[first], np.minimum.reduceat(values, first) if len(first) else values


def raise_to(largest: Ints, groups: Ints, values: Ints) -> None:
    """Raise the largest value of each group, in place, to those of the rows."""
    above = values > largest[groups]
    largest[groups[above]] = values[above]  # of several rows the last counts, which mostly is the largest
    above = values > largest[groups]
    np.maximum.at(largest, groups[above], values[above])


def running_max(groups: Ints, values: Ints, *, before: bool = False) -> Ints:
    """Within each run of `groups`: the largest value so far; with `before`, of the rows before this one, or -1.

    Values are at least -1.
    """
    if not len(values):
        return values.astype(np.int64)
    distinct, ranks = ranked(values)
    base = group_numbers(groups) * len(distinct)
    result = distinct[np.maximum.accumulate(base + ranks) - base]
    if not before:
        return result
    shifted = np.empty_like(result)
    shifted[0] = -1
    shifted[1:] = result[:-1]
    return np.where(begins(groups), -1, shifted)


def running_sum(groups: Ints, values: Ints) -> Ints:
    """Within each run of `groups`: the sum so far."""
    if not len(values):
        return values.astype(np.int64)
    total = np.cumsum(values, dtype=np.int64)
    first = begins(groups)
    before = np.where(first, total - values, 0)
    return total - before[np.flatnonzero(first)][group_numbers(groups)]


def holes(groups: Ints, seqs: Ints) -> tuple[Ints, Ints]:
    """(group, seq) of every seq missing between the seqs of a group; rows are sorted by group, then seq."""
    step = np.diff(seqs)
    gap = np.flatnonzero((groups[1:] == groups[:-1]) & (step > 1))
    missing = step[gap] - 1
    starts = np.repeat(np.cumsum(missing) - missing, missing)
    offsets = np.arange(int(missing.sum()), dtype=np.int64) - starts
    return np.repeat(groups[gap], missing), np.repeat(seqs[gap], missing) + 1 + offsets


def merged(begins_at: Ints, ends_at: Ints) -> tuple[Ints, Ints]:
    """The spans' union as disjoint spans in order; spans that touch become one."""
    order = order_by(begins_at)
    start, stop = begins_at[order], ends_at[order]
    reach = np.maximum.accumulate(stop)
    apart = np.append(True, start[1:] > reach[:-1]) if len(start) else np.zeros(0, np.bool_)
    first = np.flatnonzero(apart)
    return start[first], reach[np.append(first[1:] - 1, len(reach) - 1)] if len(first) else reach


def latest(groups: Ints, times: Ints, wanted: Ints, at: Ints) -> Ints:
    """For each (wanted group, time): the index of the group's last row at or before it; -1 if there is none.

    Rows need no order.
    """
    return _nearest(groups, times, wanted, at, before=True)


def soonest(groups: Ints, times: Ints, wanted: Ints, at: Ints) -> Ints:
    """For each (wanted group, time): the index of the group's first row at or after it; -1 if there is none."""
    return _nearest(groups, times, wanted, at, before=False)


def _nearest(groups: Ints, times: Ints, wanted: Ints, at: Ints, *, before: bool) -> Ints:
    """One search among the rows, ordered by group and time, both in one number."""
    if not len(groups):
        return np.full(len(wanted), -1, np.int64)
    order = order_by(groups, times)
    ordered = groups[order]
    known = ordered[begins(ordered)]
    low, high = int(times.min()), int(times.max())
    span = high - low + 3  # each group has room for a time before all and one after
    if len(known) * span > NEVER:
        moments, ranks = ranked(times)
        ends = np.searchsorted(moments, at, side="right" if before else "left").astype(np.int64)
        return _nearest(groups, ranks, wanted, ends - before, before=before)
    keys = group_numbers(ordered) * span + (times[order] - low + 1)
    group = position(known, wanted)
    asked = group * span + (np.clip(at, low - 1, high + 1) - low + 1)
    found = np.searchsorted(keys, asked, side="right").astype(np.int64) - 1 if before else np.searchsorted(keys, asked)
    row = np.append(order, -1)[found]
    return np.where((group >= 0) & (row >= 0) & (groups[row] == wanted), row, -1)


class Numbering:
    """One number for a group and an offset in it, which grows with the group, then with the offset.

    The numbers lie as close together as the groups' largest offsets allow.
    """

    def __init__(self, largest: Ints) -> None:
        self._largest = largest
        self._begins = np.cumsum(largest + 1) - largest - 1

    def __len__(self) -> int:
        return int((self._largest + 1).sum())

    def number(self, groups: Ints, offsets: Ints) -> Ints:
        """The number of each pair; -1 where a part is missing, or the offset is beyond the group's largest."""
        if not len(self._largest):
            return np.full(len(groups), -1, np.int64)
        known = (groups >= 0) & (offsets >= 0)
        known &= offsets <= self._largest[groups]
        return np.where(known, self._begins[groups] + offsets, -1)

    def group_of(self, numbers: Ints) -> Ints:
        """The group of each number; -1 of none."""
        return np.searchsorted(self._begins, numbers, side="right").astype(np.int64) - 1

    def offset_of(self, numbers: Ints) -> Ints:
        """The offset of each number; -1 of none."""
        if not len(self._begins):
            return np.full(len(numbers), -1, np.int64)
        return np.where(numbers >= 0, numbers - self._begins[self.group_of(numbers)], -1)
