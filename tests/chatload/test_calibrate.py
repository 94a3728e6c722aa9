"""Calibration turns a scenario's numbers until its published figures come out, and says which they are."""

import re

import pytest
from scripts.calibrate import KNOBS, Knob, Turning, calibrate, value_of

from chatload.scenario import ScenarioFile, load


@pytest.mark.parametrize("name", KNOBS)
def test_what_is_turned_is_there_and_moves_something_published(name: str) -> None:
    """And is not itself what was published."""
    file = load(name)
    for knob in KNOBS[name]:
        assert value_of(file, knob) > 0
        assert knob.figure in file.scenario.published
        line = re.search(rf"^{knob.key.rpartition('.')[2]} = [^#]*# (.*)$", file.text, re.MULTILINE)
        assert line
        assert not line[1].startswith("published")


def after(knob: Knob, value: float, *reached: float) -> float:
    """A knob's value after rounds in which its figure was these shares of what is published."""
    turning = Turning(knob, value)
    for share in reached:
        turning.turn(share)
    return turning.value


def test_a_number_is_turned_towards_its_figure_and_not_too_far() -> None:
    """Up where that raises the figure and too little was measured; left where it is near."""
    up, down = Knob("a.b", "f", 1.0), Knob("a.b", "f", -2.0)
    assert after(up, 10.0, 0.8) == pytest.approx(12.5)
    assert after(down, 10.0, 0.81) == pytest.approx(9.0)
    assert after(up, 10.0, 1.005) == 10.0
    assert after(up, 10.0, 0.01) == pytest.approx(16.0)


def test_a_number_does_not_swing() -> None:
    """Beyond the published figure it goes back by half a step; a whole number stays at the nearest that was tried."""
    assert after(Knob("a.b", "f", 1.0), 10.0, 0.8, 1.21) == pytest.approx(12.5 / 1.1)
    staff = Knob("a.b", "f", -6.0, whole=True)
    assert after(staff, 20.0, 1.4) == 21.0
    assert after(staff, 20.0, 0.7) == 19.0
    assert after(staff, 20.0, 0.7, 1.1, 1.1) == 19.0


def test_the_figures_come_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a made-up platform in which each figure follows its number; the lines are for the scenario's file."""

    def play(file: ScenarioFile, _days: int) -> dict[str, float]:
        scenario = file.scenario
        found = dict(scenario.published)
        found["handling_time_s"] = 90 * scenario.dialog.duration / 60_000
        found["rated_share"] = 80 * scenario.feedback.share if scenario.feedback else 0.0
        return found

    assert calibrate("halyk", 1, 12, play) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "# calibrated: " in line]
    found = dict(line.split(" #")[0].split(" = ") for line in lines)
    assert set(found) == {knob.key for knob in KNOBS["halyk"]}
    assert 90 * float(found["dialog.duration"].strip('"').removesuffix(" min")) == pytest.approx(840, rel=0.011)
    assert 80 * float(found["feedback.share"]) == pytest.approx(26.4, rel=0.011)
