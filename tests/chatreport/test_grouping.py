"""The column operations against their naive twins."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chatreport.grouping import (
    NEVER,
    between,
    contains,
    dense,
    earliest,
    group_numbers,
    holes,
    latest,
    lookup,
    merged,
    position,
    running_max,
    running_sum,
    soonest,
)  # fmt: skip

small = st.integers(0, 5)
pairs = st.lists(st.tuples(small, small), max_size=30)


def columns(rows: Sequence[tuple[int, ...]], width: int = 2) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The rows as columns."""
    return [np.array([row[n] for row in rows], np.int64) for n in range(width)]


@given(pairs)
def test_running_maximum_and_sum_start_anew_with_every_group(rows: list[tuple[int, int]]) -> None:
    """They see the rows of their group so far, and `before` not the row itself."""
    rows = sorted(rows, key=lambda row: row[0])
    groups, values = columns(rows)
    so_far = [[value for group, value in rows[: n + 1] if group == rows[n][0]] for n in range(len(rows))]
    assert running_max(groups, values).tolist() == [max(each) for each in so_far]
    assert running_max(groups, values, before=True).tolist() == [max(each[:-1], default=-1) for each in so_far]
    assert running_sum(groups, values).tolist() == [sum(each) for each in so_far]


@given(pairs, pairs)
def test_nearest_rows_are_of_the_same_group(rows: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    """`latest` is the last row at or before a time, `soonest` the first at or after it."""
    groups, times = columns(rows)
    asked, at = columns(wanted)
    indices = range(len(rows))
    expected_latest, expected_soonest = [], []
    for group, time in wanted:
        before = [n for n in indices if rows[n][0] == group and rows[n][1] <= time]
        after = [n for n in indices if rows[n][0] == group and rows[n][1] >= time]
        expected_latest.append(max(before, key=lambda n: (rows[n][1], n), default=-1))
        expected_soonest.append(min(after, key=lambda n: (rows[n][1], n), default=-1))
    assert latest(groups, times, asked, at).tolist() == expected_latest
    assert soonest(groups, times, asked, at).tolist() == expected_soonest


@given(pairs)
def test_holes_are_what_is_missing_between_the_seqs_of_a_group(rows: list[tuple[int, int]]) -> None:
    """Nothing before the first and nothing after the last."""
    rows = sorted(rows)
    seen: dict[int, set[int]] = {}
    for group, seq in rows:
        seen.setdefault(group, set()).add(seq)
    expected = [
        (group, seq) for group, seqs in sorted(seen.items()) for seq in range(min(seqs), max(seqs)) if seq not in seqs
    ]
    groups, seqs = holes(*columns(rows))
    assert list(zip(groups.tolist(), seqs.tolist(), strict=True)) == expected


@given(st.lists(st.tuples(small, small, small), max_size=20))
def test_dense_numbers_tuples_in_their_order(rows: list[tuple[int, int, int]]) -> None:
    """Equal tuples have equal numbers, and larger ones larger numbers."""
    order = sorted(set(rows))
    assert dense(*columns(rows, 3)).tolist() == [order.index(row) for row in rows]


@given(st.lists(small), st.lists(small))
def test_keys_are_found(keys: list[int], wanted: list[int]) -> None:
    """By position, by membership and with the value beside; -1 where there is none."""
    ordered = np.array(sorted(keys), np.int64)
    asked = np.array(wanted, np.int64)
    assert position(ordered, asked).tolist() == [sorted(keys).index(key) if key in keys else -1 for key in wanted]
    assert contains(ordered, asked).tolist() == [key in keys for key in wanted]
    assert lookup(ordered, ordered * 10, asked, -7).tolist() == [key * 10 if key in keys else -7 for key in wanted]
    assert between(ordered, asked, asked + 1).tolist() == [
        sum(key <= each <= key + 1 for each in keys) for key in wanted
    ]


@given(pairs)
def test_earliest_keeps_the_smallest_value_of_each_key(rows: list[tuple[int, int]]) -> None:
    """Keys in order, one each."""
    keys, values = earliest(*columns(rows))
    assert dict(zip(keys.tolist(), values.tolist(), strict=True)) == {
        key: min(value for each, value in rows if each == key) for key, _ in rows
    }
    assert keys.tolist() == sorted(keys.tolist())


@given(pairs)
def test_merged_spans_cover_the_same_moments(rows: list[tuple[int, int]]) -> None:
    """The union of closed spans, disjoint and in order."""
    spans = [(begin, begin + length) for begin, length in rows]
    union = list(zip(*(side.tolist() for side in merged(*columns(spans))), strict=True))
    covered = [{half for begin, end in of for half in range(2 * begin, 2 * end + 1)} for of in (spans, union)]
    assert covered[0] == covered[1]
    assert all(end < begin for (_, end), (begin, _) in pairwise(union))


def test_empty_columns_have_empty_answers() -> None:
    """Nothing in, nothing out."""
    nothing = np.zeros(0, np.int64)
    assert group_numbers(nothing).tolist() == []
    assert running_max(nothing, nothing).tolist() == []
    assert running_sum(nothing, nothing).tolist() == []
    assert latest(nothing, nothing, np.array([3]), np.array([NEVER])).tolist() == [-1]
    assert [side.tolist() for side in holes(nothing, nothing)] == [[], []]
