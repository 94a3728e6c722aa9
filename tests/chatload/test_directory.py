"""What the manifest promises before a run."""

from pathlib import Path

import pytest

from chatload.plan import Plan, make_plan
from chatload.run.directory import at_night, curve
from chatload.run.settings import most_open, settle
from chatload.scenario import load, parse

SMOKE = load("smoke")


def plan_of(opens: str, contained: str = "0.3", a_day: str = "2_400") -> Plan:
    """The smoke scenario's plan from midnight on, with so many dialogs, of which the bot keeps some, and an opening."""
    shift = f'{{from = "{opens}", to = "24:00", share = 1, overtime = "0 s"}}'
    text = SMOKE.text.replace("slots = 3 ", f"shifts = [{shift}]\nslots = 3 ")
    text = (
        text.replace("2_400", a_day)
        .replace("bot = false", "bot = true")
        .replace("contained = 0.3", f"contained = {contained}")
    )
    return make_plan(parse(text, Path("mine.toml")), 1, "peak", 1, 60, 10, 2, 12)


@pytest.mark.parametrize(
    "opens, contained, a_day, scheduled",
    [
        ("00:04", "0.3", "2_400", True),
        ("00:00", "0.3", "2_400", False),
        ("00:04", "1.0", "2_400", False),
        ("00:01", "0.3", "1", False),
    ],
    ids=["closed at first", "always staffed", "nobody needs an operator", "nobody comes before"],
)
def test_a_night_is_scheduled_when_somebody_needs_an_operator_in_it(
    opens: str, contained: str, a_day: str, scheduled: bool
) -> None:
    """G12 is exercised only if there are messages for operators who have not come yet."""
    assert at_night(plan_of(opens, contained, a_day)) is scheduled


def test_who_waits_for_the_floor_to_open_is_open_meanwhile() -> None:
    """More dialogs are open at once than with operators throughout: open files are reckoned with them."""
    assert most_open(plan_of("00:06")) > 1.3 * most_open(plan_of("00:00"))
    assert most_open(plan_of("23:00")) <= len(plan_of("00:00").dialogs)


@pytest.mark.parametrize(
    "name, part, load_factor, step_s, steps",
    [("smoke", "peak", 2.5, 60, 10), ("tbank", "peak", 1.0, 300, 12), ("tbank", "day", 1.0, 1800, 48)],
)
def test_the_planned_curve_adds_up_to_the_expected_starts(
    name: str, part: str, load_factor: float, step_s: int, steps: int
) -> None:
    """Half hours of a day, less of a short run; the plan's own starts are as many, but for chance."""
    settings = settle(load(name), part=part, load=load_factor)
    found = curve(settings)
    assert (found["step_s"], len(found["starts"])) == (step_s, steps)
    expected = sum(found["starts"])
    assert abs(len(settings.plan().main) - expected) < 4 * expected**0.5


def test_the_planned_curve_of_a_surge_rises_with_it() -> None:
    """From a minute on three times as many starts are expected: forty a minute first, and a hundred and twenty then."""
    surge = 'surge = {after = "1 min", load = 3, operators = 12, over = "1 min"}\n[volume]'
    file = SMOKE._replace(scenario=parse(SMOKE.text.replace("[volume]", surge), Path("mine.toml")))
    found = curve(settle(file, part="surge", load=4))
    assert found == {"step_s": 60, "starts": [40.0] + [120.0] * 9}
