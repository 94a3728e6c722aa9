"""Ratings over a socket that breaks, is not answered, or refuses, against the stub platform."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatload.plan.model import Rating
from chatload.scenario import Scenario, load
from chatload.scenario.people import Feedback
from tests.chatload.fleet.stage import Stage, columns, dialog, of, played
from tests.chatload.fleet.stub_core import Contact, Socket, StubCore, _send

ASKS = Feedback(request="1 to 5?", share=1, scores=(1, 1, 1, 1, 1), after="1 s", window="24 h")


def asking() -> Scenario:
    """The smoke scenario, whose platform asks for ratings."""
    return load("smoke").scenario.model_copy(update={"feedback": ASKS})


class Rates:
    """Has a stub ask for ratings before it closes, and meet each with the next of `fates`, then store it."""

    def __init__(self, core: StubCore, *fates: str) -> None:
        self.core = core
        self.fates = list(fates)
        self.kept: list[int] = []
        self._said: Callable[..., Any] = core._customer_said
        self._close: Callable[..., Any] = core.close
        core._customer_said = self.said  # type: ignore[method-assign]  # the stub, in this test alone, takes ratings
        core.close = self.close  # type: ignore[method-assign]  # as above

    async def close(self, contact: Contact, reason: str) -> None:
        cause = {"seq": contact.seq, "rule": "auto:feedback"}
        await self.core._enter(contact, "message", author="system", text=ASKS.request, cause=cause)
        await self._close(contact, reason)

    async def said(self, contact: Contact, socket: Socket, frame: dict[str, Any]) -> None:
        if frame["op"] != "rate":
            await self._said(contact, socket, frame)
            return
        fate = self.fates.pop(0) if self.fates else "kept"
        if fate in ("kept", "kept, not told"):
            self.kept.append(frame["score"])
            contact.state = "rated"
        if "not told" in fate:
            self.core._break(socket)
        elif fate == "kept":
            await _send(socket, {"op": "rated", "dialog": contact.dialog, "score": frame["score"], "scale": 5})
        else:
            await _send(socket, {"op": "refused", "cid": "", "reason": fate})


@pytest.mark.parametrize(
    "fates, kept, outcomes",
    [
        (["kept"], [4], [("OK", 1)]),
        (["not told"], [4], [("INDETERMINATE", 1), ("OK", 2)]),
        (["kept, not told"], [4], [("INDETERMINATE", 1)]),
        (["not_stored"], [4], [("REJECTED", 1), ("OK", 2)]),
        (["not_ratable"], [], [("REJECTED", 1)]),
    ],
)
def test_a_rating_is_given_until_its_fate_is_known(
    tmp_path: Path, fates: list[str], kept: list[int], outcomes: list[tuple[str, int]]
) -> None:
    """A broken socket leaves it open until the next welcome tells; only what was not decided is said again."""
    made: list[Rates] = []

    async def act(stage: Stage) -> None:
        made.append(Rates(stage.core, *fates))
        await stage.seat(1)
        stage.customers.begin()
        await stage.until(lambda: stage.tally.started == 1 and not stage.customers.busy)

    planned = dialog(5, "handover", rating=Rating(4, 1000.0))
    ledger = played(tmp_path, [planned], act, scenario=asking())
    found = of(ledger, "RATING", who="c5")
    assert columns(found, "outcome", "attempt") == outcomes
    assert {row["reason"] for row in of(found, "RATING", outcome="REJECTED")} == set(fates) & {
        "not_stored",
        "not_ratable",
    }
    assert columns(found, "size", "place", "contact") == [(4, 5, "web/u5")] * len(outcomes)
    assert made[0].kept == kept
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == [("COMPLETED", "closed: operator")]


def test_who_is_not_asked_does_not_rate(tmp_path: Path) -> None:
    """A platform that closes without a word gets no rating, and its customer is gone with the dialog."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()
        assert not stage.customers.busy

    ledger = played(tmp_path, [dialog(5, "handover", rating=Rating(4, 1000.0))], act, scenario=asking())
    assert of(ledger, "RATING") == []
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]
