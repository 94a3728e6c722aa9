"""When dialogs start: Poisson arrivals of a rate that changes with the hour, in layers of load 1."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, count
from typing import Final

from chatload.draws import Draws, Purpose
from chatload.scenario import Part, Scenario
from chatload.scenario.shifts import Surge

HOUR_MS: Final = 3_600_000.0
LAYER: Final = 1_000_000  # indices of one layer; a layer holds one day of load 1
SURGE: Final = 250  # the first layer of a surge; notices have the indices from layer 500 on
FIRST_PAST: Final = -2  # not -1: where a record names a dialog by its index, -1 says that there is none


class Rate:
    """Expected starts of one layer as a function of business time; before t0 the rate of t0 stands."""

    def __init__(self, scenario: Scenario, part: Part, draws: Draws) -> None:
        volume = scenario.volume
        if part != "day":
            per_hour = [volume.dialogs_per_day * volume.peak_hour_share]
        else:
            cv = volume.busyness_cv
            busyness = draws.lognormal(1.0, cv, Purpose.BUSYNESS, 0) if cv else 1.0
            total = sum(volume.intraday)
            per_hour = [busyness * volume.dialogs_per_day * weight / total for weight in volume.intraday]
        self.per_hour = per_hour
        self._until = [0.0, *accumulate(per_hour)]

    def at_start_per_ms(self) -> float:
        """The rate at t0."""
        return self.per_hour[0] / HOUR_MS

    def expected(self, until_ms: float) -> float:
        """Expected starts from t0 to `until_ms`; the hours repeat."""
        rounds, hours = divmod(until_ms / HOUR_MS, len(self.per_hour))
        hour = min(int(hours), len(self.per_hour) - 1)
        return rounds * self._until[-1] + self._until[hour] + (hours - hour) * self.per_hour[hour]

    def when(self, expected: float) -> float:
        """The time at which so many starts were expected: the inverse of `expected`."""
        rounds, rest = divmod(expected, self._until[-1])
        hour = min(bisect_right(self._until, rest) - 1, len(self.per_hour) - 1)
        return (rounds * len(self.per_hour) + hour + (rest - self._until[hour]) / self.per_hour[hour]) * HOUR_MS


def arrivals(
    draws: Draws, rate: Rate, load: float, horizon_ms: float, surge: Surge | None = None
) -> Iterator[tuple[int, float]]:
    """(index, start) of every dialog of t0 … horizon; those of a smaller load are among those of a larger one.

    A surge's are layers of their own, which begin when it does: without it, the others are the same.
    """
    for layer, kept, from_ms in layers(load, surge):
        for index, start_ms in whole_layer(draws, rate, layer, from_ms, horizon_ms):
            if draws.happens(kept, Purpose.KEPT, index):
                yield index, start_ms


def layers(load: float, surge: Surge | None = None) -> Iterator[tuple[int, float, float]]:
    """Each layer that begins at t0 or later, with the share of it that is kept and when it begins."""
    yield from ((layer, kept, 0.0) for layer, kept in _layers(load))
    if surge is not None:
        yield from ((layer, kept, surge.after) for layer, kept in _layers(load * (surge.load - 1), SURGE))


def whole_layer(draws: Draws, rate: Rate, layer: int, from_ms: float, horizon_ms: float) -> Iterator[tuple[int, float]]:
    """(index, start) of one layer, in order of start, with those that a load keeps only a part of."""
    expected = rate.expected(from_ms)
    for index in count(layer * LAYER):
        expected += draws.exponential(1.0, Purpose.ARRIVAL, index)
        start_ms = rate.when(expected)
        if start_ms >= horizon_ms:
            return
        yield index, start_ms


def past_arrivals(draws: Draws, rate: Rate, load: float, back_ms: float) -> Iterator[tuple[int, float]]:
    """The same for the time before t0, backwards: negative starts, indices from `FIRST_PAST` down."""
    per_ms = rate.at_start_per_ms()
    for layer, kept in _layers(load if per_ms else 0):
        start_ms = 0.0
        for index in count(FIRST_PAST - layer * LAYER, -1):
            start_ms -= draws.exponential(1 / per_ms, Purpose.ARRIVAL, index)
            if start_ms < -back_ms:
                break
            if draws.happens(kept, Purpose.KEPT, index):
                yield index, start_ms


def _layers(load: float, first: int = 0) -> Iterator[tuple[int, float]]:
    """Each layer, from number `first` on, with the share of it that this load keeps."""
    for layer in range(math.ceil(load)):
        yield first + layer, min(1.0, load - layer)
