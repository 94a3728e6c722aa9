"""A queue whose answer is known, over the real wire, the real core, the real record and judge."""

import json
from pathlib import Path
from statistics import pstdev

import msgspec
import pytest

from chatload.errors import RunDirectoryTaken
from chatload.validate.play import Play, validate
from chatload.validate.queue import queue_of, warm_up_s
from chatreport.theory.observed import Replication, theory
from chatreport.theory.recorded import replication_of
from tests.chatreport.queues import QUEUE, replications

SPAN_S = 12 * QUEUE.service_s
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
    assert found.contacts > 400
    assert far_off(found) == {}
    assert (told["verdict"], told["kinds"]["wire"]["replications"][0]["contacts"]) == ("undecidable", found.contacts)
    assert "<svg" in (out / "report.html").read_text()
    assert "1 replications are too few" in capsys.readouterr().out


def test_under_a_virtual_clock_the_queue_agrees_with_theory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The core's machines, the fleet's scripts, the record and the judge: play by play, and together, exit code 0."""
    plays = [Play(1.0, seed, span_s=SPAN_S, speed=1.0) for seed in range(1, 4)]
    assert validate(plays, [], tmp_path) == 0
    told = json.loads((tmp_path / "validate.json").read_text())
    found = msgspec.convert(told["kinds"]["simulated"]["replications"], list[Replication])
    assert (told["verdict"], list(told["kinds"])) == ("agree", ["simulated"])
    assert [(each.faults, each.doubts, each.dispatch_s, far_off(each)) for each in found] == [([], [], 0.0, {})] * 3
    assert "AGREE" in capsys.readouterr().out
    assert (tmp_path / "plots" / "theory.png").stat().st_size > 10_000


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """Before anything is played."""
    (tmp_path / "kept").write_text("something")
    with pytest.raises(RunDirectoryTaken):
        validate([], [], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def far_off(found: Replication) -> dict[str, float]:
    """The figures that are further from theory than any play of this length should be."""
    plain = [off_by(each) for each in replications(60, loads=(1.0,), span_s=SPAN_S)]
    return {
        name: value
        for name, value in off_by(found).items()
        if abs(value) > UNLIKELY * pstdev(each[name] for each in plain)
    }


def off_by(each: Replication) -> dict[str, float]:
    """Measured minus theory; a busy machine's slow dispatch is theory's, too."""
    expected = theory(each.queue, each.arrivals_per_s, each.service_s, each.dispatch_s)
    return {name: getattr(each.figures, name) - getattr(expected, name) for name in FIGURES}
