"""What answers a customer without a person: chosen answers, the bank's own bot, automatic texts; or the queue.

The bank's bot is asked about a message once that is durable, and its choice comes back as a command. The newest message
asked about counts: an answer to an older one changes nothing. But the deadline stays that of the first one without an
answer, so that a customer who goes on writing is not kept from an operator.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact
from chatcore.machines.events import State, Wish
from chatcore.machines.partition import Partition


class Wanted(NamedTuple):
    """What a dialog asks the floor for when it is queued."""

    department: str
    priority: int
    wish: Wish


class Turn:
    """What follows entry `seq` of a dialog, which is the cause of its texts; `events` collects it."""

    def __init__(self, contact: Contact, number: int, seq: int, now: int, replies: c.Replies) -> None:
        self.contact = contact
        self.fresh = contact.number != number  # the dialog opens in this record
        self.number = number
        self.cause = self.seq = seq
        self.now = now
        self.events: list[e.DialogEvent] = []
        self._replies = replies

    def say(self, author: str, text: str, rule: str, deadline: int = 0) -> None:
        """Say a text without a person."""
        self.seq += 1
        place = (self.contact.id, self.number, self.seq, self.now)
        self.events.append(e.Said(*place, author, "", 0, text, self.cause, rule, deadline))

    def reply(self, event: str) -> None:
        """Say the automatic text for an event, if one is in force."""
        if text := self._replies.get(event):
            self.say("system", text, f"auto:{event}")

    def queue(self, rules: c.Rules, wanted: Wanted, topic: str = "", reason: str = "") -> None:
        """Ask for an operator, and tell the customer what that means now."""
        self.cause = self.seq = self.seq + 1
        place = (self.contact.id, self.number, self.seq, self.now)
        asked = wanted.department, wanted.priority, self.contact.previous, wanted.wish
        internal = wanted.department in rules.internal
        self.events.append(e.Queued(*place, *asked, internal, topic, reason))
        self.reply("out_of_hours")
        self.reply("waiting")


def take_turn(turn: Turn, rules: c.Rules, choice: c.Choice | None, wanted: Wanted) -> None:
    """The bot's turn: its answer, a question to the bank's bot, or the queue, where the choice may name another."""
    contact = turn.contact
    misses = 0 if turn.fresh else contact.misses
    if choice is None:
        turn.queue(rules, wanted)
    elif choice.kind == "ask":
        waits = contact.asked and not turn.fresh
        deadline = contact.deadline if waits else turn.now + rules.bot_ms
        turn.events.append(e.Asked(contact.id, turn.number, turn.cause, deadline))
    else:
        _follow(turn, rules, choice, wanted, misses)


def _follow(turn: Turn, rules: c.Rules, choice: c.Choice, wanted: Wanted, misses: int) -> None:
    contact = turn.contact
    in_a_row = misses + 1 if choice.kind == "miss" else 0
    if in_a_row != misses:
        turn.events.append(e.Missed(contact.id, in_a_row))
    if choice.menu is not None and choice.menu != ("" if turn.fresh else contact.menu):
        turn.events.append(e.MenuMoved(contact.id, choice.menu))
    if choice.kind == "handover" or in_a_row >= rules.bot_misses:
        wanted = wanted._replace(department=choice.department or wanted.department)
        turn.queue(rules, wanted, choice.topic, choice.reason)
    else:
        turn.say("bot", choice.text, choice.rule, turn.now + rules.inactivity_ms)


def _answered(state: Partition, command: c.Answered, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    shown = (command.number, command.seq)
    if contact.state is not State.BOT or not contact.asked or (contact.number, contact.asked) != shown:
        return []
    turn = Turn(contact, contact.number, contact.seq, now, command.replies)
    turn.cause = command.seq
    take_turn(turn, state.rules, command.choice, Wanted(command.department, command.priority, command.wish))
    return turn.events


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {c.Answered: _answered}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_asked(state: Partition, contact: Contact, event: e.Asked) -> None:
    contact.asked, contact.deadline = event.seq, event.deadline


def _apply_missed(state: Partition, contact: Contact, event: e.Missed) -> None:
    contact.misses = event.in_a_row


def _apply_menu_moved(state: Partition, contact: Contact, event: e.MenuMoved) -> None:
    contact.menu = event.menu


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Asked: _apply_asked,
    e.Missed: _apply_missed,
    e.MenuMoved: _apply_menu_moved,
}
