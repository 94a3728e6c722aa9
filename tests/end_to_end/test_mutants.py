"""Every checker has a core on which exactly it fails: a wrong core is found, and for the right reason."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.mutants import MUTANTS

PLAYED_ELSEWHERE = {"G5-code", "G5-consent"}  # beside the fleet's own tests of codes and notices
SCENARIOS = {"G8-weight": "teams.toml", "G9-skill": "teams.toml", "G12": "night.toml"}  # the others play busy.toml


def verdict_of(mutant: str, out: Path) -> dict[str, Any]:
    """The verdict on a run against the mutant."""
    scenario = Path(__file__).with_name(SCENARIOS.get(mutant, "busy.toml"))
    command = [sys.executable, "-m", "tests.end_to_end.launch", str(scenario), str(out), f"mutant={mutant}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (out / "verdict.json").exists(), ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.timeout(250)
@pytest.mark.parametrize("mutant", sorted(set(MUTANTS) - PLAYED_ELSEWHERE))
def test_a_mutated_core_fails_exactly_its_guarantee(mutant: str, tmp_path: Path) -> None:
    """The broken promise is violated, no other is, and the verdict is `fail`."""
    verdict = verdict_of(mutant, tmp_path / "run")
    violated = {name for name, found in verdict["guarantees"].items() if found["status"] == "violated"}
    assert violated == {mutant.partition("-")[0]}
    assert verdict["verdict"] == "fail"
