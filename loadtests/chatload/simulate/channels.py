"""How a script's customer reaches a virtual installation: by a session of their own, or through a messenger."""

from collections.abc import Callable
from functools import partial
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.ownership import shown_id
from chatload.fleet import codes
from chatload.fleet.clock import MS
from chatload.fleet.frames import Entry
from chatload.fleet.identity import parse, sender_of
from chatload.fleet.ledger import Actor, Message, Rating, Subject
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.chat import Chat, Send, Sent
from chatload.fleet.providers.limits import TokenBucket
from chatload.fleet.providers.receipts import Receipts
from chatload.fleet.providers.settings import Settings
from chatload.fleet.providers.webhooks import Settled, Update
from chatload.fleet.session import Customer
from chatload.fleet.world import World
from chatload.simulate.bank import Bank
from chatload.simulate.installation import Thread

UNLIMITED: Final = TokenBucket(1.0, 1.0)  # a chat needs one; nothing of a simulation takes from it


class Session:
    """A customer's session in the widget or the app, which may be away for a while after a message."""

    shows_queue = True

    def __init__(self, bank: Bank, actor: Actor, subject: Subject, customer: Customer) -> None:
        self._bank = bank
        self._core = bank.installation
        self._actor = actor
        self._clock = actor.world.clock
        self._subject = subject
        self._customer = customer
        self._missed: list[Callable[[], None]] | None = None  # what comes back with the socket
        self._left = False

    def open(self, intended_ns: int) -> None:
        """Connect."""
        self._subject.number = self._core.open_number(self._subject.contact)
        self._core.watch(self._subject.contact, self)

    def send(self, message: Message) -> None:
        """Send, now or on coming back; then be away, if the message says so. A file goes in place of the text."""
        if self._missed is not None:
            self._missed.append(partial(self.send, message))
            return
        if message.attachment:
            message.text, message.size = "", 0
        message.attempt, message.started_ns = 1, self._clock.now_ns()
        if message.away_ns >= 0:
            self._actor.sent(message, codes.INDETERMINATE, -1, "dropped")
            self._missed = []
            self._clock.at(message.started_ns + message.away_ns, self._back)
        try:
            self._bank.receive(self._subject.contact, message.cid, message.text, self, partial(self._taken, message))
        except c.Refused as refusal:
            self._actor.sent(message, codes.REJECTED, self._clock.now_ns(), refusal.reason)
            self._customer.failed(refusal.reason)

    def end(self, intended_ns: int) -> None:
        """End the dialog, now or on coming back."""
        self._here(partial(self._end, Message(self._subject, "", -1, "", intended_ns)))

    def rate(self, rating: Rating) -> None:
        """Rate the dialog that was closed."""
        rating.attempt, rating.started_ns, outcome, reason = 1, self._clock.now_ns(), codes.OK, ""
        try:
            self._core.ask(c.Rate(self._subject.contact, rating.score))
        except c.Refused as refusal:
            outcome, reason = codes.REJECTED, refusal.reason
        self._actor.rated(rating, outcome, self._clock.now_ns(), reason)
        rating.done()

    def leave(self) -> None:
        """Close for good."""
        self._left = True
        self._core.watch(self._subject.contact, None)

    def see(self, number: int, entry: Entry) -> None:
        """An entry of the contact's dialog `number`."""
        if number < self._subject.number:
            return
        if self._missed is None:
            self._saw(entry)
        else:
            self._missed.append(partial(self._saw, entry))

    def _here(self, act: Callable[[], None]) -> None:
        if self._missed is None:
            act()
        else:
            self._missed.append(act)

    def _back(self) -> None:
        """The socket is there again: catch up."""
        missed, self._missed = self._missed or [], None
        for act in missed:
            if not self._left:
                self._here(act)

    def _saw(self, entry: Entry) -> None:
        now_ns = self._clock.now_ns()
        self._customer.saw(entry, self._actor.saw(entry, self._subject, now_ns), now_ns)

    def _taken(self, message: Message) -> None:
        seen = self._core.dialogs.contact(self._subject.contact).seen[message.cid]
        self._subject.number = seen.number
        if self._missed is None:
            self._acknowledged(message, seen.seq)
        else:
            self._missed.append(partial(self._acknowledged, message, seen.seq))

    def _acknowledged(self, message: Message, seq: int) -> None:
        now_ns = self._clock.now_ns()
        if message.away_ns >= 0:
            message.attempt, message.started_ns = 2, now_ns
        self._actor.sent(message, codes.OK, now_ns, seq=seq)
        self._customer.acknowledged(message, now_ns)

    def _end(self, closing: Message) -> None:
        closing.attempt, closing.started_ns, outcome, reason = 1, self._clock.now_ns(), codes.OK, ""
        try:
            self._core.ask(c.Leave(self._subject.contact))
        except c.Refused as refusal:
            outcome, reason = codes.REJECTED, refusal.reason
        self._actor.closed(closing, outcome, self._clock.now_ns(), reason)


class Messenger:
    """A messenger whose events are taken at once, and which takes every reply; it tells of notices, and of failures."""

    def __init__(self, world: World, channel: str) -> None:
        self._world = world
        self._actor = Actor(world, channel)
        self.statuses, self.watermarks = PROVIDERS[channel].statuses, PROVIDERS[channel].watermarks
        self._receipts = Receipts(world, Settings(), self, self._actor, "")
        self._chats: dict[str, Chat] = {}
        self.bank: Bank  # whose account it has

    def join(self, actor: Actor, subject: Subject, customer: Customer) -> Chat:
        """The chat of a script's customer; it stays after the script, as chats do."""
        chat = self.know(actor, subject)
        chat.actor, chat.subject, chat.customer = actor, subject, customer
        return chat

    def know(self, actor: Actor, subject: Subject) -> Chat:
        """The chat of somebody whom the messenger knows, whether or not they play."""
        user = subject.contact.partition("/")[2]
        chat = self._chats.get(user)
        if chat is None:
            chat = self._chats[user] = Chat(self, user, 0, UNLIMITED)
            chat.actor, chat.subject, chat.customer = actor, subject, None
        return chat

    def post(self, chat: Chat, message: Message) -> None:
        """A customer's message."""
        number, now_ns = chat.take_id(), self._world.clock.now_ns()
        message.attempt, message.started_ns = 1, now_ns
        outcome, reason = self._posted(chat, number, message.text)
        sender = self._world.recorder.text(f"c{message.subject.plan}")
        self._actor.sent(message, outcome, now_ns, reason, provider_id=number, sender=sender)
        if outcome == codes.OK and chat.customer is not None:
            chat.customer.acknowledged(message, now_ns)

    def rate(self, chat: Chat, rating: Rating) -> None:
        """A score in a message."""
        number, now_ns = chat.take_id(), self._world.clock.now_ns()
        rating.attempt, rating.started_ns = 1, now_ns
        outcome, reason = self._posted(chat, number, rating.text)
        self._actor.rated(rating, outcome, now_ns, reason, provider_id=number)
        rating.done()

    def send(self, thread: Thread, message: e.Said | e.Called | e.Noticed) -> None:
        """Take a reply or a notice, and show it, unless it fails."""
        chat, now_ns = self._chats[thread.key.partition("/")[2]], self._world.clock.now_ns()
        assert isinstance(message, e.Said | e.Noticed), "a messenger is given nothing else"
        text, number = message.text or shown_id(message.id), chat.take_id()
        chat.sends += 1
        self._attempt(chat, text, number, now_ns)
        failed = self._receipts.fails(chat)
        if failed or isinstance(message, e.Noticed):
            self._follow(chat, text, number)
        if not failed:
            chat.show(text, number, now_ns)
        self.bank.installation.later(
            c.Settle(message.contact, message.number, message.seq, f"{number}", posted=message.at)
        )

    def post_receipt(self, chat: Chat, status: str, covered: list[Sent], settled: Settled) -> None:
        """Tell of a receipt, which is taken at once."""
        update, through = Update("", b"", settled, status), "number" if status in self.watermarks else ""
        update.attempt, update.started_ns = 1, self._world.clock.now_ns()
        self.bank.installation.ask(c.Told(chat.subject.contact, status, str(covered[-1].id), through, ""))
        settled(update, codes.OK, update.started_ns, "")

    def _follow(self, chat: Chat, text: str, number: int) -> None:
        """Have receipts follow."""
        fate = self._receipts.fate(chat)
        if fate:
            sent = Sent(number, Send(chat.user, text), self._world.clock.now_ns() // MS)
            self._receipts.begin(chat, sent, fate, None)

    def _posted(self, chat: Chat, number: int, text: str) -> tuple[int, str]:
        try:
            self.bank.receive(chat.subject.contact, f"{number}", text)
        except c.Refused as refusal:
            return codes.REJECTED, refusal.reason
        return codes.OK, ""

    def _attempt(self, chat: Chat, text: str, number: int, now_ns: int) -> None:
        recorder, identity = self._world.recorder, parse(text)
        self._actor.row(
            codes.ATTEMPT, codes.OK, chat.subject, now_ns, kind=codes.MESSAGE, started=now_ns, done=now_ns,
            provider_id=number, counter=identity.counter if identity else -1, size=len(text), attempt=1,
            sender=recorder.text(sender_of(identity, self._world.run)),
        )  # fmt: skip
