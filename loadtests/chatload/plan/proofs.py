"""Dialogs whose customers show who they are: to the bot, by a code that is mailed to them."""

from typing import Final

from msgspec.structs import replace

from chatload.draws import Draws, Purpose
from chatload.plan.model import Dialog, Proof, ProofStep, Turn
from chatload.scenario import Scenario, Shape
from chatload.scenario.service import Authentication
from chatload.scenario.shape import MS_PER_MIN, proving_share

KNOWN: Final[tuple[ProofStep, ...]] = ("ask", "account", "code", "ask")
MISTYPED: Final[tuple[ProofStep, ...]] = ("ask", "account", "wrong", "code", "ask")
GUESSED: Final[tuple[ProofStep, ...]] = ("ask", "account", "wrong", "wrong", "ask")
CODE: Final = 6
ACCOUNT: Final = "4081781000000{:011}"
MAIL_CV: Final = 0.6
_LENGTHS: Final = {"ask": 40, "account": len(ACCOUNT.format(0)), "code": CODE, "wrong": CODE}


def proven(dialog: Dialog, scenario: Scenario, shape: Shape, draws: Draws) -> Dialog:
    """The dialog, which the bot keeps, with these steps for its turns if its customer shows who they are."""
    asked = scenario.authentication
    share = proving_share(scenario, dialog.channel)
    if asked is None or not draws.happens(share, Purpose.PROVES, dialog.index):
        return dialog
    steps = _steps(asked, draws.uniform(Purpose.PROOF, dialog.index))
    sees_mail = steps is not GUESSED
    mail_ms = draws.lognormal(asked.reads, MAIL_CV, Purpose.MAIL_TIME, dialog.index) if sees_mail else None
    per_min = scenario.channels.written()[dialog.channel].types_per_min
    turns = []
    for at, step in enumerate(steps):
        think_ms = _LENGTHS[step] / per_min * MS_PER_MIN
        if at:
            cv = scenario.dialog.thinking_cv
            think_ms += draws.lognormal(shape.thinking_ms, cv, Purpose.PROOF_THINKING, dialog.index, at)
        turns.append(Turn(think_ms, _LENGTHS[step], "bot"))
    return replace(dialog, turns=tuple(turns), proof=Proof(steps, ACCOUNT.format(dialog.index), mail_ms), walks=False)


def _steps(asked: Authentication, point: float) -> tuple[ProofStep, ...]:
    if point < asked.mistyped:
        return MISTYPED
    return GUESSED if point < asked.mistyped + asked.guessed else KNOWN
