"""Breaks and the end of a shift: no new dialogs, those at hand are finished, and nobody is lost by it."""

import math
from pathlib import Path

from chatload.plan import Dialog, Stint, Turn
from tests.chatload.fleet.stage import SPEED, Row, Stage, columns, dialog, of, played

OVER_MS = 600_000_000.0  # ten minutes on the wall: never, unless a test turns the clock forward
BREAK_MS = 60_000_000.0
LONG = ["handover", *["operator"] * 20]
ALWAYS = -math.inf


def turn_clock(stage: Stage, business_ms: float) -> None:
    """As if so much time had passed: t0 is moved back."""
    stage.world.t0_ns -= int(business_ms / SPEED) * 1_000_000
    stage.seats.begin()
    stage.customers.begin()


async def at_work(stage: Stage) -> None:
    """One operator, who has the first dialog."""
    await stage.seat(1)
    turn_clock(stage, 0)
    await stage.until(lambda: stage.tally.busy == 1)


def test_who_has_a_break_finishes_what_is_at_hand_and_gets_nothing_new(tmp_path: Path) -> None:
    """The dialog at hand is answered to its end; who comes meanwhile waits for the end of the break."""

    async def act(stage: Stage) -> None:
        await at_work(stage)
        turn_clock(stage, OVER_MS)
        await stage.until(lambda: stage.core.away == {"o1"})
        await stage.until(lambda: stage.tally.waiting == 1 and stage.tally.busy == 0)
        turn_clock(stage, BREAK_MS)
        assert await stage.play()
        stage.seats.set(1, on=False)
        await stage.until(lambda: stage.seated == [(1, True), (1, False)])

    later = dialog(6, "handover", start_ms=OVER_MS)
    stints = [Stint(ALWAYS, OVER_MS, None), Stint(OVER_MS + BREAK_MS, math.inf, 0)]
    ledger = played(tmp_path, [dialog(5, *LONG), later], act, stints=stints)
    presence = of(ledger, "PRESENCE")
    assert columns(presence, "reason") == [("online",), ("away",), ("online",), ("offline",)]
    assert columns(of(ledger, "DIALOG"), "plan", "outcome", "reason") == [
        (5, "COMPLETED", "closed: operator"),
        (6, "COMPLETED", "closed: operator"),
    ]
    first, second = of(ledger, "CLOSE", who="o1")
    assert presence[1]["done"] < first["done"] < presence[2]["started"] <= presence[2]["done"]
    [offer] = of(ledger, "OFFER", plan=6)
    assert presence[2]["done"] <= offer["done"] < second["done"]


def ended(tmp_path: Path, dialogs: list[Dialog], overtime_ms: float, then: str) -> tuple[list[Row], list[str]]:
    """The ledger of a shift that ends with a dialog at hand, and the states of the contacts once `then` holds."""
    states: list[str] = []

    async def act(stage: Stage) -> None:
        await at_work(stage)
        turn_clock(stage, OVER_MS)
        await stage.until(lambda: stage.core.away == {"o1"})
        if then == "overtime is over":
            turn_clock(stage, overtime_ms)
        await stage.until(lambda: not stage.core.online | stage.core.away and not stage.tally.busy)
        states.extend(contact.state for contact in stage.core.contacts.values())
        assert stage.seated == [(1, True)]

    return played(tmp_path, dialogs, act, stints=[Stint(ALWAYS, OVER_MS, overtime_ms)]), states


def test_a_shift_ends_with_the_last_dialog_at_hand(tmp_path: Path) -> None:
    """Away at the end of the shift, offline once the dialog is closed; the seat stays taken."""
    ledger, states = ended(tmp_path, [dialog(5, *LONG)], OVER_MS, "the dialog is closed")
    presence, [close] = of(ledger, "PRESENCE"), of(ledger, "CLOSE", who="o1")
    assert columns(presence, "reason") == [("online",), ("away",), ("offline",)]
    assert presence[1]["done"] < close["done"] <= presence[2]["started"]
    assert states == ["closed"]


def test_a_dialog_that_outlasts_the_overtime_goes_back_to_the_queue(tmp_path: Path) -> None:
    """The operator goes offline all the same, when the overtime is over, and the platform takes it back."""
    turns = (Turn(1000.0, 20, "handover"), Turn(1e12, 20, "operator"))
    ledger, states = ended(tmp_path, [dialog(5, turns=turns, contained=False)], BREAK_MS, "overtime is over")
    presence = of(ledger, "PRESENCE")
    assert columns(presence, "reason") == [("online",), ("away",), ("offline",)]
    assert not of(ledger, "CLOSE")
    assert states == ["queued"]


def test_who_has_nothing_at_hand_goes_home_at_once(tmp_path: Path) -> None:
    """Without being away first, however long the overtime may be."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        turn_clock(stage, OVER_MS)
        await stage.until(lambda: not stage.core.online)

    ledger = played(tmp_path, [], act, stints=[Stint(ALWAYS, OVER_MS, OVER_MS)])
    assert columns(of(ledger, "PRESENCE"), "reason") == [("online",), ("offline",)]
