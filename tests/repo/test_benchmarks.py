"""The table of benchmarks: every script is in it, and a miss shows."""

import json
import re
import statistics
import subprocess
import sys
from typing import Any

import pytest
from benchmarks.__main__ import AGAINST, ON_DEMAND, markdown, met
from benchmarks.endurance import Sample, growth_a_dialog

from tests.repo.sources import ROOT

RATIO = {"line": "core, in", "ratio": 0.512, "low": 0.48, "high": 0.55, "at_least": 0.35, "aim": 0.7, "details": {}}
VALUE = {
    "line": "the day", "value": 201.5, "unit": "s", "at_least": 180, "aim": 60,
    "details": {"messages_per_s": 2_500.25, "channels": ["web", "app"], "core": {"files": [12, 12]}},
}  # fmt: skip


def test_every_script_with_a_result_is_in_the_table() -> None:
    """What has a `main(argv)` in benchmarks/ has a row, and what it is measured against."""
    scripts = {
        path.stem
        for path in (ROOT / "benchmarks").glob("[!_]*.py")
        if re.search(r"^def main\(argv", path.read_text(), re.MULTILINE)
    }
    assert scripts - set(AGAINST | ON_DEMAND) == set()
    assert scripts


def test_a_row_shows_bounds_spread_and_conditions() -> None:
    """A ratio must reach its bound from below, a value from above; a miss is bold."""
    rows = markdown([("an echo", RATIO), ("wall time", VALUE)]).splitlines()[2:4]
    assert rows == [
        "| core, in | an echo | 0.35 | 0.7 | 0.512 (0.48–0.55) |  |",
        "| the day | wall time | ≤ 180 s | ≤ 60 s | **201.5 s**"
        " | messages per s 2,500, channels web; app, core (files 12; 12) |",
    ]


@pytest.mark.parametrize(
    "result, holds",
    [
        (RATIO, True),
        (RATIO | {"ratio": 0.34}, False),
        (VALUE, False),
        (VALUE | {"value": 180}, True),
        (VALUE | {"value": None}, False),
        ({"line": "context", "ratio": 0.5}, True),
    ],
)
def test_a_bound_is_met_or_missed(result: dict[str, Any], holds: bool) -> None:
    """A benchmark without a figure missed; one without a bound only has to have a figure."""
    assert met(result) == holds


def test_lasting_growth_is_told_a_dialog() -> None:
    """By the run's second half: what grew in the first, while allocators and buffers fill, does not count."""
    seen = [
        Sample(t_s * 10**9, 100 + max(0, t_s - 300) / 100 + min(t_s, 300) / 10, 0.0, 10) for t_s in range(0, 601, 10)
    ]
    gauges = {"t_ns": [0, 600 * 10**9], "started": [100, 1_300], "open": [100, 100]}
    bytes_a_dialog, percent_an_hour = growth_a_dialog(seen, {"t0_ns": 0, "end_ns": 600 * 10**9}, gauges)
    assert bytes_a_dialog == pytest.approx(2**20 / 100 / 2)
    first_mb = statistics.mean(sample.rss_mb for sample in seen[:6])
    assert percent_an_hour == pytest.approx(100 * 0.9 * 36 / first_mb)


def test_replies_are_counted_with_their_two_receipts() -> None:
    """The way out is played whole, against a core and an echo of their own, and its last line is the result."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.core_out", "1", "600"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    result = json.loads(ended.stdout.splitlines()[-1])
    assert (result["at_least"], result["details"]["rounds"]) == (0.1, 1)
    assert 0 < result["low"] == result["ratio"] == result["high"]


def test_a_wrong_name_is_one_line() -> None:
    """With exit code 2 and the names that there are."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "corein"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(r"error: no benchmark corein; there are: .*\bday\b.*\n", ended.stderr)
