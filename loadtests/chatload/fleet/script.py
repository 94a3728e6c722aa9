"""What one customer does in one planned dialog, and how long they put up with what the platform does."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from chatload.fleet import codes
from chatload.fleet.clock import NEVER, Signal, now_ns
from chatload.fleet.frames import Entry
from chatload.fleet.identity import OPERATOR, Identity
from chatload.fleet.ledger import Actor, Message, Subject, method_of
from chatload.fleet.live import Live
from chatload.fleet.session import Customer
from chatload.fleet.world import World
from chatload.plan import Dialog, Turn

_NOT_HUMAN: Final = frozenset({"customer", "bot", "system"})


class Channel(Protocol):
    """What a customer needs of a channel; `Session` is the platform's own, the simulated messengers have theirs."""

    shows_queue: bool

    def open(self, intended_ns: int) -> None:
        """Connect."""

    def send(self, message: Message) -> None:
        """Send, now or as soon as possible; then be away for `message.away_ns`, where the channel has that."""

    def end(self, intended_ns: int) -> None:
        """Ask for the end of the dialog."""

    def leave(self) -> None:
        """Be gone."""


Join = Callable[[Actor, Subject, Customer], Channel]


class End(NamedTuple):
    """How a dialog ended for its customer."""

    outcome: int
    reason: str = ""


class Script:
    """One customer playing one planned dialog; writes exactly one DIALOG row, when it ends."""

    def __init__(self, world: World, live: Live, dialog: Dialog, join: Join) -> None:
        self._world = world
        self._live = live
        self._dialog = dialog
        self._actor = Actor(world, f"c{dialog.index}")
        contact = f"{world.account(dialog.channel)}/{dialog.user}"
        self._subject = Subject(world, contact, dialog.index)
        self._channel = join(self._actor, self._subject, self)
        self._changed = Signal(world.clock)
        self._sent = 0
        self._due_ns = NEVER  # when the step that has not started yet is due
        self._last = Message(self._subject, "", 0, "", 0)
        self._queued_ns = self._human_ns = self._reply_ns = 0
        self._answers = self._human_answers = 0
        self._owned = False
        self._over: End | None = None  # the platform ended it, or refused us
        self._start_ns = world.when(dialog.start_ms)

    async def play(self) -> bool:
        """Play to the end; a cancellation is the end of the drain. Returns whether a due step was never started."""
        started_ns, tally = now_ns(), self._world.tally
        tally.lag(started_ns - self._start_ns)
        tally.open += 1
        tally.started += 1
        self._live.begin(self._dialog.index, self._subject.channel)
        unsent = False
        try:
            end = await self._converse()
        except asyncio.CancelledError:
            end = End(codes.IN_FLIGHT)
            unsent = self._due_ns <= (self._world.silence_ns or now_ns())
        self._channel.leave()
        self._live.end(self._dialog.index)
        tally.open -= 1
        tally.waiting -= bool(self._queued_ns and not self._human_ns)
        self._record(end, started_ns)
        if unsent:
            self.unsent("step", self._due_ns)
        return unsent

    def unsent(self, what: str, due_ns: int) -> None:
        """Record something that was due and never started: a "dialog" or a "step"."""
        reason = self._world.recorder.text(what)
        self._actor.row(
            codes.UNSENT, 0, self._subject, now_ns(), intended=due_ns, counter=self._sent + 1, reason=reason
        )

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        """The platform has stored the message."""
        self._live.acknowledged(self._dialog.index, self._actor.name, message.counter)
        if not self._channel.shows_queue and message.to == "handover":
            self._queue(stamp_ns)  # who cannot see the queue counts from here

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """Take a new entry of this dialog."""
        if entry.kind == "message":
            if entry.author == "bot":
                self._answered(stamp_ns)
                self._world.tally.add("bot", method_of(self._subject.channel), stamp_ns - self._last.intended_ns)
            elif entry.author not in _NOT_HUMAN:
                self._human(identity, stamp_ns)
        elif entry.kind == "queued":
            self._queue(stamp_ns)
        elif entry.kind == "closed":
            self._over = self._over or End(codes.FAILED, f"closed: {entry.reason}")
        else:
            self._owned = entry.kind == "assigned"
        self._changed.set()

    def failed(self, reason: str) -> None:
        """The platform refused a message, or this customer."""
        self._over = self._over or End(codes.FAILED, reason)
        self._changed.set()

    def _answered(self, stamp_ns: int) -> None:
        self._answers += 1
        self._reply_ns = stamp_ns

    def _human(self, identity: Identity | None, stamp_ns: int) -> None:
        self._answered(stamp_ns)
        self._human_answers += 1
        self._owned = True
        if not self._human_ns:
            self._human_ns = stamp_ns
            self._world.tally.waiting -= bool(self._queued_ns)
        if identity is not None and identity.role == OPERATOR:
            self._live.seen(self._dialog.index, identity.sender, identity.counter, stamp_ns)
        self._live.answered(self._dialog.index)

    def _queue(self, stamp_ns: int) -> None:
        if not self._queued_ns:
            self._queued_ns = stamp_ns
            self._live.queued(self._dialog.index, stamp_ns)
            self._world.tally.waiting += not self._human_ns

    async def _converse(self) -> End:
        self._channel.open(self._start_ns)
        trigger_ns = self._start_ns
        for position, turn in enumerate(self._dialog.turns):
            self._due_ns = self._due(position, turn, trigger_ns)
            if not await self._come(self._due_ns):
                return self._over or End(codes.FAILED)
            before = self._score(turn)
            self._send(position, turn)
            if not await self._answer(turn, before):
                return self._over or await self._give_up()
            trigger_ns = self._reply_ns
        return await self._finish()

    def _due(self, position: int, turn: Turn, trigger_ns: int) -> int:
        due_ns = trigger_ns + self._world.wall(turn.think_ms)
        if position == 1 and self._dialog.hold_ms:
            due_ns = max(due_ns, self._world.when(self._dialog.hold_ms))
        return due_ns

    async def _come(self, due_ns: int) -> bool:
        """Wait for a time; False if the dialog is over before."""
        while self._over is None and now_ns() < due_ns:
            await self._changed.wait(due_ns)
        return self._over is None

    def _send(self, position: int, turn: Turn) -> None:
        index = self._dialog.index
        words = self._world.plan.text(index, position)
        self._last = message = self._actor.message(self._subject, position + 1, words, self._due_ns)
        message.to = turn.to
        if turn.drop_ms is not None:
            message.away_ns = self._world.wall(turn.drop_ms)
            self._live.absent(index, now_ns() + message.away_ns)
        self._due_ns = NEVER
        self._sent += 1
        if self._owned:
            self._live.sent(index, self._actor.name, message.counter, message.intended_ns)
        self._channel.send(message)

    def _score(self, turn: Turn) -> int:
        """How many answers of the kind this turn waits for have come."""
        return self._answers if turn.to == "bot" else self._human_answers

    async def _answer(self, turn: Turn, before: int) -> bool:
        """Wait for the answer; False if the dialog is over, or patience ends before."""
        while self._score(turn) == before:
            if self._over is not None or now_ns() >= self._patience_ends():
                return False
            await self._changed.wait(self._patience_ends())
        return True

    def _patience_ends(self) -> int:
        if self._queued_ns and not self._human_ns:
            return self._queued_ns + self._world.wall(self._dialog.patience_ms)
        return self._last.intended_ns + self._world.wall(self._dialog.reply_patience_ms)

    async def _give_up(self) -> End:
        reason = "queue" if self._queued_ns and not self._human_ns else "reply"
        await self._goodbye(self._patience_ends())
        return End(codes.ABANDONED, reason)

    async def _finish(self) -> End:
        if self._dialog.contained:
            await self._goodbye(self._reply_ns)
        elif self._channel.shows_queue:
            await self._come(NEVER)
        if self._over is not None and not self._over.reason.startswith("closed"):
            return self._over
        return End(codes.COMPLETED, self._over.reason if self._over else "")

    async def _goodbye(self, intended_ns: int) -> None:
        """End the dialog and see it closed, unless this customer just goes away."""
        if not self._dialog.silent and self._channel.shows_queue:
            self._channel.end(intended_ns)
            await self._come(NEVER)

    def _record(self, end: End, started_ns: int) -> None:
        recorder = self._world.recorder
        recorder.put(
            codes.DIALOG,
            end.outcome,
            0,
            codes.RAMP if self._subject.ramp else codes.MAIN,
            self._subject.channel,
            intended=self._start_ns,
            started=started_ns,
            done=now_ns(),
            plan=self._dialog.index,
            number=self._subject.number,
            counter=self._sent,
            size=len(self._dialog.turns),
            who=self._actor.id,
            contact=self._subject.contact_id,
            reason=recorder.text(end.reason),
        )
