"""Customers' sockets: the web widget and the mobile app."""

from functools import partial

from chatcore import wire
from chatcore.config import MAX_TEXT, Account
from chatcore.edges.automatic import place_of
from chatcore.edges.gateway import Gateway
from chatcore.edges.messages import MAX_FILES, enclosed, receive
from chatcore.edges.routes import SOCKETS
from chatcore.edges.session import TOO_FAST, Session
from chatcore.errors import BadFrame, Unauthorized
from chatcore.machines.commands import Leave, Rate, Refused
from chatcore.machines.contacts import Contact
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

PAGE = 500


class Customer:
    """`/v1/chat`: one session of a contact on an account with sockets.

    Raises:
        Unauthorized: the hello shows no customer's token for such an account.
        BadFrame: its cursor cannot be read.
    """

    def __init__(self, gateway: Gateway, session: Session, hello: dict[str, object]) -> None:
        self.contact = gateway.subject(hello.get("token"), SOCKETS[b"/v1/chat"])
        account, _, self.user = self.contact.partition("/")
        found = gateway.accounts.get(account)
        if found is None or found.api or not self.user:
            raise Unauthorized
        self.account: Account = found
        self.gateway = gateway
        self.session = session
        self.name = str(hello.get("session", ""))[:64]
        try:
            cursor = hello.get("cursor")
            self.cursor = wire.split_cursor(str(cursor)) if cursor is not None else None
        except ValueError as fault:
            raise BadFrame("the cursor is not one of ours") from fault
        self.partition: PartitionOwner = gateway.core.partition_of(self.contact)

    def come(self) -> None:
        """Join the contact's sessions; be welcomed, and shown what was missed.

        What happens from now on is shown behind that, nothing twice.
        """
        self.gateway.hub.join_customer(self.contact, self.name, self.session)
        self.session.gate()
        known = self.partition.state.by_key.get(self.contact)
        number, seq = (known.number, known.seq) if known else (0, 0)
        state = known.state.name.lower() if known else "none"
        welcome = {"op": "welcome", "contact": self.contact, "dialog": number, "state": state}
        frame = wire.dumps(welcome | {"cursor": f"{number}.{seq}"})
        self.partition.hold(self._welcome, frame, known, (number, seq), {self.partition.log: self.partition.position})

    def _welcome(self, frame: bytes, known: Contact | None, last: tuple[int, int], through: dict[str, int]) -> None:
        self.session.write(frame)
        if known is not None and not self.session.closed and self.cursor is not None and self.cursor < last:
            self.session.errand(self._replay(known, self.cursor, last, through))
        else:
            self.session.ungate(through)

    async def _replay(
        self, contact: Contact, after: tuple[int, int], last: tuple[int, int], through: dict[str, int]
    ) -> None:
        """Send the entries between two cursors; those behind `last` are shown as they happen."""
        history = self.gateway.core.journal.history
        while after < last and (rows := await history.entries(self.partition.log, contact.id, after, PAGE)):
            for row in rows:
                after = (row.dialog, row.seq)
                if after <= last:
                    self.session.write(wire.dumps(wire.stored(contact.key, row.blob)))
            await self.session.caught_up()
        self.session.ungate(through)

    def left(self) -> None:
        """Leave the contact's sessions."""
        self.gateway.hub.leave_customer(self.contact, self.name, self.session)

    def take(self, frame: dict[str, object]) -> None:
        """Take a message, a rating, a question for the place in the queue, or the wish to end the dialog."""
        match frame:
            # the machine marks operators' ids with a character that is not printable
            case {"op": "send", "cid": str(cid), "text": str(text)} if 0 < len(cid) <= 64 and cid.isprintable():
                self._send(cid, text, frame.get("files"))
            case _ if not self.gateway.guard.contact(self.contact):
                self.gateway.count("refused_too_fast")
                self.session.close(TOO_FAST, "too many frames: come back with your cursor")
            case {"op": "end"}:
                self._end()
            case {"op": "place"}:
                place = place_of(self.gateway, self.partition, self.contact)
                self.gateway.core.floor.hold(self.session.send, {"op": "place", "place": place})
            case {"op": "rate", "score": score} if type(score) is int:
                self._rate(score)
            case {"op": "ping"}:
                self.session.send({"op": "pong"})
            case _:
                self.gateway.count("bad_frames")
                self.session.send({"op": "refused", "cid": frame.get("cid"), "reason": "bad_frame"})

    def _send(self, cid: str, text: str, listed: object) -> None:
        try:
            if len(text) > MAX_TEXT:
                raise Refused("too_long")
            files = enclosed(self.gateway.files, listed, MAX_FILES) if listed else ()
            if not text and not files:
                raise Refused("bad_frame")
            self.gateway.check_ready()
            answer = partial(self._acknowledge, cid)
            receive(self.gateway, self.account, self.user, cid, text, files, self.session, answer)
        except Refused as refusal:
            self._refuse(cid, refusal.reason)
        except Poisoned:
            self._refuse(cid, "unprocessable")

    def _acknowledge(self, cid: str) -> None:
        contact = self.partition.state.by_key[self.contact]
        seen = contact.seen[cid]
        self.session.send({"op": "ack", "cid": cid, "dialog": f"{self.contact}#{seen.number}", "seq": seen.seq})

    def _end(self) -> None:
        try:
            self.gateway.check_ready()
            self.partition.submit(Leave(self.contact))
        except (Refused, Poisoned):
            self.gateway.count("ends_refused")

    def _rate(self, score: int) -> None:
        try:
            self.gateway.check_ready()
            self.partition.submit(Rate(self.contact, score), answer=partial(self._rated, score))
        except Refused as refusal:
            self._refuse("", refusal.reason)
        except Poisoned:
            self._refuse("", "unprocessable")

    def _rated(self, score: int) -> None:
        contact = self.partition.state.by_key[self.contact]
        self.session.send({"op": "rated", "dialog": contact.dialog, "score": score, "scale": contact.scale})

    def _refuse(self, cid: str, reason: str) -> None:
        self.gateway.count(f"refused_{reason}")
        self.partition.hold(self.session.send, {"op": "refused", "cid": cid, "reason": reason})
