"""The README's commands do what it says, on a shortened run."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Played, play, readme_commands

ENDINGS = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 3}


@pytest.mark.alone
def test_the_first_command_plays_tbank_and_every_guarantee_holds(first_run: Played) -> None:
    """T-Bank's peak hour with 400 operators: nothing lost, doubled, reordered or invented, and all files are there."""
    verdict = json.loads((first_run.rundir / "verdict.json").read_text())
    held = {name: found["status"] for name, found in verdict["guarantees"].items()}
    assert held == {f"G{number}": "held" for number in range(1, 12)} | {"G12": "unknown"}
    assert verdict["counts"]["operators"] == 400
    assert verdict["generator"]["unsent"] == 0
    assert first_run.code == ENDINGS[verdict["verdict"]]
    made = {path.name for path in first_run.rundir.iterdir()}
    fixed = {"manifest.json", "scenario.toml", "ledger", "timeseries.parquet", "verdict.json", "report.html"}
    assert fixed | {"summary.md", "junit.xml", "plots", "latency.hlog", "latency"} <= made


@pytest.mark.alone
def test_the_summary_is_short_and_names_the_report(first_run: Played) -> None:
    """At most 25 lines, with the verdict, the channels that were played, and the report's path."""
    lines = first_run.output.strip().splitlines()
    assert len(lines) <= 25
    assert lines[0].split()[0].lower() == json.loads((first_run.rundir / "verdict.json").read_text())["verdict"]
    assert "6 of 6 published channels" in first_run.output
    assert str(first_run.rundir / "report.html") in first_run.output


@pytest.mark.alone
def test_nothing_is_printed_that_looks_like_a_fault_of_ours(first_run: Played) -> None:
    """No traceback, and an empty log of the core."""
    assert "Traceback" not in first_run.output + first_run.errors
    assert "ERROR" not in (first_run.rundir / "core.log").read_text()


@pytest.mark.parametrize("command", [line for line in readme_commands()[1:] if line.startswith("scripts/chatload")])
def test_every_other_command_of_the_readme_works(command: str, tmp_path: Path) -> None:
    """It ends with a verdict's exit code, not with a mistake's; a tenth of its load is enough to see that."""
    played = play(f"{command} --load 0.1", tmp_path / "run")
    assert played.code in ENDINGS.values(), played.errors
    assert (played.rundir / "report.html").exists()
