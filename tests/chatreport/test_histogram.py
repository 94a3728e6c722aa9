"""Histograms: how far off they may be, and that merging them loses nothing."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from chatreport.histogram import DIGITS, HIGHEST_NS, SIZE, Histogram, buckets, lower_ends, upper_ends

MICROSECOND = 1_000
HOUR = 3_600_000_000_000
TIMES = st.integers(10 * MICROSECOND, HOUR)
SHARES = st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]) | st.floats(0, 1)


@given(st.integers(0, HIGHEST_NS))
def test_the_buckets_are_hdrhistograms(value: int) -> None:
    """The same layout as the library's, which its tools expect: bucket for bucket, and as many."""
    library = HdrHistogram(1, HIGHEST_NS, DIGITS)
    (bucket,) = buckets(np.array([value]))
    assert (int(bucket), SIZE) == (library.get_counts_array_index(value), library.counts_len)
    assert int(lower_ends(bucket)) == library.get_lowest_equivalent_value(value)
    assert int(upper_ends(bucket)) == library.get_highest_equivalent_value(value)


def test_every_bucket_begins_where_the_one_before_ends() -> None:
    """No value falls between two buckets, or into two."""
    every = np.arange(SIZE)
    assert (upper_ends(every)[:-1] + 1 == lower_ends(every)[1:]).all()
    assert (lower_ends(every)[0], upper_ends(every)[-1]) == (0, HIGHEST_NS)
    assert (buckets(lower_ends(every)) == every).all()
    assert (buckets(upper_ends(every)) == every).all()


@given(TIMES)
def test_a_time_is_known_to_one_percent(value: int) -> None:
    """From 10 µs to an hour, anything that a bucket may stand for is within 1 % of what was counted there."""
    bucket = buckets(np.array([value]))
    assert value * 0.99 <= lower_ends(bucket)[0] <= value <= upper_ends(bucket)[0] <= value * 1.01


@given(st.lists(TIMES, min_size=1, max_size=300), SHARES)
def test_a_percentile_is_within_one_percent_of_the_exact_one(values: list[int], share: float) -> None:
    """Beside numpy's on the values themselves, at any rank; number, mean and both ends are exact."""
    found = Histogram(values)
    exact = int(np.quantile(values, share, method="inverted_cdf"))
    assert exact <= found.percentile_ns(share) <= exact * 1.01
    assert (len(found), found.min_ns, found.max_ns) == (len(values), min(values), max(values))
    assert found.mean_ns == sum(values) / len(values)


@given(st.lists(st.lists(TIMES, max_size=50), min_size=3, max_size=3), st.permutations(range(3)))
def test_merging_is_counting_together(parts: list[list[int]], order: list[int]) -> None:
    """The sum of several is the histogram of all their values, in whatever order and grouping they are added."""
    whole = Histogram([value for part in parts for value in part]).sparse()
    first, second, third = (Histogram(parts[number]) for number in order)
    assert (first + second + third).sparse() == whole
    assert (first + (second + third)).sparse() == whole


@given(st.lists(TIMES, max_size=50))
def test_a_histogram_survives_json(values: list[int]) -> None:
    """What the fleet sends over its pipe is what is merged at the other end."""
    sparse = Histogram(values).sparse()
    assert Histogram.from_sparse(json.loads(json.dumps(sparse))).sparse() == sparse


def test_percentiles_are_not_averaged() -> None:
    """One slow worker among two: the merged p99 is the slow one's, where the mean of both would hide it."""
    fast, slow = Histogram([MICROSECOND * 1_000] * 100), Histogram([MICROSECOND * 100_000] * 100)
    assert (fast + slow).percentile_ns(0.99) == 100_000 * MICROSECOND


@pytest.mark.parametrize(
    "values, percentile, ends",
    [([], 0, (0, 0)), ([0], 0, (0, 0)), ([-5, 7], 0, (-5, 7)), ([HIGHEST_NS + 1], HIGHEST_NS, (HIGHEST_NS + 1,) * 2)],
    ids=["empty", "nothing at all", "a clock that went back", "longer than a histogram holds"],
)
def test_what_lies_beyond_is_counted_at_the_end(values: list[int], percentile: int, ends: tuple[int, int]) -> None:
    """Nothing is lost: it goes to the nearest bucket, and minimum and maximum stay what they were."""
    found = Histogram(values)
    assert (len(found), found.percentile_ns(0.5)) == (len(values), percentile)
    assert (found.min_ns, found.max_ns) == ends


def test_it_costs_the_fleet_numpy_only() -> None:
    """The fleet imports it while it starts: nothing of the judge comes with it."""
    code = "import sys, chatreport.histogram; print(sorted({'pandas', 'pyarrow', 'scipy', 'hdrh'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
