"""Asks the bank's own bot over HTTP: `{dialog, seq, text}` → `{kind, text, rule, topic}`.

One question a contact is under way. Texts that come meanwhile are put together, line by line, into the next question.
A suggestion counts as a miss, so that a customer who is not understood gets an operator. What an answer leads to, and
how long it may take, is the machine's to decide. No text is logged.
"""

from contextlib import suppress
from functools import partial
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from chatcore import wire
from chatcore.channels.shapes import Answer, Call
from chatcore.config import MAX_TEXT, Account
from chatcore.edges.automatic import replies
from chatcore.edges.gateway import Gateway
from chatcore.edges.providers import Providers, service_headers
from chatcore.machines import events as e
from chatcore.machines.commands import Answered, Choice
from chatcore.machines.contacts import Contact
from chatcore.runtime.core import Core
from chatcore.runtime.owner import Poisoned
from chatcore.runtime.partition import PartitionOwner

AT_ONCE: Final = 64
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
    """A question about message `seq` of a contact's dialog."""

    partition: PartitionOwner
    contact: int
    key: str
    number: int
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
        self._closed = False

    def put(self, partition: PartitionOwner, contact: Contact, message: e.Said) -> None:
        """Ask about a durable message; called in log order."""
        before = self._waiting.pop(contact.key, None)
        together = before is not None and before.number == message.number
        text = f"{before.text}\n{message.text}" if before is not None and together else message.text
        place = (partition, contact.id, contact.key, message.number, message.seq)
        self._waiting[contact.key] = Question(*place, text[-MAX_TEXT:])
        self._pump()

    async def resume(self, core: Core) -> None:
        """Ask again what had no answer before the restart."""
        for partition in core.partitions:
            for contact in list(partition.state.contacts.active.values()):
                account = self._gateway.accounts.get(contact.key.partition("/")[0])
                if contact.asked and contact.state is e.State.BOT and account is not None:
                    self.put(partition, contact, await partition.said(contact.id, contact.number, contact.asked))

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
                    self._ask(question)

    def _ask(self, question: Question) -> None:
        dialog = f"{question.key}#{question.number}"
        body = wire.dumps({"dialog": dialog, "seq": question.seq, "text": question.text})
        self._providers.call(Call(self._url, body, self._headers), partial(self._answered, question))
        self._under_way.add(question.key)

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
