"""Options become settings, or one line that names the option."""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from chatload.errors import BadOption, TooFewFiles
from chatload.run.settings import check_files, most_open, settle
from chatload.scenario import load
from chatreport.errors import BadObjective

TBANK, SMOKE = load("tbank"), load("smoke")


def test_what_is_not_asked_for_comes_from_the_scenario() -> None:
    """The peak hour in a minute, after a ramp of ten seconds, with all 543 operators, on shift or not."""
    settings = settle(TBANK)
    assert (settings.part, settings.load, settings.speed, settings.operators, settings.seed) == ("peak", 1, 60, 543, 1)
    assert (settings.duration_s, settings.ramp_s, settings.drain_s) == (60, 10, 24.8)


def test_load_multiplies_operators_and_speed_compresses_time() -> None:
    """Unless operators and times are given."""
    assert settle(TBANK, load=2).operators == 1086
    assert settle(TBANK, load=2.5, operators=7).operators == 7
    assert settle(TBANK, speed=120).duration_s == 30
    assert settle(TBANK, speed=120, duration="90s").duration_s == 90
    assert settle(TBANK, part="day", speed=600).duration_s == 144


@pytest.mark.parametrize(
    "options, option",
    [
        ({"load": -1}, "--load"),
        ({"load": 0}, "--load"),
        ({"load": float("nan")}, "--load"),
        ({"load": float("inf")}, "--load"),
        ({"speed": 0}, "--speed"),
        ({"operators": 0}, "--operators"),
        ({"seed": -1}, "--seed"),
        ({"part": "night"}, "--part"),
        ({"target": "embeded"}, "--target"),
        ({"duration": "90"}, "--duration"),
        ({"duration": "0 s"}, "--duration"),
        ({"duration": "10000 h"}, "--duration"),
        ({"ramp": "a while"}, "--ramp"),
        ({"labels": ["build"]}, "--label"),
    ],
)
def test_an_impossible_value_names_its_option(options: dict[str, Any], option: str) -> None:
    """In one line."""
    with pytest.raises(BadOption) as caught:
        settle(TBANK, **options)
    assert caught.value.option == option
    assert "\n" not in str(caught.value)


def test_an_objective_of_the_user_overrides_the_scenarios() -> None:
    """On the same figure; others stay."""
    objectives = settle(TBANK, slos=["deliver_in p99 < 10 ms", "abandonment < 5 %"]).objectives
    assert "deliver_in p99 < 10 ms" in objectives
    assert "deliver_in p99 < 50 ms" not in objectives
    assert "accept p99 < 50 ms {channel=web}" in objectives
    assert "abandonment < 5 %" in objectives


def test_an_objective_that_cannot_be_read_is_bad_input() -> None:
    """It is told before anything starts."""
    with pytest.raises(BadObjective):
        settle(TBANK, slos=["deliver_in is fast"])


@pytest.fixture
def few_files() -> Iterator[int]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised_before_it_is_judged(few_files: int) -> None:
    """A low soft limit is no obstacle if the hard one carries the run."""
    settings = settle(SMOKE)
    check_files(settings.plan())
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == few_files


def test_too_few_files_are_told_with_what_is_needed() -> None:
    """Operators, open dialogs, the limit, and how to raise it."""
    settings = settle(SMOKE, operators=10_000_000)
    with pytest.raises(TooFewFiles, match=r"10000000 operators and about .* open dialogs need"):
        check_files(settings.plan())


def test_most_open_counts_the_overlap() -> None:
    """About 600 of T-Bank's dialogs are open at once."""
    assert 600 < most_open(settle(TBANK).plan()) < 800
