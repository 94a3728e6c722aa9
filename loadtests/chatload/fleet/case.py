"""One dialog on an operator's desk: which messages wait for an answer, and when to answer, close or forget it."""

from collections import deque
from typing import Final, NamedTuple, Protocol

from chatload.fleet.clock import Timer
from chatload.fleet.frames import Entry
from chatload.fleet.identity import CUSTOMER, Identity
from chatload.fleet.ledger import Message, Subject
from chatload.fleet.world import World
from chatload.plan import Destination, Reply

LULL_NS: Final = 5_000_000_000  # wall time, for what is missing is on the platform's way; more than a delivery takes


class Waiting(NamedTuple):
    """A customer's message without an answer: its place, its dialog in the plan and number there, when it was seen.

    Of messages that are written at once it is the first, seen when the latest of them was; `missing` are not here yet.
    """

    seq: int
    plan: int
    counter: int
    seen_ns: int
    missing: frozenset[int] = frozenset()


class Desk(Protocol):
    """The seat that a case belongs to."""

    def answer(self, case: "Case", waiting: Waiting, reply: Reply, due_ns: int) -> None:
        """Send the answer to a message."""

    def close(self, case: "Case", due_ns: int) -> None:
        """Close the dialog."""

    def destination(self, plan: int) -> Destination | None:
        """Where the plan has this operator send a dialog on to."""

    def send_on(self, case: "Case", to: Destination) -> None:
        """Transfer the dialog."""

    def hold(self, case: "Case") -> None:
        """Put the dialog on hold."""

    def resume(self, case: "Case") -> None:
        """Take it back from hold."""


class Case:
    """What an operator knows of a dialog they own, and the next thing they will do.

    One thing at a time: the desk's `answer`, `close` or `send_on` is called when due, and nothing else until `settled`
    says that it is done, or refused. The entries are the truth: who takes a dialog over answers what is unanswered, and
    sends nothing on, nor puts on hold, what somebody has before. What is written at once is answered once, when all of
    it is here, or when nothing more of it has come for `LULL_NS`: some of it may be lost, and what comes later is
    covered by the answer.
    """

    def __init__(self, world: World, desk: Desk, operator: str, subject: Subject, dialog: str, number: int) -> None:
        self._world = world
        self._desk = desk
        self._operator = operator
        self._waiting: deque[Waiting] = deque()
        self._timer: Timer | None = None
        self._acted_ns = 0
        self._last: int | None = None  # the plan's index, once the last turn is answered
        self._replied: set[tuple[int, int]] = set()  # answered: the dialog in the plan, and the first message's number
        self._here: set[tuple[int, int]] = set()  # … of all that came of several at once, also what the bot answered
        self.subject = subject
        self.dialog = dialog
        self.number = number
        self.seq = 0
        self.message: Message | None = None  # sent, and not settled
        self.closing: Message | None = None
        self.sending_on: Destination | None = None
        self._seen: set[str] = set()  # of "transferred", "held": what has happened in this dialog
        self._plain: int | None = None  # a dialog in the plan in which neither is to happen
        self.on_hold = False

    def take(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> bool:
        """Learn of an entry, without planning anything yet; False if it was known before."""
        if entry.seq <= self.seq:
            return False
        self.seq = entry.seq
        if entry.kind == "message":
            self._message(entry, identity, stamp_ns)
        elif entry.kind in ("transferred", "held"):
            self._seen.add(entry.kind)
        return True

    def ends(self, entry: Entry) -> bool:
        """Whether the dialog is no longer ours: closed, or released from us and not from an operator before us."""
        return entry.kind == "closed" or (entry.kind == "released" and entry.number == self.number)

    def settled(self, stamp_ns: int) -> None:
        """What was sent is stored or given up: go on."""
        self._acted_ns = stamp_ns
        self.message = self.sending_on = None
        self.plan()

    def plan(self) -> None:
        """Decide what comes next, and when."""
        self.stop()
        if self.message is not None or self.closing is not None or self.sending_on is not None:
            return
        for waiting in self._waiting:
            if not waiting.missing:
                self._plan_answer(waiting)
                return
        if self._waiting:
            head = self._waiting[0]
            self._timer = self._world.clock.at(head.seen_ns + LULL_NS, lambda: self._make_do(head))
        elif self._last is not None:
            due_ns = self._acted_ns + self._world.wall(self._world.plan.wrap_up_ms(self._last))
            self._timer = self._world.clock.at(due_ns, lambda: self._desk.close(self, due_ns))

    def stop(self) -> None:
        """Do nothing more of what was planned."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_do(self, head: Waiting) -> None:
        """Take what has come for the whole."""
        self._waiting[0] = head._replace(seen_ns=self._world.clock.now_ns(), missing=frozenset())
        self.plan()

    def _plan_answer(self, head: Waiting) -> None:
        """Answer, or send on instead; where the plan says so, the customer is put on hold half-way."""
        plan, clock = self._world.plan, self._world.clock
        reply = plan.reply(head.plan, head.counter - 1)
        begun_ns, react_ns = max(head.seen_ns, self._acted_ns), self._world.wall(reply.react_ms)
        due_ns = begun_ns + react_ns
        answers = head.plan == self._plain
        to = None if answers or "transferred" in self._seen else self._desk.destination(head.plan)
        if to is not None:
            self._timer = clock.at(due_ns, lambda: self._send_on(to))
        elif not answers and "held" not in self._seen and plan.holds(head.plan):
            self._timer = clock.at(begun_ns + react_ns // 2, self._hold)
        else:
            self._plain = head.plan
            self._timer = clock.at(due_ns, lambda: self._answer(head, reply, due_ns))

    def _send_on(self, to: Destination) -> None:
        self._seen.add("transferred")
        self.sending_on = to
        self._desk.send_on(self, to)

    def _hold(self) -> None:
        self._seen.add("held")
        self.on_hold = True
        self._desk.hold(self)
        self.plan()

    def _answer(self, waiting: Waiting, reply: Reply, due_ns: int) -> None:
        if self.on_hold:
            self.on_hold = False
            self._desk.resume(self)
        self._waiting.remove(waiting)
        self._acted_ns = self._world.clock.now_ns()
        self._answered(waiting)
        self._desk.answer(self, waiting, reply, due_ns)

    def _answered(self, waiting: Waiting) -> None:
        self._replied.add((waiting.plan, waiting.counter))
        if self._world.plan.is_last(waiting.plan, waiting.counter):
            self._last = waiting.plan

    def _message(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        if entry.author == "customer":
            identity = identity or self._pressed(entry.text)
            if identity is not None and identity.role == CUSTOMER and self._world.planned(identity):
                self._asked(entry.seq, identity, stamp_ns)
        elif entry.author == "bot":
            answered = entry.cause.seq if entry.cause else -1
            self._waiting = deque(waiting for waiting in self._waiting if waiting.seq != answered)
        elif entry.author != "system" and self._waiting and not self._is_mine(entry, identity):
            self._acted_ns = stamp_ns
            self._answered(self._waiting.popleft())

    def _pressed(self, text: str) -> Identity | None:
        """Who wrote a number alone, where a messenger has no other mark: its customer, in the turn planned so."""
        index, run = self.subject.plan, self._world.run
        turn = self._world.plan.pressed(index, text) if self.subject.planned else None
        return Identity(run, f"{CUSTOMER}{index}", CUSTOMER, index, turn + 1) if turn is not None else None

    def _asked(self, seq: int, identity: Identity, stamp_ns: int) -> None:
        """A message waits for an answer, with those written at once with it, unless these have one."""
        self.subject.plan = identity.n  # of a customer who has come back another worker knows no more than the contact
        burst = self._world.plan.burst(identity.n, identity.counter - 1)
        plan, first = identity.n, burst.start + 1
        if (plan, first) in self._replied:
            return
        if len(burst) == 1 and not self._waiting:
            self._waiting.append(Waiting(seq, plan, first, stamp_ns))
            return
        self._here.add((plan, identity.counter))
        missing = frozenset(each for each in range(first, burst.stop + 1) if (plan, each) not in self._here)
        at = next((at for at, each in enumerate(self._waiting) if (each.plan, each.counter) == (plan, first)), None)
        if at is None:
            self._waiting.append(Waiting(seq, plan, first, stamp_ns, missing))
            return
        kept_seq = seq if identity.counter == first else self._waiting[at].seq
        self._waiting[at] = Waiting(kept_seq, plan, first, stamp_ns, missing)

    def _is_mine(self, entry: Entry, identity: Identity | None) -> bool:
        """Whether this is the message under way, shown again after a broken socket."""
        under_way = self.message is not None and identity is not None and identity.counter == self.message.counter
        return under_way and entry.author == self._operator
