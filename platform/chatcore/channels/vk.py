"""VK community messages: Callback API events with a secret in their body, replies through `messages.send`.

Formats as documented at dev.vk.com; VK tells what was read, never what was delivered. `random_id` is made of a reply's
key, so VK drops a repeat within an hour. Nothing but `ok` and the confirmation is ever answered: `remove` would make VK
forget this server.
"""

import hmac
from collections.abc import Callable, Generator, Mapping
from functools import partial
from hashlib import blake2b
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec

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
    Inbound,
    Number,
    Outbound,
    Outcome,
    Receipt,
    Sending,
    Url,
    fetch_url,
    refused,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b"ok"
VERSION: Final = "5.199"
FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")
AGAIN: Final = (1, 6, 9, 10, 29)  # unknown, too many a second, flood, internal, too many a day

fetch = fetch_url


Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class _Envelope(msgspec.Struct):
    type: str
    group_id: int
    secret: str = ""
    object: msgspec.Raw = msgspec.Raw(b"{}")


class _Size(msgspec.Struct):
    url: str = ""
    width: int = 0
    height: int = 0


class _Photo(msgspec.Struct):
    sizes: list[_Size] = []


class _Doc(msgspec.Struct):
    title: str = ""
    size: int = 0
    url: str = ""


class _Attachment(msgspec.Struct):
    photo: _Photo | None = None
    doc: _Doc | None = None


class _Message(msgspec.Struct):
    id: Number
    peer_id: Number
    from_id: Number
    text: str = ""
    attachments: list[_Attachment] = []
    update_time: Count = 0
    version: Count = 0


class _New(msgspec.Struct):
    message: _Message


class _Read(msgspec.Struct):
    peer_id: Number
    from_id: Number
    read_message_id: Number


class _User(msgspec.Struct):
    user_id: Number


_envelope = msgspec.json.Decoder(_Envelope)
_new = msgspec.json.Decoder(_New)
_edit = msgspec.json.Decoder(_Message)
_read = msgspec.json.Decoder(_Read)
_user = msgspec.json.Decoder(_User)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body carries the community's secret; a confirmation may come without one."""
    told = _opened(body)
    if told.type == "confirmation" and not told.secret:
        return True
    return hmac.compare_digest(told.secret.encode(), account.webhook_secret.encode())


def handshake(account: Account, query: Mapping[str, str], body: bytes) -> bytes | None:
    """The confirmation string, if our community asks for it."""
    told = _opened(body)
    ours = told.type == "confirmation" and str(told.group_id) == account.sender
    return account.verify_token.encode() if ours else None


def _opened(body: bytes) -> _Envelope:
    try:
        return _envelope.decode(body)
    except UNREADABLE:
        return _Envelope("", 0)


def parse(account: Account, body: bytes) -> list[Event]:
    """What our community's users did in their own dialogs with it; chats, echoes and other kinds are none.

    Raises:
        ValueError, RecursionError: not an event.
    """
    told = _envelope.decode(body)
    read = KINDS.get(told.type)
    if read is None or str(told.group_id) != account.sender:
        return []
    return read(told.object)


def _written(data: msgspec.Raw) -> list[Event]:
    return [*_inbound(_new.decode(data).message)]


def _edited(data: msgspec.Raw) -> list[Event]:
    message = _edit.decode(data)
    revision = message.update_time << 32 | message.version  # the time is in seconds
    return [inbound._replace(edits=inbound.id, revision=revision) for inbound in _inbound(message)]


def _inbound(message: _Message) -> list[Inbound]:
    files = tuple(file for attachment in message.attachments for file in _files(attachment))
    if not _own(message) or not (message.text or files):
        return []
    return [Inbound(str(message.from_id), str(message.id), message.text, files)]


def _own(told: _Message | _Read) -> bool:
    """Whether a user did it in their own dialog; in a chat and in an echo, writer and peer differ."""
    return told.from_id == told.peer_id > 0


def _files(attachment: _Attachment) -> list[File]:
    """A photo comes in several sizes, in no certain order."""
    if attachment.photo is not None and attachment.photo.sizes:
        largest = max(attachment.photo.sizes, key=lambda size: size.width * size.height)
        return [File("image", "photo.jpg", "image/jpeg", largest.url)]
    if attachment.doc is not None:
        doc = attachment.doc
        return [File("document", doc.title or "document", "application/octet-stream", doc.url, doc.size)]
    return []


def _was_read(data: msgspec.Raw) -> list[Event]:
    read = _read.decode(data)
    return [Receipt(str(read.from_id), "read", str(read.read_message_id), "number")] if _own(read) else []


def _consent(data: msgspec.Raw, *, given: bool) -> list[Event]:
    return [Consent(str(_user.decode(data).user_id), given)]


KINDS: Final[dict[str, Callable[[msgspec.Raw], list[Event]]]] = {
    "message_new": _written,
    "message_edit": _edited,
    "message_read": _was_read,
    "message_allow": partial(_consent, given=True),
    "message_deny": partial(_consent, given=False),
}


# --- replies ---------------------------------------------------------------------------------------------------------

T = TypeVar("T")


class _Error(msgspec.Struct):
    error_code: int = 0
    error_msg: str = ""


class _Told(msgspec.Struct, Generic[T]):
    response: T | None = None
    error: _Error | None = None


class _Server(msgspec.Struct):
    upload_url: Url


class _Saved(msgspec.Struct):
    id: int
    owner_id: int
    access_key: str = ""


class _SavedDoc(msgspec.Struct):
    doc: _Saved


Photos = Annotated[list[_Saved], msgspec.Meta(min_length=1)]


class Way(NamedTuple):
    """How a kind of attachment is uploaded: methods, the form's field, and what the save method wants to be told."""

    kind: str
    server: str
    save: str
    field: str
    passed_on: tuple[str, ...]


WAYS: Final = {
    "image": Way(
        "photo", "photos.getMessagesUploadServer", "photos.saveMessagesPhoto", "photo", ("server", "photo", "hash")
    ),
    "document": Way("doc", "docs.getMessagesUploadServer", "docs.save", "file", ("file",)),
}
_sent = msgspec.json.Decoder(_Told[Number])
_server = msgspec.json.Decoder(_Told[_Server])
_saved = msgspec.json.Decoder(_Told[Photos | _SavedDoc])
_uploaded = msgspec.json.Decoder(dict[str, Any])


def send(account: Account, message: Outbound) -> Sending:
    """`messages.send`; before that, an attachment is uploaded and saved."""
    fields = {"peer_id": message.user, "random_id": str(random_id(message.key))}
    try:
        if message.file is None:
            fields["message"] = message.text
        else:
            fields["attachment"] = yield from _attach(account, message.user, message.file)
        return Outcome("taken", provider_id=str((yield from _ask(account, "messages.send", fields, _sent))))
    except Ended as end:
        return end.outcome


def random_id(key: str) -> int:
    """What VK knows a repeat by: a positive int32, the same for the same key."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % (2**31 - 1) + 1


def _attach(account: Account, user: str, file: Enclosure) -> Generator[Call, Answer, str]:
    way = WAYS[file.kind]
    server = yield from _ask(account, way.server, {"peer_id": user}, _server)
    told = _passed_on(account, (yield upload(server.upload_url, way.field, file)), way)
    found = yield from _ask(account, way.save, told, _saved)
    saved = found[0] if isinstance(found, list) else found.doc
    key = f"_{saved.access_key}" if saved.access_key else ""
    return f"{way.kind}{saved.owner_id}_{saved.id}{key}"


def _passed_on(account: Account, answer: Answer, way: Way) -> dict[str, str]:
    try:
        told = _uploaded.decode(answer.body)
    except UNREADABLE:
        raise Ended(_trouble(account, answer.status)) from None
    if answer.status != 200 or not all(told.get(name) for name in way.passed_on):
        raise Ended(_trouble(account, answer.status, _Error(0, f"upload: {told.get('error', 'refused')}")))
    return {name: str(told[name]) for name in way.passed_on}


def _ask(
    account: Account, method: str, fields: dict[str, str], decoder: "msgspec.json.Decoder[_Told[T]]"
) -> Generator[Call, Answer, T]:
    body = urlencode(fields | {"v": VERSION}).encode()
    answer = yield Call(f"{account.api}/method/{method}", body, (FORM, ("Authorization", f"Bearer {account.token}")))
    try:
        told = decoder.decode(answer.body)
    except UNREADABLE:
        raise Ended(_trouble(account, answer.status)) from None
    if answer.status != 200 or told.error is not None or told.response is None:
        raise Ended(_trouble(account, answer.status, told.error))
    return told.response


def _trouble(account: Account, status: int, error: _Error | None = None) -> Outcome:
    """Limits and trouble on VK's side pass, errors that it names otherwise do not; both come with status 200."""
    if status == 200 and error is not None:
        outcome = refused(account, error.error_msg or f"error {error.error_code}")
        return outcome._replace(kind="again") if error.error_code in AGAIN else outcome
    if status in (200, 429) or status >= 500:
        return Outcome("again")
    return refused(account, f"status {status}")
