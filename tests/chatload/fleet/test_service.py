"""What customers and operators do besides writing, on every channel at once, with the reference core as a process."""

import asyncio
from pathlib import Path

import msgspec
import pytest
import uvloop

from chatload.accounts import ACCOUNTS
from chatload.fleet.clock import now_ns
from chatload.fleet.customers import Customers
from chatload.fleet.history import HistoryReader
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.settings import Settings
from chatload.fleet.seats import Seats
from chatload.fleet.world import Target
from chatload.plan.model import Rating
from chatload.scenario import Scenario, load
from chatload.scenario.model import Channels, Feedback, Messenger
from chatload.targets import audit
from chatload.targets.embedded import Embedded
from chatreport.rundir import What
from tests.chatload.fleet.stage import RUN, Row, Stage, dialog, of, rows

SPEED = 500.0
QUIET = Settings(rate_per_s=1000, chat_rate_per_s=1000, burst=100, failed_share=0, late_ms=100.0, repeat_share=0.5)
CHANNELS = ("web", "app", *sorted(PROVIDERS))


def scenario() -> Scenario:
    """The smoke scenario on every channel there is, without its bot but on the website and in the app."""
    smoke = load("smoke").scenario
    played = smoke.channels
    limits = {"rate_per_s": 1000, "chat_rate_per_s": 1000, "burst": 100}
    messenger = Messenger(share=0, bot=False, types_per_min=180, **limits)
    feedback = Feedback(
        request="Good or bad?", share=1, scores=(1, 1), after="1 s", window="24 h", bad="плохо", good="хорошо"
    )
    timers = smoke.timers.model_copy(update={"offer": 600_000.0})
    channels = Channels.model_construct(None, web=played.web, app=played.app, **dict.fromkeys(PROVIDERS, messenger))
    return smoke.model_copy(update={"channels": channels, "feedback": feedback, "timers": timers})


class Service:
    """One dialog on each channel, in the order of `CHANNELS`, played to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.history: list[Row] = []

    def play(self) -> list[Row]:
        """The ledger; the platform's own history is in `history`."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._play())
        return rows(self._folder)

    async def _play(self) -> None:
        score = Rating(score=2, after_ms=1000.0)
        planned = [
            dialog(index, "handover", "operator", channel=channel, rating=score)
            for index, channel in enumerate(CHANNELS, 1)
        ]
        stage = Stage(self._folder, planned, speed=SPEED, scenario=scenario())
        providers = {name: made(stage.world, ACCOUNTS[name], QUIET) for name, made in PROVIDERS.items()}
        core = Embedded(stage.plan.scenario, SPEED, self._folder / "core.log")
        try:
            urls = {ACCOUNTS[name]: await provider.start() for name, provider in providers.items()}
            await asyncio.to_thread(core.start, urls)
            await asyncio.to_thread(core.add_operators, [1, 2, 3])
            stage.world.target = msgspec.convert(core.wire(), Target)
            for provider in providers.values():
                provider.begin()
                await provider.greet()
            history = HistoryReader(stage.world)
            seats = Seats(stage.world, stage.live, history, lambda n, on: stage.seated.append((n, on)))
            customers = Customers(
                stage.world, stage.live, tuple(planned), {name: provider.join for name, provider in providers.items()}
            )
            stage.world.t0_ns = now_ns()
            for number in range(1, 4):
                seats.set(number, on=True)
            await stage.until(lambda: len(stage.seated) == 3)
            customers.begin()
            await stage.until(lambda: stage.tally.started == len(planned))
            await stage.until(lambda: not customers.busy)
            await asyncio.to_thread(self._read, core)
            seats.shut()
            await history.close()
        finally:
            for provider in providers.values():
                await provider.close()
            await asyncio.to_thread(core.stop)
            stage.clock.close()
            stage.recorder.close()

    def _read(self, core: Embedded) -> None:
        reach = core.auditor()
        self.history = list(audit.history(reach["url"], reach["token"], reach["partitions"], RUN))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], list[Row]]:
    """The ledger of one dialog on each channel, and the platform's history."""
    played = Service(tmp_path_factory.mktemp("service"))
    return played.play(), played.history


def test_customers_of_every_channel_rate_once_asked(service: tuple[list[Row], list[Row]]) -> None:
    """By a frame or in words, some time after the request; the platform keeps each rating once, and no dialog more."""
    ledger, history = service
    given = {(row["channel"], row["size"], row["place"]) for row in of(ledger, "RATING", outcome="OK")}
    assert given == {(channel.upper(), 2, 2) for channel in CHANNELS}
    kept = sorted((row["contact"], row["number"], row["size"]) for row in history if row["what"] == What.AUDIT_RATING)
    assert kept == sorted((row["contact"], 1, 2) for row in of(ledger, "DIALOG"))
    assert {row["number"] for row in history} == {1}
    assert all(row["intended"] <= row["started"] < row["done"] for row in of(ledger, "RATING", outcome="OK"))
    assert {row["outcome"] for row in of(ledger, "DIALOG")} == {"COMPLETED"}
