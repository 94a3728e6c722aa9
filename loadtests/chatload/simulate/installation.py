"""A virtual installation: the core's two pure machines, linked as in the real one, and who is shown what.

One partition and the floor. What one tells the other arrives at once, in order; deadlines are the states' own.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from chatcore.machines import commands as c
from chatcore.machines import dialog, floor, links
from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN, Contact, Contacts
from chatcore.machines.deadlines import Deadlines
from chatload.accounts import channel_of
from chatload.fleet import codes
from chatload.fleet.clock import MS, Time
from chatload.fleet.frames import DeskFrame, Entry
from chatload.simulate import views

LOG: Final = 0
_TIMED: Final = (e.Said, e.Resumed, e.Asked)


class Customers(Protocol):
    """A customer's own session."""

    def see(self, number: int, entry: Entry) -> None:
        """An entry of their dialog of this number."""


class Desk(Protocol):
    """An operator's screen."""

    def show(self, frame: DeskFrame) -> None:
        """A frame."""


class Provider(Protocol):
    """Where replies and notices to a messenger's customers, and orders to the telephone exchange, leave."""

    def send(self, thread: "Thread", message: e.Said | e.Called | e.Noticed) -> None:
        """Take it; `Settle` is to follow."""


class Edge(Protocol):
    """The bank's side, which the machines have asked."""

    def reminder(self, contact: Contact) -> c.Remind:
        """The command for a deadline of a contact."""

    def ask_bot(self, thread: "Thread", message: e.Said) -> None:
        """The bank's own bot is asked."""

    def ask_bank(self, thread: "Thread", asked: e.AccountNamed | e.OperationAsked) -> None:
        """The bank's service is asked whose an account is, or what a person has."""


class Auditor(Protocol):
    """Who reads all that was stored, in the order of the log."""

    def entry(self, thread: "Thread", entry: Entry) -> None:
        """An entry took its place."""

    def notice(self, thread: "Thread", event: e.Noticed) -> None:
        """The bank wrote of its own accord."""

    def receipt(self, thread: "Thread", event: e.Sent | e.Undelivered | e.Receipted) -> None:
        """A reply's, a notice's or an order's end is known."""

    def rating(self, thread: "Thread", event: e.Rated) -> None:
        """A dialog was rated."""


class Thread:
    """What is shown of a contact: its open dialog's id and entries, and who looks on."""

    __slots__ = ("account", "channel", "contact", "customer", "dialog", "entries", "key", "messenger", "number")

    def __init__(self, contact: int, key: str, messenger: bool) -> None:
        self.contact = contact
        self.key = key
        self.account = key.partition("/")[0]
        self.channel = codes.CHANNELS[channel_of(self.account)]
        self.messenger = messenger
        self.number = 0
        self.dialog = ""
        self.entries: list[Entry] = []
        self.customer: Customers | None = None

    def begin(self, number: int) -> None:
        """The next dialog opens."""
        self.number, self.dialog, self.entries = number, f"{self.key}#{number}", []


class Awake(Contacts):
    """Contacts that stay as they are between dialogs: a day's are few, and packing them would take a tenth of it."""

    def rest(self, contact: Contact) -> None:
        """Nothing."""


Answer = Callable[[], None]


class Installation:
    """The machines' states and their observers; times of the machines are the clock's, in ms."""

    def __init__(
        self, clock: Time, rules: c.Rules, auditor: Auditor, edge: Edge, providers: Mapping[str, Provider]
    ) -> None:
        self._clock = clock
        self.dialogs = dialog.Partition(rules)
        self.dialogs.contacts = Awake()
        self.dialogs.by_key = self.dialogs.contacts.by_key
        self.floor = floor.Floor(rules)
        self.desks: dict[str, Desk] = {}
        self._providers = providers
        self._auditor = auditor
        self._edge = edge
        self._threads: dict[int, Thread] = {}
        self._by_key: dict[str, Thread] = {}
        self._watching: dict[str, Customers] = {}
        self._deadlines = Deadlines(self.dialogs.contacts, self._wake)
        self._told: deque[tuple[Callable[[c.FloorCommand], None] | Callable[[c.DialogCommand], None], object]] = deque()
        self._telling = False

    # --- commands ----------------------------------------------------------------------------------------------------

    def ask(self, command: c.DialogCommand, origin: Customers | None = None, answer: Answer | None = None) -> None:
        """Carry out a command of an edge; `answer` comes before anybody sees what followed, and `origin` not its own.

        Raises:
            Refused: the state does not allow it.
        """
        state = self.dialogs
        events = dialog.decide(state, command, self._clock.now_ns() // MS)
        for event in events:
            dialog.apply(state, event)
            if isinstance(event, _TIMED) and event.deadline:
                self._deadlines.arm(event.contact, event.deadline)
        if answer is not None:
            answer()
        if events:
            self._show(events, origin)
        if self._told:
            self._tell()

    def ask_floor(self, command: c.FloorCommand) -> None:
        """The same for the floor, which then offers all it can.

        Raises:
            Refused: the state does not allow it.
        """
        events = self._decide_on_floor(command)
        while found := self._decide_on_floor(c.Match()):
            events += found
        for commands in links.to_partitions(events).values():
            self._told.extend((self._deliver, told) for told in commands)
        self._tell()

    def later(self, command: c.DialogCommand) -> None:
        """Carry out a command after all that is under way."""
        self._told.append((self._deliver, command))

    def watch(self, key: str, customer: Customers | None) -> None:
        """Show a contact's entries to this session of its customer from now on; None: to nobody."""
        thread = self._by_key.get(key)
        if thread is not None:
            thread.customer = customer
        elif customer is not None:
            self._watching[key] = customer
        else:
            self._watching.pop(key, None)

    def thread(self, key: str) -> Thread:
        """The contact of this key, which has written."""
        return self._by_key[key]

    def open_number(self, key: str) -> int:
        """The number of the contact's open dialog, or of its next."""
        found = self.dialogs.by_key.get(key)
        if found is None:
            return 1
        return found.number + (found.state not in OPEN)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return self._clock.now_ns() // MS

    def _decide_on_floor(self, command: c.FloorCommand) -> list[e.FloorEvent]:
        events = floor.decide(self.floor, command, self._now_ms())
        for event in events:
            floor.apply(self.floor, event)
            match event:
                case e.Offering():
                    self._elapse_at(event.deadline)
                case e.SeatLost():
                    self._elapse_at(event.grace)
                case e.Redirected() if event.until:
                    self._elapse_at(event.until)
        return events

    def _elapse_at(self, deadline_ms: int) -> None:
        self._clock.at(deadline_ms * MS, lambda: self.ask_floor(c.Elapse()))

    def _deliver(self, command: c.DialogCommand) -> None:
        self.ask(command)

    def _tell(self) -> None:
        """Deliver what the machines, and the providers, have said; what follows from it comes behind it."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._told:
                deliver, command = self._told.popleft()
                deliver(command)  # type: ignore[arg-type]  # each stands with commands of its machine
        finally:
            self._telling = False

    def _show(self, events: list[e.DialogEvent], origin: Customers | None) -> None:
        told = links.to_floor(LOG, events)
        if told:
            self._told.extend((self.ask_floor, command) for command in told)
        last = events[-1]
        ended = last.operator if isinstance(last, e.Closed) and last.was in e.OWNED else ""
        for event in events:
            if isinstance(event, e.Said):
                self._show_said(event, origin, ended)
            elif isinstance(event, e.Asked):
                self._edge.ask_bot(self._threads[event.contact], event.about(events))
            elif (show := _SHOWS.get(type(event))) is not None:
                show(self, event)

    def _begin(self, event: e.Opened) -> None:
        self._threads[event.contact].begin(event.number)

    def _offer(self, event: e.Offered) -> None:
        self._on_desk(event.operator, views.offered(self._threads[event.contact].dialog, event))

    def _withdraw(self, event: e.OfferEnded) -> None:
        self._on_desk(event.operator, views.withdrawn(self._threads[event.contact].dialog, event))

    def _settle(self, event: e.Sent | e.Undelivered | e.Receipted) -> None:
        self._auditor.receipt(self._threads[event.contact], event)

    def _ask_bank(self, event: e.AccountNamed | e.OperationAsked) -> None:
        self._edge.ask_bank(self._threads[event.contact], event)

    def _notify(self, event: e.Noticed) -> None:
        thread = self._threads[event.contact]
        self._auditor.notice(thread, event)
        self._providers[thread.account].send(thread, event)

    def _rate(self, event: e.Rated) -> None:
        self._auditor.rating(self._threads[event.contact], event)

    def _meet(self, event: e.Met) -> None:
        thread = Thread(event.contact, event.key, event.messenger)
        thread.customer = self._watching.pop(event.key, None)
        self._threads[event.contact] = self._by_key[event.key] = thread

    def _show_said(self, event: e.Said, origin: Customers | None, ended: str) -> None:
        thread = self._threads[event.contact]
        shown = self._stored(thread, event)
        customer = thread.customer
        if customer is not None and not (event.id and customer is origin):
            customer.see(event.number, shown)
        owner = ended or self._owner(event)
        if owner and event.author != owner:
            self._on_desk(owner, shown)
        if thread.messenger and event.author != "customer":
            self._providers[thread.account].send(thread, event)

    def _show_entry(self, event: e.Entry) -> None:
        thread = self._threads[event.contact]
        shown = self._stored(thread, event)
        if thread.customer is not None:
            thread.customer.see(event.number, shown)
        match event:
            case e.Called() if event.state in e.ORDERS:
                self._providers[thread.account].send(thread, event)
            case e.Closed() if event.was is e.State.OFFERED:
                self._on_desk(event.operator, views.withdrawn(thread.dialog, event))
            case e.Held() | e.Resumed() | e.Transferred() | e.Released() | e.Closed() | e.Called():
                self._on_desk(event.operator, shown)
        if isinstance(event, e.Closed):
            thread.entries = []

    def _stored(self, thread: Thread, event: e.Entry) -> Entry:
        shown = views.entry(thread.dialog, event)
        thread.entries.append(shown)
        self._auditor.entry(thread, shown)
        return shown

    def _owner(self, event: e.Said) -> str:
        contact = self.dialogs.contacts.active.get(event.contact)  # at rest it is nobody's
        return contact.operator if contact is not None and contact.state in e.OWNED else ""

    def _on_desk(self, operator: str, frame: DeskFrame) -> None:
        desk = self.desks.get(operator)
        if desk is not None:
            desk.show(frame)

    # --- deadlines ---------------------------------------------------------------------------------------------------

    def _wake(self, deadline_ms: int, contact: int) -> None:
        self._clock.at(deadline_ms * MS, lambda: self._remind(contact))

    def _remind(self, number: int) -> None:
        contact = self._deadlines.fallen(number, self._now_ms())
        if contact is not None:
            self.ask(self._edge.reminder(contact))


_SHOWS: Final[dict[type[e.Event], Callable[[Installation, Any], None]]] = {
    e.Met: Installation._meet,
    e.Opened: Installation._begin,
    e.Offered: Installation._offer,
    e.OfferEnded: Installation._withdraw,
    e.Sent: Installation._settle,
    e.Undelivered: Installation._settle,
    e.Receipted: Installation._settle,
    e.AccountNamed: Installation._ask_bank,
    e.OperationAsked: Installation._ask_bank,
    e.Noticed: Installation._notify,
    e.Rated: Installation._rate,
    **dict.fromkeys(
        (e.Queued, e.Assigned, e.Held, e.Resumed, e.Transferred, e.Released, e.Called, e.Closed),
        Installation._show_entry,
    ),
}
