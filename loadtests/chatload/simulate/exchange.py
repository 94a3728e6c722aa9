"""The telephone exchange of a virtual installation: what it tells of calls is taken at once, and what it is told."""

from functools import partial

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatload.fleet import codes
from chatload.fleet.clock import Timer
from chatload.fleet.frames import provider_number
from chatload.fleet.ledger import Actor, Message, Rating, Subject
from chatload.fleet.providers.chat import Chat
from chatload.fleet.providers.limits import share_of
from chatload.fleet.providers.phone import Line, spread
from chatload.fleet.providers.settings import Settings
from chatload.fleet.session import Customer
from chatload.fleet.world import World
from chatload.simulate.bank import Bank
from chatload.simulate.channels import UNLIMITED
from chatload.simulate.installation import Thread


class Call:
    """A call of a line that is not over; `timer` from when somebody is to be connected."""

    __slots__ = ("answered", "id", "outbound", "timer")

    def __init__(self, name: str, outbound: bool) -> None:
        self.id = name
        self.outbound = outbound
        self.answered = False
        self.timer: Timer | None = None


class Exchange:
    """Calls wait until the platform has them connected, and are dialled for it; in the fleet's exchange's times."""

    def __init__(self, world: World, channel: str) -> None:
        self._world = world
        self._settings = Settings()
        self._actor = Actor(world, channel)
        self._lines: dict[str, Line] = {}
        self._calls: dict[str, Call] = {}  # by the customer's number
        self._serial = 0
        self.bank: Bank  # whose account it has

    def join(self, actor: Actor, subject: Subject, customer: Customer) -> Line:
        """The line of a script's customer."""
        user = subject.contact.partition("/")[2]
        line = self._lines.get(user) or self._lines.setdefault(user, Line(self, user, 0, UNLIMITED))
        line.actor, line.subject, line.customer = actor, subject, customer
        return line

    def post(self, chat: Chat, message: Message) -> None:
        """Nobody writes over the telephone."""
        raise TypeError("a caller's script writes nothing")

    def rate(self, chat: Chat, rating: Rating) -> None:
        """Nor rates."""
        raise TypeError("a caller's script writes nothing")

    def is_busy(self, line: Line) -> bool:
        """Whether the line has a call."""
        return line.user in self._calls

    def ring(self, line: Line, intended_ns: int) -> None:
        """A call comes in, and its caller counts as waiting once it is taken."""
        call = self._calls[line.user] = Call(self._new_id(line), outbound=False)
        if self._tell(line, call, "ringing", intended_ns):
            line.tell("queued")

    def hang_up(self, line: Line, intended_ns: int) -> None:
        """The caller ends the call."""
        self._over(line, "finished" if self._calls[line.user].answered else "abandoned", intended_ns)

    def send(self, thread: Thread, message: e.Said | e.Called | e.Noticed) -> None:
        """Take an order: to connect a call that still rings, or to dial where there is none."""
        assert isinstance(message, e.Called), "an exchange is given nothing else"
        line, now_ns = self._lines[thread.key.partition("/")[2]], self._world.clock.now_ns()
        call = self._calls.get(line.user)
        reason = self._problem(call, message.call)
        name = message.call or self._new_id(line)
        outcome = codes.REJECTED if reason else codes.OK
        self._actor.row(
            codes.ATTEMPT, outcome, line.subject, now_ns, kind=codes.MESSAGE, started=now_ns, done=now_ns, attempt=1,
            provider_id=-1 if reason else provider_number(name), reason=self._world.recorder.text(reason),
        )  # fmt: skip
        settled = c.Settle(message.contact, message.number, message.seq, "" if reason else name, reason, message.at)
        self.bank.installation.later(settled)
        if not reason:
            self.carry_out(line, name)

    def carry_out(self, line: Line, name: str) -> None:
        """Connect the line's call, once; dial if there is none."""
        call = self._calls.get(line.user)
        if call is None:
            call = self._calls[line.user] = Call(name, outbound=True)
            wait_ns = self._world.wall(spread(self._settings.read_ms, name))
        else:
            wait_ns = self._world.wall(spread(self._settings.connect_ms, call.id))
        if call.timer is None:
            due_ns = self._world.clock.now_ns() + wait_ns
            call.timer = self._world.clock.at(due_ns, partial(self._picked_up, line, call, due_ns))

    @staticmethod
    def _problem(call: Call | None, wanted: str) -> str:
        """Why an order cannot be carried out: the call is over, or the line is busy."""
        if wanted:
            return "" if call is not None and call.id == wanted else "user"
        return "" if call is None else "blocked"

    def _new_id(self, line: Line) -> str:
        self._serial += 1
        return f"{line.user.removeprefix('+')}-{self._serial:x}"

    def _picked_up(self, line: Line, call: Call, due_ns: int) -> None:
        alone = call.outbound and share_of(f"failed:{call.id}") < self._settings.failed_share
        if alone or line.customer is None:
            self._over(line, "unreached", due_ns)
            line.tell("call", "unreached")
            return
        call.answered = True
        self._tell(line, call, "answered", due_ns)
        line.tell("call", "answered")

    def _over(self, line: Line, state: str, intended_ns: int) -> None:
        call = self._calls.pop(line.user)
        if call.timer is not None:
            call.timer.cancel()
        self._tell(line, call, state, intended_ns)

    def _tell(self, line: Line, call: Call, state: str, intended_ns: int) -> bool:
        """Tell the platform of a call; whether it took it."""
        now_ns, outcome = self._world.clock.now_ns(), codes.OK
        try:
            self.bank.ring(line.subject.contact, call.id, state)
        except c.Refused:
            outcome = codes.REJECTED
        self._actor.row(
            codes.CALL, outcome, line.subject, now_ns, intended=intended_ns, started=now_ns, done=now_ns,
            provider_id=provider_number(call.id), attempt=1, reason=self._world.recorder.text(state),
        )  # fmt: skip
        return outcome == codes.OK
