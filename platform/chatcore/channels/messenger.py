"""Facebook Messenger: signed webhooks with batches of events, replies through the Send API, receipts by watermark.

Formats as documented at developers.facebook.com (Messenger Platform). Ids of users are a page's own, so what another
page tells is not taken. There is no idempotency key: a repeated call is a second message.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
import orjson

from chatcore.channels.meta import failed, handshake, verify
from chatcore.channels.shapes import (
    Answer,
    Call,
    Event,
    File,
    Id,
    Inbound,
    Number,
    Outbound,
    Outcome,
    Receipt,
    Sending,
    fetch_url,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"{}"
VERSION: Final = "v25.0"
TYPES: Final = {"image": "image", "document": "file"}
IMAGE: Final = ("image", "photo.jpg", "image/jpeg")
AGAIN: Final = {
    613: 1.0,  # calls a second
    4: 30.0,  # the app's calls of a rolling day
    2: None,  # trouble of theirs that passes
    1200: None,
}

fetch = fetch_url


class _Party(msgspec.Struct):
    id: Id


class _Payload(msgspec.Struct):
    url: str | None = None


class _Attachment(msgspec.Struct):
    type: str
    payload: _Payload | None = None


class _Message(msgspec.Struct):
    mid: Id
    text: str | None = None
    attachments: list[_Attachment] = []
    is_echo: bool = False
    num_edit: Number = 0


class _Delivery(msgspec.Struct):
    watermark: int
    mids: list[Id] | None = None


class _Read(msgspec.Struct):
    watermark: int


class _Messaging(msgspec.Struct):
    sender: _Party | None = None
    message: _Message | None = None
    message_edit: _Message | None = None
    delivery: _Delivery | None = None
    read: _Read | None = None


class _Entry(msgspec.Struct):
    id: Id
    messaging: list[_Messaging] = []


class _Envelope(msgspec.Struct):
    object: str
    entry: list[_Entry] = []


class _Sent(msgspec.Struct):
    message_id: str = ""


_envelope = msgspec.json.Decoder(_Envelope)
_sent = msgspec.json.Decoder(_Sent)


def parse(account: Account, body: bytes) -> list[Event]:
    """Every event of every entry that concerns the account's page; echoes and kinds like postbacks are none.

    Raises:
        ValueError: not an envelope.
    """
    envelope = _envelope.decode(body)
    if envelope.object != "page":
        return []
    told = (told for entry in envelope.entry if entry.id == account.sender for told in entry.messaging)
    return [event for each in told if each.sender is not None for event in _events(each.sender.id, each)]


def _events(user: str, told: _Messaging) -> Iterator[Event]:
    if told.message is not None and not told.message.is_echo:
        text, files = told.message.text or "", tuple(_files(told.message))
        if text or files:
            yield Inbound(user, told.message.mid, text, files)
    elif told.message_edit is not None and told.message_edit.text:
        edit = told.message_edit
        yield Inbound(user, edit.mid, edit.text or "", edits=edit.mid, revision=edit.num_edit)
    elif told.delivery is not None:
        yield from _delivered(user, told.delivery)
    elif told.read is not None:
        yield Receipt(user, "read", str(told.read.watermark), "time")


def _delivered(user: str, delivery: _Delivery) -> Iterator[Receipt]:
    """The messages' ids, or only until when all are delivered."""
    if not delivery.mids:
        yield Receipt(user, "delivered", str(delivery.watermark), "time")
    for mid in delivery.mids or ():
        yield Receipt(user, "delivered", mid)


def _files(message: _Message) -> Iterator[File]:
    """Images, and what is a document to us; what has no address of its own, such as a place, is none."""
    for attachment in message.attachments:
        url = attachment.payload.url if attachment.payload is not None else None
        if not url or attachment.type not in ("image", "file", "audio", "video"):
            continue
        if attachment.type == "image":
            yield File(*IMAGE, url)
        else:
            name = unquote(urlsplit(url).path.rpartition("/")[2])
            yield File("document", name or attachment.type, "application/octet-stream", url)


def send(account: Account, message: Outbound) -> Sending:
    """One call of the Send API, as an answer to what the user wrote; an attachment goes by its address."""
    content: dict[str, object] = {"text": message.text}
    if message.file is not None:
        content = {"attachment": {"type": TYPES[message.file.kind], "payload": {"url": message.file.url}}}
    url = f"{account.api}/{VERSION}/{account.sender}/messages?access_token={quote(account.token, safe='')}"
    body = {"recipient": {"id": message.user}, "messaging_type": "RESPONSE", "message": content}
    return outcome(account, (yield Call(url, orjson.dumps(body))))


def outcome(account: Account, answer: Answer) -> Outcome:
    """Taken under its message's id; otherwise the error's code decides."""
    try:
        taken = _sent.decode(answer.body).message_id if answer.status == 200 else ""
    except ValueError:
        taken = ""
    return Outcome("taken", provider_id=taken) if taken else failed(account, answer, AGAIN)
