"""Fetches the attachments that customers sent, a few at a time, and tells their dialogs where the bytes are now."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from chatcore.channels import CHANNELS
from chatcore.channels.shapes import Fetched
from chatcore.config import Account
from chatcore.edges.files import MAX_FILE, Files
from chatcore.edges.providers import Providers, ask
from chatcore.machines import events as e
from chatcore.machines.commands import Keep
from chatcore.runtime.core import Core
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

logger = logging.getLogger("chatcore")

AT_ONCE: Final = 4
ATTEMPTS: Final = 5
FIRST_DELAY_S: Final = 0.5


class Fetcher:
    """Of all messenger accounts. What it leaves open at the end is in the state, and taken up by `resume`."""

    def __init__(self, accounts: list[Account], providers: Providers, files: Files) -> None:
        self._accounts = {account.id: account for account in accounts if account.api}
        self._providers = providers
        self._files = files
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, partition: PartitionOwner, key: str, said: e.Said) -> None:
        """Fetch what contact `key` sent along with a message."""
        account = self._accounts.get(key.partition("/")[0])
        for index, file in enumerate(said.files):
            if not file.ref and account is not None:
                self._begin(partition, account, said, index)

    def _begin(self, partition: PartitionOwner, account: Account, said: e.Said, index: int) -> None:
        task = asyncio.get_running_loop().create_task(self._fetch(partition, account, said, index))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def resume(self, core: Core) -> None:
        """Take up again what had no known end before the restart."""
        for partition in core.partitions:
            for contact in list(partition.state.contacts.active.values()):
                for number, seq, index in list(contact.unfetched):
                    account = self._accounts.get(contact.key.partition("/")[0])
                    if account is not None:
                        self._begin(partition, account, await partition.said(contact.id, number, seq), index)

    async def close(self) -> None:
        """Fetch nothing more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fetch(self, partition: PartitionOwner, account: Account, said: e.Said, index: int) -> None:
        place = (said.contact, said.number, said.seq, index)
        try:
            async with self._slots:
                found = await self._try(account, said.files[index])
            if not found.reason:
                ref = await self._files.keep(found.data)
                keep = Keep(*place, ref, len(found.data), found.mime or said.files[index].mime)
            else:
                keep = Keep(*place, reason=found.reason)
        except Exception as fault:
            logger.exception("an attachment could not be handled")
            keep = Keep(*place, reason=type(fault).__name__)
        with suppress(Poisoned):
            partition.submit(keep)

    async def _try(self, account: Account, file: e.File) -> Fetched:
        if file.size > MAX_FILE:
            return Fetched(reason="too_big")
        found = await self._once(account, file.source)
        for attempt in range(1, ATTEMPTS):
            if not found.again:
                break
            await asyncio.sleep(FIRST_DELAY_S * 2**attempt)
            found = await self._once(account, file.source)
        return Fetched(reason="too_big") if len(found.data) > MAX_FILE else found

    async def _once(self, account: Account, source: str) -> Fetched:
        steps = CHANNELS[account.channel].fetch(account, source)
        try:
            call = next(steps)
            while (answer := await ask(self._providers.call, call)) is not None:
                call = steps.send(answer)
        except StopIteration as end:
            found: Fetched = end.value
            return found
        return Fetched(reason="no answer", again=True)
