"""Whether arrivals are told from random ones: Poisson's pass as often as they should, a metronome and bursts fail."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy

from chatload.draws import Draws
from chatload.plan.arrivals import Rate, arrivals
from chatload.scenario import load
from chatreport.arrivals import FEWEST, PoissonTest, poisson_test
from chatreport.grouping import Floats

SEEDS = 400
LEVEL = 0.05
HOURS = [hour * 3_600_000.0 for hour in range(25)]


def rejected(samples: list[Floats], edges: list[float]) -> int:
    """How many of the samples the test calls no Poisson process at its level."""
    return sum((poisson_test(times, edges).p or 0.0) < LEVEL for times in samples)


def poisson(seed: int, n: int = 200) -> Floats:
    return np.random.default_rng(seed).uniform(0, 1, n)


def metronome(seed: int, n: int = 200) -> Floats:
    """Equal gaps, each arrival moved by up to a fifth of one."""
    return (np.arange(n) + 0.5 + np.random.default_rng(seed).uniform(-0.2, 0.2, n)) / n


def bursts(seed: int, n: int = 200) -> Floats:
    """Hyperexponential gaps, whose squared coefficient of variation is 2: short ones and long ones."""
    chance = np.random.default_rng(seed)
    short = (1 + (1 / 3) ** 0.5) / 2
    rate = np.where(chance.uniform(size=2 * n) < short, 2 * short, 2 * (1 - short))
    times = np.cumsum(chance.exponential(1 / rate)) / n
    return times[times < 1]


def test_the_false_alarms_are_as_many_as_promised() -> None:
    """Of random arrivals one in twenty is called something else, within what chance makes of that."""
    found = rejected([poisson(seed) for seed in range(SEEDS)], [0, 1])
    assert scipy.stats.binomtest(found, SEEDS, LEVEL).pvalue > 0.001


@pytest.mark.parametrize("unlike", [metronome, bursts])
def test_what_is_not_random_is_found(unlike: Callable[[int], Floats]) -> None:
    """A jittered metronome and a bursting stream of 200 arrivals are found nearly always."""
    found = rejected([unlike(seed) for seed in range(100)], [0, 1])
    assert found >= 95


def test_intervals_are_tested_each_at_its_own_rate() -> None:
    """A rate that jumps tenfold is no fault if the edge is given, and found if it is not."""
    few_then_many = [np.concatenate([poisson(seed, 30), 1 + poisson(seed + SEEDS, 300)]) for seed in range(SEEDS)]
    assert scipy.stats.binomtest(rejected(few_then_many, [0, 1, 2]), SEEDS, LEVEL).pvalue > 0.001
    assert rejected(few_then_many, [0, 2]) == SEEDS


def test_the_plan_arrives_at_random() -> None:
    """A bank's whole day, hour by hour, of many seeds: as many alarms as chance makes."""
    bank = load("tbank").scenario
    bank = bank.model_copy(update={"volume": bank.volume.model_copy(update={"dialogs_per_day": 500})})
    days = []
    for draws in map(Draws, range(200)):
        starts = arrivals(draws, Rate(bank, "day", draws), 1.0, HOURS[-1])
        days.append(np.array([start_ms for _, start_ms in starts]))
    assert scipy.stats.binomtest(rejected(days, HOURS), len(days), LEVEL).pvalue > 0.001


def test_too_few_arrivals_say_nothing() -> None:
    """Below the smallest number there is no answer; an interval without arrivals is no obstacle."""
    assert poisson_test(poisson(1, FEWEST - 1), [0, 0.5, 1, 2]) == PoissonTest(FEWEST - 1, None, None)
    assert poisson_test(np.array([]), [0, 1]) == PoissonTest(0, None, None)


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_the_librarys(seed: int) -> None:
    """Distance and probability are scipy's, for points that need no transformation back: Lewis's of the sample."""
    times = np.sort(poisson(seed))
    gaps = np.sort(np.diff(np.concatenate([[0], times, [1]])))
    spacings = [(len(gaps) - place) * (gap - (gaps[place - 1] if place else 0)) for place, gap in enumerate(gaps)]
    expected = scipy.stats.kstest(np.cumsum(spacings)[:-1], "uniform")
    found = poisson_test(times, [0, 1])
    assert found.distance == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue, abs=0.01)
