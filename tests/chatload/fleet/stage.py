"""A fleet's parts on a stage of their own: real sockets, a stub platform, a handmade plan, and the ledger read back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from chatload.accounts import ACCOUNTS, user_of
from chatload.draws import Draws
from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.customers import Customers
from chatload.fleet.history import HistoryReader
from chatload.fleet.link import Link
from chatload.fleet.live import Live
from chatload.fleet.office import Office
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.provider import Provider
from chatload.fleet.providers.settings import Settings
from chatload.fleet.recorder import Recorder
from chatload.fleet.script import Join
from chatload.fleet.session import Session
from chatload.fleet.staff import Seats
from chatload.fleet.tally import Tally
from chatload.fleet.uploads import Uploads
from chatload.fleet.world import MessengerAccount, Target, World
from chatload.plan import Dialog, Plan, Stint, Turn
from chatload.plan.dialogs import Dialogs
from chatload.plan.roster import Roster
from chatload.plan.texts import Texts
from chatload.scenario import Scenario, load, shape_of
from chatload.targets.port import Target as Platform
from chatreport.rundir import Channel, Kind, Outcome, Phase, What, read_ledger
from tests.chatload.fleet.stub_core import BOT_TOKEN, HOOK_SECRET, StubCore

SPEED = 1000.0
RUN = "abc123"
MINUTE = 60_000.0
LONG_MS = 1_000 * MINUTE  # a minute of wall time: nobody loses patience because the machine is busy
ANSWERS_WITHIN_S = 60.0
PATIENCE_S = 60.0  # how long a test waits for what must come, on however busy a machine
UNEVENTFUL = {"repeat_share": 0, "other_share": 0, "failed_share": 0, "disorder_share": 0, "early_share": 0}
NOBODY: Mapping[str, str] = {}
Row = dict[str, Any]


def dialog(index: int, *to: str, channel: str = "web", think_ms: float = 1000.0, **changes: Any) -> Dialog:
    """A short planned dialog whose turns go to these; patience is long unless changed."""
    turns = tuple(Turn(think_ms=think_ms, length=20, to=kind) for kind in to)  # type: ignore[arg-type]  # the literals of a turn
    planned = Dialog(
        index=index,
        user=user_of(index, channel),
        channel=channel,  # type: ignore[arg-type]  # as above
        phase="main",
        start_ms=0.0,
        hold_ms=0.0,
        turns=turns,
        contained="handover" not in to,
        patience_ms=LONG_MS,
        reply_patience_ms=LONG_MS,
        silent=False,
    )
    return msgspec.structs.replace(planned, **changes)


class Handmade(Roster):
    """A roster in which everybody has the same stints."""

    def __init__(self, plan: Roster, stints: Sequence[Stint]) -> None:
        self.__dict__ = plan.__dict__
        self._same = tuple(stints)

    def stints(self, seat: int) -> tuple[Stint, ...]:
        """Those."""
        return self._same


def make_plan(
    dialogs: list[Dialog], stints: Sequence[Stint] = (), scenario: Scenario | None = None, **people: Any
) -> Plan:
    """A real plan of handmade dialogs, with the smoke scenario's operators and words.

    `stints`: when they are on duty, if not throughout. `people`: what else is different with the operators.
    """
    scenario, draws = scenario or load("smoke").scenario, Draws(7)
    scenario = scenario.model_copy(update={"operators": scenario.operators.model_copy(update=people)})
    details, roster = Dialogs(scenario, shape_of(scenario), draws), Roster(scenario, "peak", draws, 10 * MINUTE, 3)
    staff = Handmade(roster, stints) if stints else roster
    return Plan(scenario, dialogs, details, Texts(scenario, draws), 10 * MINUTE, staff)


def be_patient(provider: Provider) -> None:
    """Have a messenger wait for a platform's answer however its time is scaled: how soon one comes is the machine's."""
    carrier = provider.carrier
    provider.carrier = lambda connections, timeout_s: carrier(connections, ANSWERS_WITHIN_S)  # type: ignore[method-assign]  # of this one alone


class Stage:
    """Everything of one worker but the pipe; made inside a running loop.

    `patient`: its messenger waits for every answer, and does not give it up after the time that its profile allows.
    """

    def __init__(
        self,
        folder: Path,
        dialogs: list[Dialog],
        speed: float = SPEED,
        stints: Sequence[Stint] = (),
        channel: str = "telegram",
        people: dict[str, Any] | None = None,
        patient: bool = True,
        scenario: Scenario | None = None,
        **provider: Any,
    ) -> None:
        (folder / "ledger").mkdir()
        self.folder = folder
        self.plan = make_plan(dialogs, stints, scenario, **(people or {}))
        bot = self.plan.scenario.bot
        answers = {keyword: answer.text for answer in bot.answers for keyword in answer.keywords}
        self.core = StubCore(answers, tuple(bot.handover))
        self.clock = Clock()
        self.recorder = Recorder(folder / "ledger", "w0")
        self.tally = Tally()
        self.live = Live(self.tally)
        self.world = World(self.clock, self.recorder, self.tally, self.plan, RUN, speed)
        settings = Settings(**{**UNEVENTFUL, **provider})
        self.provider = PROVIDERS[channel](self.world, ACCOUNTS[channel], settings)
        if patient:
            be_patient(self.provider)
        self.seated: list[tuple[int, bool]] = []

    async def open(self, secret: str = "secret") -> None:
        """Start the platform and point everything at it."""
        await self.core.start()
        self.core.api = await self.provider.start()
        self.aim(Target(self.core.url, secret, {"tg": MessengerAccount(BOT_TOKEN, HOOK_SECRET)}))

    def aim(self, target: Target) -> None:
        """Point everything at this platform, before anything is played."""
        self.world.target = target
        self.provider.begin()
        self.cast({self.provider.channel: self.provider})

    def cast(self, messengers: Mapping[str, Provider]) -> None:
        """Have operators and customers, on the platform's own channels and these messengers; business time begins."""
        self.history = HistoryReader(self.world)
        uploads = Uploads(self.world, self.history.http)
        office = Office(Link, self.history, uploads)
        self.seats = Seats(self.world, self.live, office, lambda n, on: self.seated.append((n, on)))
        joins: dict[str, Join] = dict.fromkeys(("web", "app"), partial(Session, store=uploads.store))
        joins |= {name: messenger.join for name, messenger in messengers.items()}
        self.customers = Customers(self.world, self.live, self.plan.dialogs, joins)
        self.world.t0_ns = now_ns()

    async def seat(self, *numbers: int) -> None:
        """Seat operators, and wait until they are."""
        for number in numbers:
            self.seats.set(number, on=True)
        await self.until(lambda: {(number, True) for number in numbers} <= set(self.seated))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110  it waits for state of the parts, which tell nobody
                await asyncio.sleep(0.002)

    async def play(self, within_s: float = PATIENCE_S) -> bool:
        """Play the whole plan; whether it ended by itself."""
        self.customers.begin()
        await self.until(lambda: self.tally.started == self.tally.planned)
        return await self.customers.drain(now_ns() + int(within_s * 1e9))

    async def close(self) -> None:
        """End everything and write the ledger."""
        self.customers.cut_off()
        self.seats.shut()
        await self.history.close()
        await self.provider.close()
        await self.core.stop()
        self.clock.close()
        self.recorder.close()


@asynccontextmanager
async def attached(
    stage: Stage,
    platform: Platform,
    names: Iterable[str],
    settings: Settings,
    callbacks: Mapping[str, str] = NOBODY,
) -> AsyncIterator[dict[str, Provider]]:
    """A stage's messengers at a platform in a process of its own, which knows them, and the bank at these callbacks."""
    messengers = {name: PROVIDERS[name](stage.world, ACCOUNTS[name], settings) for name in names}
    try:
        urls = {ACCOUNTS[name]: await messenger.start() for name, messenger in messengers.items()}
        await asyncio.to_thread(platform.start, urls | dict(callbacks))
        stage.world.target = msgspec.convert(platform.wire(), Target)
        for messenger in messengers.values():
            be_patient(messenger)
            messenger.begin()
            await messenger.greet()
        yield messengers
    finally:
        for messenger in messengers.values():
            await messenger.close()
        await asyncio.to_thread(platform.stop)
        stage.clock.close()
        stage.recorder.close()


def played(folder: Path, dialogs: list[Dialog], act: Callable[[Stage], Awaitable[None]], **options: Any) -> list[Row]:
    """What the ledger holds after `act` has played on a stage."""

    async def run() -> None:
        stage = Stage(folder, dialogs, **options)
        await stage.open()
        try:
            await act(stage)
        finally:
            await stage.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    return rows(folder)


def rows(folder: Path) -> list[Row]:
    """The ledger's rows in the order of their recording, codes as names."""
    enums = {"what": What, "outcome": Outcome, "kind": Kind, "phase": Phase, "channel": Channel}
    table = read_ledger(folder).to_pylist()
    return [row | {name: kind(row[name]).name for name, kind in enums.items()} for row in table]


def of(ledger: list[Row], what: str, **values: Any) -> list[Row]:
    """The rows of one kind with these values."""
    return [row for row in ledger if row["what"] == what and all(row[name] == value for name, value in values.items())]


def columns(ledger: list[Row], *names: str) -> list[tuple[Any, ...]]:
    """These columns of the rows."""
    return [tuple(row[name] for name in names) for row in ledger]
