"""A core that greets, asks to wait, takes its leave and asks for a rating keeps every guarantee over the real wire."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

EVENTS = ("greeting", "waiting", "closing", "feedback")


@pytest.mark.slow
@pytest.mark.timeout(250)
def test_automatic_texts_break_no_guarantee(tmp_path: Path) -> None:
    """Each event's text stands in the final history, and no checker finds fault with it."""
    answers, out = tmp_path / "answers.json", tmp_path / "run"
    replies = [{"event": event, "text": f"This is the {event}."} for event in EVENTS]
    answers.write_text(json.dumps({"replies": replies, "feedback": {"scale": 5}}))
    command = [sys.executable, "-m", "tests.end_to_end.launch", "smoke", str(out), f"answers={answers}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (out / "verdict.json").exists(), ended.stdout + ended.stderr
    found = json.loads((out / "verdict.json").read_text())["guarantees"]
    assert {name for name, guarantee in found.items() if guarantee["status"] == "violated"} == set()
    assert {f"auto:{event}" for event in EVENTS} <= rules(out)


def rules(out: Path) -> set[str]:
    """All rules that the ledger names."""
    tables = [pq.read_table(part) for part in sorted((out / "ledger").glob("*.parquet"))]
    return {str(rule) for table in tables if "rule" in table.column_names for rule in table["rule"].to_pylist()}
