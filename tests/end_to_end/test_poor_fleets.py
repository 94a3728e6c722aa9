"""A generator that does not keep up is found out by its own record, and the user is told what to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatreport.validity import GENERATE_MORE


def played(out: Path, weakness: str) -> tuple[int, dict[str, Any]]:
    """Exit code and verdict of the smoke scenario, played by a fleet with this weakness."""
    command = [sys.executable, "-m", "tests.end_to_end.launch", "smoke", str(out), f"fleet={weakness}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert (out / "verdict.json").exists(), ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return ended.returncode, found


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_fleet_without_a_cpu_for_a_while_blames_itself(tmp_path: Path) -> None:
    """Stopped in the middle, it sends late: the missed latency is inconclusive, with the reason, stalls and remedy."""
    code, verdict = played(tmp_path / "run", "starved")
    assert (code, verdict["verdict"]) == (3, "inconclusive"), verdict["reasons"]
    (missed,) = verdict["objectives"]
    assert (missed["objective"], missed["status"]) == ("deliver_in p99 < 500 ms", "missed")
    assert verdict["reasons"][0].startswith("deliver_in p99 < 500 ms is missed: ")
    assert f"over 50.00 ms, so the miss may be its own; {GENERATE_MORE}" in verdict["reasons"][0]
    assert verdict["generator"]["stalled_s"] > 1
    assert any(
        warning.startswith("the generator stalled for ") and GENERATE_MORE in warning for warning in verdict["warnings"]
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_fleet_that_leaves_due_work_undone_makes_the_run_invalid(tmp_path: Path) -> None:
    """It claims nothing, not even the guarantees that held, and says that it needs more workers or less load."""
    code, verdict = played(tmp_path / "run", "overworked")
    assert (code, verdict["verdict"]) == (3, "invalid"), verdict["reasons"]
    unsent = verdict["generator"]["unsent"]
    assert unsent > 0
    assert f"{unsent:,} due steps were never sent; {GENERATE_MORE}" in verdict["reasons"]
    assert verdict["generator"]["offered_share"] < 0.99
    assert any(
        f"of the offered load was started, of which 99 % are needed; {GENERATE_MORE}" in reason
        for reason in verdict["reasons"]
    )
    books = verdict["generator"]["conservation"]
    assert 0 < books["never_started"] <= unsent
    assert books["balanced"]
