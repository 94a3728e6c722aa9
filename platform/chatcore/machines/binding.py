"""Binding a messenger's account to a person whom the bank knows, by a code that goes to the e-mail it has of them.

The customer names an account, the bank says whose it is, a code is mailed, the customer types it, and the contact is
bound for good. What only the person may be told is told to a bound contact. Only the code's hash is ever stored: who
decides is told the hash of what was typed, and shows a mask in its place.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Binding, Contact
from chatcore.machines.events import State
from chatcore.machines.partition import Partition

WRONG_MOST: Final = 3
CODE_LASTS_MS: Final = 600_000
LOCKED_MS: Final = 3_600_000  # after too many wrong codes
MASK: Final = "••••••"
TEXTS: Final = {
    "bind:account": "Please send the number of your account or phone.",
    "bind:code": "If we know that number, a code is on its way to the e-mail bound to it. Please type it here.",
    "bind:wrong": "This code is not right. Please type it again.",
    "bind:done": "Thank you, we know you now.",
    "bind:failed": "We could not make sure who you are. Please ask again later, or ask for an operator.",
    "bind:locked": "There were too many wrong codes. Please try again in an hour, or ask for an operator.",
    "bind:unable": "This is not possible at the moment. Please try again later, or ask for an operator.",
}


def hashed(salt: str, code: str) -> str:
    """What is stored of a code."""
    return sha256(f"{salt}:{code.strip()}".encode()).hexdigest()


def awaits_code(contact: Contact | None) -> bool:
    """Whether what the customer writes next may be a code, and must not be stored as it is."""
    if contact is None or contact.state is not State.BOT:
        return False
    return contact.binding.stage == "code" and contact.binding.number == contact.number


def turn(
    state: Partition, contact: Contact, command: c.Receive, number: int, seq: int, now: int
) -> tuple[list[e.DialogEvent], bool]:
    """What follows message `seq` while the contact is being bound, or asks for what needs it; and whether that is all.

    If it is not, the turn is the bot's.
    """
    binding, choice = contact.binding, command.choice
    stage = binding.stage if binding.number == number else ""  # a dialog that ended took the attempt with it
    say = Speaker(state.rules, contact.id, number, seq, now)
    if choice is not None and choice.kind == "handover":
        return ([e.BindingEnded(contact.id, "left", 0)] if stage else []), False
    if stage == "account":
        return [e.AccountNamed(contact.id, number, seq, now), say("bind:code")], True
    if stage == "code":
        return _typed(contact, command, say, now), True
    if choice is not None and choice.kind in ("bind", "operation"):
        return _begin(contact, choice, say, number, seq, now), True
    return [], False


def _begin(contact: Contact, choice: c.Choice, say: "Speaker", number: int, seq: int, now: int) -> list[e.DialogEvent]:
    if contact.person and choice.kind == "operation":
        return [e.OperationAsked(contact.id, number, seq, choice.text, now)]
    if contact.person:
        return [say("bind:done")]
    if contact.binding.locked > now:
        return [say("bind:locked")]
    return [e.BindingStarted(contact.id, number, now), say("bind:account")]


def _typed(contact: Contact, command: c.Receive, say: "Speaker", now: int) -> list[e.DialogEvent]:
    """A code was typed, or something in the place of one."""
    binding = contact.binding
    if not binding.hash:
        return [say("bind:code")]
    if binding.expires <= now:
        return [e.BindingEnded(contact.id, "expired", 0), say("bind:failed")]
    if hmac.compare_digest(command.code, binding.hash):
        return [e.Bound(contact.id, binding.person, now), say("bind:done")]
    if binding.wrong + 1 >= WRONG_MOST:
        return [e.BindingEnded(contact.id, "attempts", now + LOCKED_MS), say("bind:locked")]
    return [e.CodeWrong(contact.id), say("bind:wrong")]


class Speaker:
    """Says a text by rule, as the bot, behind the message at `seq`, which caused it."""

    def __init__(self, rules: c.Rules, contact: int, number: int, seq: int, now: int, cause_seq: int = 0) -> None:
        self._place = (contact, number, seq + 1, now)
        self._cause_seq = cause_seq or seq
        self._deadline = now + rules.inactivity_ms

    def __call__(self, rule: str, text: str = "") -> e.Said:
        """The message."""
        return e.Said(*self._place, "bot", "", 0, text or TEXTS[rule], self._cause_seq, rule, self._deadline)


def _issue(state: Partition, command: c.IssueCode, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if not contact.binding.waits_for(command.number, command.seq):
        return []
    return [e.CodeIssued(contact.id, command.person, command.salt, command.hash, now + CODE_LASTS_MS)]


def _fail(state: Partition, command: c.FailBinding, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if not contact.binding.waits_for(command.number, command.seq):
        return []
    ended = e.BindingEnded(contact.id, command.reason, 0)
    if contact.state is not State.BOT:
        return [ended]
    return [ended, Speaker(state.rules, contact.id, contact.number, contact.seq, now, command.seq)("bind:unable")]


def _tell(state: Partition, command: c.Tell, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if contact.asked != (command.number, command.seq):
        return []
    told = e.OperationTold(contact.id)
    if contact.state is not State.BOT or contact.number != command.number:
        return [told]
    say = Speaker(state.rules, contact.id, contact.number, contact.seq, now, command.seq)
    return [told, say("operation:done", command.text) if command.text else say("bind:unable")]


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.IssueCode: _issue,
    c.FailBinding: _fail,
    c.Tell: _tell,
}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_started(state: Partition, contact: Contact, event: e.BindingStarted) -> None:
    contact.binding = Binding("account", event.number)


def _apply_named(state: Partition, contact: Contact, event: e.AccountNamed) -> None:
    contact.binding = Binding("code", event.number, event.seq)


def _apply_issued(state: Partition, contact: Contact, event: e.CodeIssued) -> None:
    binding = contact.binding
    binding.person, binding.salt, binding.hash = event.person, event.salt, event.hash
    binding.expires = event.expires


def _apply_wrong(state: Partition, contact: Contact, event: e.CodeWrong) -> None:
    contact.binding.wrong += 1


def _apply_bound(state: Partition, contact: Contact, event: e.Bound) -> None:
    contact.person, contact.binding = event.person, Binding()
    state.persons.setdefault(event.person, []).append(contact.id)


def _apply_ended(state: Partition, contact: Contact, event: e.BindingEnded) -> None:
    contact.binding = Binding(locked=event.locked)


def _apply_asked(state: Partition, contact: Contact, event: e.OperationAsked) -> None:
    contact.asked, contact.operation = (event.number, event.seq), event.operation
    contact.deadline = 0


def _apply_told(state: Partition, contact: Contact, event: e.OperationTold) -> None:
    contact.asked, contact.operation = (0, 0), ""


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.BindingStarted: _apply_started,
    e.AccountNamed: _apply_named,
    e.CodeIssued: _apply_issued,
    e.CodeWrong: _apply_wrong,
    e.Bound: _apply_bound,
    e.BindingEnded: _apply_ended,
    e.OperationAsked: _apply_asked,
    e.OperationTold: _apply_told,
}
