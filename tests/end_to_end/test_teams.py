"""Whole runs with operators who differ in skills and departments, and with customers who do more than write texts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chatreport.rundir import Channel, Kind, Outcome, What, read_ledger


@pytest.mark.slow
@pytest.mark.timeout(250)
def test_an_honest_core_keeps_its_promises_to_every_kind_of_dialog(tmp_path: Path) -> None:
    """Nothing is violated, and all that the scenario asks for was played, from weights to ratings."""
    out = tmp_path / "run"
    scenario = Path(__file__).with_name("teams.toml")
    command = [sys.executable, "-m", "tests.end_to_end.launch", str(scenario), str(out)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (out / "verdict.json").exists(), ended.stdout + ended.stderr
    found = json.loads((out / "verdict.json").read_text())["guarantees"]
    assert {name for name, each in found.items() if each["status"] == "violated"} == set()
    rows = read_ledger(out).to_pylist()
    offers = {(row["reason"], row["rule"], row["size"]) for row in rows if row["what"] == What.OFFER}
    assert offers >= {("general", "", 0), ("general", "", 1), ("general", "cards", 1), ("loans", "", 1)}
    seats = {(row["sender"], row["rule"], row["author"]) for row in rows if row["what"] == What.PRESENCE}
    assert seats == {("general", "", ""), ("general,loans", "cards", "kk")}
    kinds = {Kind(row["kind"]).name for row in rows if row["what"] == What.AUDIT}
    shown = {Kind(row["kind"]).name for row in rows if row["what"] == What.ENTRY and row["who"].startswith("o")}
    assert kinds & shown >= {"TRANSFERRED", "HELD", "RESUMED", "EDITED"}
    rated = {row["channel"] for row in rows if row["what"] == What.RATING and row["outcome"] == Outcome.OK}
    assert rated == {Channel.WEB, Channel.APP, Channel.TELEGRAM}
    fetched = [row["outcome"] for row in rows if row["what"] == What.FETCH]
    assert fetched
    assert set(fetched) == {Outcome.OK}
    said = [row for row in rows if row["what"] == What.AUDIT and row["kind"] == Kind.MESSAGE]
    assert {row["channel"] for row in said if row["number"] > 1} >= {Channel.WEB, Channel.TELEGRAM}  # who came back
    theirs = {(row["contact"], row["number"], row["seq"]) for row in said if row["author"] == "customer"}
    assert any((contact, number, seq + 1) in theirs for contact, number, seq in theirs)  # written at once
    enclosed = [row for row in said if row["author"] == "customer" and not row["size"]]
    assert {row["channel"] for row in enclosed} == {Channel.WEB, Channel.APP}
    asked = {row["reason"] for row in rows if row["what"] == What.ASKED}
    assert asked >= {"answer", "suggestion", "handover"}
    by_itself = {row["rule"] for row in said if row["author"] == "system"}
    assert by_itself >= {"auto:greeting", "auto:waiting", "auto:closing", "auto:feedback"}
