"""The benchmark's input: a run that repeats a recorded one is judged as that one, with every count multiplied."""

import json
from pathlib import Path

from benchmarks.judge import compare, multiply

from chatreport.__main__ import main
from tests.chatreport.ledgers import verdict_of
from tests.chatreport.worlds import play

COPIES = 3


def test_a_multiplied_run_is_judged_as_the_original_with_its_counts_multiplied(tmp_path: Path) -> None:
    """The same findings, three times the evidence and the samples, the same percentiles."""
    recorded = play(dialogs=240, operators=12, ramp=20).write(tmp_path / "recorded")
    one, many = tmp_path / "one", tmp_path / "many"
    rows = multiply(recorded, one, 1)
    assert multiply(recorded, many, COPIES) == COPIES * rows > 10_000
    codes = [main(["verify", str(run)]) for run in (one, many)]
    assert codes[0] == codes[1]
    assert compare(one, many, COPIES) == []
    first, all_of_it = verdict_of(one), verdict_of(many)
    assert all_of_it["counts"] == {
        name: count if name == "operators" else COPIES * count for name, count in first["counts"].items()
    }
    assert {name: found["n"] for name, found in all_of_it["latency_ms"].items()} == {
        name: COPIES * found["n"] for name, found in first["latency_ms"].items()
    }
    for stat in ("p50", "p90", "p99", "p99_9", "max"):
        assert {name: found[stat] for name, found in all_of_it["latency_ms"].items()} == {
            name: found[stat] for name, found in first["latency_ms"].items()
        }


def test_a_guarantee_that_was_not_checked_on_all_copies_is_named(tmp_path: Path) -> None:
    """A count below the original's times the copies is told, guarantee by guarantee."""
    recorded = play(dialogs=6).write(tmp_path / "recorded")
    one, many = tmp_path / "one", tmp_path / "many"
    for run, copies in ((one, 1), (many, 2)):
        multiply(recorded, run, copies)
        main(["verify", str(run)])
    told = verdict_of(many)
    told["guarantees"]["G4"]["count"] -= 1
    (many / "verdict.json").write_text(json.dumps(told))
    expected = verdict_of(one)["guarantees"]["G4"]["count"]
    assert compare(one, many, 2) == [f"G4 should be held, 2 × {expected:,}"]
