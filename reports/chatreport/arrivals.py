"""Whether contacts arrive at random: the Kolmogorov-Smirnov test of a Poisson process, after Lewis's transformation.

Within an interval of constant rate, whatever it is, the times of a Poisson process are so many independent uniform
ones. Tested directly, that misses arrivals that are too regular; Lewis's transformation weighs the gaps between them by
their size and finds both (Kim and Whitt 2014). Times may not be rounded more coarsely than a fraction of the gaps.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from scipy.special import kolmogorov

from chatreport.grouping import Floats

FEWEST: Final = 50  # arrivals; fewer tell little


class PoissonTest(NamedTuple):
    """How far `n` arrivals are from Poisson's; None with too few of them to say.

    `distance`: the largest between the two distributions; `p`: the share of Poisson processes that are as far.
    """

    n: int
    distance: float | None
    p: float | None


def poisson_test(times: Floats, edges: Sequence[float]) -> PoissonTest:
    """Test arrivals at `times` between the first and the last of `edges`, between which the rate is constant."""
    ordered = np.sort(np.asarray(times, np.float64))
    parts = [_lewis(ordered, begin, end) for begin, end in pairwise(edges)]
    points = np.sort(np.concatenate(parts))
    n = len(points)
    if n < FEWEST:
        return PoissonTest(n, None, None)
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - points).max(), (points - steps[:-1]).max()))
    stretch = n**0.5 + 0.12 + 0.11 / n**0.5  # Stephens 1970: makes the limit distribution good for finite n
    return PoissonTest(n, distance, float(kolmogorov(stretch * distance)))


def _lewis(times: Floats, begin: float, end: float) -> Floats:
    """Lewis's points of the arrivals in an interval: independent and uniform on (0, 1) if these were Poisson's."""
    inside = times[(times >= begin) & (times < end)]
    n = len(inside)
    gaps = np.sort(np.diff(np.concatenate([[begin], inside, [end]])))
    grown = np.diff(gaps, prepend=0.0) * np.arange(n + 1, 0, -1)
    points: Floats = np.cumsum(grown)[:n] / (end - begin)
    return points
