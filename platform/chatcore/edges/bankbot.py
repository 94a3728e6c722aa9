"""Asks the bank's own bot over HTTP: `{dialog, seq, text, entries}` → `{kind, text, rule, topic}`.

One question a contact is under way. Texts that come meanwhile are put together, line by line, into the next question;
after a restart, all that the bot has not answered are. `entries` are the dialog's last ones before that.
A suggestion counts as a miss, so that a customer who is not understood gets an operator. What an answer leads to, and
how long it may take, is the machine's to decide. No text is logged.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from chatcore import wire
from chatcore.channels.shapes import Answer, Call
from chatcore.config import MAX_TEXT, Account
from chatcore.edges.automatic import replies
from chatcore.edges.gateway import MAX_SAID, Gateway
from chatcore.edges.providers import Providers, service_headers
from chatcore.journal.port import Row
from chatcore.machines import events as e
from chatcore.machines.commands import Answered, Choice
from chatcore.machines.contacts import Contact
from chatcore.runtime.core import Core
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

AT_ONCE: Final = 64
ENTRIES: Final = 20  # of the dialog, before the question; the bot sees no more
Word = Annotated[str, msgspec.Meta(max_length=64)]
BROKEN: Final = Choice("handover", reason="bot_broken")
WRONG: Final = Choice("handover", reason="bot_wrong")


class Said(msgspec.Struct):
    """The bot's answer. A suggestion says how to phrase the question; a hand-over may name a topic."""

    kind: Literal["answer", "suggestion", "handover"]
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
    rule: Word = ""
    topic: Word = ""


class Question(NamedTuple):
    """A question about the messages from `first` to `seq` of a contact's dialog."""

    partition: PartitionOwner
    contact: int
    key: str
    number: int
    first: int
    seq: int
    text: str

    @property
    def open(self) -> bool:
        """Whether its answer still counts."""
        contact = self.partition.state.contacts[self.contact]
        return (contact.number, contact.asked) == (self.number, self.seq)


class BankBot:
    """The questions under way and those that wait, at most one of each a contact."""

    def __init__(self, gateway: Gateway, providers: Providers) -> None:
        self._gateway = gateway
        self._providers = providers
        self._url = gateway.config.bot.url
        self._headers = service_headers(gateway.config.bot.token)
        self._under_way: set[str] = set()
        self._waiting: dict[str, Question] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def put(self, partition: PartitionOwner, contact: Contact, message: e.Said) -> None:
        """Ask about a durable message; called in log order."""
        self._add(partition, contact, message)
        self._pump()

    def _add(self, partition: PartitionOwner, contact: Contact, message: e.Said) -> None:
        before = self._waiting.pop(contact.key, None)
        first, text = message.seq, message.text
        if before is not None and before.number == message.number:
            first, text = before.first, f"{before.text}\n{text}"
        place = (partition, contact.id, contact.key, message.number, first, message.seq)
        self._waiting[contact.key] = Question(*place, text[-MAX_SAID:])

    async def resume(self, core: Core) -> None:
        """Ask again what had no answer before the restart."""
        for partition in core.partitions:
            for contact in list(partition.state.contacts.active.values()):
                account = self._gateway.accounts.get(contact.key.partition("/")[0])
                if contact.asked and contact.state is e.State.BOT and account is not None:
                    for message in await _unanswered(partition, contact):
                        self._add(partition, contact, message)
                    self._pump()

    def close(self) -> None:
        """Take no more answers; what they leave open is asked again at the next start."""
        self._closed = True

    def _pump(self) -> None:
        for key in list(self._waiting):
            if len(self._under_way) >= AT_ONCE or self._closed:
                return
            if key not in self._under_way:
                question = self._waiting.pop(key)
                if question.open:
                    self._under_way.add(question.key)
                    self._loop.call_soon(self._read, question)  # what is durable now can be read then

    def _read(self, question: Question) -> None:
        """Ask, once it is read what was said before."""
        if question.first == 1:
            self._ask(question, [])
        else:
            rows = _before(question.partition, question.contact, question.number, question.first)
            rows.add_done_callback(partial(self._was_read, question))

    def _was_read(self, question: Question, rows: asyncio.Future[list[Row]]) -> None:
        if not rows.cancelled():
            self._ask(question, [] if rows.exception() is not None else rows.result())

    def _ask(self, question: Question, rows: list[Row]) -> None:
        about = {"dialog": f"{question.key}#{question.number}", "seq": question.seq, "text": question.text}
        body = wire.dumps(about | {"entries": [wire.stored(question.key, row.blob) for row in rows]})
        self._providers.call(Call(self._url, body, self._headers), partial(self._answered, question))

    def _answered(self, question: Question, answer: Answer | None) -> None:
        self._under_way.discard(question.key)
        if self._closed:
            return
        account = self._gateway.accounts[question.key.partition("/")[0]]
        choice = self._choice(account, answer)
        if not question.open:
            self._gateway.count("bot_late")
        elif choice.reason:
            self._gateway.count(choice.reason)
        place = (question.contact, question.number, question.seq)
        with suppress(Poisoned):
            texts = replies(self._gateway, account, choice)
            asked = account.priority, self._gateway.wishes[account.id]
            question.partition.submit(Answered(*place, choice, account.department, texts, *asked))
        self._pump()

    def _choice(self, account: Account, answer: Answer | None) -> Choice:
        if answer is None or answer.status != 200:
            return BROKEN
        try:
            said = msgspec.json.decode(answer.body, type=Said)
        except msgspec.ValidationError:
            return WRONG
        except ValueError:
            return BROKEN
        if said.kind == "handover":
            return self._gateway.bot.hand_over(said.topic)
        if not 0 < len(said.text) <= account.text_most:
            return WRONG
        if said.kind == "suggestion":
            return Choice("miss", f"suggestion:{said.rule}", said.text)
        return Choice("answer", f"bot:{said.rule}", said.text)


def _before(partition: PartitionOwner, contact: int, number: int, seq: int) -> asyncio.Future[list[Row]]:
    """The last entries of a dialog before `seq`."""
    after = max(0, seq - 1 - ENTRIES)
    return partition.journal.history.entries(partition.log, contact, (number, after), seq - 1 - after)


async def _unanswered(partition: PartitionOwner, contact: Contact) -> list[e.Said]:
    """What the customer wrote, up to the message that the bot was asked about last, after it said something."""
    rows = await _before(partition, contact.id, contact.number, contact.asked + 1)
    said = [event for event in map(e.decode_event, (row.blob for row in rows)) if isinstance(event, e.Said)]
    answered = max((event.seq for event in said if event.author == "bot"), default=0)
    return [event for event in said if event.author == "customer" and event.seq > answered]
