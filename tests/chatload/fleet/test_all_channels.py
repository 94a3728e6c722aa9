"""Whole dialogs over every messenger at once, against the null target in a process of its own."""

import asyncio
from pathlib import Path

import msgspec
import uvloop

from chatload.accounts import ACCOUNTS
from chatload.fleet.clock import now_ns
from chatload.fleet.customers import Customers
from chatload.fleet.history import HistoryReader
from chatload.fleet.link import Link
from chatload.fleet.office import Office
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.settings import Settings
from chatload.fleet.staff import Seats
from chatload.fleet.uploads import Uploads
from chatload.fleet.world import Target
from chatload.scenario import load
from chatload.targets.null import Null
from tests.chatload.fleet.stage import Stage, columns, dialog, of, rows

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
    providers = {name: PROVIDERS[name](stage.world, ACCOUNTS[name], OFTEN) for name in MESSENGERS}
    try:
        null.start({ACCOUNTS[name]: await provider.start() for name, provider in providers.items()})
        stage.world.target = msgspec.convert(null.wire(), Target)
        for provider in providers.values():
            provider.begin()
            await provider.greet()
        history = HistoryReader(stage.world)
        office = Office(Link, history, Uploads(stage.world, history.http))
        seats = Seats(stage.world, stage.live, office, lambda n, on: stage.seated.append((n, on)))
        joins = {name: provider.join for name, provider in providers.items()}
        customers = Customers(stage.world, stage.live, tuple(dialogs), joins)
        stage.world.t0_ns = now_ns()
        for number in range(1, 4):
            seats.set(number, on=True)
        await stage.until(lambda: len(stage.seated) == 3)
        customers.begin()
        await stage.until(lambda: stage.tally.started == len(dialogs))
        assert await customers.drain(now_ns() + 20 * 10**9)
        seats.shut()
        await history.close()
    finally:
        for provider in providers.values():
            await provider.close()
        await asyncio.to_thread(null.stop)
        stage.clock.close()
        stage.recorder.close()


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
