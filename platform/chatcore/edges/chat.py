"""Customers' sockets: the web widget and the mobile app."""

from functools import partial

from aiohttp import web

from chatcore import wire
from chatcore.config import Account
from chatcore.edges.gateway import MAX_TEXT, Gateway, attend
from chatcore.edges.messages import receive
from chatcore.edges.session import Session, next_frame
from chatcore.errors import BadFrame, Unauthorized
from chatcore.machines.commands import Leave, Refused
from chatcore.machines.contacts import Contact
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

PAGE = 500


async def chat(request: web.Request) -> web.StreamResponse:
    """`GET /v1/chat`: one customer's session, from hello to the end of the socket."""
    return await attend(request, Customer, "a customer's")


class Customer:
    """One session of a contact on an account with sockets."""

    def __init__(self, gateway: Gateway, session: Session, hello: dict[str, object]) -> None:
        self.contact = gateway.subject(hello.get("token"), "customer")
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

    async def run(self) -> None:
        """Resume, then take frames until the socket ends."""
        self.gateway.hub.join_customer(self.contact, self.name, self.session)
        try:
            await self._resume()
            while (frame := await next_frame(self.session.socket)) is not None and not self.session.closed:
                self._take(frame)
        finally:
            self.session.closed = True
            self.gateway.hub.leave_customer(self.contact, self.name, self.session)

    async def _resume(self) -> None:
        """Welcome the session and show it what it missed; what happens meanwhile follows, nothing twice."""
        self.session.gate()
        known = self.partition.state.by_key.get(self.contact)
        through = {self.partition.log: self.partition.position}
        number, seq = (known.number, known.seq) if known else (0, 0)
        state = known.state.name.lower() if known else "none"
        await self.partition.settled()
        welcome = {"op": "welcome", "contact": self.contact, "dialog": number, "state": state}
        self.session.write(wire.dumps(welcome | {"cursor": f"{number}.{seq}"}))
        if known is not None and self.cursor is not None:
            await self._replay(known, self.cursor, (number, seq))
        self.session.ungate(through)

    async def _replay(self, contact: Contact, after: tuple[int, int], through: tuple[int, int]) -> None:
        """Send the entries between two cursors; those behind `through` are shown as they happen."""
        history = self.gateway.core.journal.history
        while after < through and (rows := await history.entries(self.partition.log, contact.id, after, PAGE)):
            for row in rows:
                after = (row.dialog, row.seq)
                if after <= through:
                    self.session.write(wire.dumps(wire.stored(contact.key, row.blob)))
            await self.session.caught_up()

    def _take(self, frame: dict[str, object]) -> None:
        match frame:
            # the machine marks operators' ids with a character that is not printable
            case {"op": "send", "cid": str(cid), "text": str(text)} if (
                0 < len(cid) <= 64 and cid.isprintable() and text
            ):
                self._send(cid, text)
            case {"op": "end"}:
                self._end()
            case {"op": "ping"}:
                self.session.send({"op": "pong"})
            case _:
                self.gateway.count("bad_frames")
                self.session.send({"op": "refused", "cid": frame.get("cid"), "reason": "bad_frame"})

    def _send(self, cid: str, text: str) -> None:
        try:
            if len(text) > MAX_TEXT:
                raise Refused("too_long")
            self.gateway.check_ready()
            answer = partial(self._acknowledge, cid)
            receive(self.gateway, self.account, self.user, cid, text, self.session, answer)
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

    def _refuse(self, cid: str, reason: str) -> None:
        self.gateway.count(f"refused_{reason}")
        self.partition.hold(self.session.send, {"op": "refused", "cid": cid, "reason": reason})
