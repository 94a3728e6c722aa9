"""The outbox: hands replies to messengers, one in flight a contact, within the provider's limits, until each has ended.

A first attempt follows the durable message; every further attempt is logged before it is made, so that after a crash
the record tells which repeats on the wire were made knowingly.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from chatcore.channels import CHANNELS
from chatcore.channels.shapes import Answer, Call, Enclosure, Order, Outbound, Outcome, Sending, Template, Thread
from chatcore.config import LIMITS, Account, Config
from chatcore.edges.files import Files, Link
from chatcore.edges.limits import Bucket
from chatcore.edges.mailer import Mailer
from chatcore.edges.providers import Done, Providers
from chatcore.machines import events as e
from chatcore.machines.commands import Attempting, Settle
from chatcore.machines.contacts import Contact
from chatcore.machines.ownership import is_ours
from chatcore.runtime.core import Core
from chatcore.runtime.partition import PartitionOwner

logger = logging.getLogger("chatcore")

AT_ONCE = 16
ATTEMPTS = 12
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
ANSWERS_WITHIN_S = 2.0


@dataclass(slots=True)
class Outgoing:
    """A reply on its way: its place, what it says, which attempt comes next, and when this one left (wall ms)."""

    number: int
    seq: int
    text: str
    file: e.File | None = None
    automatic: bool = False
    template: Template | None = None
    attempt: int = 1
    posted_ms: int = 0
    order: Order | None = None


@dataclass(slots=True)
class Line:
    """A contact's replies in order; `busy` while one is in flight or waits for its time."""

    key: str
    partition: PartitionOwner
    contact: int
    user: str
    pace: Bucket
    waiting: deque[Outgoing] = field(default_factory=deque)
    busy: bool = False


def _key(line: Line, number: int, seq: int) -> str:
    """Names a reply alike in every attempt."""
    return f"{line.key}#{number}.{seq}"


class Caller(Protocol):
    """Whoever carries calls to providers."""

    def call(self, call: Call, done: Done) -> None:
        """Make a call; `done` is called once, later, with the answer, or with None if there is none."""


class AccountOutbox:
    """The outbox of one messenger account: at most `AT_ONCE` replies under way, and its rate."""

    def __init__(self, account: Account, providers: Caller, files: Files, link: Link) -> None:
        self.account = account
        self._channel = CHANNELS[account.channel]
        self._providers = providers
        self._files = files
        self._link = link
        self._loop = asyncio.get_running_loop()
        limits = LIMITS[account.channel]
        rate_per_s = account.rate_per_s or limits.rate_per_s
        self._rate = Bucket(rate_per_s, max(1.0, rate_per_s))
        self._threads = limits.threads
        self._pace = (account.chat_rate_per_s or limits.user_rate_per_s, account.burst or limits.burst)
        self._loads: set[asyncio.Task[None]] = set()
        self._lines: dict[str, Line] = {}
        self._resting: OrderedDict[str, float] = OrderedDict()  # lines without replies: since when, the oldest first
        self._ready: deque[Line] = deque()
        self._under_way = 0
        self._closing = False
        self._drained = asyncio.Event()

    def put(self, partition: PartitionOwner, contact: Contact, outgoing: Outgoing) -> None:
        """Take over a reply; it is posted at once if the limits allow it."""
        line = self._lines.get(contact.key)
        if line is None:
            line = Line(contact.key, partition, contact.id, contact.key.partition("/")[2], Bucket(*self._pace))
            self._lines[contact.key] = line
        line.waiting.append(outgoing)
        if not line.busy:
            line.busy = True
            self._resting.pop(line.key, None)
            self._queue(line)

    async def close(self) -> None:
        """Send nothing more, and wait a moment for answers under way; what they leave open waits for the next start."""
        if self._closing:
            return
        self._closing = True
        if self._under_way:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), ANSWERS_WITHIN_S)

    def _queue(self, line: Line) -> None:
        self._ready.append(line)
        self._pump()

    def _later(self, line: Line, delay_s: float) -> None:
        self._loop.call_later(delay_s, self._queue, line)

    def _pump(self) -> None:
        """Begin to send what may be sent; a line that waits for its own pace takes nobody's place meanwhile."""
        while self._ready and self._under_way < AT_ONCE and not self._closing:
            line = self._ready.popleft()
            now_s = time.monotonic()
            wait_s = line.pace.wait_s(now_s)
            if wait_s > 0:
                self._later(line, wait_s)
                continue
            self._under_way += 1
            wait_s = self._rate.wait_s(now_s)
            self._rate.take(now_s)
            if wait_s > 0:
                self._loop.call_later(wait_s, self._try, self._attempt, line)
            else:
                self._try(self._attempt, line)

    def _try(self, step: Callable[..., None], line: Line, *given: Any) -> None:
        """Take a step of sending; after a defect the line comes back much later."""
        try:
            step(line, *given)
        except Exception as fault:  # noqa: BLE001 - a defect is told, and holds up no other line
            self._put_off(line, fault)

    def _put_off(self, line: Line, fault: BaseException) -> None:
        logger.error("outbox of %s: a reply could not be handled", self.account.id, exc_info=fault)
        self._later(line, LONGEST_DELAY_S)
        self._loop.call_soon(self._leave)  # not at once: this may be a step of _pump

    def _attempt(self, line: Line) -> None:
        """Post the line's first reply; a further attempt only once it is logged."""
        line.pace.take(time.monotonic())
        outgoing = line.waiting[0]
        if outgoing.attempt > 1:
            line.partition.submit(Attempting(line.contact, outgoing.number, outgoing.seq, outgoing.attempt))
            line.partition.hold(self._try, self._post, line)
        else:
            self._post(line)

    def _post(self, line: Line) -> None:
        if self._closing:
            self._leave()
            return
        outgoing = line.waiting[0]
        outgoing.posted_ms = time.time_ns() // 1_000_000
        if outgoing.file is None and not self._threads:
            self._send(line, None, None)
        else:
            load = self._loop.create_task(self._load(line, outgoing.file))
            self._loads.add(load)
            load.add_done_callback(partial(self._loaded, line))

    def _loaded(self, line: Line, load: "asyncio.Task[None]") -> None:
        self._loads.discard(load)
        fault = None if load.cancelled() else load.exception()
        if fault is not None:
            self._put_off(line, fault)

    async def _load(self, line: Line, file: e.File | None) -> None:
        """Send once what it takes is read: what the reply follows, and an attachment's bytes."""
        followed = await self._thread(line) if self._threads else None
        if file is None:
            self._try(self._send, line, None, followed)
            return
        data = await self._files.read(file.ref)
        if data is None:
            self._try(self._settle, line, Outcome("failed", reason="the attachment is not stored here"))
        else:
            url = self._link(file.ref, file.name)
            self._try(self._send, line, Enclosure(file.kind, file.name, file.mime, url, data), followed)

    async def _thread(self, line: Line) -> Thread:
        outgoing = line.waiting[0]
        seen = line.partition.state.contacts[line.contact].seen
        before = sorted(
            (at.seq, known) for known, at in seen.items() if at.number == outgoing.number and at.seq < outgoing.seq
        )
        ids = tuple(_key(line, outgoing.number, seq) if is_ours(known) else known for seq, known in before)
        asked = [(seq, known) for seq, known in before if not is_ours(known)]
        if not asked:
            return Thread(ids, "", "")
        said = await line.partition.said(line.contact, outgoing.number, asked[-1][0])
        return Thread(ids, asked[-1][1], said.text)

    def _send(self, line: Line, enclosure: Enclosure | None, followed: Thread | None) -> None:
        outgoing = line.waiting[0]
        if len(outgoing.text) > self.account.text_most:  # a bot's, or an automatic one: a desk's is refused
            self._settle(line, Outcome("failed", reason=f"longer than {self.account.text_most} characters"))
            return
        key = _key(line, outgoing.number, outgoing.seq)
        kind = outgoing.attempt, followed, outgoing.automatic, outgoing.template, outgoing.order
        message = Outbound(line.user, outgoing.text, key, enclosure, *kind)
        self._go_on(line, self._channel.send(self.account, message), None)

    def _go_on(self, line: Line, steps: Sending, answer: Answer | None) -> None:
        """Make the next call of a send, or learn how it ended."""
        try:
            call = next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            self._settle(line, end.value)
        else:
            answered = partial(self._try, self._answered, line, steps)
            if call.after_s:
                self._loop.call_later(call.after_s, self._try, self._call_late, line, call, answered)
            else:
                self._providers.call(call, answered)

    def _call_late(self, line: Line, call: Call, answered: Callable[[Answer | None], None]) -> None:
        if self._closing:
            self._leave()
        else:
            self._providers.call(call, answered)

    def _answered(self, line: Line, steps: Sending, answer: Answer | None) -> None:
        if answer is None:
            self._settle(line, Outcome("again"))
        else:
            self._go_on(line, steps, answer)

    def _settle(self, line: Line, outcome: Outcome) -> None:
        outgoing = line.waiting[0]
        if outcome.kind == "again" and outgoing.attempt < ATTEMPTS:
            backoff_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (outgoing.attempt - 1))
            outgoing.attempt += 1
            self._later(line, backoff_s if outcome.after_s is None else outcome.after_s)
        else:
            reason = "" if outcome.kind == "taken" else outcome.reason or f"given up after {ATTEMPTS} attempts"
            place = (line.contact, outgoing.number, outgoing.seq)
            line.partition.submit(Settle(*place, outcome.provider_id, reason, outgoing.posted_ms))
            line.waiting.popleft()
            if line.waiting:
                self._ready.append(line)
            else:
                self._rest(line)
        self._leave()

    def _rest(self, line: Line) -> None:
        """Keep the line for its pace, and forget those whose pace is as good as new."""
        line.busy = False
        now_s = time.monotonic()
        self._resting[line.key] = now_s
        while now_s - next(iter(self._resting.values())) > line.pace.full_after_s:
            key, _ = self._resting.popitem(last=False)
            del self._lines[key]

    def _leave(self) -> None:
        """A reply is no longer under way: another may be."""
        self._under_way -= 1
        if self._closing and not self._under_way:
            self._drained.set()
        self._pump()


class MessengerOutbox:
    """All messenger accounts' outboxes."""

    def __init__(self, config: Config, providers: Providers, mailer: Mailer, files: Files, link: Link) -> None:
        self._of = {
            each.id: AccountOutbox(each, mailer if each.channel == "email" else providers, files, link)
            for each in config.accounts
            if each.api
        }
        self._templates = {template.name: template for template in config.templates}

    def put(self, partition: PartitionOwner, contact: Contact, message: e.Sendable) -> None:
        """Take over a durable reply, notice or order; called in log order."""
        self._put(partition, contact, message, 1)

    def _put(self, partition: PartitionOwner, contact: Contact, message: e.Sendable, attempt: int) -> None:
        found = self._of.get(contact.key.partition("/")[0])
        if found is None:
            logger.warning("%s: a reply waits until the configuration knows its account again", contact.key)
        else:
            found.put(partition, contact, self._outgoing(message, attempt))

    def _outgoing(self, message: e.Sendable, attempt: int) -> Outgoing:
        place = message.number, message.seq
        match message:
            case e.Said():
                file = message.files[0] if message.files else None
                return Outgoing(*place, message.text, file, bool(message.rule), attempt=attempt)
            case e.Called():
                return Outgoing(*place, "", attempt=attempt, order=Order(message.call, message.operator))
        found = self._templates.get(message.template)
        template = None
        if found is not None:
            template = Template(found.provider_name or found.name, found.language, message.parameters)
        return Outgoing(*place, message.text, None, True, template, attempt)

    async def resume(self, core: Core) -> None:
        """Take up again, as logged attempts, what had no known end before the restart; before new replies come."""
        for partition in core.partitions:
            for contact in list(partition.state.contacts.active.values()):  # some may come to rest meanwhile
                for open_ in contact.unsettled:
                    message = await partition.written(contact.id, open_.number, open_.seq)
                    self._put(partition, contact, message, open_.attempt + 1)

    async def close(self) -> None:
        """Send nothing more, and wait a moment for answers under way."""
        await asyncio.gather(*(outbox.close() for outbox in self._of.values()))
