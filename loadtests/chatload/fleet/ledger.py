"""Rows from the point of view of whoever acts: who (an actor) did or saw what in which dialog (a subject)."""

from collections.abc import Callable
from typing import Final

from chatload.accounts import channel_of, index_of
from chatload.fleet import codes
from chatload.fleet.frames import Destination, Entry, Frame, provider_number, split
from chatload.fleet.identity import Identity, compose, sender_of
from chatload.fleet.tally import DESK, NAMES
from chatload.fleet.world import World

_NOWHERE: Final = Destination()


class Subject:
    """The dialog a row is about: contact, its number on the platform, and its index in the plan.

    Where the plan has no such dialog, `planned` is false and `plan` says -1.
    """

    __slots__ = ("_dialog", "_place", "_text", "channel", "contact", "contact_id", "number", "plan", "planned", "ramp")

    def __init__(self, world: World, contact: str, plan: int | None = None) -> None:
        self.contact = contact
        self.contact_id = world.recorder.text(contact)
        self.channel = codes.CHANNELS.get(channel_of(contact.partition("/")[0]), 0)
        self.planned = plan is not None and world.has_dialog(plan)
        self.plan = plan if plan is not None and self.planned else -1
        self.ramp = self.planned and self.plan < 0
        self.number = -1
        self._text = world.recorder.text
        self._dialog = ""
        self._place = (-1, -1)

    def place(self, dialog: str) -> tuple[int, int]:
        """A dialog id's contact, as the recorder's text, and its number; ids of this dialog are taken apart once."""
        if dialog != self._dialog:
            contact, number = split(dialog)
            self._dialog, self._place = dialog, (self._text(contact), number)
        return self._place


def subject_of(world: World, dialog: str) -> Subject:
    """The subject of a dialog id on the wire.

    Its index in the plan follows from the contact: the latest dialog of a customer who has come back, as far as this
    worker plays them; else their first, until a text in it says otherwise.
    """
    contact, number = split(dialog)
    account, _, user = contact.partition("/")
    returned = world.returned.get(contact)
    subject = Subject(world, contact, index_of(account, user) if returned is None else returned)
    subject.number = number
    return subject


class Message:
    """A message on its way; the identity, also its `cid`, is the same in every attempt.

    `begun_ns`: when its sender meant it to go, -1 where nobody asks; `started_ns`: when the present attempt went, -1
    while none is open. `away_ns`: the sender's socket closes right after the first attempt, for so long. `attachment`:
    the name of a file that goes with the text, or in its place, as the channel has it. `final`: never edited.
    """

    __slots__ = (
        "assignment", "attachment", "attempt", "away_ns", "begun_ns", "cid", "counter", "final", "frame", "intended_ns",
        "size", "started_ns", "subject", "text", "to",
    )  # fmt: skip

    def __init__(
        self, subject: Subject, cid: str, counter: int, words: str, intended_ns: int, begun_ns: int = -1
    ) -> None:
        self.subject = subject
        self.cid = cid
        self.counter = counter
        self.text = f"{cid} {words}"
        self.size = len(self.text)
        self.intended_ns = intended_ns
        self.begun_ns = begun_ns
        self.started_ns = -1
        self.attempt = 0
        self.assignment = -1
        self.to = ""
        self.away_ns = -1
        self.attachment = ""
        self.final = False
        self.frame: Frame = {}


class Rating:
    """A score on its way; `text` is how it is written where there is no other way to say it.

    `done` is called once the platform has taken it, or will not have it.
    """

    __slots__ = ("attempt", "best", "done", "intended_ns", "score", "started_ns", "subject", "text")

    def __init__(
        self, subject: Subject, score: int, best: int, text: str, intended_ns: int, done: Callable[[], None]
    ) -> None:
        self.subject = subject
        self.score = score
        self.best = best
        self.text = text
        self.intended_ns = intended_ns
        self.done = done
        self.started_ns = -1
        self.attempt = 0


class Actor:
    """Writes the rows of `who`; `epoch` is the number of its present connection."""

    __slots__ = ("epoch", "id", "name", "world")

    def __init__(self, world: World, who: str) -> None:
        self.world = world
        self.name = who
        self.id = world.recorder.text(who)
        self.epoch = 0

    def message(self, subject: Subject, counter: int, words: str, intended_ns: int) -> Message:
        """The actor's n-th message."""
        cid = compose(self.world.run, self.name, counter)
        return Message(subject, cid, counter, words, intended_ns, self.world.clock.now_ns())

    def row(self, what: int, outcome: int, subject: Subject, now_ns: int, kind: int = 0, **columns: int) -> None:
        """A row about something in a dialog."""
        columns.setdefault("number", subject.number)
        self.world.recorder.put(
            what,
            outcome,
            kind,
            self.world.phase(now_ns, subject.ramp),
            subject.channel,
            plan=subject.plan,
            epoch=self.epoch,
            who=self.id,
            contact=subject.contact_id,
            **columns,
        )

    def sent(
        self,
        message: Message,
        outcome: int,
        done_ns: int,
        reason: str = "",
        *,
        seq: int = -1,
        provider_id: int = -1,
        sender: int | None = None,
    ) -> None:
        """A row for one attempt to send `message`; `sender` if that is not this actor."""
        world, subject = self.world, message.subject
        world.recorder.put(
            codes.SEND,
            outcome,
            codes.MESSAGE,
            world.phase(message.started_ns, subject.ramp),
            subject.channel,
            intended=message.intended_ns,
            started=message.started_ns,
            done=done_ns,
            assignment=message.assignment,
            provider_id=provider_id,
            plan=subject.plan,
            number=subject.number,
            seq=seq,
            counter=message.counter,
            epoch=self.epoch,
            size=message.size,
            attempt=message.attempt,
            who=self.id,
            contact=subject.contact_id,
            sender=self.id if sender is None else sender,
            reason=world.recorder.text(reason) if reason else -1,
        )

    def closed(self, closing: Message, outcome: int, done_ns: int, reason: str = "") -> None:
        """A row for one attempt to close a dialog."""
        self.row(
            codes.CLOSE,
            outcome,
            closing.subject,
            self.world.clock.now_ns(),
            intended=closing.intended_ns,
            started=closing.started_ns,
            done=done_ns,
            attempt=closing.attempt,
            assignment=closing.assignment,
            reason=self.world.recorder.text(reason),
        )

    def rated(self, rating: Rating, outcome: int, done_ns: int, reason: str = "", **more: int) -> None:
        """A row for one attempt to rate a dialog."""
        self.row(
            codes.RATING,
            outcome,
            rating.subject,
            rating.started_ns,
            intended=rating.intended_ns,
            started=rating.started_ns,
            done=done_ns,
            attempt=rating.attempt,
            size=rating.score,
            place=rating.best,
            reason=self.world.recorder.text(reason),
            **more,
        )

    def saw(self, entry: Entry, subject: Subject, stamp_ns: int) -> Identity | None:
        """A row for an entry seen at `stamp_ns`; returns who is named in its text."""
        world, cause, identity = self.world, entry.cause, entry.identity
        text, named = world.recorder.text, entry.id or entry.call
        sender, rule, reason = named_in(entry, identity, world.run)
        contact, number = subject.place(entry.dialog)  # the frame's: somebody else's entry must not pass for ours
        world.recorder.put(
            codes.ENTRY,
            codes.OK,
            codes.KINDS.get(entry.kind, 0),
            world.phase(stamp_ns, subject.ramp),
            subject.channel,
            done=stamp_ns,
            assignment=entry.number,
            provider_id=provider_number(named) if named else -1,
            plan=subject.plan,
            number=number,
            seq=entry.seq,
            counter=identity.counter if identity is not None else -1,
            cause_seq=cause.seq if cause is not None else -1,
            epoch=self.epoch,
            cursor=identity.edit or -1 if identity is not None else -1,
            size=len(entry.text),
            who=self.id,
            contact=contact,
            sender=text(sender),
            author=text(entry.operator or entry.author),
            rule=text(rule),
            reason=text(reason),
        )
        return identity


def named_in(entry: Entry, identity: Identity | None, run: str) -> tuple[str, str, str]:
    """Whom and what an entry names, as its row's sender, rule and reason; most are messages, which have few of them."""
    if entry.kind == "message":
        return sender_of(identity, run), entry.cause.rule if entry.cause is not None else "", entry.reason
    to = entry.to or _NOWHERE
    sender = to.operator or (entry.reason if entry.department else sender_of(identity, run))
    return sender, to.skill or entry.skill, entry.department or entry.reason or entry.state or to.department


def method_of(channel: int) -> str:
    """What stands in the "method" column of Locust's tables."""
    return NAMES.get(channel, DESK)
