"""One simulated part of a scenario, from the ramp to the drain, into a run directory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines.events import Hired
from chatload.accounts import MESSENGERS, channel_of
from chatload.fleet.clock import MS
from chatload.fleet.customers import Customers
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.link import Party, Wire
from chatload.fleet.notices import Notices
from chatload.fleet.office import Office
from chatload.fleet.recorder import Recorder
from chatload.fleet.script import Join
from chatload.fleet.seats import Seat
from chatload.fleet.staff import Seats
from chatload.fleet.world import Target, World
from chatload.plan import Plan
from chatload.plan.notices import Letter
from chatload.simulate.administrator import DirectAdministrator
from chatload.simulate.auditor import Auditor
from chatload.simulate.bank import Bank
from chatload.simulate.channels import Messenger, Session
from chatload.simulate.clock import VirtualClock
from chatload.simulate.desk import DeskWire, Unread, Uploads
from chatload.simulate.exchange import Exchange
from chatload.simulate.unheard import NoLive, NoTally

HOUR_NS: Final = 3_600_000_000_000
STEPS: Final = 50  # in which progress is told


class Simulation:
    """A plan and the bank's `letters` at work in a virtual installation; `play` it once."""

    def __init__(
        self, plan: Plan, recorder: Recorder, run: str, ramp_ms: float, drain_ms: float, letters: Iterable[Letter] = ()
    ) -> None:
        self.t0_ns = HOUR_NS + int(ramp_ms * MS)  # no time is 0, which stands for none
        self.end_ns = self.t0_ns + int(plan.horizon_ms * MS)
        self.drained_ns = self.deadline_ns = self.end_ns + int(drain_ms * MS)
        self._clock = VirtualClock(HOUR_NS)
        live, tally = NoLive(), NoTally()
        self._world = World(self._clock, recorder, tally, plan, run, 1.0)
        self._world.t0_ns = self.t0_ns
        self._world.target = Target("", bank_token="nobody looks at it")
        providers = _providers(self._world)
        self._auditor = Auditor(self._world)
        self.bank = Bank(self._world, self._auditor, providers)
        for provider in providers.values():
            provider.bank = self.bank
        messengers = {channel_of(name): each for name, each in providers.items() if isinstance(each, Messenger)}
        self._notices = Notices(self._world, letters, messengers, DirectAdministrator(self._world, self.bank))
        office = Office(partial(_dial, self.bank), Unread(), Uploads(self._clock))
        self._seats = Seats(self._world, live, office, lambda n, on: None)
        self._customers = Customers(self._world, live, plan.dialogs, _joins(self._world, self.bank, providers))

    def play(self, told: Callable[[float], None] = lambda share: None) -> None:
        """Play it to the end of the drain; `told` how much of the time is over, now and then."""
        staff = self._world.plan.staff
        self._hire(range(1, staff.operators + 1))
        self._clock.run(self._clock.now_ns())
        self._seats.begin()
        for n in range(staff.operators + 1, staff.operators + staff.hired + 1):
            self._clock.at(self._world.when(staff.joins_ms(n)), partial(self._hire, [n]))
        self._customers.begin()
        self._notices.begin()
        for at_ns in _moments(self._clock.now_ns(), self.end_ns):
            self._clock.run(at_ns)
            told((at_ns - HOUR_NS) / (self.deadline_ns - HOUR_NS))
        self._drain()

    @property
    def unsent(self) -> int:
        """Dialogs or steps that were due and never started."""
        return self._customers.unsent

    def _drain(self) -> None:
        """Start nothing more; let open dialogs end, and cut off what has not by the deadline."""
        self._world.drain_ns = self.end_ns
        self._notices.stop()
        self._customers.fall_silent(self.deadline_ns)
        for at_ns in _moments(self.end_ns, self.deadline_ns):
            if not self._customers.plays:
                break
            self._clock.run(at_ns)
        self.drained_ns = self._clock.now_ns()
        self._customers.cut_off()
        self._auditor.state(self.bank.installation)
        self._auditor.bills(self.bank.installation)
        self._seats.shut()

    def _hire(self, numbers: Sequence[int]) -> None:
        """Add these operators, and have them log on."""
        people = self._world.plan.scenario.operators
        hired = []
        for n in numbers:
            team = people.team(n)
            hired.append(Hired(f"o{n}", team.departments, self._world.plan.slots, team.skills, team.languages))
        self.bank.installation.ask_floor(c.Hire(hired))
        for n in numbers:
            self._seats.set(n, on=True)


def _dial(bank: Bank, actor: Actor, party: Party, path: str, me: Subject) -> Wire:
    assert isinstance(party, Seat), "customers have sessions of their own"
    return DeskWire(bank, actor, party)


def _providers(world: World) -> dict[str, Messenger | Exchange]:
    """The messengers and the exchange that are played, by account."""
    made: dict[str, type[Messenger | Exchange]] = dict.fromkeys(MESSENGERS, Messenger) | {"phone": Exchange}
    played = (channel for channel in world.plan.scenario.channels.played() if channel in made)
    return {world.account(channel): made[channel](world, channel) for channel in played}


def _joins(world: World, bank: Bank, providers: dict[str, Messenger | Exchange]) -> dict[str, Join]:
    joins: dict[str, Join] = {}
    for channel in world.plan.scenario.channels.played():
        provider = providers.get(world.account(channel))
        joins[channel] = provider.join if provider is not None else partial(Session, bank)
    return joins


def _moments(from_ns: int, until_ns: int) -> Iterator[int]:
    """The ends of equal steps."""
    for step in range(1, STEPS + 1):
        yield from_ns + (until_ns - from_ns) * step // STEPS
