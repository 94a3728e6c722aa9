"""Customers show who they are by a mailed code, over every kind of channel, with the reference core as a process."""

import sys
from pathlib import Path
from typing import Any

import pytest

from chatload.plan import Dialog, Turn
from chatload.plan.model import Proof
from chatload.plan.proofs import ACCOUNT, GUESSED, KNOWN, MISTYPED
from chatload.scenario import Scenario
from chatload.scenario.service import Authentication
from chatload.targets.embedded import Embedded
from tests.chatload.fleet.stage import Row, columns, dialog, of
from tests.chatload.fleet.test_service import Service, scenario

CHANNELS = ("web", "telegram", "vk", "whatsapp")
ASKED = Authentication(share=1, mistyped=0.2, guessed=0.1, reads="5 s", keywords=("what do I own",))


def asking() -> Scenario:
    """A keyword bot on every channel, and customers who ask it for what only they may know."""
    found = scenario()
    with_bot: dict[str, Any] = {
        name: channel.model_copy(update={"bot": True}) for name, channel in found.channels.played().items()
    }
    bot = found.bot.model_copy(update={"service": None})
    channels = found.channels.model_copy(update=with_bot)
    return found.model_copy(update={"channels": channels, "bot": bot, "feedback": None, "authentication": ASKED})


def applicant(index: int, channel: str, steps: tuple[str, ...] = KNOWN) -> Dialog:
    """Somebody who carries out these steps."""
    proof = Proof(steps, ACCOUNT.format(index), None if steps is GUESSED else 1000.0)  # type: ignore[arg-type]  # the literals of a step
    turns = tuple(Turn(1000.0, 20, "bot") for _ in steps)
    return dialog(index, *["bot"] * len(steps), channel=channel, turns=turns, proof=proof)


PLANNED = [applicant(index, channel) for index, channel in enumerate(CHANNELS, 1)] + [
    applicant(index, channel, steps)
    for index, (channel, steps) in enumerate(
        [("web", MISTYPED), ("telegram", MISTYPED), ("web", GUESSED), ("whatsapp", GUESSED)], len(CHANNELS) + 1
    )
]
GUESSERS = ("c7", "c8")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Service]:
    """The ledger of all of them, and what there is besides."""
    service = Service(tmp_path_factory.mktemp("authentication"), asking(), PLANNED)
    return service.play(), service


def test_who_types_the_mailed_code_is_told(played: tuple[list[Row], Service]) -> None:
    """Asked, named, mailed, typed, told: on sockets and messengers, also after a code that was wrong at first."""
    ledger = played[0]
    for planned, row in ((PLANNED[row["plan"] - 1], row) for row in of(ledger, "DIALOG")):
        typed = of(ledger, "CODE", contact=row["contact"])
        steps = [each["reason"] for each in typed]
        told = [each["done"] for each in of(ledger, "ENTRY", who=row["who"], sender=f"b{planned.index}")]
        assert row["outcome"] == "COMPLETED", row
        assert ("mistyped" in steps) == (planned.proof is not None and "wrong" in planned.proof.steps)
        if row["who"] in GUESSERS:
            assert (set(steps), told) == ({"mistyped"}, [])
        else:
            assert (steps[-1], "mailed" in steps) == ("typed", True)
            assert min(told) > typed[-1]["started"]
    assert {row["reason"] for row in of(ledger, "BANK")} == {"account", "balance"}


def test_codes_are_found_again_under_their_mask(played: tuple[list[Row], Service]) -> None:
    """Nothing is lost, made up or leaked: what was stored as dots is the code that its customer sent."""
    found = played[1].judged()
    assert {found[name].status for name in ("G1", "G2", "G3", "G4", "G5", "G7", "G10", "G11")} == {"held"}, found


def test_a_core_that_takes_any_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who guesses and is bound is told somebody else's balance: that violates G5, and nothing else."""
    monkeypatch.setattr(Embedded, "command", (sys.executable, "-m", "tests.end_to_end.mutants", "G5-code"))
    service = Service(tmp_path, asking(), PLANNED[-2:])
    ledger = service.play()
    assert sorted(columns(of(ledger, "BANK", reason="balance"), "sender")) == [("b7",), ("b8",)]
    assert {name for name, each in service.judged().items() if each.status == "violated"} == {"G5"}
