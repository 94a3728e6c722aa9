"""E-mail and calls from end to end: a bank's website with a menu, mail and phone, two workers, the embedded core."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chatload.fleet.stage import Row, of, rows
from tests.chatload.processes import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
CALLED = {"ringing", "abandoned", "connecting", "dialling", "answered", "finished"}
SCENARIO = Path(__file__).parent / "post.toml"

pytestmark = pytest.mark.slow


@pytest.mark.timeout(200)
def test_a_run_with_e_mail_and_calls_passes(tmp_path: Path) -> None:
    """G1 to G11 hold; mails came twice and with files, replies bounced, and each worker has accounts of its own.

    Callers were connected, gave up, called again and were called back, whatever was told twice or late.
    """
    out = tmp_path / "run"
    launch = [sys.executable, "-m", "tests.end_to_end.launch", str(SCENARIO), str(out), "fleet=unlucky", "workers=2"]
    ended = subprocess.run(launch, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verdict = json.loads((out / "verdict.json").read_text())
    found = {name: each["status"] for name, each in verdict["guarantees"].items()}
    assert found == {f"G{number}": "held" for number in range(1, 12)} | {"G12": "unknown"}
    ledger = rows(out)
    talked_to([row for row in ledger if row["channel"] == "PHONE"])
    mails = [row for row in ledger if row["channel"] == "EMAIL"]
    said = [row for row in of(mails, "SEND", outcome="OK") if row["sender"].startswith("c")]
    assert {row["attempt"] for row in said} == {1, 2}
    assert verdict["counts"]["messages_repeated"] > 0
    assert boxes(said) == boxes(of(mails, "ATTEMPT", outcome="OK")) == {"mail-0", "mail-1"}
    told = told_of_bounces(mails)
    assert told
    assert told <= bounced(mails)  # whose dialog is over is shown nothing more
    assert all(row["intended"] <= row["started"] < row["done"] for row in said)
    assert {row["channel"] for row in of(rows(out), "RATING", outcome="OK")} == {"WEB", "EMAIL"}
    assert {row["rule"] for row in rows(out)} >= {"menu:", "menu:Rates"}


def talked_to(calls: list[Row]) -> None:
    """What must have happened to the callers of a run in which many gave up."""
    assert boxes(calls) == {"ph-0", "ph-1"}
    assert {row["attempt"] for row in of(calls, "CALL", outcome="OK")} >= {1, 2}
    ends = [row["outcome"] for row in of(calls, "DIALOG")]
    assert ends.count("COMPLETED") > len(ends) / 2
    stored = of(calls, "AUDIT", kind="CALL")
    assert {row["reason"] for row in stored} >= {
        "ringing",
        "abandoned",
        "connecting",
        "dialling",
        "answered",
        "finished",
    }
    callers = [row["contact"] for row in of(stored, "AUDIT", reason="ringing")]
    assert len(callers) > len(set(callers)), "somebody called again"


def boxes(mails: list[Row]) -> set[str]:
    """The bank's accounts that these rows are about."""
    return {row["contact"].partition("/")[0] for row in mails}


def bounced(mails: list[Row]) -> set[int]:
    """The replies that the customers' server sent back."""
    return {row["provider_id"] for row in of(mails, "CALLBACK", reason="failed", outcome="OK")}


def told_of_bounces(mails: list[Row]) -> set[int]:
    """The replies that an operator was shown as sent, then as failed."""
    sent = {place_of(row): row["provider_id"] for row in of(mails, "RECEIPT", reason="sent")}
    return {sent[place_of(row)] for row in of(mails, "RECEIPT", reason="failed") if place_of(row) in sent}


def place_of(row: Row) -> tuple[str, int, int]:
    """Where in which dialog of whom."""
    return row["contact"], row["number"], row["seq"]
