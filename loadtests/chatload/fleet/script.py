"""What one customer does in one planned dialog, and how long they put up with what the platform does."""

from collections.abc import Callable, Generator
from typing import Final, NamedTuple

from chatload.fleet import codes
from chatload.fleet.channel import Channel
from chatload.fleet.clock import NEVER, Timer
from chatload.fleet.frames import Entry
from chatload.fleet.identity import OPERATOR, Identity
from chatload.fleet.ledger import Actor, Message, Rating, Subject, method_of
from chatload.fleet.live import Live
from chatload.fleet.providers import media
from chatload.fleet.session import Customer
from chatload.fleet.world import World
from chatload.plan import Dialog, Turn

_NOT_HUMAN: Final = frozenset({"customer", "bot", "system"})

Join = Callable[[Actor, Subject, Customer], Channel]


class End(NamedTuple):
    """How a dialog ended for its customer."""

    outcome: int
    reason: str = ""


Steps = Generator[int, None, None]  # yields the time until which there is nothing to do, unless something changes
Last = Generator[int, None, End]
Yes = Generator[int, None, bool]


class Script:
    """One customer playing one planned dialog; writes exactly one DIALOG row, when it ends, and may rate it then.

    What the customer does is told by a generator, in the order in which it happens. Where it waits, it yields until
    when; it is resumed then, or in the loop's next turn after something changed, and looks at the facts again.
    `ended(script, unsent)` is called when the dialog is over, `unsent` being whether a due step was never started; who
    `stays` to rate it calls `left(script)` last. `closed_ns` is then from when on the platform has closed the dialog
    for certain, NEVER if nobody can know.
    """

    __slots__ = (
        "_actor", "_answers", "_asked_ns", "_changed", "_channel", "_due_ns", "_ended", "_human_answers",
        "_human_ns", "_invited_ns", "_left", "_live", "_over", "_owned", "_queued_ns", "_rated", "_reply_ns", "_sent",
        "_start_ns", "_started_ns", "_steps", "_subject", "_timer", "_until_ns", "_world", "closed_ns", "dialog",
        "stays",
    )  # fmt: skip

    def __init__(self, world: World, live: Live, dialog: Dialog, join: Join, ended: "Ended", left: "Left") -> None:
        self._world = world
        self._live = live
        self.dialog = dialog
        self._actor = Actor(world, f"c{dialog.index}")
        contact = f"{world.account(dialog.channel)}/{dialog.user}"
        self._subject = Subject(world, contact, dialog.index)
        if dialog.person is not None:
            world.returned[contact] = dialog.index
        self._channel = join(self._actor, self._subject, self)
        self._ended = ended
        self._left = left
        self.stays = False
        self.closed_ns = NEVER
        self._invited_ns = 0  # when the platform asked for a rating
        self._rated = False
        self._steps: Steps | None = None
        self._timer: Timer | None = None
        self._until_ns = NEVER  # what the timer is set to
        self._changed = False  # the script will look at the facts in the loop's next turn
        self._sent = 0
        self._due_ns = NEVER  # when the step that has not started yet is due
        self._asked_ns = 0  # when the message that waits for its answer was meant to go
        self._queued_ns = self._human_ns = self._reply_ns = 0
        self._answers = self._human_answers = 0
        self._owned = False
        self._over: End | None = None  # the platform ended it, or refused us
        self._start_ns = world.when(dialog.start_ms)
        self._started_ns = -1

    def play(self) -> None:
        """Play to the end."""
        self._started_ns, tally = self._world.clock.now_ns(), self._world.tally
        tally.lag(self._started_ns - self._start_ns)
        tally.open += 1
        tally.started += 1
        self._live.begin(self.dialog.index, self._subject.channel)
        self._steps = self._play()
        self._go_on()

    def cut_off(self) -> None:
        """End here, as in flight: the drain is over."""
        if self.stays:
            self._leave()
        elif self._steps is not None:
            self._end(
                End(codes.IN_FLIGHT), unsent=self._due_ns <= (self._world.silence_ns or self._world.clock.now_ns())
            )

    def unsent(self, what: str, due_ns: int) -> None:
        """Record something that was due and never started: a "dialog" or a "step"."""
        reason = self._world.recorder.text(what)
        self._actor.row(
            codes.UNSENT,
            0,
            self._subject,
            self._world.clock.now_ns(),
            intended=due_ns,
            counter=self._sent + 1,
            reason=reason,
        )

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        """The platform has stored the message."""
        if self.stays:
            return
        self._live.acknowledged(self.dialog.index, self._actor.name, message.counter)
        if not self._channel.shows_queue and message.to == "handover":
            self._queue(stamp_ns)  # who cannot see the queue counts from here
            self._change()

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """Take a new entry of this dialog."""
        if self.dialog.rating is not None and entry.kind == "message" and entry.text == self._world.asks_to_rate:
            self._invited_ns = self._invited_ns or stamp_ns
        elif self.stays:
            return
        elif entry.kind == "message":
            if entry.author == "bot" and entry.text not in self._world.automatic:
                self._answered(stamp_ns)
                self._world.tally.add("bot", method_of(self._subject.channel), stamp_ns - self._asked_ns)
            elif entry.author not in _NOT_HUMAN:
                self._human(identity, stamp_ns)
        elif entry.kind == "queued":
            self._queue(stamp_ns)
        elif entry.kind == "closed":
            self._over = self._over or End(codes.FAILED, f"closed: {entry.reason}")
        elif entry.kind in ("assigned", "released"):
            self._owned = entry.kind == "assigned"
        self._change()

    def failed(self, reason: str) -> None:
        """The platform refused a message, or this customer."""
        self._over = self._over or End(codes.FAILED, reason)
        self._change()

    def _change(self) -> None:
        if not self._changed and self._steps is not None:
            self._changed = True
            self._world.clock.soon(self._go_on)

    def _fall_due(self) -> None:
        self._timer = None
        self._go_on()

    def _go_on(self) -> None:
        """Resume, unless the script has ended meanwhile."""
        self._changed = False
        if self._steps is None:
            return
        until_ns = next(self._steps, None)
        if until_ns is None:
            self._leave()
            return
        if self._timer is None or until_ns != self._until_ns:
            self._stop_timer()
            self._until_ns = until_ns
            if until_ns != NEVER:
                self._timer = self._world.clock.at(until_ns, self._fall_due)

    def _end(self, end: End, unsent: bool) -> None:
        """The dialog is over."""
        may_be_asked = bool(self._invited_ns) or not self._channel.shows_queue
        self.stays = self.dialog.rating is not None and end.outcome == codes.COMPLETED and may_be_asked
        self.closed_ns = self._closes_ns(end.outcome)
        if not self.stays:
            self._leave()
        self._live.end(self.dialog.index)
        tally = self._world.tally
        tally.open -= 1
        tally.waiting -= bool(self._queued_ns and not self._human_ns)
        self._record(end)
        if unsent:
            self.unsent("step", self._due_ns)
        self._ended(self, unsent)

    def _closes_ns(self, outcome: int) -> int:
        """From when on the platform has this dialog closed: who sees no end counts on the inactivity timer."""
        now = self._world.clock.now_ns()
        if self._invited_ns or (self._over is not None and self._over.reason.startswith("closed")):
            return now
        idle_ns = self._world.wall(self._world.plan.scenario.timers.inactivity)
        return now + idle_ns if outcome == codes.COMPLETED else NEVER

    def _leave(self) -> None:
        """Be gone."""
        if self._steps is None:
            return
        self._steps = None
        self._stop_timer()
        self._channel.leave()
        if self.stays:
            self.stays = False
            self.closed_ns = self._closes_ns(codes.COMPLETED)
            self._left(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
            self._live.seen(self.dialog.index, identity.sender, identity.counter, stamp_ns)
        self._live.answered(self.dialog.index)

    def _queue(self, stamp_ns: int) -> None:
        if not self._queued_ns:
            self._queued_ns = stamp_ns
            self._live.queued(self.dialog.index, stamp_ns)
            self._world.tally.waiting += not self._human_ns

    def _play(self) -> Steps:
        self._end((yield from self._converse()), unsent=False)
        if self.stays:
            yield from self._rate()

    def _converse(self) -> Last:
        self._channel.open(self._start_ns)
        trigger_ns = self._start_ns
        for burst in self.dialog.bursts():
            turn, before = self.dialog.turns[burst.start], 0
            for position in burst:
                self._due_ns = self._due(position, trigger_ns)
                if not (yield from self._come(self._due_ns)):
                    return self._over or End(codes.FAILED)
                if position == burst.start:
                    before = self._score(turn)
                trigger_ns = self._due_ns
                self._send(position)
            if not (yield from self._answer(turn, before)):
                return self._over or (yield from self._give_up())
            trigger_ns = self._reply_ns
        return (yield from self._finish())

    def _due(self, position: int, trigger_ns: int) -> int:
        due_ns = trigger_ns + self._world.wall(self.dialog.turns[position].think_ms)
        if position == 1 and self.dialog.hold_ms:
            due_ns = max(due_ns, self._world.when(self.dialog.hold_ms))
        return due_ns

    def _come(self, due_ns: int) -> Yes:
        """Wait for a time; False if the dialog is over before."""
        while self._over is None and self._world.clock.now_ns() < due_ns:
            yield due_ns
        return self._over is None

    def _send(self, position: int) -> None:
        index, turn = self.dialog.index, self.dialog.turns[position]
        words = self._world.plan.text(index, position)
        message = self._actor.message(self._subject, position + 1, words, self._due_ns)
        message.to = turn.to
        if self.dialog.walks and (press := self._world.plan.press(index, position)):
            message.text, message.size, message.final = press, len(press), True
        if turn.attachment is not None:
            message.attachment = media.named(message.cid, turn.attachment.size, turn.attachment.kind)
        self._asked_ns = self._due_ns
        if turn.drop_ms is not None:
            message.away_ns = self._world.wall(turn.drop_ms)
            self._live.absent(index, self._world.clock.now_ns() + message.away_ns)
        self._due_ns = NEVER
        self._sent += 1
        if self._owned:
            self._live.sent(index, self._actor.name, message.counter, message.intended_ns)
        self._channel.send(message)

    def _score(self, turn: Turn) -> int:
        """How many answers of the kind this turn waits for have come."""
        return self._answers if turn.to == "bot" else self._human_answers

    def _answer(self, turn: Turn, before: int) -> Yes:
        """Wait for the answer; False if the dialog is over, or patience ends before."""
        while self._score(turn) == before:
            ends_ns = self._patience_ends()
            if self._over is not None or self._world.clock.now_ns() >= ends_ns:
                return False
            yield ends_ns
        return True

    def _patience_ends(self) -> int:
        if self._queued_ns and not self._human_ns:
            return self._queued_ns + self._world.wall(self.dialog.patience_ms)
        return self._asked_ns + self._world.wall(self.dialog.reply_patience_ms)

    def _give_up(self) -> Last:
        reason = "queue" if self._queued_ns and not self._human_ns else "reply"
        yield from self._goodbye(self._patience_ends())
        return End(codes.ABANDONED, reason)

    def _finish(self) -> Last:
        if self.dialog.contained:
            yield from self._goodbye(self._reply_ns)
        elif self._channel.shows_queue:
            yield from self._come(NEVER)
        if self._over is not None and not self._over.reason.startswith("closed"):
            return self._over
        return End(codes.COMPLETED, self._over.reason if self._over else "")

    def _goodbye(self, intended_ns: int) -> Steps:
        """End the dialog and see it closed, unless this customer just goes away."""
        if not self.dialog.silent and self._channel.shows_queue:
            self._channel.end(intended_ns)
            yield from self._come(NEVER)

    def _rate(self) -> Steps:
        """Rate the closed dialog some time after the platform has asked for it; it may never ask."""
        rating, asked = self.dialog.rating, self._world.plan.scenario.feedback
        if rating is None or asked is None:
            return
        while not self._invited_ns:
            yield NEVER
        due_ns = self._invited_ns + self._world.wall(rating.after_ms)
        while self._world.clock.now_ns() < due_ns:
            yield due_ns
        text = asked.text(rating.score)
        self._channel.rate(Rating(self._subject, rating.score, asked.scale, text, due_ns, self._taken))
        while not self._rated:
            yield NEVER

    def _taken(self) -> None:
        self._rated = True
        self._change()

    def _record(self, end: End) -> None:
        recorder = self._world.recorder
        recorder.put(
            codes.DIALOG,
            end.outcome,
            0,
            codes.RAMP if self._subject.ramp else codes.MAIN,
            self._subject.channel,
            intended=self._start_ns,
            started=self._started_ns,
            done=self._world.clock.now_ns(),
            plan=self.dialog.index,
            number=self._subject.number,
            counter=self._sent,
            size=len(self.dialog.turns),
            who=self._actor.id,
            contact=self._subject.contact_id,
            reason=recorder.text(end.reason),
        )


Ended = Callable[[Script, bool], None]
Left = Callable[[Script], None]
