"""What the bank's answers add to a command: the bot's choice and automatic texts; and the bank's files, kept fresh."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final

from chatcore.analytics import mood
from chatcore.analytics.mood import Words
from chatcore.answers import load
from chatcore.bot import Bot
from chatcore.config import Account
from chatcore.edges.gateway import Gateway
from chatcore.errors import BadConfig
from chatcore.machines.commands import Choice, Remind, Replies
from chatcore.machines.contacts import OPEN, Contact
from chatcore.machines.events import Ref, State
from chatcore.runtime.partition import PartitionOwner

logger = logging.getLogger("chatcore")

LOOKS_EVERY_S: Final = 1.0
FILES_NEED_A_PERSON: Final = Choice("handover")
THE_BANKS_BOT: Final = Choice("ask")


def chosen(gateway: Gateway, account: Account, partition: PartitionOwner, key: str, text: str) -> Choice | None:
    """What the account's bot chooses for a text of contact `key`; None: the account has none."""
    if account.bot == "none":
        return None
    if not text:
        return FILES_NEED_A_PERSON
    if account.bot == "http":
        return THE_BANKS_BOT
    if account.bot == "keywords":
        return gateway.bot.by_keyword(text)
    known = partition.state.by_key.get(key)
    return gateway.bot.by_menu(text, known.menu if known is not None and known.state in OPEN else None)


def replies(gateway: Gateway, account: Account, choice: Choice | None = None) -> Replies:
    """The automatic texts in force for an account's dialog, where it goes by `choice`."""
    department = choice.department if choice is not None else ""
    return gateway.bot.replies(account.id, department or account.department, time.time_ns() // 1_000_000)


def with_place(gateway: Gateway, account: Account, partition: PartitionOwner, key: str, found: Replies) -> Replies:
    """The same, and the place in the queue if the contact is in one."""
    place = place_of(gateway, partition, key)
    return {**found, "place": gateway.bot.place(account.id, account.department, place)} if place else found


def place_of(gateway: Gateway, partition: PartitionOwner, key: str) -> int:
    """How many dialogs of its queue are served before the contact's is, itself included; 0 if it is in none."""
    contact = partition.state.by_key.get(key)
    if contact is None or contact.state is not State.QUEUED:
        return 0
    ref = Ref(partition.index, contact.id, contact.number)
    queues = gateway.core.floor.state.queues.values()
    return next((at for queue in queues for at, place in enumerate(queue, 1) if place.ref == ref), 0)


def reminder(gateway: Gateway, contact: Contact) -> Remind:
    """The command for a deadline of a contact."""
    account = gateway.accounts.get(contact.key.partition("/")[0])
    if account is None:
        return Remind(contact.id)
    asked = account.priority, gateway.wishes[account.id]
    return Remind(contact.id, account.department, replies(gateway, account), *asked)


def follow(gateway: Gateway) -> list[Coroutine[None, None, None]]:
    """What takes over the bank's files whenever they are edited; one that cannot be used changes nothing."""

    def answer(path: Path) -> None:
        gateway.bot = Bot(load(path))

    def judge(path: Path) -> None:
        gateway.dialogs.words = Words(mood.load(path))

    files = (("answers", gateway.config.answers, answer), ("words", gateway.config.quality.words, judge))
    return [_follow(gateway, name, Path(path), take) for name, path, take in files if path]


async def _follow(gateway: Gateway, name: str, path: Path, take: Callable[[Path], None]) -> None:
    seen = None
    while True:
        stamp = _stamp(path)
        if stamp != seen:
            seen = stamp
            try:
                await asyncio.to_thread(take, path)
            except BadConfig as fault:
                gateway.count(f"{name}_refused")
                logger.warning("the old %s stay: %s", name, fault)
        await asyncio.sleep(LOOKS_EVERY_S)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
