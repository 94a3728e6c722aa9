"""Mailed codes, notices and who is left out, under a virtual clock."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chatcore.config import Account as CoreAccount
from chatload.accounts import ACCOUNTS, MESSENGERS
from chatload.simulate.bank import _account
from chatload.simulate.run import LEAVES_OUT, simulate
from chatreport.judge import Run
from chatreport.verify import GUARANTEES, check_all
from chatreport.verify.finding import Finding
from tests.chatload.fleet.stage import Row, columns, of, rows
from tests.chatload.simulate.test_simulation import HELD, settings

TEXTS = {"due": "Your payment is due in three days", "news": "Our rates have changed"}


class Played(NamedTuple):
    run: Run
    ledger: list[Row]
    findings: dict[str, Finding]
    counts: dict[str, int]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Half an hour of a centre that has all of them."""
    out = tmp_path_factory.mktemp("services") / "run"
    run = Run(simulate(settings(out, scenario="chat2desk", duration="30 min")))
    run.manifest["target"]["observes"] = [guarantee.id for guarantee in GUARANTEES]
    return Played(run, rows(out), *check_all(run.evidence, run.floor))


def test_the_promises_hold_over_codes_and_notices(played: Played) -> None:
    """By the judge's checkers, who find masked codes again, and the bill in the receipts."""
    found = {name: finding.status for name, finding in played.findings.items()}
    assert found == dict.fromkeys(HELD, "held") | {"G12": "unknown"}
    assert (played.counts["messages_lost"], played.counts["messages_phantom"]) == (0, 0)


def test_who_types_the_mailed_code_is_told_and_who_guesses_is_not(played: Played) -> None:
    """Each customer's steps are those of the wire: mailed, typed, told; whoever sees no mail types what is wrong."""
    steps: dict[str, list[str]] = {}
    for row in of(played.ledger, "CODE"):
        steps.setdefault(row["who"], []).append(row["reason"])
    told = {row["who"]: row["sender"] for row in of(played.ledger, "ENTRY") if (row["sender"] or "").startswith("b")}
    done = {row["who"] for row in of(played.ledger, "DIALOG", outcome="COMPLETED")}
    whole = {who: found for who, found in steps.items() if who in done}
    guessed = {who for who, found in whole.items() if "mailed" not in found}
    assert {tuple(found) for who, found in whole.items() if who not in guessed} == {
        ("mailed", "typed"), ("mailed", "mistyped", "typed"),
    }  # fmt: skip
    assert {who: f"b{who[1:]}" for who in whole.keys() - guessed} == {
        who: name for who, name in told.items() if who in done
    }
    assert guessed
    assert not guessed & told.keys()
    assert not [row for row in of(played.ledger, "DIALOG", outcome="FAILED") if row["reason"] == "not told"]


def test_codes_are_stored_under_a_mask(played: Played) -> None:
    """Of who typed codes, what was stored without an identity is as long as the dots are."""
    typed = {row["contact"] for row in of(played.ledger, "CODE") if row["reason"].endswith("typed")}
    stored = of(played.ledger, "AUDIT", channel="TELEGRAM", kind="MESSAGE", author="customer", sender="")
    assert {(row["size"], row["contact"] in typed) for row in stored} == {(6, True), (1, False)}  # … or a menu's line


def test_notices_reach_who_agreed_and_are_billed_as_delivered(played: Played) -> None:
    """Once each; a broadcast only with consent; the bill is what receipts say was delivered, or read."""
    asked = Counter(columns(of(played.ledger, "NOTICE"), "rule", "outcome", "reason", "size"))
    assert asked.keys() == {("due", "OK", "", 1), ("news", "OK", "", 1), ("news", "REJECTED", "no_consent", 0)}
    agreed, refused = asked["news", "OK", "", 1], asked["news", "REJECTED", "no_consent", 0]
    assert agreed / (agreed + refused) == pytest.approx(0.7, abs=0.1)
    stored = columns(of(played.ledger, "AUDIT", kind="NOTICE"), "contact", "rule")
    assert len(set(stored)) == len(stored) == asked.total() - refused
    reached = {row["contact"] for row in of(played.ledger, "CALLBACK") if row["reason"] in ("delivered", "read")}
    bills = {row["contact"]: row["size"] for row in of(played.ledger, "BILL")}
    assert bills["wa"] == played.counts["notices_delivered"] >= len(reached) > 0
    assert {account: size for account, size in bills.items() if size} == {"wa": bills["wa"]}


def test_strangers_are_left_out_and_the_record_says_so(played: Played, tmp_path: Path) -> None:
    """Nothing of them is recorded, and a note says why; a scenario without any has no note."""
    assert (of(played.ledger, "HOSTILE"), played.run.manifest["notes"]) == ([], [LEAVES_OUT])
    assert Run(simulate(settings(tmp_path / "run", duration="1 min"))).manifest["notes"] == []


@pytest.mark.parametrize("channel", [channel for channel in MESSENGERS if channel not in ("phone", "email")])
def test_accounts_are_as_the_core_has_them(channel: str) -> None:
    """Whether a messenger tells of receipts, and whether it has a window, is the same with and without a wire."""
    told: dict[str, Any] = {"id": ACCOUNTS[channel], "channel": channel, "bot": "none", "department": "general"}
    ours = _account(told | {"skill": "", "language": "", "weight": 1})
    core = CoreAccount(ACCOUNTS[channel], channel)
    assert (ours.receipts, ours.windowed) == (core.receipts, core.windowed)


def test_a_reply_that_its_messenger_loses_is_waited_for_in_vain(tmp_path: Path) -> None:
    """As over the wire: an operator's customer does not come to their end, and the dialog is closed without them."""
    ledger = rows(simulate(settings(tmp_path / "run", scenario="alfabank_kz")))
    failed = set(columns(of(ledger, "CALLBACK", reason="failed"), "contact", "provider_id"))
    sent = [row for row in of(ledger, "ATTEMPT") if row["sender"].startswith("o")]
    lost = {row["contact"] for row in sent if (row["contact"], row["provider_id"]) in failed}
    ends = [row for row in of(ledger, "DIALOG") if row["contact"] in lost]
    closings = [row for row in of(ledger, "AUDIT", kind="CLOSED") if row["contact"] in lost]
    assert len(lost) == len(ends) == len(closings) > 0
    assert {row["outcome"] for row in ends} <= {"ABANDONED", "IN_FLIGHT"}
    assert {row["reason"] for row in closings} <= {"inactive", "operator"}  # who has answered all closes
