"""Customers who come back: as themselves once their earlier dialog is closed, else as somebody new."""

from pathlib import Path

import pytest

from tests.chatload.fleet.stage import Stage, columns, dialog, of, played

LATER_MS = 3_600_000_000.0  # not before a test turns the clock forward


async def come_back(stage: Stage) -> None:
    """Play what begins at once to its end, then have whoever comes back do so."""
    stage.customers.begin()
    await stage.until(lambda: stage.tally.started == 1 and not stage.customers.busy)
    stage.world.t0_ns -= stage.world.wall(LATER_MS)
    assert await stage.play()


@pytest.mark.parametrize("silent", [False, True], ids=["closed", "left"])
def test_who_has_seen_the_end_comes_back_as_themselves(silent: bool, tmp_path: Path) -> None:
    """A goodbye closes the dialog; who left without one may still have it open, and is somebody new for as long."""
    back = dialog(6, "bot", start_ms=LATER_MS, user="u5", person=5)
    ledger = played(tmp_path, [dialog(5, "bot", silent=silent), back], come_back)
    assert columns(of(ledger, "DIALOG"), "plan", "contact", "number", "outcome") == [
        (5, "web/u5", 1, "COMPLETED"),
        (6, "web/u6", 1, "COMPLETED") if silent else (6, "web/u5", 2, "COMPLETED"),
    ]
    assert columns(of(ledger, "SEND", outcome="OK"), "who", "plan", "number", "seq") == [
        ("c5", 5, 1, 1),
        ("c6", 6, 1 if silent else 2, 1),
    ]


def test_who_left_without_a_word_comes_back_once_the_platform_has_given_them_up(tmp_path: Path) -> None:
    """The inactivity time later, whatever channel: by then the dialog is closed."""

    async def act(stage: Stage) -> None:
        stage.customers.begin()
        await stage.until(lambda: stage.tally.started == 1 and not stage.customers.busy)
        given_up_ns = stage.clock.now_ns() + stage.world.wall(stage.plan.scenario.timers.inactivity)
        await stage.until(lambda: stage.clock.now_ns() > given_up_ns)
        await stage.core.close(stage.core.contact("web/u5"), "inactivity")
        stage.world.t0_ns -= stage.world.wall(LATER_MS)
        assert await stage.play()

    back = dialog(6, "bot", start_ms=LATER_MS, user="u5", person=5)
    ledger = played(tmp_path, [dialog(5, "bot", silent=True), back], act)
    assert columns(of(ledger, "DIALOG"), "plan", "contact", "number") == [(5, "web/u5", 1), (6, "web/u5", 2)]


def test_who_is_due_while_their_dialog_is_open_comes_as_somebody_new(tmp_path: Path) -> None:
    """At their time and with their words: a slow platform gets the load that was planned."""

    async def act(stage: Stage) -> None:
        stage.customers.begin()
        await stage.until(lambda: stage.tally.started == 2)
        await stage.seat(1)
        assert await stage.play()

    waits = dialog(5, "handover", channel="telegram")
    back = dialog(6, "handover", channel="telegram", start_ms=1.0, user=waits.user, person=5)
    ledger = played(tmp_path, [waits, back], act)
    assert sorted(columns(of(ledger, "DIALOG"), "plan", "contact", "outcome")) == [
        (5, "tg/5000000005", "COMPLETED"),
        (6, "tg/5000000006", "COMPLETED"),
    ]
    assert {row["plan"] for row in of(ledger, "OFFER")} == {5, 6}
