"""The shifts of the shipped scenarios follow the curve of the day, by what Erlang formulas make of each half hour."""

import pytest
from scripts.shifts import STEP_MS, Staffed, followed, of_the_day, staffed

from chatload.scenario import load, shipped
from chatload.scenario.shifts import HOUR_MS, Shift
from chatreport.erlang import ErlangA

WORTH = 0.02  # of the day's contacts in an hour; of the night's few nobody can be had for each
BANKS = [name for name in sorted(shipped()) if load(name).scenario.operators.shifts]


def wait_s(queue: ErlangA) -> float:
    """The figure that is compared."""
    return queue.mean_wait_s


@pytest.mark.parametrize("name", BANKS)
def test_operators_are_there_when_customers_come(name: str) -> None:
    """In each hour worth it there are places enough for those who come, and in every group somebody, but for breaks."""
    scenario = load(name).scenario
    curve = scenario.volume.intraday
    found = [each for each in staffed(scenario) if curve[each.step // 2] >= WORTH * sum(curve)]
    assert found
    for step in {each.step for each in found}:
        there = [each for each in found if each.step == step]
        assert sum(each.offered for each in there) < 1.15 * sum(each.on_duty for each in there), step
        assert all(each.on_duty > 0.6 for each in there), step


@pytest.mark.parametrize("name", BANKS)
def test_the_peak_hour_waits_no_longer_than_the_day(name: str) -> None:
    """By Erlang A a quarter longer at most."""
    scenario = load(name).scenario
    peak = scenario.volume.peak_hour
    found = list(staffed(scenario))
    at_peak = [each for each in found if each.step // 2 == peak]
    assert of_the_day(at_peak, wait_s) < 1.25 * of_the_day(found, wait_s) + 1


def test_shares_follow_what_is_wanted() -> None:
    """Two shifts that together have exactly what is wanted get it; a break's half hour is averaged."""
    shifts = [Shift.model_validate({"from": a, "to": b, "share": 1, "overtime": "0 s"}) for a, b in HOURS]
    wanted = [3.0 + 4.0 * (8 <= step * STEP_MS / HOUR_MS < 20) for step in range(48)]
    assert followed(wanted, shifts) == pytest.approx([3.0, 4.0])
    [group] = {each.group for each in staffed(load("tbank").scenario)}
    half = Staffed(group, 20, 0.1, {10: 0.5, 12: 0.5})
    assert half.on_duty == 11
    assert half.mean(wait_s) == pytest.approx((wait_s(group.queue(0.1, 10)) + wait_s(group.queue(0.1, 12))) / 2)


HOURS = [("00:00", "24:00"), ("08:00", "20:00")]
