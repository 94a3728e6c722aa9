"""WhatsApp through Infobip: webhooks with a batch of messages or of reports each, replies through its WhatsApp API.

Formats as in Infobip's Java client 6.4.0. Infobip signs no webhook unless told to, and then names no header for it; so
the account's subscription must use Basic authentication (RFC 7617), user `infobip`, password `webhook_secret`.
A repeated send names the same message id. `parse`, `call` and `outcome` serve SMS, too.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec
import orjson

from chatcore.channels.shapes import (
    Answer,
    Call,
    Event,
    Fetching,
    File,
    Id,
    Inbound,
    Outbound,
    Outcome,
    Receipt,
    Sending,
    fetched,
    no_handshake,
    refused,
)
from chatcore.config import Account

__all__ = ["OK", "Result", "call", "events", "fetch", "handshake", "message_id", "outcome", "parse", "send", "verify"]

OK: Final = b"{}"
USER: Final = "infobip"

TEXTS: Final = {
    "TEXT": "text",
    "BUTTON": "text",
    "INTERACTIVE_BUTTON_REPLY": "title",
    "INTERACTIVE_LIST_REPLY": "title",
    "IMAGE": "caption",
    "DOCUMENT": "caption",
}
"""Where the text stands, by the type of message; other types tell nothing."""
FILES: Final[dict[str, tuple[Literal["image", "document"], str, str]]] = {
    "IMAGE": ("image", "photo.jpg", "image/jpeg"),
    "DOCUMENT": ("document", "document", "application/octet-stream"),
}
STATES: Final[dict[str, Literal["delivered", "failed"]]] = {
    "DELIVERED": "delivered",
    "UNDELIVERABLE": "failed",
    "EXPIRED": "failed",
    "REJECTED": "failed",
}
"""What a group of statuses means; ACCEPTED and PENDING tell nothing that the send's answer did not."""
ERRORS: Final[dict[str, Literal["again", "failed"]]] = {
    "E400": "failed",
    "E401": "failed",
    "E403": "failed",
    "E404": "failed",
    "E429": "again",
    "E500": "again",
    "BAD_REQUEST": "failed",
    "UNAUTHORIZED": "failed",
    "FORBIDDEN": "failed",
    "NOT_FOUND": "failed",
    "TOO_MANY_REQUESTS": "again",
    "GENERAL_ERROR": "again",
}
"""By the code of the newer or the older shape of errors, whatever the HTTP status."""

handshake = no_handshake


class _Message(msgspec.Struct):
    type: str = ""
    text: Any = None  # what a kind of next year has in its fields is not our business
    title: Any = None
    caption: Any = None
    url: Any = None


class _Status(msgspec.Struct, rename="camel"):
    group_name: str = ""
    name: str = ""
    description: str | None = None


class Result(msgspec.Struct, rename="camel"):
    """An element of an envelope, of whatever kind."""

    message_id: Id
    user: Id | None = msgspec.field(name="from", default=None)
    to: Id | None = None
    message: _Message | None = None
    text: str | None = None
    seen_at: str | None = None
    status: _Status | None = None
    error: _Status | None = None


class _Envelope(msgspec.Struct):
    results: list[Result]


class _Exception(msgspec.Struct, rename="camel"):
    message_id: str = ""
    text: str | None = None


class _RequestError(msgspec.Struct, rename="camel"):
    service_exception: _Exception = msgspec.field(default_factory=_Exception)


class _Taken(msgspec.Struct, rename="camel"):
    message_id: str = ""
    status: _Status = msgspec.field(default_factory=_Status)


class _Answer(_Taken, rename="camel"):
    messages: list[_Taken] = []
    error_code: str = ""
    description: str | None = None
    request_error: _RequestError = msgspec.field(default_factory=_RequestError)


_envelope = msgspec.json.Decoder(_Envelope)
_answer = msgspec.json.Decoder(_Answer)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the Authorization header carries the user and password that the subscription was given."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    wanted = base64.b64encode(f"{USER}:{account.webhook_secret}".encode())
    return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(errors="surrogateescape"), wanted)


def parse(account: Account, body: bytes) -> list[Event]:
    """Messages, delivery reports and seen reports, each element in its place.

    Raises:
        ValueError: not an envelope of Infobip.
    """
    return events(body, _inbound)


def events(body: bytes, inbound: Callable[[Result], Inbound | None]) -> list[Event]:
    """What the elements of an envelope tell; `inbound` reads those that are neither a delivery nor a seen report.

    Raises:
        ValueError: not an envelope of Infobip.
    """
    found = (
        _receipt(each) if each.status or each.seen_at else inbound(each) for each in _envelope.decode(body).results
    )
    return [event for event in found if event is not None]


def _inbound(result: Result) -> Inbound | None:
    message = result.message
    if message is None or message.type not in TEXTS:
        return None
    text, url = getattr(message, TEXTS[message.type]), message.url
    text = text if isinstance(text, str) else ""
    files = (File(*FILES[message.type], url),) if message.type in FILES and isinstance(url, str) else ()
    return Inbound(result.user, result.message_id, text, files) if result.user and (text or files) else None


def _receipt(result: Result) -> Receipt | None:
    if result.to is None:
        return None
    if result.status is None:
        return Receipt(result.to, "read", result.message_id)
    state = STATES.get(result.status.group_name)
    if state is None:
        return None
    reason = _reason(result.status, result.error) if state == "failed" else ""
    return Receipt(result.to, state, result.message_id, reason=reason)


def _reason(status: _Status, error: _Status | None) -> str:
    return _words(status.name, (error and (error.description or error.name)) or status.description)


def _words(name: str, words: str | None) -> str:
    return f"{name}: {words}" if words else name


def send(account: Account, message: Outbound) -> Sending:
    """A message of the kind that `_content` says, under an id of our own."""
    kind, content = _content(message)
    body = {"from": account.sender, "to": message.user, "messageId": message_id(message), "content": content}
    path, body = f"/whatsapp/1/message/{kind}", body | {"callbackData": message.key}
    return outcome(account, (yield call(account, path, {"messages": [body]} if kind == "template" else body)))


def _content(message: Outbound) -> tuple[str, Mapping[str, object]]:
    """The one place that knows kinds of messages: the last step of the path, and `content`."""
    file, template = message.file, message.template
    if template is not None:
        data = {"body": {"placeholders": template.parameters}}
        return "template", {"templateName": template.name, "templateData": data, "language": template.language}
    if file is None:
        return "text", {"text": message.text}
    name = {"filename": file.name} if file.kind == "document" else {}
    return file.kind, {"mediaUrl": file.url} | name


def message_id(message: Outbound) -> str:
    """What a reply is called at Infobip, in every attempt."""
    return blake2b(message.key.encode(), digest_size=16).hexdigest()


def call(account: Account, path: str, body: Mapping[str, object]) -> Call:
    """A request to Infobip's API."""
    headers = (("Content-Type", "application/json"), *_key(account))
    return Call(account.api + path, orjson.dumps(body), headers)


def _key(account: Account) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"App {account.token}"),)


def outcome(account: Account, answer: Answer) -> Outcome:
    """Taken under an id unless the answer says otherwise; an error is decided by its code, else by the HTTP status."""
    try:
        told = _answer.decode(answer.body)
    except ValueError:
        told = _Answer()
    taken = (told.messages or [told])[0]
    if answer.status == 200 and taken.message_id:
        if STATES.get(taken.status.group_name) == "failed":
            return refused(account, _words(taken.status.name, taken.status.description))
        return Outcome("taken", provider_id=taken.message_id)
    old = told.request_error.service_exception
    code = told.error_code or old.message_id
    again = answer.status in (200, 429) or answer.status >= 500
    failure = refused(account, _words(code or f"status {answer.status}", told.description or old.text))
    return failure._replace(kind=ERRORS.get(code, "again" if again else "failed"))


def fetch(account: Account, source: str) -> Fetching:
    """The address in the message is read; the account's key is shown to its own API and to nobody else."""
    headers = _key(account) if source.startswith(f"{account.api}/") else ()
    return fetched((yield Call(source, headers=headers, method="GET")))
