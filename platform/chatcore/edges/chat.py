"""Customers' sockets: the web widget and the mobile app."""

import asyncio
from functools import partial

from aiohttp import web

from chatcore import wire
from chatcore.config import Account
from chatcore.edges.gateway import GATEWAY, MAX_BODY, MAX_TEXT, Gateway, error
from chatcore.edges.messages import receive
from chatcore.edges.session import BAD_FRAME, UNAUTHORIZED, Session, next_frame
from chatcore.errors import BadFrame, Unauthorized
from chatcore.machines.commands import Leave, Refused
from chatcore.machines.dialog import Contact
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

HELLO_S = 10.0
PAGE = 500


async def chat(request: web.Request) -> web.StreamResponse:
    """`GET /v1/chat`: one customer's session, from hello to the end of the socket."""
    gateway = request.app[GATEWAY]
    if not gateway.ready:
        return error(503, "not_stored", "recovering")
    socket = web.WebSocketResponse(compress=False, heartbeat=30, max_msg_size=MAX_BODY)
    await socket.prepare(request)
    session = Session(request, socket)
    try:
        hello = await asyncio.wait_for(next_frame(socket), HELLO_S)
        customer = Customer(gateway, session, hello or {})
    except (TimeoutError, Unauthorized):
        session.close(UNAUTHORIZED, "say hello with a customer's token")
        return socket
    except BadFrame as fault:
        session.close(BAD_FRAME, str(fault))
        return socket
    await customer.run()
    return socket


class Customer:
    """One session of a contact on an account with sockets."""

    def __init__(self, gateway: Gateway, session: Session, hello: dict[str, object]) -> None:
        if hello.get("op") != "hello":
            raise Unauthorized
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
            while (frame := await next_frame(self.session.socket)) is not None:
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
        self.session.send(
            {"op": "welcome", "contact": self.contact, "dialog": number, "state": state, "cursor": f"{number}.{seq}"}
        )
        shown: dict[str, int] = {}
        if known is not None and self.cursor is not None and self.cursor < (number, seq):
            shown = await self._replay(known, self.cursor)
        self.session.ungate(through, shown)

    async def _replay(self, contact: Contact, after: tuple[int, int]) -> dict[str, int]:
        """Send the entries after a cursor; returns the last seq sent of each dialog."""
        shown: dict[str, int] = {}
        history = self.gateway.core.journal.history
        while rows := await history.entries(self.partition.log, contact.id, after, PAGE):
            for row in rows:
                view = wire.stored(contact.key, row.blob)
                shown[view["dialog"]] = row.seq
                self.session.send(view)
            after = (rows[-1].dialog, rows[-1].seq)
            if len(rows) < PAGE:
                break
        return shown

    def _take(self, frame: dict[str, object]) -> None:
        match frame:
            case {"op": "send", "cid": str(cid), "text": str(text)} if 0 < len(cid) <= 64 and text:
                self._send(cid, text)
            case {"op": "end"}:
                self._end()
            case {"op": "ping"}:
                self.session.send({"op": "pong"})
            case _:
                self.gateway.count("bad_frames")
                self.session.send({"op": "refused", "cid": frame.get("cid"), "reason": "bad_frame"})

    def _send(self, cid: str, text: str) -> None:
        if len(text) > MAX_TEXT:
            self._refuse(cid, "too_long")
        elif not self.gateway.ready:
            self._refuse(cid, "not_stored")
        else:
            try:
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
            self.partition.submit(Leave(self.contact))
        except (Refused, Poisoned):
            self.gateway.count("ends_refused")

    def _refuse(self, cid: str, reason: str) -> None:
        self.gateway.count(f"refused_{reason}")
        self.partition.hold(self.session.send, {"op": "refused", "cid": cid, "reason": reason})
