"""The customers' and the operators' WebSockets."""

import base64
from abc import ABC, abstractmethod
from typing import Any, Final

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest

from chatload.targets.nullserver.hall import Contact, Hall

_TEXT: Final = WSMsgType.TEXT

Frame = dict[str, Any]


class Party(WSListener, ABC):
    """One WebSocket, greeted and heard."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        if frame.msg_type == _TEXT:
            said = orjson.loads(frame.get_payload_as_bytes())
            self.heard(said["op"], said)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone."""
        self._transport = None
        self.left()

    def write(self, frame: bytes) -> None:
        """Show an encoded frame to whoever is there."""
        if self._transport is not None:
            self._transport.send(_TEXT, frame)

    def tell(self, **frame: Any) -> None:
        """Show a frame."""
        self.write(orjson.dumps(frame))

    @abstractmethod
    def heard(self, op: str, frame: Frame) -> None:
        """Do what a frame asks for."""

    @abstractmethod
    def left(self) -> None:
        """Nobody is there any more."""


class Customer(Party):
    """A customer's session."""

    contact: Contact

    def heard(self, op: str, frame: Frame) -> None:
        """Greet, store and acknowledge, or close."""
        hall = self.hall
        if op == "hello":
            self._greet(frame)
        elif op == "send":
            contact, cid, text = self.contact, frame["cid"], frame["text"]
            new = hall.hear(contact, cid, text)
            self.tell(op="ack", cid=cid, dialog=contact.dialog, seq=contact.stored)
            if new:
                hall.react(contact, text)
        elif op == "end":
            hall.close(self.contact, "customer")

    def left(self) -> None:
        """What comes now is kept for their return."""
        contact = getattr(self, "contact", None)
        if contact is not None and contact.session is self:
            contact.session = None
            self.hall.forget(contact)

    def _greet(self, frame: Frame) -> None:
        contact = self.contact = self.hall.contact(subject(frame["token"]))
        contact.session = self
        cursor = f"{contact.number}.{contact.seq}"
        self.tell(op="welcome", contact=contact.key, dialog=contact.number, state=contact.state, cursor=cursor)
        if shown := frame.get("cursor"):
            number, _, seq = shown.partition(".")
            for place, entry in contact.recent:
                if place > (int(number), int(seq)):
                    self.write(entry)


class Operator(Party):
    """An operator's desk; one that comes back begins anew."""

    def __init__(self, hall: Hall) -> None:
        super().__init__(hall)
        self.name = ""
        self.held = 0
        self.online = False
        self.listed = False

    def heard(self, op: str, frame: Frame) -> None:
        """Greet, note presence, and let the owner accept, write and close."""
        if op == "hello":
            self.name = subject(frame["token"])
            self.tell(op="welcome", operator=self.name, presence="offline", open=[])
        elif op == "presence":
            self.online = frame["state"] == "online"
            self.tell(op="presence", state=frame["state"])
            self.hall.seat(self)
        else:
            contact = self.hall.contacts.get(frame["dialog"].rpartition("#")[0])
            if contact is None or contact.seat is not self or contact.offer != frame["number"]:
                frame.pop("text", None)
                self.tell(**(frame | {"op": "refused", "reason": "closed"}))
            elif op == "accept":
                self._accept(contact)
            elif op == "send":
                text, cid = frame["text"], frame["cid"]
                self.hall.enter(contact, contact.session, author=self.name, kind="message", text=text, id=cid)
                self.tell(op="ack", cid=cid, dialog=contact.dialog, seq=contact.seq)
                self.hall.post(self, contact, text)
            elif op == "close":
                self.hall.close(contact, "operator")

    def left(self) -> None:
        """Nothing more is offered here."""
        self.online = False

    def _accept(self, contact: Contact) -> None:
        contact.state = "assigned"
        about = {"operator": self.name, "number": contact.offer}
        self.hall.enter(contact, contact.session, author="system", kind="assigned", **about)
        self.tell(op="accepted", dialog=contact.dialog, number=contact.offer, seq=contact.seq)
        head = orjson.dumps({"op": "entries", "dialog": contact.dialog})[:-1]
        self.write(head + b',"entries":[' + b",".join(entry for _, entry in contact.recent) + b"]}")


def subject(token: str) -> str:
    """Whom a token names; whether it is genuine is nobody's concern here."""
    return base64.urlsafe_b64decode(token.split(".")[1] + "==").decode()


def admit(hall: Hall, request: WSUpgradeRequest) -> Party:
    """Whoever dials the desk is an operator."""
    return Operator(hall) if request.path == b"/v1/desk" else Customer(hall)
