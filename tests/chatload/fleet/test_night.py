"""A floor that opens later: its operators are away until then, and customers wait for them or lose patience."""

import math
from pathlib import Path

import pytest

from chatload.fleet.clock import now_ns
from chatload.plan import Stint
from tests.chatload.fleet.stage import SPEED, Stage, columns, dialog, of, played

OPENS_MS = 600_000_000.0  # ten minutes on the wall: never, unless a test turns the clock forward


def open_the_floor(stage: Stage) -> None:
    """As if the time had come: t0 is moved back."""
    stage.world.t0_ns -= int(OPENS_MS / SPEED) * 1_000_000
    stage.seats.begin()


def test_operators_are_away_until_the_floor_opens(tmp_path: Path) -> None:
    """Away counts as seated and not as on duty; the change to online is intended for the opening."""
    opened_ns: list[int] = []

    async def act(stage: Stage) -> None:
        await stage.seat(1, 2)
        assert (stage.core.away, stage.core.online, stage.tally.seats) == ({"o1", "o2"}, set(), 0)
        open_the_floor(stage)
        opened_ns.append(stage.world.when(OPENS_MS))
        await stage.until(lambda: stage.tally.seats == 2)
        assert (stage.core.away, stage.core.online) == (set(), {"o1", "o2"})
        assert stage.seated == [(1, True), (2, True)]

    ledger = played(tmp_path, [], act, stints=[Stint(OPENS_MS, math.inf, None)])
    for who in ("o1", "o2"):
        rows = of(ledger, "PRESENCE", who=who)
        assert columns(rows[:2], "reason", "outcome", "size") == [("away", "OK", 3), ("online", "OK", 3)]
        assert rows[1]["intended"] == opened_ns[0] <= rows[1]["started"] <= rows[1]["done"]


def test_who_comes_after_the_opening_is_online_at_once(tmp_path: Path) -> None:
    """A seat that is taken later never was away."""

    async def act(stage: Stage) -> None:
        open_the_floor(stage)
        await stage.seat(1)

    ledger = played(tmp_path, [], act, stints=[Stint(OPENS_MS, math.inf, None)])
    assert columns(of(ledger, "PRESENCE")[:1], "reason") == [("online",)]


@pytest.mark.parametrize("patience_ms", [10_000_000.0, 50_000.0], ids=["patient", "impatient"])
def test_customers_wait_for_the_opening_or_lose_patience(tmp_path: Path, patience_ms: float) -> None:
    """Who still waits when the floor opens is served; who did not want to wait so long is gone."""
    patient = patience_ms > 1_000_000

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.customers.begin()
        await stage.until(lambda: stage.tally.waiting == 1)
        await stage.until(lambda: stage.tally.open == patient)
        open_the_floor(stage)
        assert await stage.play()

    ledger = played(
        tmp_path, [dialog(5, "handover", patience_ms=patience_ms)], act, stints=[Stint(OPENS_MS, math.inf, None)]
    )
    ends = [("COMPLETED", "closed: operator")] if patient else [("ABANDONED", "queue")]
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == ends
    assert len(of(ledger, "OFFER")) == patient


@pytest.mark.parametrize("meanwhile", [False, True], ids=["back before the opening", "back after the opening"])
def test_a_broken_connection_changes_nothing_about_the_hours(tmp_path: Path, meanwhile: bool) -> None:
    """Who was away and comes back is away again, or online if the floor has opened meanwhile; nobody was lost."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.core.down = True
        stage.core.break_all()
        await stage.until(lambda: bool(stage.tally._errors))  # it has dialled in vain
        if meanwhile:
            open_the_floor(stage)
        dials = len(stage.core.hellos)
        stage.core.down = False
        await stage.until(lambda: len(stage.core.hellos) > dials)
        if not meanwhile:
            await stage.until(lambda: "o1" in stage.core.away and stage.recorder.rows >= 5)
            open_the_floor(stage)
        await stage.until(lambda: stage.tally.seats == 1)

    ledger = played(tmp_path, [], act, stints=[Stint(OPENS_MS, math.inf, None)])
    expected = [("away",), *([] if meanwhile else [("away",)]), ("online",)]
    assert columns(of(ledger, "PRESENCE")[: len(expected)], "reason") == expected


def test_an_operator_who_leaves_before_the_opening_does_not_come_back_for_it(tmp_path: Path) -> None:
    """The seat signs off from being away, and the opening asks nobody who has gone."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.seats.set(1, on=False)
        await stage.until(lambda: (1, False) in stage.seated)
        open_the_floor(stage)
        passed: list[bool] = []
        stage.clock.at(now_ns(), lambda: passed.append(True))
        await stage.until(lambda: bool(passed))
        assert (stage.core.away, stage.core.online, stage.tally.seats) == (set(), set(), 0)

    ledger = played(tmp_path, [], act, stints=[Stint(OPENS_MS, math.inf, None)])
    assert columns(of(ledger, "PRESENCE"), "reason") == [("away",), ("offline",)]
