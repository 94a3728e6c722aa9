"""Viber's bot API: webhooks signed with the bot's own token, replies through `send_message`, receipts by token.

Formats as documented at developers.viber.com. Every answer is HTTP 200 with a status of its own. A message's token
has more digits than a double holds. There are no edits, and no idempotency key.
"""

import hmac
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import orjson

from chatcore.channels.shapes import (
    Answer,
    Call,
    Consent,
    Event,
    File,
    Id,
    Inbound,
    Outbound,
    Outcome,
    Receipt,
    Sending,
    fetch_url,
    no_handshake,
    refused,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"{}"
SIGNATURE_HEADER: Final = "x-viber-content-signature"
KINDS: Final[dict[str, tuple[Literal["image", "document"], str, str]]] = {
    "picture": ("image", "picture.jpg", "image/jpeg"),
    "file": ("document", "file", "application/octet-stream"),
    "video": ("document", "video.mp4", "video/mp4"),
}
TOO_MANY: Final = 12
AFTER_S: Final = 10.0  # the limit is of an hour, but over as soon as the user writes

fetch = fetch_url
handshake = no_handshake  # the event that follows `set_webhook` wants nothing but the answer


class _User(msgspec.Struct):
    id: Id


class _Message(msgspec.Struct):
    type: str
    text: str | None = None
    media: str | None = None
    file_name: str | None = None
    size: int | None = None


class _Callback(msgspec.Struct):
    event: str
    message_token: int = 0
    sender: _User | None = None
    message: _Message | None = None
    user: _User | None = None
    user_id: Id | None = None
    subscribed: bool = False
    desc: str = ""


class _Answer(msgspec.Struct):
    status: int
    status_message: str = ""
    message_token: int = 0


_callback = msgspec.json.Decoder(_Callback)
_answer = msgspec.json.Decoder(_Answer)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the header is the body's HMAC under the bot's token, in lower-case hex."""
    expected = hmac.digest(account.token.encode(), body, "sha256").hex().encode()
    return hmac.compare_digest(headers.get(SIGNATURE_HEADER, "").encode(errors="surrogateescape"), expected)


def parse(account: Account, body: bytes) -> list[Event]:
    """The one event of a callback; kinds that tell nothing, and stickers and the like, are none.

    `seen` comes once for all that the user had not read.

    Raises:
        ValueError: not a callback.
    """
    told = _callback.decode(body)
    token = str(told.message_token)
    match told:
        case _Callback(event="message", sender=_User(id=user), message=_Message() as message):
            return _said(user, token, message)
        case _Callback(event="delivered", user_id=str(user)):
            return [Receipt(user, "delivered", token)]
        case _Callback(event="seen", user_id=str(user)):
            return [Receipt(user, "read", token, "order")]
        case _Callback(event="failed", user_id=str(user)):
            return [Receipt(user, "failed", token, reason=told.desc)]
        case _Callback(event="conversation_started", user=_User(id=user)):
            return [Consent(user, told.subscribed)]
        case _Callback(event="subscribed", user=_User(id=user)):
            return [Consent(user, True)]
        case _Callback(event="unsubscribed", user_id=str(user)):
            return [Consent(user, False)]
    return []


def _said(user: str, token: str, message: _Message) -> list[Event]:
    files: tuple[File, ...] = ()
    if message.media and message.type in KINDS:
        kind, name, mime = KINDS[message.type]
        files = (File(kind, message.file_name or name, mime, message.media, message.size or 0),)
    text = message.text or ""
    return [Inbound(user, token, text, files)] if text or files else []


def send(account: Account, message: Outbound) -> Sending:
    """`send_message` in the account's name; an attachment goes by its address."""
    body: dict[str, object] = {"receiver": message.user, "sender": {"name": account.sender}}
    file = message.file
    if file is None:
        body |= {"type": "text", "text": message.text}
    elif file.kind == "image":
        body |= {"type": "picture", "text": "", "media": file.url}
    else:
        body |= {"type": "file", "media": file.url, "size": len(file.data), "file_name": file.name}
    headers = (("Content-Type", "application/json"), ("X-Viber-Auth-Token", account.token))
    return outcome(account, (yield Call(f"{account.api}/pa/send_message", orjson.dumps(body), headers)))


def outcome(account: Account, answer: Answer) -> Outcome:
    """Status 0 with a token is taken, too many are tried again, any other status has failed for good."""
    try:
        told = _answer.decode(answer.body)
    except ValueError:
        passing = answer.status in (200, 429) or answer.status >= 500
        return Outcome("again") if passing else refused(account, f"status {answer.status}")
    if told.status == 0:
        return Outcome("taken", provider_id=str(told.message_token)) if told.message_token else Outcome("again")
    outcome = refused(account, f"{told.status} {told.status_message}")
    return outcome._replace(kind="again", after_s=AFTER_S) if told.status == TOO_MANY else outcome
