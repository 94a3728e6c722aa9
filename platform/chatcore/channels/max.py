"""MAX bot API: webhooks with one Update each and a secret in a header, replies through `POST /messages`.

Formats as documented at dev.max.ru; MAX knows no delivery or read updates, and no idempotency key. A file that was
uploaded may not be ready at once: then the same message is posted again after a moment.
"""

import hmac
from collections.abc import Generator, Mapping
from typing import Final, TypeVar

import msgspec
import orjson

from chatcore.channels.multipart import upload
from chatcore.channels.shapes import (
    UNREADABLE,
    Answer,
    Call,
    Consent,
    Enclosure,
    Ended,
    Event,
    File,
    Id,
    Inbound,
    Number,
    Outbound,
    Outcome,
    Sending,
    Url,
    fetch_url,
    no_handshake,
    refused,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"{}"
SECRET_HEADER: Final = "x-max-bot-api-secret"
MESSAGES: Final = ("message_created", "message_edited")
CONSENTS: Final = {"bot_started": True, "bot_stopped": False}
TYPES: Final = {"image": "image", "document": "file"}
NOT_READY: Final = "attachment.not.ready"
READY_AFTER_S: Final = (1.0, 2.0, 4.0, 8.0)  # when to ask again; assumed

handshake = no_handshake
fetch = fetch_url


class _User(msgspec.Struct):
    user_id: Number
    is_bot: bool = False


class _Recipient(msgspec.Struct):
    chat_type: str


class _Payload(msgspec.Struct):
    url: str | None = None


class _Attachment(msgspec.Struct):
    type: str
    payload: _Payload | None = None
    filename: str | None = None
    size: int | None = None


class _Body(msgspec.Struct):
    mid: Id
    text: str | None = None
    attachments: list[_Attachment] | None = None


class _Message(msgspec.Struct):
    recipient: _Recipient
    sender: _User | None = None
    body: _Body | None = None


class _Update(msgspec.Struct):
    update_type: str
    timestamp: Number = 0
    message: _Message | None = None
    user: _User | None = None


class _SentBody(msgspec.Struct):
    mid: Id


class _SentMessage(msgspec.Struct):
    body: _SentBody


class _Sent(msgspec.Struct):
    message: _SentMessage


class _Server(msgspec.Struct):
    url: Url


class _Photo(msgspec.Struct):
    token: str


class _Uploaded(msgspec.Struct):
    token: str = ""
    photos: dict[str, _Photo] = {}


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


_update = msgspec.json.Decoder(_Update)
_sent = msgspec.json.Decoder(_Sent)
_server = msgspec.json.Decoder(_Server)
_uploaded = msgspec.json.Decoder(_Uploaded)
_error = msgspec.json.Decoder(_Error)
T = TypeVar("T")


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the header carries the secret that was given to `POST /subscriptions`."""
    given = headers.get(SECRET_HEADER, "")
    return hmac.compare_digest(given.encode(errors="surrogateescape"), account.webhook_secret.encode())


def parse(account: Account, body: bytes) -> list[Event]:
    """A person's message in a dialog, its edit, or that they started or stopped the bot; anything else is none.

    Raises:
        ValueError, RecursionError: not an Update.
    """
    update = _update.decode(body)
    if update.update_type in CONSENTS and update.user is not None:
        return [Consent(str(update.user.user_id), CONSENTS[update.update_type])]
    if update.update_type not in MESSAGES or update.message is None:
        return []
    told = _inbound(update.message)
    if update.update_type == "message_edited":
        return [each._replace(edits=each.id, revision=update.timestamp) for each in told]
    return [*told]


def _inbound(message: _Message) -> list[Inbound]:
    sender, body = message.sender, message.body
    if sender is None or sender.is_bot or body is None or message.recipient.chat_type != "dialog":
        return []
    files = tuple(file for attachment in body.attachments or () for file in _files(attachment))
    if not body.text and not files:
        return []
    return [Inbound(str(sender.user_id), body.mid, body.text or "", files)]


def _files(attachment: _Attachment) -> list[File]:
    url = (attachment.payload and attachment.payload.url) or ""
    if attachment.type == "image":
        return [File("image", "photo.jpg", "image/jpeg", url)]
    if attachment.type == "file":
        name = attachment.filename or "document"
        return [File("document", name, "application/octet-stream", url, attachment.size or 0)]
    return []


# --- replies ---------------------------------------------------------------------------------------------------------


def send(account: Account, message: Outbound) -> Sending:
    """`POST /messages`; before that, an attachment is uploaded."""
    try:
        body: dict[str, object] = {"text": message.text}
        if message.file is not None:
            token = yield from _attach(account, message.file)
            body = {"attachments": [{"type": TYPES[message.file.kind], "payload": {"token": token}}]}
        call = _call(account, f"messages?user_id={message.user}", orjson.dumps(body))
        answer = yield call
        for wait_s in READY_AFTER_S:
            if answer.status == 200 or _error_of(answer).code != NOT_READY:
                break
            answer = yield call._replace(after_s=wait_s)
        return Outcome("taken", provider_id=_read(account, answer, _sent).message.body.mid)
    except Ended as end:
        return end.outcome


def _attach(account: Account, file: Enclosure) -> Generator[Call, Answer, str]:
    """An image's token comes under the id of its picture."""
    server = _read(account, (yield _call(account, f"uploads?type={TYPES[file.kind]}")), _server)
    uploaded = _read(account, (yield upload(server.url, "data", file)), _uploaded)
    for token in (uploaded.token, *(photo.token for photo in uploaded.photos.values())):
        if token:
            return token
    raise Ended(Outcome("failed", reason="upload: no token"))


def _call(account: Account, path: str, body: bytes = b"") -> Call:
    headers = (("Content-Type", "application/json"), ("Authorization", account.token))
    return Call(f"{account.api}/{path}", body, headers)


def _read(account: Account, answer: Answer, decoder: "msgspec.json.Decoder[T]") -> T:
    """What a good answer says; 429, 5xx, nonsense and a file that is not ready pass, the rest does not."""
    if answer.status == 200:
        try:
            return decoder.decode(answer.body)
        except UNREADABLE:
            raise Ended(Outcome("again")) from None
    error = _error_of(answer)
    outcome = refused(account, error.message or error.code or f"status {answer.status}")
    passing = answer.status == 429 or answer.status >= 500 or error.code == NOT_READY
    raise Ended(outcome._replace(kind="again") if passing else outcome)


def _error_of(answer: Answer) -> _Error:
    try:
        return _error.decode(answer.body)
    except UNREADABLE:
        return _Error()
