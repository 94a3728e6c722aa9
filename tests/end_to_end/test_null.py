"""A run against nothing shows what the generator adds and how much it sends, and claims nothing about a platform."""

import json
from pathlib import Path

import pytest

from chatreport.verify import GUARANTEES
from tests.chatload.processes import chatload


@pytest.mark.slow
def test_a_null_run_prints_the_generators_floor_and_ceiling(tmp_path: Path) -> None:
    """Exit code 0 for a generator that kept its word; no guarantee is judged, no objective asked for."""
    run = tmp_path / "run"
    ended = chatload("run", "smoke", "--target", "null", "--out", str(run), cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verdict = json.loads((run / "verdict.json").read_text())
    assert {name: found["why"] for name, found in verdict["guarantees"].items()} == {
        guarantee.id: "not observable" for guarantee in GUARANTEES
    }
    assert (verdict["verdict"], verdict["objectives"], verdict["finished"]) == ("pass", [], "whole")
    assert verdict["reasons"][0].startswith("the generator kept its word; nothing is claimed about a platform")
    books = verdict["generator"]["conservation"]
    assert (books["balanced"], books["failed"], verdict["generator"]["unsent"]) == (True, 0, 0)
    assert {"accept", "deliver_in", "deliver_out", "assign", "bot", "connect", "resume", "receipt", "history"} == set(
        verdict["latency_ms"]
    )
    ceiling = verdict["generator"]["ceiling"]
    assert ceiling["estimate_messages_per_s"] == round(ceiling["messages_per_s"] / ceiling["cpu_share"], 1)
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("GENERATOR  Smoke")
    assert [line.split()[0] for line in lines[2:6:3]] == ["ceiling", "floor"]
    assert "guarantees" not in ended.stdout
    assert (run / "summary.md").read_text().startswith("## GENERATOR: ")
    page = (run / "report.html").read_text()
    assert "It held." not in page
    assert "No platform was tested." in page
