"""Offers, and what the operator who accepted one does: reply, hold, transfer and close, until it is let go.

On hold a dialog keeps its slots: were they given away, its owner could not take it back within their limit.
"""

from collections.abc import Callable
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import OVER, Contact
from chatcore.machines.customer import ending, is_repeat
from chatcore.machines.events import OWNED, State
from chatcore.machines.notices import check_window
from chatcore.machines.partition import Partition


def _accept(state: Partition, command: c.Accept, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    shown = (command.dialog, command.number, command.operator)
    if (contact.number, contact.assignment, contact.operator) != shown:
        raise c.Refused("withdrawn")
    if contact.state in OWNED:
        return []
    return [e.Assigned(contact.id, contact.number, contact.seq + 1, now, command.number, command.operator)]


def _owned(state: Partition, command: c.OwnerCommand) -> Contact:
    """The contact whose dialog the command's operator owns; refuses otherwise, saying whether it has closed."""
    contact = state.contact(command.contact)
    shown = (command.dialog, command.number, command.operator)
    if contact.state in OWNED and (contact.number, contact.assignment, contact.operator) == shown:
        return contact
    over = contact.number if contact.state in OVER else contact.number - 1
    raise c.Refused("closed" if 1 <= command.dialog <= over else "not_owner")


def _reply(state: Partition, command: c.Reply, now: int) -> list[e.DialogEvent]:
    message_id = reply_id(command.operator, command.id)
    if is_repeat(state.contact(command.contact), message_id, command.digest):
        return []
    contact = _owned(state, command)
    check_window(state, contact, now)
    deadline = now + state.rules.inactivity_ms
    return [
        e.Said(
            contact.id,
            contact.number,
            contact.seq + 1,
            now,
            command.operator,
            message_id,
            command.digest,
            command.text,
            0,
            "",
            deadline,
            command.files,
        )
    ]


def reply_id(operator: str, message_id: str) -> str:
    """The id under which an operator's message is remembered; no customer's begins with a line feed."""
    return f"\n{operator}/{message_id}"


def is_ours(message_id: str) -> bool:
    """Whether the id is an operator's, not a customer's."""
    return message_id.startswith("\n")


def shown_id(message_id: str) -> str:
    """The id as its sender gave it."""
    return message_id.partition("/")[2] if is_ours(message_id) else message_id


def _close(state: Partition, command: c.Close, now: int) -> list[e.DialogEvent]:
    contact = _owned(state, command)
    return ending(contact, "operator", now, command.replies, command.rating)


def _transfer(state: Partition, command: c.Transfer, now: int) -> list[e.DialogEvent]:
    contact = _owned(state, command)
    only = contact.internal.get(contact.number, "")
    department = command.department or only
    if only and department != only:
        raise c.Refused("internal")
    if command.to_operator == command.operator:
        raise c.Refused("own_dialog")
    held = command.number, command.operator
    asked = command.to_operator, department, command.skill
    internal = department in state.rules.internal
    return [
        e.Transferred(contact.id, contact.number, contact.seq + 1, now, *held, *asked, internal),
        e.Released(contact.id, contact.number, contact.seq + 2, now, *held, "transferred"),
    ]


def _hold(state: Partition, command: c.Hold, now: int) -> list[e.DialogEvent]:
    contact = _owned(state, command)
    if contact.state is State.ON_HOLD:
        return []
    seq = contact.seq + 1
    events: list[e.DialogEvent] = [e.Held(contact.id, contact.number, seq, now, command.number, command.operator)]
    if command.text:
        told = "bot", "", 0, command.text, seq, "hold", contact.deadline
        events.append(e.Said(contact.id, contact.number, seq + 1, now, *told))
    return events


def _resume(state: Partition, command: c.Resume, now: int) -> list[e.DialogEvent]:
    contact = _owned(state, command)
    if contact.state is not State.ON_HOLD:
        return []
    deadline = now + state.rules.inactivity_ms if contact.deadline else 0
    return [e.Resumed(contact.id, contact.number, contact.seq + 1, now, command.number, command.operator, deadline)]


def _offer_to(state: Partition, command: c.OfferTo, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.ref.contact]
    fits = contact.number == command.ref.number and contact.state is State.QUEUED
    if not fits or command.number <= contact.assignment:
        return [e.OfferRefused(contact.id, command.number)]
    return [
        e.Offered(
            contact.id,
            contact.number,
            command.number,
            command.operator,
            command.department,
            command.priority,
            command.place,
            now,
            command.wish,
        )
    ]


def _withdraw(state: Partition, command: c.Withdraw, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.ref.contact]
    if contact.assignment != command.number:
        return []
    if contact.state is State.OFFERED:
        return [e.OfferEnded(contact.id, contact.number, command.number, contact.operator, now)]
    if contact.state in OWNED and command.force:
        seq = contact.seq + 1
        return [e.Released(contact.id, contact.number, seq, now, command.number, contact.operator, command.reason)]
    return []


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.Accept: _accept,
    c.Reply: _reply,
    c.Close: _close,
    c.Transfer: _transfer,
    c.Hold: _hold,
    c.Resume: _resume,
    c.OfferTo: _offer_to,
    c.Withdraw: _withdraw,
}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_offered(state: Partition, contact: Contact, event: e.Offered) -> None:
    contact.assignment, contact.operator = event.assignment, event.operator
    state.held.setdefault(event.operator, set()).add(contact.id)


def _apply_let_go(state: Partition, contact: Contact, event: e.OfferEnded | e.Released | e.Closed) -> None:
    if not isinstance(event, e.OfferEnded):
        contact.seq = event.seq
    if isinstance(event, e.Closed):
        contact.rate_until, contact.scale = event.rate_until, event.scale
    contact.deadline = 0
    if contact.operator:
        state.held[contact.operator].discard(contact.id)
        contact.operator = ""


def _apply_assigned(state: Partition, contact: Contact, event: e.Assigned) -> None:
    contact.seq = contact.owned_since = event.seq
    contact.previous = event.operator


def _apply_transferred(state: Partition, contact: Contact, event: e.Transferred) -> None:
    contact.seq = event.seq
    if event.internal:
        contact.internal[event.number] = event.department


def _apply_held(state: Partition, contact: Contact, event: e.Held) -> None:
    contact.seq = event.seq


def _apply_resumed(state: Partition, contact: Contact, event: e.Resumed) -> None:
    contact.seq, contact.deadline = event.seq, event.deadline


def _apply_offer_refused(state: Partition, contact: Contact, event: e.OfferRefused) -> None:
    """Nothing changes; the floor learns of it from the log."""


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Offered: _apply_offered,
    e.OfferEnded: _apply_let_go,
    e.OfferRefused: _apply_offer_refused,
    e.Assigned: _apply_assigned,
    e.Transferred: _apply_transferred,
    e.Held: _apply_held,
    e.Resumed: _apply_resumed,
    e.Released: _apply_let_go,
    e.Closed: _apply_let_go,
}
