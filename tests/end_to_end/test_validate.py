"""A queue whose answer is known, over the real wire, the real core, the real record and judge."""

import json
import signal
from functools import cache
from pathlib import Path
from statistics import pstdev

import msgspec
import pytest

from chatload.errors import RunDirectoryTaken
from chatload.validate.play import Play, validate
from chatload.validate.queue import queue_of, warm_up_s
from chatreport.theory.compare import NAMES, Comparison, compare
from chatreport.theory.observed import Replication, theory
from chatreport.theory.recorded import replication_of
from chatreport.theory.result import Result, write
from tests.chatload.processes import family, running, until
from tests.chatreport.queues import QUEUE, replications

SPAN_S = 6 * QUEUE.service_s
FIGURES = ("waiting", "abandonment", "mean_wait_s", "occupancy")
UNLIKELY = 6  # standard deviations of plays as short as this one, by the plainest way to play them


@pytest.mark.slow
@pytest.mark.alone
def test_a_short_play_on_the_wire_is_near_theory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its books balance, the judge counted what is counted here, and no figure is further off than chance makes it.

    One play decides nothing: it is recorded, drawn and told, with the exit code of what is not decidable.
    """
    play, out = Play(1.0, seed=7, span_s=SPAN_S, speed=180), tmp_path / "validation"
    assert validate([], [play], out) == 3
    told = json.loads((out / "validate.json").read_text())
    queue = queue_of(1.0)
    found = replication_of(out / "wire" / play.name, queue, warm_up_s(queue), wire=True)
    assert queue == QUEUE
    assert (found.faults, found.untaken) == ([], 0)
    assert found.contacts > 200
    assert far_off(found) == {}
    assert (told["verdict"], told["kinds"]["wire"]["replications"][0]["contacts"]) == ("undecidable", found.contacts)
    assert "<svg" in (out / "report.html").read_text()
    assert "1 replications are too few" in capsys.readouterr().out


def test_under_a_virtual_clock_the_queue_agrees_with_theory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The core's machines, the fleet's scripts, the record and the judge: play by play, and together.

    Three short plays do not differ from theory, and are too few to say that they agree: exit code 3.
    """
    plays = [Play(1.0, seed, span_s=2 * SPAN_S, speed=1.0) for seed in range(1, 4)]
    assert validate(plays, [], tmp_path) == 3
    told = json.loads((tmp_path / "validate.json").read_text())
    found = msgspec.convert(told["kinds"]["simulated"], Comparison)
    assert (told["verdict"], list(told["kinds"])) == ("undecidable", ["simulated"])
    assert [(each.faults, each.doubts, each.dispatch_s, far_off(each)) for each in found.replications] == [
        ([], [], 0.0, {})
    ] * 3
    assert {name: each.agrees for name, each in found.differences.items()} == dict.fromkeys(NAMES, True)
    assert all("says nothing" in reason for reason in found.reasons)
    assert "UNDECIDABLE" in capsys.readouterr().out


def test_what_agrees_is_written_and_drawn(tmp_path: Path) -> None:
    """One word, exit code 0, a row a figure, and the points on theory's curves; what was interrupted does not agree."""
    plays = {"simulated": compare(replications()), "wire": compare(replications(wire=True, first=40))}
    lines = write(tmp_path, Result(plays, 18, 18))
    told = json.loads((tmp_path / "validate.json").read_text())
    page = (tmp_path / "report.html").read_text()
    assert (lines[0][:5], told["verdict"], told["exit_code"], told["notes"]) == ("AGREE", "agree", 0, [])
    assert page.count("✓ contains zero") == 12
    assert (tmp_path / "plots" / "theory.png").stat().st_size > 10_000
    cut_off, wrong = Result(plays, 18, 24), Result({"wire": compare(replications(leaked=3))}, 9, 9)
    assert [(each.word, each.exit_code) for each in (cut_off, wrong)] == [("undecidable", 130), ("disagree", 1)]


def test_ends_that_nothing_bounds_are_left_open(tmp_path: Path) -> None:
    """Of three plays at three loads: null in JSON, which knows no infinity, and a dash for people."""
    lines = write(tmp_path, Result({"wire": compare(replications(3))}, 3, 9))
    told = json.loads((tmp_path / "validate.json").read_text(), parse_constant=pytest.fail)
    assert {(each["low"], each["high"]) for each in told["kinds"]["wire"]["differences"].values()} == {(None, None)}
    assert [line for line in lines if "inf" in line] == []
    assert "inf %" not in (tmp_path / "report.html").read_text()


INTERRUPTED = """
import sys
from pathlib import Path
from chatload.cli import main
from chatload.validate import play
play.simulated = lambda quick: [play.Play(1.0, 1, 60.0, 1.0)]
play.on_the_wire = lambda quick: [play.Play(1.0, 1, 2e4, 90.0)]
sys.argv[1:] = ["validate", "--out", sys.argv[1]]
main()
"""


def test_interrupted_on_the_wire_it_keeps_what_was_played(tmp_path: Path) -> None:
    """One line, 130, the plays that ended are compared, and no process and no core's data is left."""
    out = tmp_path / "out"
    with running(["-c", INTERRUPTED, str(out)], tmp_path, TMPDIR=str(tmp_path)) as validation:
        until(lambda: any("chatcore" in process.cmdline() for process in family(validation)), 120)
        validation.send_signal(signal.SIGINT)
        output = validation.communicate(timeout=120)[0].splitlines()
        until(lambda: not family(validation))
    assert (validation.returncode, output[2]) == (130, "interrupted: the plays that ended are compared")
    told = json.loads((out / "validate.json").read_text())
    assert [told[key] for key in ("verdict", "exit_code", "notes")] == [
        "undecidable", 130, ["interrupted after 1 of 2 plays"],
    ]  # fmt: skip
    assert "interrupted after 1 of 2 plays" in output
    assert list(told["kinds"]) == ["simulated"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """Before anything is played."""
    (tmp_path / "kept").write_text("something")
    with pytest.raises(RunDirectoryTaken):
        validate([], [], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def far_off(found: Replication) -> dict[str, float]:
    """The figures that are further from theory than any play of this length should be."""
    plain = plainly_off(found.queue.load)
    return {
        name: value
        for name, value in off_by(found).items()
        if abs(value) > UNLIKELY * pstdev(each[name] for each in plain)
    }


@cache
def plainly_off(load: float) -> list[dict[str, float]]:
    """How far plays of the shortest length are off, played in the plainest way."""
    return [off_by(each) for each in replications(60, loads=(load,), span_s=SPAN_S)]


def off_by(each: Replication) -> dict[str, float]:
    """Measured minus theory; a busy machine's slow dispatch is theory's, too."""
    expected = theory(each.queue, each.arrivals_per_s, each.service_s, each.dispatch_s)
    return {name: getattr(each.figures, name) - getattr(expected, name) for name in FIGURES}
