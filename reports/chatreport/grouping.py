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


def order_by(*columns: npt.NDArray[Any]) -> Ints:
    """The stable order by the first column, then the second, and so on."""
    return np.lexsort(columns[::-1]).astype(np.int64)


def begins(groups: Ints) -> Mask:
    """True at the first row of every run of equal values."""
    first = np.ones(len(groups), np.bool_)
    np.not_equal(groups[1:], groups[:-1], out=first[1:])
    return first


def unique(values: Ints) -> Ints:
    """The distinct values in order; by sorting, which is several times faster than numpy's hashing."""
    ordered: Ints = np.sort(values)
    return ordered[begins(ordered)]


def group_numbers(groups: Ints) -> Ints:
    """0, 1, 2, … for the runs of a sorted column."""
    return np.cumsum(begins(groups), dtype=np.int64) - 1


def dense(*columns: Ints) -> Ints:
    """One number per distinct tuple of the columns, in the tuples' order."""
    numbers = np.unique(columns[0], return_inverse=True)[1].astype(np.int64)
    for column in columns[1:]:
        values, inverse = np.unique(column, return_inverse=True)
        numbers = np.unique(numbers * max(len(values), 1) + inverse, return_inverse=True)[1].astype(np.int64)
    return numbers


def position(sorted_keys: Ints, wanted: Ints) -> Ints:
    """Where each wanted key first stands in `sorted_keys`; -1 where it does not."""
    if not len(sorted_keys):
        return np.full(len(wanted), -1, np.int64)
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
    order = order_by(keys, values)
    first = begins(keys[order])
    return keys[order][first], values[order][first]


def running_max(groups: Ints, values: Ints, *, before: bool = False) -> Ints:
    """Within each run of `groups`: the largest value so far; with `before`, of the rows before this one, or -1.

    Values are at least -1.
    """
    if not len(values):
        return values.astype(np.int64)
    distinct, ranks = np.unique(values, return_inverse=True)
    base = group_numbers(groups) * len(distinct)
    highest = np.maximum.accumulate(base + ranks) - base
    result = distinct[highest].astype(np.int64)
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
    return _nearest(groups, times, wanted, at, sign=1)


def soonest(groups: Ints, times: Ints, wanted: Ints, at: Ints) -> Ints:
    """For each (wanted group, time): the index of the group's first row at or after it; -1 if there is none."""
    return _nearest(groups, -times, wanted, -at, sign=-1)


def _nearest(groups: Ints, times: Ints, wanted: Ints, at: Ints, sign: int) -> Ints:
    rows, asked = len(groups), len(wanted)
    everyone = np.concatenate([groups, wanted])
    asking = np.repeat(np.array([0, 1], np.int64), [rows, asked])
    number = np.concatenate([np.arange(rows), np.arange(asked)]) * sign  # of equal times: the last, or the first
    order = order_by(everyone, np.concatenate([times, at]), asking, number)
    everyone, asking = everyone[order], asking[order]
    seen = np.maximum.accumulate(np.where(asking == 0, np.arange(len(order)), -1))
    answers = np.flatnonzero(asking == 1)
    row = seen[answers]
    same = (row >= 0) & (everyone[row] == everyone[answers])
    result = np.full(asked, -1, np.int64)
    result[order[answers] - rows] = np.where(same, order[row], -1)
    return result
