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
from chatcore.machines.bot import Turn
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


def take_turn(turn: Turn, rules: c.Rules, command: c.Receive) -> bool:
    """What follows a message while the contact is being bound, or asks for what needs it; if not, False."""
    contact, choice = turn.contact, command.choice
    binding = contact.binding
    stage = binding.stage if binding.number == turn.number else ""  # a dialog that ended took the attempt with it
    if choice is not None and choice.kind == "handover":
        turn.events += [e.BindingEnded(contact.id, "left", 0)] if stage else []
        return False
    if stage == "account":
        turn.events.append(e.AccountNamed(contact.id, turn.number, turn.cause, turn.now))
        _say(turn, rules, "bind:code")
    elif stage == "code":
        _typed(turn, rules, command.code)
    elif choice is not None and choice.kind in ("bind", "operation"):
        _begin(turn, rules, choice)
    else:
        return False
    return True


def _say(turn: Turn, rules: c.Rules, rule: str, text: str = "") -> None:
    turn.say("bot", text or TEXTS[rule], rule, turn.now + rules.inactivity_ms)


def _begin(turn: Turn, rules: c.Rules, choice: c.Choice) -> None:
    contact = turn.contact
    if contact.person and choice.kind == "operation":
        turn.events.append(e.OperationAsked(contact.id, turn.number, turn.cause, choice.text, turn.now))
    elif contact.person:
        _say(turn, rules, "bind:done")
    elif contact.binding.locked > turn.now:
        _say(turn, rules, "bind:locked")
    else:
        turn.events.append(e.BindingStarted(contact.id, turn.number, turn.now))
        _say(turn, rules, "bind:account")


def _typed(turn: Turn, rules: c.Rules, code: str) -> None:
    """A code was typed, or something in the place of one."""
    contact, binding = turn.contact, turn.contact.binding
    event: e.DialogEvent
    if not binding.hash:
        _say(turn, rules, "bind:code")
        return
    if binding.expires <= turn.now:
        event, rule = e.BindingEnded(contact.id, "expired", 0), "bind:failed"
    elif hmac.compare_digest(code, binding.hash):
        event, rule = e.Bound(contact.id, binding.person, turn.now), "bind:done"
    elif binding.wrong + 1 >= WRONG_MOST:
        event, rule = e.BindingEnded(contact.id, "attempts", turn.now + LOCKED_MS), "bind:locked"
    else:
        event, rule = e.CodeWrong(contact.id), "bind:wrong"
    turn.events.append(event)
    _say(turn, rules, rule)


def _later(contact: Contact, cause_seq: int, now: int) -> Turn:
    """The turn after an answer of the bank to message `cause_seq`."""
    turn = Turn(contact, contact.number, contact.seq, now, {})
    turn.cause = cause_seq
    return turn


def _issue(state: Partition, command: c.IssueCode, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if not contact.binding.waits_for(command.number, command.seq):
        return []
    return [e.CodeIssued(contact.id, command.person, command.salt, command.hash, now + CODE_LASTS_MS)]


def _fail(state: Partition, command: c.FailBinding, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if not contact.binding.waits_for(command.number, command.seq):
        return []
    turn = _later(contact, command.seq, now)
    turn.events.append(e.BindingEnded(contact.id, command.reason, 0))
    if contact.state is State.BOT:
        _say(turn, state.rules, "bind:unable")
    return turn.events


def _tell(state: Partition, command: c.Tell, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if contact.operation_at != (command.number, command.seq):
        return []
    turn = _later(contact, command.seq, now)
    turn.events.append(e.OperationTold(contact.id))
    if contact.state is State.BOT and contact.number == command.number:
        _say(turn, state.rules, "operation:done" if command.text else "bind:unable", command.text)
    return turn.events


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
    contact.binding = Binding()
    state.contacts.bind(contact, event.person)


def _apply_ended(state: Partition, contact: Contact, event: e.BindingEnded) -> None:
    contact.binding = Binding(locked=event.locked)


def _apply_asked(state: Partition, contact: Contact, event: e.OperationAsked) -> None:
    contact.operation_at, contact.operation = (event.number, event.seq), event.operation
    contact.deadline = 0


def _apply_told(state: Partition, contact: Contact, event: e.OperationTold) -> None:
    contact.operation_at, contact.operation = (0, 0), ""


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
