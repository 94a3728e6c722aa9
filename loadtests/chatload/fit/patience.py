"""How long customers would have waited, of whom most were served before they gave up."""

import math
from collections.abc import Sequence
from typing import Final

_ENOUGH: Final = 1e-9
_ROUNDS: Final = 10_000


def mean_patience(left: Sequence[float], served: Sequence[float], gone: Sequence[float]) -> float | None:
    """The mean of an exponential patience, by maximum likelihood; None where nobody left. All in one unit.

    `left`: after how long people left; `served`: after how long people were served, whose patience is longer; `gone`:
    after how long it was noticed that people had left without a word, at a time before that nobody knows.
    """
    leavers = len(left) + len(gone)
    known = math.fsum(left) + math.fsum(served)
    if not leavers or not known + math.fsum(gone):
        return None
    mean = (known + math.fsum(gone) / 2) / leavers
    for _ in range(_ROUNDS if gone else 0):
        better = (known + math.fsum(_before(until, mean) for until in gone)) / leavers
        if abs(better - mean) <= _ENOUGH * mean:
            return better
        mean = better
    return mean


def _before(until: float, mean: float) -> float:
    """The mean of an exponential time of which it is known that it is shorter than `until`."""
    ratio = until / mean
    if ratio < 1e-6:
        return until / 2
    return mean - (until / math.expm1(ratio) if ratio < 700 else 0.0)
