"""E-mail from end to end: a small bank's website and mail, by two workers, against the embedded core."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chatload.fleet.stage import Row, of, rows
from tests.chatload.processes import ENVIRONMENT

SCENARIO = Path(__file__).parent / "post.toml"

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.mark.timeout(200)
def test_a_run_with_e_mail_passes(tmp_path: Path) -> None:
    """G1 to G11 hold; mails were repeated and bounced, replies went out, and each worker has a mailbox of its own."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "chatload", "run", str(SCENARIO), "--workers", "2", "--out", str(out)]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verdict = json.loads((out / "verdict.json").read_text())
    found = {name: each["status"] for name, each in verdict["guarantees"].items()}
    assert found == {f"G{number}": "held" for number in range(1, 12)} | {"G12": "unknown"}
    mails = [row for row in rows(out) if row["channel"] == "EMAIL"]
    said = [row for row in of(mails, "SEND", outcome="OK") if row["sender"].startswith("c")]
    assert {row["attempt"] for row in said} == {1, 2}
    assert boxes(said) == boxes(of(mails, "ATTEMPT", outcome="OK")) == {"mail-0", "mail-1"}
    assert bounced(mails) == told_of_bounces(mails) != set()
    assert all(row["intended"] <= row["started"] < row["done"] for row in said)
    assert verdict["counts"]["outbound_failed"] >= 0


def boxes(mails: list[Row]) -> set[str]:
    """The bank's accounts that these rows are about."""
    return {row["contact"].partition("/")[0] for row in mails}


def bounced(mails: list[Row]) -> set[int]:
    """The replies that the customers' server sent back."""
    return {row["provider_id"] for row in of(mails, "CALLBACK", reason="failed", outcome="OK")}


def told_of_bounces(mails: list[Row]) -> set[int]:
    """The replies that an operator was shown as failed."""
    return {row["provider_id"] for row in of(mails, "RECEIPT", reason="failed")}
