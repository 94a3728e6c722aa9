"""The core dies under load, again and again, and nothing that it acknowledged is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chatreport.rundir import Outcome, What, read_ledger
from tests import unsynced

KILLS = 20
EVERY_S = 2.0
SECOND_NS = 1_000_000_000


def moments(seed: int, kills: int) -> str:
    """Seeded moments of death, in seconds after t0, each with time to recover and to get busy again."""
    random = Random(seed)
    return ",".join(f"{1 + EVERY_S * n + random.uniform(0, EVERY_S / 4):.3f}" for n in range(kills))


def played(out: Path, *options: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """The verdict of a run of the kill scenario."""
    command = [sys.executable, "-m", "tests.end_to_end.launch", str(Path(__file__).with_name("busy.toml")), str(out)]
    ended = subprocess.run(
        [*command, *options],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    verdict = out / "verdict.json"
    assert verdict.exists(), ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads(verdict.read_text())
    return found


def met_by_kills(run: Path) -> list[tuple[int, int]]:
    """For each kill: messages acknowledged since the one before, and messages sent and not answered when it came."""
    ledger = read_ledger(run).to_pandas()
    sends, faults = ledger[ledger.what == What.SEND], ledger[ledger.what == What.FAULT]
    found, before = [], 0
    for struck in sorted(faults[faults.reason == "kill"].started):
        acknowledged = (sends.outcome == Outcome.OK) & sends.done.between(before, struck)
        in_flight = sends.started.between(struck - SECOND_NS, struck) & ~sends.done.between(0, struck)
        found.append((int(acknowledged.sum()), int(in_flight.sum())))
        before = struck
    return found


def broken(verdict: dict[str, Any]) -> dict[str, Any]:
    """The guarantees that did not hold, with their examples."""
    return {name: found for name, found in verdict["guarantees"].items() if found["status"] == "violated"}


@pytest.mark.timeout(360)
@pytest.mark.alone  # on a busy machine a core that comes back may take longer than G9 excuses
def test_twenty_kills_under_load_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """Killed with -9 at twenty seeded moments: every guarantee holds, and messages were in flight when it struck."""
    run = tmp_path / "run"
    verdict = played(run, f"kills={moments(1, KILLS)}", f"duration={EVERY_S * KILLS + 2:g}s", "load=3", "operators=21")
    assert broken(verdict) == {}
    assert verdict["counts"]["messages_lost"] == 0
    struck = [(acknowledged > 0, in_flight > 0) for acknowledged, in_flight in met_by_kills(run)]
    assert struck[:KILLS] == [(True, True)] * KILLS  # one more follows at rest, before the audit


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_power_cuts_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """The same when everything that was written and not flushed is gone with the process."""
    shim = unsynced.build(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    verdict = played(
        tmp_path / "run", f"kills={moments(2, 5)}", "duration=15s", f"power={shim}", environment={"TMPDIR": str(disk)}
    )
    assert broken(verdict) == {}
    assert verdict["counts"]["messages_lost"] == 0
