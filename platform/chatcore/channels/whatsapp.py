"""WhatsApp Cloud API: signed webhooks with up to a thousand messages and statuses, replies by the phone number's id.

Formats as in Meta's OpenAPI of v23.0. A 200 to a send says accepted and no more; the rest is told by statuses. There
is no idempotency key: a repeated send is a second message, and `biz_opaque_callback_data` only tells which reply it is.
"""

from collections.abc import Iterator
from typing import Final, Literal
from urllib.parse import quote

import msgspec
import orjson

from chatcore.channels import meta
from chatcore.channels.meta import handshake, verify
from chatcore.channels.shapes import (
    Answer,
    Call,
    Event,
    Fetched,
    Fetching,
    File,
    Id,
    Inbound,
    Outbound,
    Outcome,
    Receipt,
    Sending,
    fetched,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"{}"
VERSION: Final = "v23.0"
STATES: Final[dict[str, Literal["delivered", "read", "failed"]]] = {
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
}
"""What a status tells beyond the send's answer; `sent` tells nothing."""

PAIR_RATE: Final = 131056
PAUSE_S: Final = 4.0  # to the power of the attempts before
LONGEST: Final = 4  # 4^4 s: a full burst of 45 messages is paid back after 270 s
AGAIN: Final[dict[int, float | None]] = {
    4: None,  # the app's limit of calls
    80007: None,  # the business account's limit of calls
    130429: None,  # the number's throughput
    131000: None,  # something went wrong
    131016: None,  # service unavailable
    131052: None,  # the attachment could not be fetched
    131057: None,  # the account is in maintenance
    135000: None,  # something went wrong
}
"""Codes of errors that pass within minutes; any other is final, also 131048 and 131049, which repeats make worse."""


class _Text(msgspec.Struct):
    body: str = ""


class _Media(msgspec.Struct):
    id: Id
    mime_type: str = ""
    filename: str = ""
    caption: str = ""


class _Choice(msgspec.Struct):
    title: str = ""


class _Interactive(msgspec.Struct):
    button_reply: _Choice = msgspec.field(default_factory=_Choice)
    list_reply: _Choice = msgspec.field(default_factory=_Choice)


class _Button(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    user: Id = msgspec.field(name="from")
    id: Id
    text: _Text = msgspec.field(default_factory=_Text)
    interactive: _Interactive = msgspec.field(default_factory=_Interactive)
    button: _Button = msgspec.field(default_factory=_Button)
    image: _Media | None = None
    document: _Media | None = None


class _Error(msgspec.Struct):
    code: int
    title: str = ""


class _Status(msgspec.Struct):
    id: Id
    status: str
    recipient_id: Id
    errors: list[_Error] = []


class _Metadata(msgspec.Struct):
    phone_number_id: str


class _Value(msgspec.Struct):
    metadata: _Metadata
    messages: list[_Message] = []
    statuses: list[_Status] = []


class _Change(msgspec.Struct):
    field: str
    value: msgspec.Raw


class _Entry(msgspec.Struct):
    changes: list[_Change] = []


class _Envelope(msgspec.Struct):
    object: str
    entry: list[_Entry] = []


class _Taken(msgspec.Struct):
    id: str


class _Answer(msgspec.Struct):
    messages: list[_Taken] = []


class _Place(msgspec.Struct):
    url: str


_envelope = msgspec.json.Decoder(_Envelope)
_value = msgspec.json.Decoder(_Value)
_answer = msgspec.json.Decoder(_Answer)
_place = msgspec.json.Decoder(_Place)


def parse(account: Account, body: bytes) -> list[Event]:
    """Messages and statuses of all entries and changes, in order; not those of the app's other numbers and products.

    Raises:
        ValueError: not an envelope of WhatsApp.
    """
    envelope = _envelope.decode(body)
    if envelope.object != "whatsapp_business_account":
        return []
    changes = (change for entry in envelope.entry for change in entry.changes)
    values = (_value.decode(change.value) for change in changes if change.field == "messages")
    return [event for value in values if value.metadata.phone_number_id == account.sender for event in _events(value)]


def _events(value: _Value) -> Iterator[Event]:
    for message in value.messages:
        files, text = _files(message), _text(message)
        if text or files:
            yield Inbound(message.user, message.id, text, files)
    for status in value.statuses:
        if status.status in STATES:
            yield Receipt(status.recipient_id, STATES[status.status], status.id, reason=_reason(status))


def _text(message: _Message) -> str:
    """What was written or chosen; kinds without words have none."""
    media = message.image or message.document
    chosen = message.interactive.button_reply.title or message.interactive.list_reply.title or message.button.text
    return message.text.body or chosen or (media.caption if media is not None else "")


def _files(message: _Message) -> tuple[File, ...]:
    if (image := message.image) is not None:
        mime = image.mime_type.partition(";")[0]
        return (File("image", f"photo.{mime.rpartition('/')[2] or 'jpeg'}", mime, image.id),)
    if (document := message.document) is not None:
        mime = document.mime_type or "application/octet-stream"
        return (File("document", document.filename or "document", mime, document.id),)
    return ()


def _reason(status: _Status) -> str:
    return f"{status.errors[0].code} {status.errors[0].title}" if status.errors else ""


def send(account: Account, message: Outbound) -> Sending:
    """A message of the kind that `_content` says."""
    body = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": message.user} | _content(message)
    data = orjson.dumps(body | {"biz_opaque_callback_data": message.key})
    headers = (("Content-Type", "application/json"), *_bearer(account))
    return outcome(account, message, (yield Call(f"{_api(account)}/{account.sender}/messages", data, headers)))


def _content(message: Outbound) -> dict[str, object]:
    """The one place that knows kinds of messages: `type`, and what stands under its name."""
    file, template = message.file, message.template
    if template is not None:
        filled = [{"type": "text", "text": parameter} for parameter in template.parameters]
        components = [{"type": "body", "parameters": filled}] if filled else []
        named = {"name": template.name, "language": {"code": template.language}, "components": components}
        return {"type": "template", "template": named}
    if file is None:
        return {"type": "text", "text": {"body": message.text, "preview_url": False}}
    name = {"filename": file.name} if file.kind == "document" else {}
    return {"type": file.kind, file.kind: {"link": file.url} | name}


def _api(account: Account) -> str:
    return f"{account.api}/{VERSION}"


def _bearer(account: Account) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {account.token}"),)


def outcome(account: Account, message: Outbound, answer: Answer) -> Outcome:
    """A message's id is taken; an error's code decides. After 131056, the next try is 4 times as far away each time."""
    try:
        taken = _answer.decode(answer.body).messages
    except ValueError:
        taken = []
    if answer.status == 200 and taken:
        return Outcome("taken", provider_id=taken[0].id)
    pause_s = PAUSE_S ** min(message.attempt - 1, LONGEST)
    return meta.failed(account, answer, AGAIN | {PAIR_RATE: pause_s})


def fetch(account: Account, source: str) -> Fetching:
    """The media id says an address that lives five minutes; both want the token."""
    answer = yield Call(f"{_api(account)}/{quote(source, safe='')}", headers=_bearer(account), method="GET")
    try:
        url = _place.decode(answer.body).url if answer.status == 200 else ""
    except ValueError:
        url = ""
    if not url:
        return Fetched(reason=f"media: status {answer.status}", again=answer.status == 429 or answer.status >= 500)
    return fetched((yield Call(url, headers=_bearer(account), method="GET")))
