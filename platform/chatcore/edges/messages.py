"""Customers' messages on their way in, the same for sockets and webhooks."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec

from chatcore.channels.shapes import File, Inbound
from chatcore.config import Account
from chatcore.edges.automatic import chosen, replies, with_place
from chatcore.edges.files import Files
from chatcore.edges.gateway import MAX_ID, MAX_SAID, Gateway
from chatcore.machines import events as e
from chatcore.machines.binding import MASK, awaits_code, hashed
from chatcore.machines.commands import Consent, Edit, Receive, Refused
from chatcore.runtime.partition import PartitionOwner

MAX_FILES = 10
MAX_NAME = 200


def digest(text: str, files: Sequence[e.File] = ()) -> int:
    """Tells equal content from other content, in 56 bits; of attachments, kind and name are content.

    Their addresses are not: a provider may give a new one with each repeat.
    """
    content = "\0".join((text, *(f"{file.kind} {file.name}" for file in files))) if files else text
    return int.from_bytes(blake2b(content.encode(), digest_size=7).digest(), "big")


def receive(
    gateway: Gateway,
    account: Account,
    user: str,
    message_id: str,
    text: str,
    files: Sequence[File | e.File] = (),
    origin: object = None,
    answer: Callable[[], None] | None = None,
) -> PartitionOwner:
    """Submit a customer's message to its partition, with the bot's choice where the account has a bot.

    What may be a one-time code goes there as a hash, under a mask, and so does what is edited meanwhile.

    Raises:
        Refused, Poisoned: as `Owner.submit`; `Refused("conflict")` when the id is known with other content,
            `Refused("too_fast")` when the contact sends too much, `Refused("bad_id")` when an id is too long.
    """
    contact = f"{account.id}/{user}"
    admit(gateway, contact, message_id)
    partition = gateway.core.partition_of(contact)
    choice = chosen(gateway, account, partition, contact, text)
    texts = replies(gateway, account, choice)
    if gateway.bot.asks_place(text):
        texts = with_place(gateway, account, partition, contact, texts)
    enclosed = tuple(map(_file, files[:MAX_FILES])) if files else ()
    known = partition.state.contacts.awake(contact)
    code = hashed(known.binding.salt, text) if known is not None and text and awaits_code(known) else ""
    shown, other = (MASK, text) if code else (text, MASK)
    command = Receive(
        contact, bool(account.api), account.department, message_id, digest(shown, enclosed), shown, choice, enclosed,
        account.receipts, account.priority, gateway.wishes[account.id], account.windowed, code, texts,
        0 if enclosed or code else _score(gateway, account, text),
    )  # fmt: skip
    try:
        partition.submit(command, origin, answer)
    except Refused as refusal:
        if refusal.reason != "conflict":
            raise
        repeat = msgspec.structs.replace(command, digest=digest(other, enclosed), text=other)
        partition.submit(repeat, origin, answer)  # a mask is decided on when the id comes first, and may not be now
    return partition


def _score(gateway: Gateway, account: Account, text: str) -> int:
    """What a text says as a rating; of a mail, whose subject comes first, its subject or its first line."""
    if account.channel != "email":
        return gateway.bot.score(text)
    lines = text.partition("\n")[0], text.partition("\n\n")[2].partition("\n")[0]
    return next(filter(None, map(gateway.bot.score, lines)), 0)


def whole(gateway: Gateway, text: str) -> str:
    """A customer's text over a provider, whole; of one that is too long, the beginning with a word about the rest."""
    more = len(text) - MAX_SAID
    if more <= 0:
        return text
    gateway.count("text_cut")
    return f"{text[:MAX_SAID]}\n[{more} more characters]"


def admit(gateway: Gateway, contact: str, message_id: str) -> None:
    """Let a customer's message pass.

    Raises:
        Refused: its ids are too long, or its contact sends too much.
    """
    if len(contact.partition("/")[2]) > MAX_ID or len(message_id) > MAX_ID:
        raise Refused("bad_id")
    if not gateway.guard.contact(contact):
        raise Refused("too_fast")


def edit(gateway: Gateway, account: Account, message: Inbound) -> PartitionOwner:
    """Submit a customer's new text for an earlier message.

    Raises:
        Refused, Poisoned: as `Owner.submit`; `Refused("unknown_message")` when the message is not known any more;
            as `receive` when there are too many or their ids too long.
    """
    contact, files = f"{account.id}/{message.user}", tuple(map(_file, message.files))
    admit(gateway, contact, message.edits)
    partition = gateway.core.partition_of(contact)
    known = partition.state.by_key.get(contact)
    before = known.seen.get(message.edits) if known is not None else None
    was_masked = before is not None and before.digest == digest(MASK, files)
    text = MASK if was_masked or awaits_code(known) else whole(gateway, message.text)
    partition.submit(Edit(contact, message.edits, digest(text, files), text, message.revision))
    return partition


def consent(gateway: Gateway, account: Account, user: str, *, given: bool) -> PartitionOwner:
    """Submit that a messenger's customer agrees to be written to, or does not any more.

    Raises:
        Poisoned: as `Owner.submit`.
    """
    contact = f"{account.id}/{user}"
    partition = gateway.core.partition_of(contact)
    partition.submit(Consent(contact, given, account.receipts, account.windowed))
    return partition


def _file(file: File | e.File) -> e.File:
    if isinstance(file, e.File):
        return file
    return e.File(file.kind, file.name[:MAX_NAME], file.mime[:MAX_NAME], file.size, file.source, file.ref)


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["image", "document"]
    ref: str
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
    mime: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = "application/octet-stream"


def enclosed(files: Files, listed: object, most: int) -> tuple[e.File, ...]:
    """The attachments that a frame names; each was stored before.

    Raises:
        Refused: not a list of at most `most` attachments, or one that is not stored.
    """
    try:
        found = msgspec.convert(listed, list[_Listed])
    except msgspec.ValidationError as fault:
        raise Refused("bad_frame") from fault
    if len(found) > most:
        raise Refused("too_many_files")
    sizes = [files.size(each.ref) for each in found]
    return tuple(
        e.File(each.kind, each.name, each.mime, size, ref=each.ref) for each, size in zip(found, sizes, strict=True)
    )
