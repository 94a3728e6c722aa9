"""Telegram Bot API: webhooks with one Update each and a secret in a header, replies through `sendMessage` and its like.

Formats as documented at core.telegram.org/bots/api; Telegram knows no delivery or read updates, so a message it took
is as far as its way can be followed. There is no idempotency key: a repeated `sendMessage` is a second message.
"""

import hmac
from collections.abc import Mapping
from typing import Final

import msgspec
import orjson

from chatcore.channels.shapes import (
    Answer,
    Call,
    Event,
    Fetched,
    Fetching,
    File,
    Inbound,
    Number,
    Outbound,
    Outcome,
    Sending,
    fetched,
    no_handshake,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"{}"
SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"
METHODS: Final = {"image": ("sendPhoto", "photo"), "document": ("sendDocument", "document")}

handshake = no_handshake


class _Chat(msgspec.Struct):
    id: int
    type: str


class _Media(msgspec.Struct):
    file_id: str
    file_size: int = 0
    file_name: str = ""
    mime_type: str = ""


class _Message(msgspec.Struct):
    message_id: int
    chat: _Chat
    text: str = ""
    caption: str = ""
    photo: list[_Media] = []
    document: _Media | None = None
    edit_date: Number = 0


class _Update(msgspec.Struct):
    update_id: int
    message: _Message | None = None
    edited_message: _Message | None = None


class _Sent(msgspec.Struct):
    message_id: int


class _Parameters(msgspec.Struct):
    retry_after: float = 1.0


class _Answer(msgspec.Struct):
    ok: bool = False
    description: str = ""
    result: _Sent | None = None
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


class _Path(msgspec.Struct):
    file_path: str = ""


class _File(msgspec.Struct):
    ok: bool = False
    result: _Path = msgspec.field(default_factory=_Path)


_update = msgspec.json.Decoder(_Update)
_answer = msgspec.json.Decoder(_Answer)
_file = msgspec.json.Decoder(_File)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the header carries the secret that was given to `setWebhook`."""
    given = headers.get(SECRET_HEADER, "")
    return hmac.compare_digest(given.encode(errors="surrogateescape"), account.webhook_secret.encode())


def parse(account: Account, body: bytes) -> list[Event]:
    """The message of a private chat, or its edit; anything else (buttons, reactions, membership) is none.

    Raises:
        ValueError: not an Update.
    """
    update = _update.decode(body)
    message = update.message or update.edited_message
    if message is None or message.chat.type != "private":
        return []
    files = _files(message) if message.photo or message.document else ()
    text = message.text or message.caption
    if not text and not files:
        return []
    edits = "" if update.message is not None else str(message.message_id)
    return [Inbound(str(message.chat.id), str(message.message_id), text, files, edits, message.edit_date)]


def _files(message: _Message) -> tuple[File, ...]:
    """A photo comes in several sizes, the largest last."""
    found = []
    if message.photo:
        photo = message.photo[-1]
        found.append(File("image", "photo.jpg", "image/jpeg", photo.file_id, photo.file_size))
    if message.document is not None:
        document = message.document
        mime = document.mime_type or "application/octet-stream"
        found.append(File("document", document.file_name or "document", mime, document.file_id, document.file_size))
    return tuple(found)


def send(account: Account, message: Outbound) -> Sending:
    """`sendMessage`, or the method of the attachment's kind with its address."""
    if not message.user.lstrip("-").isdecimal():
        return Outcome("failed", reason="no chat has this id")
    method, field, value = "sendMessage", "text", message.text
    if message.file is not None:
        method, field = METHODS[message.file.kind]
        value = message.file.url
    return outcome((yield _call(account, method, {"chat_id": int(message.user), field: value})))


def _call(account: Account, method: str, body: dict[str, object]) -> Call:
    return Call(f"{account.api}/bot{account.token}/{method}", orjson.dumps(body))


def outcome(answer: Answer) -> Outcome:
    """200 is taken, 429 waits as long as it says, 5xx is tried again, the rest has failed for good."""
    try:
        told = _answer.decode(answer.body)
    except ValueError:
        told = _Answer()
    if answer.status == 200 and told.ok and told.result is not None:
        return Outcome("taken", provider_id=str(told.result.message_id))
    if answer.status == 429:
        return Outcome("again", after_s=max(0.0, told.parameters.retry_after))
    if answer.status >= 500 or answer.status == 200:
        return Outcome("again")
    return Outcome("failed", reason=told.description or f"status {answer.status}")


def fetch(account: Account, source: str) -> Fetching:
    """`getFile` says the path, which is then read."""
    answer = yield _call(account, "getFile", {"file_id": source})
    try:
        found = _file.decode(answer.body)
    except ValueError:
        found = _File()
    if answer.status != 200 or not found.result.file_path:
        return Fetched(reason=f"getFile: status {answer.status}", again=answer.status == 429 or answer.status >= 500)
    url = f"{account.api}/file/bot{account.token}/{found.result.file_path}"
    return fetched((yield Call(url, headers=(), method="GET")))
