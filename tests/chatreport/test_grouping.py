"""The column operations against their naive twins."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chatreport.grouping import (
    NEVER,
    Numbering,
    between,
    contains,
    dense,
    earliest,
    group_numbers,
    holes,
    latest,
    lookup,
    merged,
    order_by,
    position,
    raise_to,
    ranked,
    running_max,
    running_sum,
    soonest,
    unique,
)  # fmt: skip

small = st.integers(0, 5)
spreads = st.sampled_from([1, 10**6, 10**17])  # close together, far apart, too far for two in one number
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


@given(pairs, pairs, spreads)
def test_nearest_rows_are_of_the_same_group(
    rows: list[tuple[int, int]], wanted: list[tuple[int, int]], spread: int
) -> None:
    """`latest` is the last row at or before a time, `soonest` the first at or after it."""
    groups, times = columns(rows)
    asked, at = columns(wanted)
    times, at = times * spread, at * spread
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


@given(st.lists(small), st.lists(small), spreads)
def test_keys_are_found(keys: list[int], wanted: list[int], spread: int) -> None:
    """By position, by membership and with the value beside; -1 where there is none."""
    ordered = np.array(sorted(keys), np.int64) * spread
    asked = np.array(wanted, np.int64) * spread
    assert position(ordered, asked).tolist() == [sorted(keys).index(key) if key in keys else -1 for key in wanted]
    assert contains(ordered, asked).tolist() == [key in keys for key in wanted]
    assert lookup(ordered, ordered + 7, asked, -7).tolist() == [
        key * spread + 7 if key in keys else -7 for key in wanted
    ]
    assert between(ordered, asked, asked + spread).tolist() == [
        sum(key <= each <= key + 1 for each in keys) for key in wanted
    ]


@given(st.lists(st.integers(-1, 5), max_size=30), spreads)
def test_values_are_ranked_in_their_order(values: list[int], spread: int) -> None:
    """The distinct ones in order, and every row's number among them."""
    column = np.array(values, np.int64) * spread
    distinct, numbers = ranked(column)
    assert distinct.tolist() == unique(column).tolist() == [value * spread for value in sorted(set(values))]
    assert distinct[numbers].tolist() == column.tolist()


@given(pairs, spreads)
def test_rows_are_ordered_by_one_column_then_the_next(rows: list[tuple[int, int]], spread: int) -> None:
    """Equal rows keep their order."""
    first, second = columns(rows)
    expected = sorted(range(len(rows)), key=lambda n: (rows[n], n))
    assert order_by(first * spread, second * spread).tolist() == expected


@given(pairs, pairs)
def test_a_number_stands_for_a_group_and_an_offset(rows: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    """It leads back to both, grows with them, and is -1 for a group or an offset that no row has room for."""
    largest = np.zeros(6, np.int64)
    raise_to(largest, *columns(rows))
    room = {group: max((offset for each, offset in rows if each == group), default=0) for group in range(6)}
    assert largest.tolist() == list(room.values())
    numbering = Numbering(largest)
    numbers = numbering.number(*columns(asked))
    expected = [pair if pair[1] <= room[pair[0]] else (-1, -1) for pair in asked]
    assert (
        list(zip(numbering.group_of(numbers).tolist(), numbering.offset_of(numbers).tolist(), strict=True)) == expected
    )
    assert [asked[n] for n in np.argsort(numbers, kind="stable") if numbers[n] >= 0] == sorted(
        pair for pair in expected if pair != (-1, -1)
    )
    assert numbering.number(np.array([-1, 0]), np.array([0, -1])).tolist() == [-1, -1]
    assert numbers.max(initial=-1) < len(numbering)


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
