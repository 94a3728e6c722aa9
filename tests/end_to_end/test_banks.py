"""The banks' own scenarios over the wire: a few minutes of each one's peak hour, against the embedded core."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chatload.scenario import load
from tests.chatload.processes import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
OBJECTIVES = re.compile(r"^\[\[objectives]]\n(?:.+\n)+", re.MULTILINE)
HELD = {f"G{number}": "held" for number in range(1, 12)} | {"G12": "unknown"}  # there is always somebody on duty

pytestmark = pytest.mark.slow


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "bank, share, held",
    [
        ("tbank", 0.3, HELD),
        ("alfabank_kz", 0.5, HELD),
        ("halyk", 1.0, HELD | {"G11": "unknown"}),  # no messengers
        ("chat2desk", 0.5, HELD),
        ("cashu", 3.0, HELD),
    ],
)
def test_every_banks_peak_passes(bank: str, share: float, held: dict[str, str], tmp_path: Path) -> None:
    """What it exercises holds, and the books balance; no latency is asked of a machine that has more to do."""
    scenario, out = tmp_path / f"{bank}.toml", tmp_path / "run"
    scenario.write_text("objectives = []\n" + OBJECTIVES.sub("", load(bank).text), "utf-8")
    length = [f"load={share}", "duration=12s", "ramp=4s"]
    launch = [sys.executable, "-m", "tests.end_to_end.launch", str(scenario), str(out), *length]
    ended = subprocess.run(launch, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verdict = json.loads((out / "verdict.json").read_text())
    assert {name: each["status"] for name, each in verdict["guarantees"].items()} == held
    assert verdict["generator"]["conservation"]["balanced"]
