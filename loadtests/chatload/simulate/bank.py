"""The bank behind the machines: its accounts, what its bot chooses, and the texts that go out by themselves."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from chatcore.answers import Answers
from chatcore.bot import Bot
from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.binding import MASK, awaits_code, hashed
from chatcore.machines.contacts import OPEN, Contact
from chatcore.machines.events import ALL_SLOTS, Wish
from chatload.accounts import BANKS_BOT, MESSENGERS, account
from chatload.fleet.clock import MS
from chatload.fleet.identity import CUSTOMER, parse
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.world import World
from chatload.plan import BotSays
from chatload.scenario import Scenario
from chatload.simulate.installation import Answer, Customers, Installation, Provider, Thread
from chatload.simulate.service import Service
from chatload.targets.configuration import answered, configuration

SPEED: Final = 1.0
BROKEN: Final = c.Choice("handover", reason="bot_broken")
WRONG: Final = c.Choice("handover", reason="bot_wrong")
FILES_NEED_A_PERSON: Final = c.Choice("handover")
ASK: Final = c.Choice("ask")


class Account(NamedTuple):
    """An account of the bank; `bot` is who answers first.

    `receipts`: whether its messenger tells what became of a reply. `windowed`: whether it takes free texts only for a
    while after the customer's last message.
    """

    id: str
    messenger: bool
    bot: str
    department: str
    wish: Wish
    receipts: bool
    windowed: bool


class Bank:
    """What stands around the machines in an installation of the scenario's bank, and the installation itself."""

    def __init__(self, world: World, auditor: Any, providers: Mapping[str, Provider]) -> None:
        scenario = world.plan.scenario
        told = _told(scenario)
        self._world = world
        self._accounts = {each["id"]: _account(each) for each in told["accounts"]}
        self._bot = Bot(msgspec.convert(answered(scenario, SPEED), Answers))
        self._words = [(word.casefold(), answer) for answer in scenario.bot.answers for word in answer.keywords]
        self.installation = Installation(world.clock, _rules(told), auditor, self, providers)
        self._service = Service(world, self.installation)

    @property
    def rating(self) -> c.Rating | None:
        """How a dialog that an operator closes may be rated."""
        return self._bot.rating

    def texts(self, key: str) -> c.Replies:
        """The automatic texts of a contact's account."""
        of = self.account(key)
        return self._bot.replies(of.id, of.department, self._world.clock.now_ns() // MS)

    def receive(
        self, key: str, message_id: str, text: str, origin: Customers | None = None, answer: Answer | None = None
    ) -> None:
        """A customer's message.

        Raises:
            Refused: it was not taken.
        """
        of = self.account(key)
        choice = self._chosen(of, key, text)
        department = (choice.department if choice is not None else "") or of.department
        texts = self._bot.replies(of.id, department, self._world.clock.now_ns() // MS)
        known = self.installation.dialogs.by_key.get(key)
        code = hashed(known.binding.salt, text) if known is not None and text and awaits_code(known) else ""
        command = c.Receive(
            key, of.messenger, of.department, message_id, 0, MASK if code else text, choice, receipts=of.receipts,
            wish=of.wish, windowed=of.windowed, code=code, replies=texts, score=0 if code else self._bot.score(text),
        )  # fmt: skip
        self.installation.ask(command, origin, answer)

    def ring(self, key: str, call: str, state: str) -> None:
        """What the exchange tells of a call."""
        of, now_ms = self.account(key), self._world.clock.now_ns() // MS
        self.installation.ask(c.Ring(key, call, state, now_ms, of.department, 0, of.wish))

    def _chosen(self, of: Account, key: str, text: str) -> c.Choice | None:
        if of.bot == "none":
            return None
        if not text:
            return FILES_NEED_A_PERSON
        match of.bot:
            case "http":
                return ASK
            case "keywords":
                return self._bot.by_keyword(text)
        known = self.installation.dialogs.by_key.get(key)
        return self._bot.by_menu(text, known.menu if known is not None and known.state in OPEN else None)

    def account(self, key: str) -> Account:
        """The account that a contact has to do with."""
        return self._accounts[key.partition("/")[0]]

    def reminder(self, contact: Contact) -> c.Remind:
        """The command for a deadline of a contact."""
        of = self.account(contact.key)
        return c.Remind(contact.id, of.department, self.texts(contact.key), wish=of.wish)

    def ask_bank(self, thread: Thread, asked: e.AccountNamed | e.OperationAsked) -> None:
        """The bank's service answers."""
        self._service.answer(thread, asked)

    # --- the bank's own bot ------------------------------------------------------------------------------------------

    def ask_bot(self, thread: Thread, message: e.Said) -> None:
        """It says at once what the plan has it say; where that is to come too late, nothing."""
        identity = parse(message.text) or parse(message.id)
        says = BotSays("answer")
        if identity is not None and identity.role == CUSTOMER and self._world.planned(identity):
            says = self._world.plan.bot_says(identity.n, identity.counter - 1)
        if says.kind != "slow":
            self._world.clock.soon(partial(self._say, thread, message, self._choice(says, message.text)))

    def _say(self, thread: Thread, message: e.Said, choice: c.Choice) -> None:
        of = self._accounts[thread.account]
        texts = self._bot.replies(of.id, choice.department or of.department, self._world.clock.now_ns() // MS)
        place = (message.contact, message.number, message.seq)
        self.installation.ask(c.Answered(*place, choice, of.department, texts, wish=of.wish))

    def _choice(self, says: BotSays, text: str) -> c.Choice:
        lowered = text.casefold()
        found = next((answer for word, answer in self._words if word in lowered), self._words[0][1])
        match says.kind:
            case "broken":
                return BROKEN
            case "wrong":
                return WRONG
            case "handover":
                return self._bot.hand_over(says.topic)
            case "suggestion":
                return c.Choice("miss", "suggestion:rephrase", f"«{self._words[0][0]}»?")
        return c.Choice("answer", f"bot:{found.rule}", found.text)


def _told(scenario: Scenario) -> dict[str, Any]:
    """What the embedded core would be told, with nobody behind the addresses."""
    names = [account(channel) for channel in scenario.channels.played() if channel in MESSENGERS]
    return configuration(scenario, SPEED, {name: {} for name in names}, dict.fromkeys([*names, BANKS_BOT], ""))


def _account(told: dict[str, Any]) -> Account:
    weight = ALL_SLOTS if told["channel"] == "phone" else told["weight"]
    wish, provider = Wish(told["skill"], told["language"], weight), PROVIDERS.get(told["channel"])
    receipts, windowed = (bool(provider.statuses), provider.profile.window_s > 0) if provider else (False, False)
    return Account(
        told["id"], told["channel"] in MESSENGERS, told["bot"], told["department"], wish, receipts, windowed
    )  # fmt: skip


def _rules(told: dict[str, Any]) -> c.Rules:
    """The installation's times and limits, as the core's server makes them of its configuration."""
    timers, bot = told["timers_ms"], told["bot"]
    return c.Rules(
        timers["inactivity"], timers["offer"], timers["grace"], bot_misses=bot["misses"],
        bot_ms=bot.get("timeout_ms", c.Rules().bot_ms), transfer_ms=timers["transfer"],
        internal=frozenset(each["id"] for each in told["departments"]), window_ms=timers["window"],
    )  # fmt: skip
