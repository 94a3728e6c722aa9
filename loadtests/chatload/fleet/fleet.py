"""One worker's share of a run: everything that plays, and the order in which it starts and ends."""

import gc
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from chatload.accounts import BANK, BANKS_BOT, RELAY
from chatload.draws import Draws
from chatload.fleet.administrator import RestAdministrator
from chatload.fleet.bank import Bank
from chatload.fleet.bankbot import BankBot
from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.customers import Customers
from chatload.fleet.duty import Seated
from chatload.fleet.history import HistoryReader
from chatload.fleet.hostile import Strangers
from chatload.fleet.link import Link
from chatload.fleet.live import Live
from chatload.fleet.notices import Notices
from chatload.fleet.office import Office
from chatload.fleet.probes import Mirror, Probes
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.provider import Provider
from chatload.fleet.providers.settings import Settings
from chatload.fleet.recorder import Recorder
from chatload.fleet.script import Join
from chatload.fleet.session import Session
from chatload.fleet.staff import Seats
from chatload.fleet.tally import Tally
from chatload.fleet.uploads import Uploads
from chatload.fleet.world import Target, World
from chatload.host import LOOPBACK
from chatload.plan import make_plan
from chatload.plan.hostile import attacks
from chatload.plan.notices import FIRST, Letter, letters
from chatload.scenario import Part, Scenario


class PlanArguments(msgspec.Struct, frozen=True):
    """What makes the plan, besides the scenario; duration and ramp are wall seconds."""

    seed: int
    part: Part
    load: float
    speed: float
    duration_s: float
    ramp_s: float
    operators: int


class Config(msgspec.Struct, frozen=True):
    """What a fleet is armed with: worker `index` of `count` writes its ledger as `worker` into `rundir`.

    Simulated providers listen at the address `host`; `provider` overrides their `Settings`.
    """

    scenario: dict[str, Any]
    plan: PlanArguments
    run: str
    rundir: str
    index: int = 0
    count: int = 1
    worker: str = "w0"
    epoch: int = 1
    host: str = LOOPBACK
    provider: dict[str, Any] = {}


class Fleet:
    """Armed with a plan; plays against a target from `go` to `finish`."""

    def __init__(self, config: Config, seated: Seated) -> None:
        """Make the plan and open the ledger.

        Raises:
            ValueError: the scenario or the providers' settings are not valid.
        """
        scenario = Scenario.model_validate(config.scenario)
        plan = make_plan(scenario, **msgspec.structs.asdict(config.plan))
        ledger = Path(config.rundir) / "ledger"
        ledger.mkdir(parents=True, exist_ok=True)
        self.recorder = Recorder(ledger, config.worker)
        self.tally = Tally()
        self.clock = Clock()
        self.world = World(self.clock, self.recorder, self.tally, plan, config.run, config.plan.speed)
        self.world.worker, self.world.workers = config.index, config.count
        self.dialogs = plan.share(config.index, config.count)
        self._config = config
        self._seated = seated
        self.settings = _settings(scenario, config)
        self._providers = {channel: self._provider(channel, settings) for channel, settings in self.settings.items()}
        served = scenario.bot.service is not None and config.index == 0
        self._bot = BankBot(self.world) if served else None
        self._bank = Bank(self.world) if scenario.authentication is not None and config.index == 0 else None
        self._mirror = Mirror(self.world)
        self._live = Live(self.tally)
        self._asks = _question(scenario, self.world)
        self._history: HistoryReader | None = None
        self._seats: Seats | None = None
        self._customers: Customers | None = None
        self._probes: Probes | None = None
        self._strangers: Strangers | None = None
        self._administrator: RestAdministrator | None = None
        self._notices: Notices | None = None

    async def arm(self) -> dict[str, str]:
        """Open the listeners, connect the mirror, settle memory; the URLs of providers by account, and of the bot."""
        host, providers = self._config.host, self._providers.items()
        urls = {self.world.account(channel): await provider.start(host) for channel, provider in providers}
        if self._bot is not None:
            urls[BANKS_BOT] = await self._bot.start(host)
        if self._bank is not None:
            urls[BANK], urls[RELAY] = await self._bank.start(host)
        await self._mirror.open()
        gc.collect()
        gc.freeze()
        return urls

    async def aim(self, target: Target) -> None:
        """Play against `target`; before the first seat.

        Raises:
            ValueError: a messenger's handshake with it failed.
        """
        self.world.target = target
        for provider in self._providers.values():
            provider.begin()
            await provider.greet()
        self._history = HistoryReader(self.world)
        uploads = Uploads(self.world, self._history.http)
        office = Office(Link, self._history, uploads)
        self._seats = Seats(self.world, self._live, office, self._seated)
        joins: dict[str, Join] = dict.fromkeys(("web", "app"), partial(Session, store=uploads.store))
        joins |= {channel: provider.join for channel, provider in self._providers.items()}
        self._customers = Customers(self.world, self._live, self.dialogs, joins)
        if self._asks is not None:
            self._probes = Probes(self.world, self._config.index, *self._asks)
        if self._config.index == 0:
            plan = self.world.plan
            planned = attacks(plan.scenario, Draws(self._config.plan.seed), plan.horizon_ms)
            self._strangers = Strangers(self.world, planned, self._providers.values())
        self._administrator = RestAdministrator(self.world)
        self._notices = Notices(self.world, self._letters(), self._providers, self._administrator)

    def seat(self, n: int, on: bool) -> None:
        """Have operator `n` come on duty, or go off."""
        if self._seats is None:
            raise ValueError("a seat before the target: send target first")
        self._seats.set(n, on)

    def go(self, t0_ns: int) -> None:
        """Start the plan, whose zero is `t0_ns`; ramp dialogs start before."""
        if self._customers is None or self._seats is None:
            raise ValueError("go before the target: send target first")
        self.world.t0_ns = t0_ns
        now = now_ns()
        self._mirror.begin(now)
        if self._probes is not None:
            self._probes.begin(now)
        self._seats.begin()
        self._customers.begin()
        if self._strangers is not None:
            self._strangers.begin()
        if self._notices is not None:
            self._notices.begin()

    async def drain(self, deadline_s: float) -> tuple[bool, int]:
        """Start no more dialogs, and end the open ones within `deadline_s`; a second call may shorten the first.

        Returns whether all ended by themselves, and how many due dialogs or steps were never started.
        """
        now = now_ns()
        if not self.world.drain_ns:
            self.world.drain_ns = now
            if self._probes is not None:
                self._probes.stop()
            if self._strangers is not None:
                self._strangers.stop()
            if self._notices is not None:
                self._notices.stop()
        if self._customers is None:
            return True, 0
        clean = await self._customers.drain(now + int(deadline_s * 1e9))
        return clean, self._customers.unsent

    async def finish(self) -> int:
        """End whatever still plays, and write the ledger; returns its rows.

        Raises:
            OSError: the ledger could not be written.
        """
        if self._customers is not None:
            self._customers.cut_off()
        if self._probes is not None:
            self._probes.leave()
        if self._strangers is not None:
            await self._strangers.close()
        if self._notices is not None and self._administrator is not None:
            self._notices.stop()
            await self._administrator.close()
        if self._seats is not None:
            self._seats.shut()
        if self._history is not None:
            await self._history.close()
        for provider in self._providers.values():
            await provider.close()
        if self._bot is not None:
            await self._bot.close()
        if self._bank is not None:
            await self._bank.close()
        self._mirror.stop()  # not with the drain: what it sees of the generator counts to the end
        await self._mirror.close()
        self.clock.close()
        self.recorder.close()
        return self.recorder.rows

    def _letters(self) -> list[Letter]:
        """This worker's share of the notices: of its own customers, and its part of the others."""
        plan, made, index, count = self.world.plan, self._config.plan, self._config.index, self._config.count
        draws = Draws(made.seed)
        found = letters(plan.scenario, draws, made.part, made.load, plan.horizon_ms, self.dialogs)
        return [letter for letter in found if letter.index < FIRST or letter.index % count == index]

    def _provider(self, channel: str, settings: Settings) -> Provider:
        config = self._config
        return PROVIDERS[channel](self.world, self.world.account(channel), settings, config.index, config.count)


def _settings(scenario: Scenario, config: Config) -> dict[str, Settings]:
    """How the messengers of the scenario are set up, by channel."""
    limits = {
        channel: played.model_dump(include={"rate_per_s", "chat_rate_per_s", "burst"})
        for channel, played in scenario.channels.played().items()
        if channel in PROVIDERS
    }
    return {channel: msgspec.convert(own | config.provider, Settings) for channel, own in limits.items()}


def _question(scenario: Scenario, world: World) -> tuple[str, str] | None:
    """The account whose bot is probed, and what it is asked; None if no account on a socket has a bot."""
    for channel in ("web", "app"):
        played = scenario.channels.played().get(channel)
        if played is not None and played.bot:
            return world.account(channel), scenario.bot.answers[0].keywords[0]
    return None
