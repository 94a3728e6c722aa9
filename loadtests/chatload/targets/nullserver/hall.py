"""What happens when somebody says something: contacts, seats, and who is offered to whom."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Protocol

import msgspec
import orjson

from chatload.accounts import channel_of
from chatload.targets.nullserver.messenger import Line, Sending

RECENT: Final = 16  # entries a contact keeps: more than a hand-over or an absence needs
REPEATED: Final = 8  # messages of a contact that are told from repeats
SWEEP_S: Final = 0.5


class Party(Protocol):
    """Whom an entry can be shown to."""

    def write(self, frame: bytes) -> None:
        """Show an encoded frame to whoever is there."""

    def tell(self, **frame: Any) -> None:
        """Show a frame."""


class Seat(Party, Protocol):
    """An operator's place; `listed` while it stands among those with room."""

    held: int
    online: bool
    listed: bool


class Config(msgspec.Struct, frozen=True):
    """`messengers`: by account, who takes its replies; `bots`: the channels whose bot answers first.

    `inactivity_s`: a customer who says nothing for so long has gone.
    """

    host: str
    port: int
    inactivity_s: float
    slots: int
    bots: list[str]
    handover: list[str]
    answer: str
    messengers: dict[str, Line]


class Contact:
    """A customer and their present dialog."""

    __slots__ = ("at_s", "cids", "key", "number", "offer", "recent", "seat", "seq", "session", "state", "stored")

    def __init__(self, key: str) -> None:
        self.key = key
        self.at_s = 0.0
        self.number = 0
        self.seq = 0
        self.state = "none"
        self.offer = -1
        self.cids: tuple[str, ...] = ()  # the last messages' ids: no repeats come of older ones
        self.stored = 0  # the last one's place
        self.seat: Seat | None = None
        self.session: Party | None = None
        self.recent: deque[tuple[tuple[int, int], bytes]] = deque(maxlen=RECENT)

    @property
    def dialog(self) -> str:
        """The dialog's id on the wire."""
        return f"{self.key}#{self.number}"


class Hall:
    """All contacts and seats: what happens when somebody says something."""

    def __init__(self, config: Config, messengers: Mapping[str, Sending]) -> None:
        self.config = config
        self.contacts: dict[str, Contact] = {}
        self.unsettled = 0
        self._messengers = messengers
        self._handover = tuple(word.lower() for word in config.handover)
        self._free: deque[Seat] = deque()
        self._waiting: deque[Contact] = deque()
        self._offers = 0

    def contact(self, key: str) -> Contact:
        """The contact of this key, known or new."""
        return self.contacts.get(key) or self.contacts.setdefault(key, Contact(key))

    def hear(self, contact: Contact, cid: str, text: str) -> bool:
        """Take a customer's message; False if it is one of the last again."""
        if cid in contact.cids:
            return False
        if contact.state in {"none", "closed"}:
            contact.number, contact.seq, contact.state = contact.number + 1, 0, "bot"
            contact.recent.clear()
        contact.cids = (*contact.cids[1 - REPEATED :], cid)
        contact.stored, contact.at_s = contact.seq + 1, time.monotonic()
        owner = contact.seat if contact.state == "assigned" else None
        self.enter(contact, owner, author="customer", kind="message", text=text, id=cid)
        return True

    def react(self, contact: Contact, text: str) -> None:
        """What follows a new message: the bot's answer, or the queue."""
        if contact.state != "bot":
            return
        lowered = text.lower()
        if channel_of(contact.key.partition("/")[0]) in self.config.bots and not any(
            word in lowered for word in self._handover
        ):
            cause = {"seq": contact.seq, "rule": "bot:null"}
            self.enter(contact, contact.session, author="bot", kind="message", text=self.config.answer, cause=cause)
            return
        contact.state = "queued"
        self.enter(contact, contact.session, author="system", kind="queued", department="general")
        self._waiting.append(contact)
        self.offer()

    def enter(self, contact: Contact, to: Party | None, **content: Any) -> None:
        """The dialog's next entry, shown to one party."""
        contact.seq += 1
        frame = orjson.dumps({"op": "entry", "dialog": contact.dialog, "seq": contact.seq, **content})
        contact.recent.append(((contact.number, contact.seq), frame))
        if to is not None:
            to.write(frame)

    def seat(self, seat: Seat) -> None:
        """A seat came on duty, or has room again."""
        if seat.online and not seat.listed and seat.held < self.config.slots:
            seat.listed = True
            self._free.append(seat)
            self.offer()

    def offer(self) -> None:
        """Offer whoever waits to whoever has room, round and round."""
        while self._waiting and self._free:
            seat = self._free.popleft()
            seat.listed = False
            if not seat.online:
                continue
            contact = self._waiting.popleft()
            if contact.state == "queued":
                self._offers += 1
                contact.state, contact.seat, contact.offer = "offered", seat, self._offers
                seat.held += 1
                place = {"place": self._offers, "priority": 0, "department": "general"}
                seat.tell(op="offered", dialog=contact.dialog, number=self._offers, **place)
            self.seat(seat)

    def close(self, contact: Contact, reason: str) -> None:
        """End the dialog; its seat has room again."""
        if contact.state in {"none", "closed"}:
            return
        seat, offered = contact.seat, contact.state == "offered"
        self.enter(contact, contact.session, author="system", kind="closed", reason=reason)
        contact.state, contact.seat = "closed", None
        if seat is not None:
            if offered:
                seat.tell(op="withdrawn", dialog=contact.dialog, number=contact.offer)
            else:
                seat.write(contact.recent[-1][1])
            seat.held -= 1
            self.seat(seat)
        self.forget(contact)

    def forget(self, contact: Contact) -> None:
        """Keep nothing of who has no dialog and is not here."""
        if contact.state in {"none", "closed"} and contact.session is None:
            self.contacts.pop(contact.key, None)

    def sweep(self) -> None:
        """Close the dialogs of those who have gone, and come back for the others."""
        since_s = time.monotonic() - self.config.inactivity_s
        for contact in [contact for contact in self.contacts.values() if contact.at_s < since_s]:
            self.close(contact, "inactivity")
        asyncio.get_running_loop().call_later(SWEEP_S, self.sweep)

    def post(self, seat: Seat, contact: Contact, text: str) -> None:
        """Send a reply to its messenger, if the contact is there."""
        account, _, user = contact.key.partition("/")
        messenger = self._messengers.get(account)
        if messenger is None:
            return
        self.unsettled += 1
        messenger.send(user, text, partial(self._posted, seat, {"dialog": contact.dialog, "seq": contact.seq}))

    def _posted(self, seat: Seat, about: dict[str, Any], provider_id: str, reason: str) -> None:
        self.unsettled -= 1
        status = "failed" if reason else "sent"
        seat.tell(op="receipt", **about, status=status, provider_id=provider_id, reason=reason)
