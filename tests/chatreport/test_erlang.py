"""The Erlang formulas against printed anchors, a naive twin, and what must hold whatever the numbers."""

import math
from itertools import takewhile
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatreport.erlang import ErlangA, ErlangC, erlang_b, operators_needed


class Line(NamedTuple):
    """A line of the table that was computed elsewhere, in units of the mean service."""

    offered: float
    places: int
    leaving: float  # 1 / patience
    within: float
    figures: tuple[float, float, float, float, float, float]


ANCHORS = [
    Line(10, 13, 0.6, 1 / 9, (0.22580, 0.02496, 0.04161, 0.7500, 0.85818, 0.01163)),
    Line(100, 100, 1, 0.1, (0.51330, 0.03986, 0.03986, 0.9601, 0.81365, 0.03157)),
    Line(100, 110, 0.5, 0.1, (0.19127, 0.00599, 0.01199, 0.9036, 0.95525, 0.00499)),
    Line(100, 90, 0.5, 0.1, (0.93768, 0.10336, 0.20673, 0.9963, 0.20738, 0.04257)),
    Line(400, 420, 0.2, 0.05, (0.20578, 0.00159, 0.00796, 0.9509, 0.94011, 0.00119)),
    Line(400, 380, 0.2, 0.05, (0.99105, 0.05024, 0.25119, 0.9997, 0.03144, 0.00977)),
]


class Twin(NamedTuple):
    """The same queue as a chain of births and deaths, summed state by state; a unit of time is the mean service."""

    empty_first: list[float]  # the long-run share of time with 0, 1, 2, … contacts
    places: int
    arriving: float
    leaving: float

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """Waiting, abandonment, mean wait, occupancy."""
        queue = sum(
            (number - self.places) * share for number, share in enumerate(self.empty_first[self.places :], self.places)
        )
        busy = sum(min(number, self.places) * share for number, share in enumerate(self.empty_first))
        waiting = sum(self.empty_first[self.places :])
        return waiting, self.leaving * queue / self.arriving, queue / self.arriving, busy / self.places


def twin(arriving: float, places: int, leaving: float) -> Twin:
    """Births at a constant rate; deaths by service of up to `places` contacts and by the patience of the others."""
    logs, most = [0.0], 0.0
    while logs[-1] > most - 50 or len(logs) <= places:
        number = len(logs)
        dying = min(number, places) + max(number - places, 0) * leaving
        logs.append(logs[-1] + math.log(arriving / dying))
        most = max(most, logs[-1])
    weights = [math.exp(each - most) for each in logs]
    total = sum(weights)
    return Twin([weight / total for weight in weights], places, arriving, leaving)


def served_within(arriving: float, places: int, leaving: float, within: float) -> float:
    """The share served in time by the density of virtual waits (M/M/n+G with exponential patience), point by point."""
    idle, term = 0.0, 1.0
    for number in range(places - 1, -1, -1):
        idle += term
        term *= number / arriving
    furthest = max(arriving / places - 1, 0) / leaving + 60 / places + 10 / math.sqrt(places * leaving) + within
    waits = np.linspace(0, furthest, 200_001)
    density = np.exp(-arriving * np.expm1(-leaving * waits) / leaving - places * waits)
    scale = arriving / (idle + arriving * np.trapezoid(density, waits))
    late = np.where(waits <= within, 1 - np.exp(-leaving * waits), 1.0)
    return float(1 - scale * np.trapezoid(late * density, waits))


arrivals = st.floats(0.05, 150)
places = st.integers(1, 120)
leavings = st.floats(0.02, 20)


@pytest.mark.parametrize("line", ANCHORS, ids=lambda line: f"{line.offered}-{line.places}")
def test_the_printed_figures_come_out(line: Line) -> None:
    """Waiting, abandonment, mean wait, occupancy, served and abandoned in time, to every printed digit."""
    queue = ErlangA(line.offered, 1.0, 1 / line.leaving, line.places)
    found = (
        round(queue.waiting, 5), round(queue.abandonment, 5), round(queue.mean_wait_s, 5), round(queue.occupancy, 4),
        round(queue.served_within(line.within), 5), round(queue.abandoned_within(line.within), 5),
    )  # fmt: skip
    assert found == line.figures


def test_a_service_level_is_one_of_three() -> None:
    """Of all, without those who left in time, and of the served; the same queue gives three figures."""
    queue = ErlangA(10, 1.0, 1 / 0.6, 13)
    levels = (
        queue.served_within(1 / 9),
        queue.service_level_without_short(1 / 9),
        queue.service_level_of_served(1 / 9),
    )
    assert tuple(round(level, 4) for level in levels) == (0.8582, 0.8683, 0.8801)


def test_erlang_c_is_that_of_others() -> None:
    """The example of R's package ErlangC, and two figures of an Erlang table, to the printed digits."""
    queue = ErlangC(100 / 1800, 180, 14)
    found = (round(queue.waiting, 7), round(queue.service_level(20), 5), round(queue.mean_wait_s, 6))
    assert found == (0.1741319, 0.88835, 7.835937)
    assert (round(erlang_b(400, 420), 6), round(ErlangC(400, 1, 420).waiting, 6)) == (0.014047, 0.230285)


@given(arriving=arrivals, places=places, leaving=leavings)
def test_the_formulas_agree_with_the_chain(arriving: float, places: int, leaving: float) -> None:
    """Waiting, abandonment, mean wait and occupancy are those of the birth-death chain, summed naively."""
    queue = ErlangA(arriving, 1.0, 1 / leaving, places)
    found = (queue.waiting, queue.abandonment, queue.mean_wait_s, queue.occupancy)
    assert found == pytest.approx(twin(arriving, places, leaving).figures, rel=1e-8, abs=1e-11)


@given(load=st.floats(0.3, 1.5), places=places, leaving=st.floats(0.2, 5), within=st.floats(0, 2))
def test_the_service_level_agrees_with_the_integral(load: float, places: int, leaving: float, within: float) -> None:
    """Served within a time, by the closed form and by adding up the density of waits."""
    queue = ErlangA(load * places, 1.0, 1 / leaving, places)
    expected = served_within(load * places, places, leaving, within)
    assert queue.served_within(within) == pytest.approx(expected, abs=1e-4)


@given(offered=st.floats(0.1, 300), places=st.integers(1, 300))
def test_with_patience_of_a_service_the_number_inside_is_poissons(offered: float, places: int) -> None:
    """If one leaves the queue as fast as a place, everybody inside leaves alike: who waits is a Poisson tail."""
    queue = ErlangA(offered, 1.0, 1.0, places)
    fewer = sum(math.exp(number * math.log(offered) - offered - math.lgamma(number + 1)) for number in range(places))
    assert queue.waiting == pytest.approx(1 - fewer, rel=1e-7, abs=1e-9)


@given(load=st.floats(0.2, 0.95), places=st.integers(1, 300), within=st.floats(0, 3))
def test_endless_patience_is_erlang_c(load: float, places: int, within: float) -> None:
    """With a patience of a million services nobody leaves who could be served."""
    patient, endless = ErlangA(load * places, 1.0, 1e6, places), ErlangC(load * places, 1.0, places)
    assert patient.waiting == pytest.approx(endless.waiting, abs=1e-4)
    assert patient.served_within(within) == pytest.approx(endless.service_level(within), abs=1e-4)


@pytest.mark.parametrize("places", [1, 300, 3000, 8000])
@pytest.mark.parametrize("load", [0.05, 0.9, 1.0, 1.1, 20])
@pytest.mark.parametrize("patience_s", [0.01, 1.0, 500.0])
def test_thousands_of_places_overflow_nothing(places: int, load: float, patience_s: float) -> None:
    """Shares stay shares, and who is not served has left: from an idle floor to one that is twenty times too small."""
    queue = ErlangA(places * load, 1.0, patience_s, places)
    shares = [queue.waiting, queue.abandonment, queue.occupancy]
    shares += [part(within) for within in (0, 0.3, 50, 1e9) for part in (queue.served_within, queue.abandoned_within)]
    assert [share for share in shares if not -1e-6 <= share <= 1 + 1e-6] == []
    assert queue.served_within(1e9) + queue.abandoned_within(1e9) == pytest.approx(1)
    assert queue.abandoned_within(1e9) == pytest.approx(queue.abandonment, abs=1e-9)


@given(
    arriving=st.floats(0.01, 20), slots=st.integers(1, 8), level=st.floats(0.05, 0.99), patience=st.floats(0.1, 20),
    within=st.floats(0.01, 1),
)  # fmt: skip
def test_no_fewer_operators_would_do(arriving: float, slots: int, level: float, patience: float, within: float) -> None:
    """The number needed is found by trying them one by one."""

    def misses(operators: int) -> bool:
        return ErlangA(arriving, 1.0, patience, operators * slots).served_within(within) < level

    too_few = sum(1 for _ in takewhile(misses, range(1, 10_000)))
    assert operators_needed(arriving, 1.0, patience, slots, within, level) == too_few + 1
