"""The owner of a dialog partition: what its records show to customers, desks, providers and the floor."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

from chatcore.journal import SnapshotUnreadable
from chatcore.journal.port import Journal, Piece, Row
from chatcore.machines import dialog, links
from chatcore.machines import events as e
from chatcore.machines.commands import Remind
from chatcore.machines.contacts import Contact, Resting
from chatcore.machines.deadlines import Deadlines
from chatcore.machines.events import OWNED
from chatcore.runtime.owner import Owner, Poisoned
from chatcore.runtime.reminders import Reminders

T = TypeVar("T")
Name = TypeVar("Name")
_TIMED: Final = (e.Said, e.Resumed, e.Asked)
_PASSED_ON: Final = (e.Entry, e.Asked, e.AccountNamed, e.OperationAsked)  # whether or not they are on a desk
_KEPT: Final = (e.Entry, *e.SEATLESS_TYPES)


class Audience(Protocol):
    """Those who see what became durable. Called in log order; `position` is the record's."""

    def customers(
        self, partition: "PartitionOwner", position: int, contact: Contact, event: e.Entry, origin: object
    ) -> None:
        """Show an entry to the contact's sessions, but not to `origin`, who sent it."""

    def desk(
        self, partition: "PartitionOwner", position: int, contact: Contact, operator: str, event: e.DialogEvent
    ) -> None:
        """Show an entry, offer, withdrawal or receipt to an operator."""

    def outbound(self, partition: "PartitionOwner", contact: Contact, message: e.Sendable) -> None:
        """Hand a reply or a notice to the contact's messenger, or an order to its telephone exchange."""

    def enclosed(self, partition: "PartitionOwner", contact: Contact, message: e.Said) -> None:
        """Have the attachments of a customer's message fetched."""

    def asked(self, partition: "PartitionOwner", contact: Contact, message: e.Said) -> None:
        """Have the bank's bot asked about a customer's message."""

    def bank(self, partition: "PartitionOwner", contact: Contact, asked: e.AccountNamed | e.OperationAsked) -> None:
        """Have the bank asked whose account it is, or to do something for the contact's person."""


class LogShelf(NamedTuple):
    """What the log's last snapshot stored of contacts at rest; the process ends if it cannot be read."""

    journal: Journal
    log: str
    fatal: Callable[[Exception], None]

    def piece(self, name: int | str) -> bytes | None:
        """See Shelf.piece."""
        return self._read(self.journal.piece, name)

    def group(self, name: str) -> list[int]:
        """See Shelf.group."""
        return self._read(self.journal.group, name)

    def _read(self, read: Callable[[str, Name], T], name: Name) -> T:
        try:
            return read(self.log, name)
        except SnapshotUnreadable as error:
            self.fatal(error)
            raise


class PartitionOwner(Owner):
    """Owns partition `index`. `to_floor(log, position, commands)` delivers to the floor.

    `reminder(contact)` is the command for a deadline, with the texts that the edge has for it.
    """

    def __init__(self, index: int, state: dialog.Partition, audience: Audience, **owner: Any) -> None:
        super().__init__(f"dialogs-{index}", state, **owner)
        self.index = index
        self.state = state
        self.messages: dict[str, int] = {}  # by channel account, since the process began
        self.closed: dict[str, int] = {}  # dialogs by reason, likewise
        self.to_floor: Callable[[str, int, list[Any]], None] = lambda log, position, commands: None
        self.reminder: Callable[[Contact], Remind] = lambda contact: Remind(contact.id)
        state.contacts.shelf = LogShelf(self.journal, self.log, self._fatal)
        self._audience = audience
        self._rows: list[Row] = []
        self._contacts: list[tuple[int, str]] = []
        self._deadlines = Deadlines(state.contacts, Reminders(self._now_ms, self._remind).at)

    def _step(self, command: Any, now: int) -> list[e.DialogEvent]:
        events = dialog.decide(self.state, command, now)
        for event in events:
            dialog.apply(self.state, event)
            if isinstance(event, _TIMED) and event.deadline:
                self._deadlines.arm(event.contact, event.deadline)
        return events

    def _apply(self, event: e.DialogEvent) -> None:
        dialog.apply(self.state, event)

    def _unstored(self) -> Sequence[Piece]:
        return self.state.contacts.unstored()

    def _leave(self, stored: Sequence[Piece]) -> None:
        self.state.contacts.leave(cast(Sequence[Resting], stored))

    # --- what is shown ---------------------------------------------------------------------------------------------

    def _publish(self, position: int, events: list[e.DialogEvent], origin: object) -> Callable[[], None]:
        last = events[-1] if events else None  # the texts before a closing are its owner's, too
        if isinstance(last, e.Closed):
            self.closed[last.reason] = self.closed.get(last.reason, 0) + 1
        ended = last.operator if isinstance(last, e.Closed) and last.was in e.OWNED else ""
        owners = [ended if ended and isinstance(event, e.Said) else self._owner(event) for event in events]
        return partial(self._show, position, events, owners, origin)

    def _owner(self, event: e.DialogEvent) -> str:
        """Whose desk the event is shown on, judged when it happened."""
        match event:
            case e.Said() | e.Edited() | e.Sent() | e.Undelivered() | e.Receipted() | e.Stored() | e.Unfetched():
                contact = self.state.contacts.active.get(event.contact)  # at rest it is nobody's
                if contact is None or contact.state not in OWNED or contact.number != event.number:
                    return ""
                return contact.operator
            case e.Offered() | e.OfferEnded() | e.Held() | e.Resumed() | e.Transferred() | e.Released() | e.Closed():
                return event.operator
            case e.Called() if event.state not in e.ORDERS:  # whose order it is gets it with the dialog
                return event.operator
        return ""

    def _show(self, position: int, events: list[e.DialogEvent], owners: list[str], origin: object) -> None:
        self._keep(position, events)  # first what must not fail, then what a defect in a view could break off
        commands = links.to_floor(self.index, events)
        if commands:
            self.to_floor(self.log, position, commands)
        for event, owner in zip(events, owners, strict=True):
            if isinstance(event, e.Inert) or not (owner or isinstance(event, _PASSED_ON)):
                continue
            contact = self.state.contacts[event.contact]
            if isinstance(event, e.Asked):
                self._audience.asked(self, contact, event.about(events))
            if isinstance(event, e.Entry):
                own = isinstance(event, e.Said) and event.id  # what follows from a message, its sender is shown, too
                self._audience.customers(self, position, contact, event, origin if own else None)
            if owner and not (isinstance(event, e.Said) and event.author == owner):
                self._audience.desk(self, position, contact, owner, event)
            if isinstance(event, e.Said):
                self._pass_on(contact, event)
            elif isinstance(event, e.Noticed) or (isinstance(event, e.Called) and event.state in e.ORDERS):
                self._audience.outbound(self, contact, event)
            elif isinstance(event, (e.AccountNamed, e.OperationAsked)):
                self._audience.bank(self, contact, event)

    def _pass_on(self, contact: Contact, message: e.Said) -> None:
        account = contact.key.partition("/")[0]
        self.messages[account] = self.messages.get(account, 0) + 1
        if contact.messenger and message.author != "customer":
            self._audience.outbound(self, contact, message)
        elif message.files:
            self._audience.enclosed(self, contact, message)

    def _keep(self, position: int, events: list[Any]) -> None:
        """Collect what the history is to know of a record; not all of it takes a seq."""
        for event in events:
            if isinstance(event, e.Met):
                self._contacts.append((event.contact, event.key))
            elif isinstance(event, _KEPT):
                seq = event.seq if isinstance(event, e.Entry) else 0
                kind = e.TAGS[type(event)]
                self._rows.append(Row(event.contact, event.number, seq, kind, position, e.encode_event(event)))

    def _after_commit(self) -> None:
        if self._rows or self._contacts:
            self.journal.history.project(self.log, self.durable, self._rows, self._contacts)
            self._rows, self._contacts = [], []

    # --- deadlines -------------------------------------------------------------------------------------------------

    def _remind(self, number: int) -> None:
        contact = self._deadlines.fallen(number, self._now_ms())
        if contact is not None:
            with suppress(Poisoned):
                self.submit(self.reminder(contact))

    # --- recovery --------------------------------------------------------------------------------------------------

    def reproject(self) -> None:
        """Hand the history what it lacks after a restart. On the loop, before anything is served."""
        history = self.journal.history
        for position, record in self.records(history.projected(self.log)):
            self._keep(position, record.events)
        self._after_commit()

    def resume(self) -> None:
        """Arm the deadlines that the restored state holds."""
        for contact in self.state.contacts.active.values():
            if contact.deadline:
                self._deadlines.arm(contact.id, contact.deadline)

    async def said(self, contact: int, number: int, seq: int) -> e.Said:
        """A durable message of a dialog, read from the history."""
        message = await self.written(contact, number, seq)
        assert isinstance(message, e.Said), "the state says that a message stands there"
        return message

    async def written(self, contact: int, number: int, seq: int) -> e.Sendable:
        """What durably goes out, read from the history; notices stand at number 0."""
        rows = await self.journal.history.entries(self.log, contact, (number, seq - 1), 1)
        message = e.decode_event(rows[0].blob)
        assert isinstance(message, e.Sendable), "the state says that something to be sent stands there"
        return message

    def unsettled(self) -> int:
        """Outbound messages whose end is not known yet."""
        return sum(len(contact.unsettled) for contact in self.state.contacts.active.values())
