"""Whole dialogs over every messenger at once, against the null target in a process of its own."""

import asyncio
from pathlib import Path

import uvloop

from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.settings import Settings
from chatload.scenario import load
from chatload.targets.null import Null
from tests.chatload.fleet.stage import Stage, attached, columns, dialog, of, rows

MESSENGERS = sorted(set(PROVIDERS) - {"phone"})  # the null target answers no calls
OFTEN = Settings(
    repeat_share=0.5,
    other_share=0.5,
    early_share=0.3,
    disorder_share=0.3,
    failed_share=0.0,
    delivered_ms=5.0,
    late_ms=100.0,
)


async def play(folder: Path) -> None:
    """One dialog of three turns on each messenger, with repeats, other kinds and receipts in any order."""
    dialogs = [
        dialog(index, "handover", "operator", "operator", channel=channel)
        for index, channel in enumerate(MESSENGERS, 1)
    ]
    stage = Stage(folder, dialogs)
    null = Null(load("smoke").scenario, stage.world.speed, folder / "null.log")
    async with attached(stage, null, MESSENGERS, OFTEN) as messengers:
        stage.cast(messengers)
        await stage.seat(1, 2, 3)
        assert await stage.play()
        stage.seats.shut()
        await stage.history.close()


def test_a_whole_dialog_over_every_messenger(tmp_path: Path) -> None:
    """Handshakes, webhooks, replies and receipts: every dialog is completed, and every reply was taken and seen."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play(tmp_path))
    ledger = rows(tmp_path)
    assert sorted(columns(of(ledger, "DIALOG"), "channel", "outcome", "counter")) == [
        (channel.upper(), "COMPLETED", 3) for channel in MESSENGERS
    ]
    for channel in MESSENGERS:
        taken = of(ledger, "ATTEMPT", who=channel, outcome="OK")
        assert len(taken) == 3
        known = {row["provider_id"] for row in taken}
        assert {row["provider_id"] for row in of(ledger, "RECEIPT", channel=channel.upper())} <= known
        assert len({row["provider_id"] for row in of(ledger, "SEND", who=channel, outcome="OK")}) == 3
