"""Draws are pure functions of their key, and have the distributions that they promise."""

import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.draws import Draws, Purpose

keys = st.tuples(st.sampled_from(list(Purpose)), st.integers(-(1 << 40), 1 << 40), st.integers(0, 1000))
N = 20_000


@given(seed=st.integers(0, (1 << 62) - 1), key=keys)
def test_a_draw_depends_on_its_key_alone(seed: int, key: tuple[Purpose, int, int]) -> None:
    """The same key gives the same value in another generator that drew something else before."""
    other = Draws(seed)
    other.uniform(Purpose.CHANNEL, 5)
    assert Draws(seed).uniform(*key) == other.uniform(*key)
    assert 0 < Draws(seed).uniform(*key) < 1


def test_seed_purpose_dialog_and_turn_all_matter() -> None:
    """Changing any part of the key gives another value."""
    values = {
        Draws(1).uniform(Purpose.LENGTH, 7, 3),
        Draws(2).uniform(Purpose.LENGTH, 7, 3),
        Draws(1).uniform(Purpose.THINKING, 7, 3),
        Draws(1).uniform(Purpose.LENGTH, 8, 3),
        Draws(1).uniform(Purpose.LENGTH, 7, 4),
        Draws(1).uniform(Purpose.LENGTH, -7, 3),
    }
    assert len(values) == 6


def test_known_values_stay() -> None:
    """A plan of last year can be played again: the draws of a key never change."""
    assert [round(Draws(1).uniform(Purpose.ARRIVAL, index), 9) for index in (0, 1, -1)] == [
        0.730938394,
        0.067318621,
        0.305861245,
    ]


@pytest.mark.parametrize(
    "draw, mean, spread",
    [
        (lambda draws, i: draws.uniform(Purpose.WORDS, i), 0.5, 0.289),
        (lambda draws, i: draws.exponential(40, Purpose.PATIENCE, i), 40, 40),
        (lambda draws, i: draws.lognormal(60, 0.8, Purpose.LENGTH, i), 60, 48),
        (lambda draws, i: draws.count(1.5, 1, Purpose.BOT_TURNS, i), 1.5, 0.79),
        (lambda draws, i: draws.count(6.84, 1, Purpose.OPERATOR_TURNS, i), 6.84, 4.78),
    ],
    ids=["uniform", "exponential", "lognormal", "few turns", "many turns"],
)
def test_a_distribution_has_its_mean_and_spread(
    draw: Callable[[Draws, int], float], mean: float, spread: float
) -> None:
    """Within five standard errors of the mean, and 5 % of the spread."""
    draws = Draws(3)
    values = [draw(draws, i) for i in range(N)]
    assert abs(statistics.fmean(values) - mean) < 5 * spread / N**0.5
    assert statistics.stdev(values) == pytest.approx(spread, rel=0.05)


def test_a_count_is_never_below_its_least() -> None:
    """Also for a mean below the least."""
    draws = Draws(3)
    assert {draws.count(0.5, 1, Purpose.BOT_TURNS, i) for i in range(100)} == {1}
    assert min(draws.count(3, 2, Purpose.BOT_TURNS, i) for i in range(1000)) == 2


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 1000))
def test_a_higher_probability_keeps_what_a_lower_one_kept(one: float, other: float, dialog: int) -> None:
    """This is what makes a larger load contain a smaller one."""
    low, high = sorted((one, other))
    draws = Draws(9)
    assert draws.happens(high, Purpose.KEPT, dialog) or not draws.happens(low, Purpose.KEPT, dialog)
