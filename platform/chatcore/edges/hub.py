"""Who is connected, and what each is shown of a durable record. Nothing in here outlives the process."""

from collections.abc import Callable

import orjson

from chatcore import wire
from chatcore.edges.bank import BankService
from chatcore.edges.fetcher import Fetcher
from chatcore.edges.hints import HintService
from chatcore.edges.outbox import MessengerOutbox
from chatcore.edges.session import FENCED, Session
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact
from chatcore.runtime.partition import PartitionOwner


class Hub:
    """The audience of the partitions: customers' sessions by contact, operators' desks by id."""

    def __init__(self) -> None:
        self.sessions: set[Session] = set()  # all open ones, also before their hello
        self.customers_of: dict[str, dict[str, Session]] = {}
        self.desks: dict[str, Session] = {}
        self.outbox: MessengerOutbox | None = None
        self.fetcher: Fetcher | None = None
        self.hints: HintService | None = None
        self.asked_about: Callable[[PartitionOwner, Contact, e.Said], None] | None = None
        self.bank_service: BankService | None = None

    def join_customer(self, contact: str, name: str, session: Session) -> None:
        """Add a contact's session; an older one of the same name is fenced off."""
        sessions = self.customers_of.setdefault(contact, {})
        old, sessions[name] = sessions.get(name), session
        self._fence(old)

    def leave_customer(self, contact: str, name: str, session: Session) -> None:
        """Forget a session, unless a newer one took its place."""
        sessions = self.customers_of.get(contact, {})
        if sessions.get(name) is session:
            del sessions[name]
            if not sessions:
                del self.customers_of[contact]

    def join_desk(self, operator: str, session: Session) -> None:
        """Add an operator's desk; an older one is fenced off."""
        old, self.desks[operator] = self.desks.get(operator), session
        self._fence(old)

    def leave_desk(self, operator: str, session: Session) -> bool:
        """Forget a desk; False if a newer one took its place."""
        if self.desks.get(operator) is not session:
            return False
        del self.desks[operator]
        return True

    @staticmethod
    def _fence(old: Session | None) -> None:
        if old is not None:
            old.close(FENCED, "a newer connection of this session took over")

    # --- the audience of the partitions ----------------------------------------------------------------------------

    def customers(
        self, partition: PartitionOwner, position: int, contact: Contact, event: e.Entry, origin: object
    ) -> None:
        """Show an entry to the contact's sessions; the frame is encoded once for all of them."""
        sessions = self.customers_of.get(contact.key)
        if not sessions:
            return
        dialog = f"{contact.key}#{event.number}"
        frame = b""
        for session in sessions.values():
            if session is not origin:
                frame = frame or orjson.dumps(wire.entry(dialog, event))
                session.show(partition.log, position, frame)

    def desk(
        self, partition: PartitionOwner, position: int, contact: Contact, operator: str, event: e.DialogEvent
    ) -> None:
        """Show an operator what concerns a dialog of theirs, or an offer."""
        session = self.desks.get(operator)
        if session is None:
            return
        session.show(partition.log, position, orjson.dumps(desk_view(contact, event)))

    def outbound(self, partition: PartitionOwner, contact: Contact, message: e.Sendable) -> None:
        """Hand a reply or a notice to the contact's messenger, or an order to its telephone exchange."""
        if self.outbox is not None:
            self.outbox.put(partition, contact, message)

    def enclosed(self, partition: PartitionOwner, contact: Contact, message: e.Said) -> None:
        """Have the attachments of a customer's message fetched."""
        if self.fetcher is not None:
            self.fetcher.put(partition, contact.key, message)

    def asked(self, partition: PartitionOwner, contact: Contact, message: e.Said) -> None:
        """Have the bank's bot asked about a customer's message."""
        if self.asked_about is not None:
            self.asked_about(partition, contact, message)

    def bank(self, partition: PartitionOwner, contact: Contact, asked: e.AccountNamed | e.OperationAsked) -> None:
        """Have the bank asked."""
        if self.bank_service is not None:
            self.bank_service.put(partition, contact, asked)


def desk_view(contact: Contact, event: e.DialogEvent) -> dict[str, object]:
    """What a desk is shown."""
    match event:
        case e.Said():  # by far the most
            return wire.entry(f"{contact.key}#{event.number}", event)
        case e.Offered():
            dialog = f"{contact.key}#{event.number}"
            asked = event.place, event.priority, event.department, event.wish
            return offer(dialog, event.assignment, *asked, callback=event.callback)
        case e.OfferEnded() | e.Closed(was=e.State.OFFERED):
            return {"op": "withdrawn", "dialog": f"{contact.key}#{event.number}", "number": event.assignment}
        case e.Sent() | e.Undelivered() | e.Receipted():
            return wire.receipt(f"{contact.key}#{event.number}", event)
        case e.Stored() | e.Unfetched():
            return wire.attachment(f"{contact.key}#{event.number}", event)
        case e.Edited() | e.Called() | e.Held() | e.Resumed() | e.Transferred() | e.Released() | e.Closed():
            return wire.entry(f"{contact.key}#{event.number}", event)
    raise TypeError(f"a {type(event).__name__} is not for a desk")


def offer(
    dialog: str, number: int, place: int, priority: int, department: str, wish: e.Wish, *, callback: bool
) -> dict[str, object]:
    """The frame that offers a dialog to a desk; weight 0 takes all slots, and a call-back says so."""
    view: dict[str, object] = {
        "op": "offered", "dialog": dialog, "number": number, "place": place, "priority": priority,
        "department": department, "skill": wish.skill, "language": wish.language, "weight": wish.weight,
    }  # fmt: skip
    return view | {"callback": True} if callback else view
