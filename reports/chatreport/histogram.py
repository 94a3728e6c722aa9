"""Histograms of nanoseconds: small, with a known error, and merged by addition.

The buckets are HdrHistogram's for two significant digits, so that its tools read the counts as they are: up to 255 ns
every value has its own, beyond that each power of two is cut into 128. From 1 ns to 2.4 h a value is known to 0.79 %.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Sparse = dict[str, Any]  # what JSON carries: "counts" as [bucket, count] pairs, "min_ns", "max_ns", "sum_ns"

DIGITS: Final = 2
_BITS: Final = 43
_HALF_BITS: Final = 7  # 128 buckets for each power of two
_FIRST: Final = (2 << _HALF_BITS) - 1  # the last value with a bucket of its own
HIGHEST_NS: Final = (1 << _BITS) - 1  # longer times are counted in the last bucket
SIZE: Final = (_BITS - _HALF_BITS + 1) << _HALF_BITS


class Histogram:
    """Counts by bucket; number, minimum, maximum and mean are exact."""

    __slots__ = ("counts", "max_ns", "min_ns", "sum_ns")

    def __init__(self, values_ns: Iterable[int] | Ints = ()) -> None:
        values = np.asarray(values_ns, np.int64)
        self.counts: Ints = np.bincount(buckets(values), minlength=SIZE).astype(np.int64)
        self.min_ns = int(values.min()) if len(values) else 0
        self.max_ns = int(values.max()) if len(values) else 0
        self.sum_ns = int(values.sum())

    def __len__(self) -> int:
        return int(self.counts.sum())

    def __add__(self, other: "Histogram") -> "Histogram":
        """The histogram of both histograms' values."""
        both = Histogram()
        both.counts = self.counts + other.counts
        whole = [each for each in (self, other) if len(each)]
        both.min_ns = min((each.min_ns for each in whole), default=0)
        both.max_ns = max((each.max_ns for each in whole), default=0)
        both.sum_ns = self.sum_ns + other.sum_ns
        return both

    @property
    def mean_ns(self) -> float:
        """The mean; 0 without values."""
        return self.sum_ns / len(self) if len(self) else 0.0

    def percentile_ns(self, share: float) -> int:
        """The smallest value that `share` of all do not exceed, as the upper end of its bucket; 0 without values."""
        rank = max(1, math.ceil(share * len(self)))
        bucket = int(np.searchsorted(np.cumsum(self.counts), rank))
        return min(int(upper_ends(np.array([bucket]))[0]), self.max_ns) if len(self) else 0

    def sparse(self) -> Sparse:
        """The buckets that hold something, for JSON."""
        filled = np.flatnonzero(self.counts)
        pairs = np.stack([filled, self.counts[filled]], axis=1)
        return {"counts": pairs.tolist(), "min_ns": self.min_ns, "max_ns": self.max_ns, "sum_ns": self.sum_ns}

    @classmethod
    def from_sparse(cls, sparse: Mapping[str, Any]) -> "Histogram":
        """The histogram that `sparse` was made of."""
        made = cls()
        for bucket, count in sparse["counts"]:
            made.counts[bucket] = count
        made.min_ns, made.max_ns, made.sum_ns = sparse["min_ns"], sparse["max_ns"], sparse["sum_ns"]
        return made


def buckets(values_ns: Ints) -> Ints:
    """The bucket of every value; negative ones belong to the first, and those beyond `HIGHEST_NS` to the last."""
    values = np.clip(values_ns, 0, HIGHEST_NS)
    bits = np.frexp((values | _FIRST).astype(np.float64))[1]  # exact: a float holds integers of 53 bits
    shift = bits.astype(np.int64) - (_HALF_BITS + 1)
    return (shift << _HALF_BITS) + (values >> shift)


def lower_ends(found: Ints) -> Ints:
    """The smallest value of each bucket."""
    shift = _shift(found)
    return (found - (shift << _HALF_BITS)) << shift


def upper_ends(found: Ints) -> Ints:
    """The largest value of each bucket."""
    return lower_ends(found) + (np.int64(1) << _shift(found)) - 1


def _shift(found: Ints) -> Ints:
    shift: Ints = np.maximum((found >> _HALF_BITS) - 1, 0)
    return shift
