"""Customers' messages on their way in, the same for sockets and webhooks."""

from collections.abc import Callable
from hashlib import blake2b

from chatcore.config import Account
from chatcore.edges.gateway import MAX_ID, Gateway
from chatcore.machines.commands import Receive, Refused
from chatcore.runtime.partition import PartitionOwner


def digest(text: str) -> int:
    """Tells equal content from other content, in 56 bits."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big")


def receive(
    gateway: Gateway,
    account: Account,
    user: str,
    message_id: str,
    text: str,
    origin: object = None,
    answer: Callable[[], None] | None = None,
) -> PartitionOwner:
    """Submit a customer's message to its partition, with the bot's choice where the account has a bot.

    Raises:
        Refused, Poisoned: as `Owner.submit`; `Refused("conflict")` when the id is known with other content,
            `Refused("too_fast")` when the contact sends too much, `Refused("bad_id")` when an id is too long.
    """
    contact = f"{account.id}/{user}"
    if len(user) > MAX_ID or len(message_id) > MAX_ID:
        raise Refused("bad_id")
    if not gateway.guard.contact(contact):
        raise Refused("too_fast")
    choice = gateway.bot.choose(text) if account.bot else None
    messenger = bool(account.api)
    command = Receive(contact, messenger, account.department, message_id, digest(text), text, choice)
    partition = gateway.core.partition_of(contact)
    partition.submit(command, origin, answer)
    return partition
