"""Calls through the bank's telephone exchange: signed webhooks of their course, orders to connect and to dial.

There is no standard: the events and the form of their signature are a neutral one after DIDWW's. An exchange repeats
an event until it gets 2xx, and keeps no order between them. The signature covers the time `t` of the signing. That is
not held against a clock, for there is none here: a replay tells nothing new of a call that is still remembered, and
older calls do not ring (`machines/calls.py`). An order that is repeated has the same `request_id`.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
import orjson

from chatcore.channels.shapes import (
    UNREADABLE,
    Answer,
    Call,
    Event,
    Fetched,
    Fetching,
    Id,
    Outbound,
    Outcome,
    Ring,
    Sending,
    no_handshake,
    refused,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"{}"
SIGNATURE_HEADER: Final = "x-ps-signature"
NUMBER: Final = re.compile(r"\+?[0-9]{1,20}")
State = Literal["ringing", "answered", "abandoned", "finished", "unreached"]

handshake = no_handshake


class _Call(msgspec.Struct):
    id: Id
    direction: Literal["inbound", "outbound"]
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    queue: str | None = None
    answered_at: str | None = None


class _Event(msgspec.Struct):
    type: str
    occurred_at: datetime
    call: _Call


class _Named(msgspec.Struct):
    id: str = ""


class _Answer(msgspec.Struct):
    call: _Named = msgspec.field(default_factory=_Named)
    error: str = ""


_event = msgspec.json.Decoder(_Event)
_answer = msgspec.json.Decoder(_Answer)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether `v1` is the HMAC-SHA256 of `t`, a dot and the body under the secret."""
    given = dict(part.strip().partition("=")[::2] for part in headers.get(SIGNATURE_HEADER, "").split(","))
    signed = given.get("t", "").encode(errors="surrogateescape") + b"." + body
    wanted = hmac.new(account.webhook_secret.encode(), signed, "sha256").hexdigest()
    return hmac.compare_digest(given.get("v1", "").encode(errors="surrogateescape"), wanted.encode())


def parse(account: Account, body: bytes) -> list[Event]:
    """What an event says of its call; none for what concerns the menu before the queue, or a recording.

    Raises:
        ValueError, RecursionError: it is no event.
    """
    event = _event.decode(body)
    call, told = event.call, _state(event)
    if told is None:
        return []
    number = (call.from_ if call.direction == "inbound" else call.to) or ""
    user = number if NUMBER.fullmatch(number) else f"withheld:{call.id}"  # never two callers in one dialog
    return [Ring(user, call.id, told, call.queue or "", int(event.occurred_at.timestamp() * 1000))]


def _state(event: _Event) -> State | None:
    """A call rings for us once it is in a queue; one that we dialled rings for the customer."""
    inbound = event.call.direction == "inbound"
    match event.type:
        case "call.started" | "call.queued":
            return "ringing" if inbound and (event.call.queue or event.type == "call.queued") else None
        case "call.answered":
            return "answered"
        case "call.ended" if event.call.answered_at:
            return "finished"
        case "call.ended" | "call.missed" | "callback.requested":
            return "abandoned" if inbound else "unreached"
    return None


def send(account: Account, message: Outbound) -> Sending:
    """`POST /calls/{id}/connect` or `POST /calls`; a text has nowhere to go."""
    order = message.order
    if order is None:
        return Outcome("failed", reason="a telephone takes no texts")
    body = {"operator": order.operator, "request_id": message.key}
    if order.call:
        answer = yield _post(account, f"/calls/{quote(order.call, safe='')}/connect", body)
    elif NUMBER.fullmatch(message.user):
        answer = yield _post(account, "/calls", body | {"to": message.user})
    else:
        return Outcome("failed", reason="the caller withheld the number")
    return _outcome(account, order.call, answer)


def _post(account: Account, path: str, body: dict[str, Any]) -> Call:
    headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {account.token}"))
    return Call(account.api + path, orjson.dumps(body), headers)


def _outcome(account: Account, call: str, answer: Answer) -> Outcome:
    """2xx names the call, 429 says how long to wait, 5xx is tried again, the rest has failed for good."""
    try:
        told = _answer.decode(answer.body)
    except UNREADABLE:
        told = _Answer()
    if 200 <= answer.status < 300 and (call or told.call.id):
        return Outcome("taken", provider_id=call or told.call.id)
    if answer.status == 429:
        after = answer.headers.get("retry-after", "")
        return Outcome("again", after_s=float(after) if after.isdecimal() and len(after) < 6 else None)
    if answer.status >= 500 or 200 <= answer.status < 300:
        return Outcome("again", reason=told.error)
    return refused(account, told.error or f"status {answer.status}")


def fetch(account: Account, source: str) -> Fetching:
    """A call has no attachments."""
    yield from ()
    return Fetched(reason="a call has no attachments")
