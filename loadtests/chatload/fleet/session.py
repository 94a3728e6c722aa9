"""A customer's session with the platform's own chat: the web widget and the mobile app.

The session keeps what a real client keeps: a cursor, and the messages that were not acknowledged. After a broken socket
it shows the cursor, takes the missed entries and sends those messages again under their old ids.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import msgspec

from chatload.fleet import codes
from chatload.fleet.frames import Ack, Entry, Frame, Rated, Refused, Welcome, customer_frame, encode
from chatload.fleet.identity import Identity
from chatload.fleet.ledger import Actor, Message, Rating, Subject, method_of
from chatload.fleet.link import Link, backoff_ns
from chatload.fleet.outbox import NOT_YET, Outbox

END: Final[Frame] = {"op": "end"}

Place = tuple[int, int]  # dialog number and seq, as a cursor orders them
Stored = Callable[[dict[str, str] | None, int], None]
Store = Callable[[str, str, Stored], None]  # `Uploads.store`


class Customer(Protocol):
    """Who plays a session: a dialog's script, or a probe."""

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        """The platform has stored the message."""

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """A new entry of the present dialog came."""

    def failed(self, reason: str) -> None:
        """A message was refused, or the platform will not have this customer."""


class Session:
    """One customer's session on one contact.

    Every method is synchronous and returns at once; what the platform answers arrives at `customer`.
    """

    __slots__ = (
        "_actor", "_cursor", "_customer", "_end", "_link", "_missing", "_outbox", "_rating", "_resumed_ns", "_shown",
        "_store", "_subject", "_world",
    )  # fmt: skip
    shows_queue = True  # the customer sees the queue and the closing; a messenger shows neither

    def __init__(self, actor: Actor, subject: Subject, customer: Customer, store: Store | None = None) -> None:
        self._actor = actor
        self._store = store
        self._subject = subject
        self._customer = customer
        self._world = actor.world
        self._link = Link(actor, self, "/v1/chat", subject)
        self._outbox = Outbox(actor, self._link, self._written)
        self._cursor: Place | None = None
        self._shown = -1
        self._missing: Place | None = None
        self._resumed_ns = -1
        self._end: Message | None = None
        self._rating: Rating | None = None

    def open(self, intended_ns: int) -> None:
        """Connect; what is sent before the platform's greeting waits for it."""
        self._link.open(intended_ns)

    def send(self, message: Message) -> None:
        """Send, now or as soon as there is a connection; then be away, if the message says so.

        An attachment is stored first, and sent in place of the text; where that fails, the text goes.
        """
        if message.attachment and self._store is not None:
            token = self._world.token("customer", self._subject.contact)
            self._store(message.attachment, token, partial(self._stored, message))
        else:
            self._outbox.send(message)

    def end(self, intended_ns: int) -> None:
        """Ask the platform to close the dialog; the closed entry is the answer."""
        self._end = Message(self._subject, "", -1, "", intended_ns)
        self._write_end(self._end)

    def rate(self, rating: Rating) -> None:
        """Rate the dialog that was closed."""
        self._rating = rating
        self._write_rating()

    def leave(self) -> None:
        """Close for good; what has no answer stays indeterminate."""
        self._unrated("left")
        self._finish_resume(codes.INDETERMINATE)
        self._outbox.clear("left")
        self._ended(codes.INDETERMINATE, -1)
        self._link.shut()

    def hello(self) -> bytes:
        """Who we are, and how far we have read."""
        cursor = "{}.{}".format(*self._cursor) if self._cursor else None
        self._shown = self._cursor[1] if self._cursor else -1
        token = self._world.token("customer", self._subject.contact)
        return encode({"op": "hello", "token": token, "session": self._actor.name, "cursor": cursor})

    def heard(self, payload: bytes, stamp_ns: int) -> None:
        """Take a frame of the platform."""
        try:
            frame = customer_frame.decode(payload)
        except msgspec.DecodeError:
            self._world.tally.fail("frame", method_of(self._subject.channel), "not understood")
            return
        match frame:
            case Entry():
                self._entry(frame, stamp_ns)
            case Ack():
                self._ack(frame, stamp_ns)
            case Welcome():
                self._welcome(frame, stamp_ns)
            case Rated():
                self._rated(codes.OK, stamp_ns)
            case Refused():
                self._refused(frame, stamp_ns)

    def broken(self, reason: str) -> None:
        """Note what has no answer; the link dials again by itself."""
        self._unrated(reason)
        self._finish_resume(codes.INDETERMINATE)
        self._outbox.unsettled(reason)

    def refused(self, reason: str) -> None:
        """The platform will not have us."""
        self._outbox.clear(reason)
        self._customer.failed(reason)

    def _stored(self, message: Message, file: dict[str, str] | None, stamp_ns: int) -> None:
        message.intended_ns = stamp_ns
        if file is None:
            self._outbox.send(message)
        else:
            message.text, message.size = "", 0
            self._outbox.send(message, files=[file])

    def _written(self, message: Message) -> None:
        if message.attempt == 1 and message.away_ns >= 0:
            self._outbox.unsettled("dropped")
            self._link.drop(self._world.clock.now_ns() + message.away_ns)

    def _welcome(self, frame: Welcome, stamp_ns: int) -> None:
        self._link.welcomed(stamp_ns)
        head = _place(frame.cursor)
        if not self._link.resuming:
            self._subject.number = frame.dialog + (frame.state in {"none", "closed", "rated"})
            self._cursor = head
        if self._link.resuming and self._cursor is not None and head > self._cursor:
            self._missing, self._resumed_ns = head, stamp_ns
        else:
            self._link.record(codes.OK, stamp_ns, cursor=self._shown)
        self._outbox.resume()
        if self._end is not None:
            self._write_end(self._end)
        if self._rating is not None:
            self._rate_again(self._rating, frame.state)

    def _entry(self, entry: Entry, stamp_ns: int) -> None:
        identity = self._actor.saw(entry, self._subject, stamp_ns)
        here = (self._subject.place(entry.dialog)[1], entry.seq)
        if self._missing is not None and here <= self._missing:
            self._resumed_ns = stamp_ns
            if here == self._missing:
                self._finish_resume(codes.OK)
        if here <= (self._cursor or (0, 0)):
            return  # seen before: recorded, but nothing new to react to
        self._cursor = here
        if here[0] < self._subject.number:
            return  # the end of an earlier dialog
        if entry.kind == "closed":
            self._ended(codes.OK, stamp_ns)
        self._customer.saw(entry, identity, stamp_ns)

    def _ack(self, frame: Ack, stamp_ns: int) -> None:
        self._finish_resume(codes.OK)
        here = (self._subject.place(frame.dialog)[1], frame.seq)
        self._subject.number = here[0]
        self._cursor = max(self._cursor or (0, 0), here)
        message = self._outbox.acknowledged(frame.cid, stamp_ns, frame.seq)
        if message is not None:
            self._customer.acknowledged(message, stamp_ns)

    def _refused(self, frame: Refused, stamp_ns: int) -> None:
        self._finish_resume(codes.OK)
        if self._rating is not None and not frame.cid:
            self._rated(codes.REJECTED, stamp_ns, frame.reason)
        elif self._outbox.refused(frame.cid or "", stamp_ns, frame.reason) is not None:
            self._customer.failed(frame.reason)

    def _write_end(self, end: Message) -> None:
        if self._link.live:
            end.attempt += 1
            end.started_ns = self._world.clock.now_ns()
            self._link.send(END)

    def _write_rating(self) -> None:
        rating = self._rating
        if rating is not None and self._link.live and rating.started_ns < 0:
            rating.attempt += 1
            rating.started_ns = self._world.clock.now_ns()
            self._link.send({"op": "rate", "score": rating.score})

    def _rate_again(self, rating: Rating, state: str) -> None:
        """After a break: unless the platform says that the rating has arrived."""
        if state != "rated":
            self._write_rating()
            return
        self._rating = None
        rating.done()

    def _rated(self, outcome: int, stamp_ns: int, reason: str = "") -> None:
        """An answer to the rating; what was not decided is said again."""
        rating = self._rating
        if rating is None or rating.started_ns < 0:
            return
        self._actor.rated(rating, outcome, stamp_ns, reason)
        rating.started_ns = -1
        if reason == NOT_YET:
            wait_ns = backoff_ns(rating.attempt - 1, self._actor.name, rating.attempt)
            self._world.clock.at(stamp_ns + wait_ns, self._write_rating)
            return
        self._rating = None
        rating.done()

    def _unrated(self, reason: str) -> None:
        """Nobody knows whether the rating arrived."""
        if self._rating is not None and self._rating.started_ns >= 0:
            self._actor.rated(self._rating, codes.INDETERMINATE, -1, reason)
            self._rating.started_ns = -1

    def _finish_resume(self, outcome: int) -> None:
        if self._missing is not None:
            self._missing = None
            self._link.record(outcome, self._resumed_ns, cursor=self._shown)

    def _ended(self, outcome: int, done_ns: int) -> None:
        end, self._end = self._end, None
        if end is not None and end.attempt:
            self._actor.closed(end, outcome, done_ns)


def _place(cursor: str | None) -> Place:
    number, _, seq = (cursor or "").partition(".")
    return (int(number), int(seq)) if number.isdigit() and seq.isdigit() else (0, 0)
