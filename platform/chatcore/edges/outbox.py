"""The outbox: hands replies to messengers, one in flight a contact, within the provider's limits, until each has ended.

A first attempt follows the durable message; every further attempt is logged before it is made, so that after a crash
the record tells which repeats on the wire were made knowingly.
"""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field

import aiohttp

from chatcore.channels import CHANNELS, Outcome
from chatcore.config import Account
from chatcore.edges.limits import Bucket
from chatcore.machines import events as e
from chatcore.machines.commands import Attempting, Settle
from chatcore.machines.contacts import Contact
from chatcore.runtime.core import Core
from chatcore.runtime.partition import PartitionOwner

logger = logging.getLogger("chatcore")

WORKERS = 16
ATTEMPTS = 12
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
ANSWERS_WITHIN_S = 2.0
TIMEOUT = aiohttp.ClientTimeout(total=20)


@dataclass(slots=True)
class Outgoing:
    """A reply on its way: its place, its text, and which attempt comes next."""

    number: int
    seq: int
    text: str
    attempt: int = 1


@dataclass(slots=True)
class Line:
    """A contact's replies in order; `busy` while one is in flight or waits for its time."""

    partition: PartitionOwner
    contact: int
    user: str
    pace: Bucket
    waiting: deque[Outgoing] = field(default_factory=deque)
    busy: bool = False
    forgetting: asyncio.TimerHandle | None = None


class AccountOutbox:
    """The outbox of one messenger account, with its workers and its rate."""

    def __init__(self, account: Account, http: aiohttp.ClientSession) -> None:
        self.account = account
        self._channel = CHANNELS[account.channel]
        self._http = http
        self._rate = Bucket(account.rate_per_s, max(1.0, account.rate_per_s))
        self._lines: dict[str, Line] = {}
        self._ready: asyncio.Queue[Line | None] = asyncio.Queue()
        self._closing = False
        self._workers = [asyncio.get_running_loop().create_task(self._work()) for _ in range(WORKERS)]

    def put(self, partition: PartitionOwner, contact: Contact, outgoing: Outgoing) -> None:
        """Take over a reply."""
        line = self._lines.get(contact.key)
        if line is None:
            pace = Bucket(self.account.chat_rate_per_s, self.account.burst)
            line = Line(partition, contact.id, contact.key.partition("/")[2], pace)
            self._lines[contact.key] = line
        line.waiting.append(outgoing)
        if line.forgetting is not None:
            line.forgetting.cancel()
        if not line.busy:
            line.busy = True
            self._ready.put_nowait(line)

    async def close(self) -> None:
        """Send nothing more, and wait a moment for answers under way; what they leave open waits for the next start."""
        self._closing = True
        for _ in self._workers:
            self._ready.put_nowait(None)
        await asyncio.wait(self._workers, timeout=ANSWERS_WITHIN_S)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while (line := await self._ready.get()) is not None and not self._closing:
            try:
                await self._send(line)
            except Exception:
                logger.exception("outbox of %s: a reply could not be handled", self.account.id)
                self._later(line, LONGEST_DELAY_S)

    async def _send(self, line: Line) -> None:
        """Send the line's first reply when both limits allow it, and settle what the provider said."""
        wait_s = line.pace.wait_s(time.monotonic())
        if wait_s > 0:
            self._later(line, wait_s)
            return
        wait_s = self._rate.wait_s(time.monotonic())
        self._rate.take(time.monotonic())
        await asyncio.sleep(wait_s)
        line.pace.take(time.monotonic())
        outgoing = line.waiting[0]
        if outgoing.attempt > 1:
            line.partition.submit(Attempting(line.contact, outgoing.number, outgoing.seq, outgoing.attempt))
            await line.partition.settled()
        if self._closing:
            return
        self._settle(line, outgoing, await self._post(line.user, outgoing.text))

    async def _post(self, user: str, text: str) -> Outcome:
        url, body = self._channel.build(self.account, user, text)
        try:
            async with self._http.post(url, data=body, headers=_JSON, timeout=TIMEOUT) as answer:
                return self._channel.outcome(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Outcome("again")

    def _settle(self, line: Line, outgoing: Outgoing, outcome: Outcome) -> None:
        if outcome.kind == "again" and outgoing.attempt < ATTEMPTS:
            backoff_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (outgoing.attempt - 1))
            outgoing.attempt += 1
            self._later(line, backoff_s if outcome.after_s is None else outcome.after_s)
            return
        reason = "" if outcome.kind == "delivered" else outcome.reason or f"given up after {ATTEMPTS} attempts"
        settle = Settle(line.contact, outgoing.number, outgoing.seq, outcome.provider_id, reason)
        line.partition.submit(settle)
        line.waiting.popleft()
        if line.waiting:
            self._ready.put_nowait(line)
        else:
            line.busy = False
            loop = asyncio.get_running_loop()
            line.forgetting = loop.call_later(line.pace.full_after_s, self._lines.pop, f"{self.account.id}/{line.user}")

    def _later(self, line: Line, delay_s: float) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._ready.put_nowait, line)


_JSON = {"Content-Type": "application/json"}


class MessengerOutbox:
    """All messenger accounts' outboxes."""

    def __init__(self, accounts: list[Account], http: aiohttp.ClientSession) -> None:
        self._of = {account.id: AccountOutbox(account, http) for account in accounts if account.api}

    def put(self, partition: PartitionOwner, contact: Contact, message: e.Said) -> None:
        """Take over a durable reply; called in log order."""
        self._put(partition, contact, Outgoing(message.number, message.seq, message.text))

    def _put(self, partition: PartitionOwner, contact: Contact, outgoing: Outgoing) -> None:
        found = self._of.get(contact.key.partition("/")[0])
        if found is None:
            logger.warning("%s: a reply waits until the configuration knows its account again", contact.key)
        else:
            found.put(partition, contact, outgoing)

    async def resume(self, core: Core) -> None:
        """Take up again, as logged attempts, what had no known end before the restart; before new replies come."""
        for partition in core.partitions:
            for contact in list(partition.state.contacts.active.values()):  # some may come to rest meanwhile
                for open_ in contact.unsettled:
                    after = (open_.number, open_.seq - 1)
                    rows = await core.journal.history.entries(partition.log, contact.id, after, 1)
                    message = e.decode_event(rows[0].blob)
                    assert isinstance(message, e.Said), "an unsettled seq is a message's"
                    self._put(partition, contact, Outgoing(open_.number, open_.seq, message.text, open_.attempt + 1))

    async def close(self) -> None:
        """Stop all workers."""
        for outbox in self._of.values():
            await outbox.close()
