"""Calls by phone: what the exchange tells of them, what it is ordered, and who is called back.

A call-back is no state of its own: it waits, is offered and lapses like a call that rings, at the same place, and only
the order differs that its acceptance gives. So it is a dialog by phone in which no call is left. It is dialled once:
whoever accepts it before the exchange has answered gets the call that the answer names. What is told of a call comes
late, repeated and in any order; only what goes beyond what is known of it counts.
"""

from collections.abc import Callable
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN, Contact, Phone, Seen, Unsettled
from chatcore.machines.customer import closed, forget
from chatcore.machines.events import ORDERS, OWNED
from chatcore.machines.notices import heard
from chatcore.machines.partition import Partition

STATES: Final = ("", "ringing", "answered", "abandoned", "finished", "unreached")
"""What is told of a call; its index stands in `Seen.digest`."""
RANK: Final = {"": 0, "ringing": 1, "answered": 2, "abandoned": 3, "finished": 3, "unreached": 3}
OPENING: Final = frozenset(("ringing", "abandoned"))
CALLS_MOST: Final = 8  # of one number at once


def _ring(state: Partition, command: c.Ring, now: int) -> list[e.DialogEvent]:
    known = state.by_key.get(command.contact)
    contact = known or Contact(len(state.contacts) + 1, command.contact, True)
    if RANK[command.state] <= RANK[_told(contact, command.call)]:
        return []
    events = _news(state, contact, command, now)
    return events if known or not events else [e.Met(contact.id, contact.key, True), *events]


def _told(contact: Contact, call: str) -> str:
    """What was told last of a call; "" if nothing, or so long ago that it is forgotten."""
    seen = contact.seen.get(call)
    return STATES[seen.digest] if seen is not None else ""


def _news(state: Partition, contact: Contact, command: c.Ring, now: int) -> list[e.DialogEvent]:
    call, told = command.call, command.state
    phone = contact.phone if contact.state in OPEN else None
    if phone is not None and call in phone.calls:
        if told == "answered":
            return [_called(contact, call, told, now)]
        return _over(contact, phone, call, "finished" if call == phone.answered else told, now)
    if told not in OPENING or _told(contact, call):
        return [e.CallNoted(contact.id, contact.number, contact.seq, call, told, now)]
    if contact.id in state.blocked:
        raise c.Refused("blocked")
    if now - command.at > state.rules.dedupe_ms:
        raise c.Refused("too_old")  # were it a repeat, nobody would know any more
    if phone is not None:
        return [_called(contact, call, told, now)]
    return _open(state, contact, command, now)


def _open(state: Partition, contact: Contact, command: c.Ring, now: int) -> list[e.DialogEvent]:
    number, department = contact.number + 1, command.department
    asked = department, command.priority, contact.previous, command.wish, department in state.rules.internal
    return [
        e.Opened(contact.id, number, now),
        e.Called(contact.id, number, 1, now, command.call, command.state),
        e.Queued(contact.id, number, 2, now, *asked),
    ]


def _called(contact: Contact, call: str, told: str, now: int) -> e.Called:
    owner = contact.operator if contact.state in OWNED else ""
    return e.Called(contact.id, contact.number, contact.seq + 1, now, call, told, owner)


def _over(contact: Contact, phone: Phone, call: str, told: str, now: int) -> list[e.DialogEvent]:
    """The end of a call. The dialog goes on for others that ring, and as a call-back for one that nobody answered."""
    ended = _called(contact, call, told, now)
    owned = contact.state in OWNED
    if owned and call != phone.ordered:
        return [ended]
    others = any(other != call for other in phone.calls)
    if not others and told != "abandoned":
        return [ended, _closed(contact, told, now)]
    return [ended, _released(contact, "rang_again" if others else told, now)] if owned else [ended]


def _closed(contact: Contact, reason: str, now: int) -> e.Closed:
    ending = closed(contact, reason, now)
    ending.seq += 1  # behind the call's own end
    return ending


def _released(contact: Contact, reason: str, now: int) -> e.Released:
    held = contact.assignment, contact.operator
    return e.Released(contact.id, contact.number, contact.seq + 2, now, *held, reason)


def order(contact: Contact, operator: str, now: int) -> list[e.DialogEvent]:
    """What the exchange is told to do for the operator who has just accepted the dialog; nothing while it dials."""
    phone = contact.phone
    if phone is None or _dialling(contact, phone):
        return []
    call = phone.answered or (phone.calls[-1] if phone.calls else "")
    told = "connecting" if call else "dialling"
    return [e.Called(contact.id, contact.number, contact.seq + 2, now, call, told, operator)]


def _dialling(contact: Contact, phone: Phone) -> bool:
    """Whether all that there is of the dialog's call is an order to dial that has no answer yet."""
    order = contact.number, phone.order
    return not phone.calls and not phone.ordered and any((each.number, each.seq) == order for each in contact.unsettled)


def _under_way(contact: Contact, command: c.Settle) -> Phone | None:
    """The calls of the open dialog whose last order this settles."""
    phone = contact.phone if contact.state in OPEN else None
    mine = phone is not None and (contact.number, phone.order) == (command.number, command.seq)
    return phone if mine else None


def unconnected(contact: Contact, command: c.Settle, now: int) -> list[e.DialogEvent]:
    """What follows when the exchange did not carry out an order: a call it cannot connect is to be called back.

    Not so the customer whom it was to dial, or did.
    """
    phone = _under_way(contact, command)
    if phone is None or (phone.ordered and contact.state not in OWNED):
        return []
    told = "unreached" if phone.ordered in ("", phone.dialled) else "abandoned"
    return _over(contact, phone, phone.ordered, told, now)


def dialled(contact: Contact, command: c.Settle, now: int) -> list[e.DialogEvent]:
    """What was told of the call that the exchange dialled, before it named it; and whose it is, if not who asked."""
    phone, call = _under_way(contact, command), command.provider_id
    if phone is None or phone.ordered:
        return []
    told = _told(contact, call)
    if RANK[told] > RANK["answered"]:
        named = Phone([*phone.calls, call], phone.answered, call, phone.order)
        return _over(contact, named, call, "unreached" if told == "abandoned" else told, now)
    events: list[e.DialogEvent] = [_called(contact, call, told, now)] if told == "answered" else []
    if contact.state in OWNED and contact.operator != phone.operator:
        seq = contact.seq + 1 + len(events)
        events.append(e.Called(contact.id, contact.number, seq, now, call, "connecting", contact.operator))
    return events


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {c.Ring: _ring}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_called(state: Partition, contact: Contact, event: e.Called) -> None:
    contact.seq = event.seq
    if contact.phone is None or event.seq == 1:
        contact.phone = Phone([])
    phone = contact.phone
    if event.state in ORDERS:
        phone.ordered, phone.order, phone.operator = event.call, event.seq, event.operator
        contact.owned_since = event.seq  # the order belongs to the assignment
        contact.unsettled.append(Unsettled(event.number, event.seq, 1))
        return
    if event.state == "ringing":
        phone.calls = [*phone.calls, event.call][-CALLS_MOST:]
    elif event.state == "answered":
        phone.answered = event.call
    else:
        phone.calls = [call for call in phone.calls if call != event.call]
        phone.answered = "" if phone.answered == event.call else phone.answered
    if event.state in OPENING:
        heard(state, contact, event.at)
    if event.call:
        _remember(state, contact, event)


def _apply_noted(state: Partition, contact: Contact, event: e.CallNoted) -> None:
    _remember(state, contact, event)


def _remember(state: Partition, contact: Contact, event: e.Called | e.CallNoted) -> None:
    """Keep what was told of a call where the ids of messages are, the latest last."""
    contact.seen.pop(event.call, None)
    forget(contact.seen, event.at - state.rules.dedupe_ms)
    contact.seen[event.call] = Seen(event.number, event.seq, STATES.index(event.state), event.at)


def name(contact: Contact, phone: Phone, event: e.Sent) -> None:
    """Apply that the exchange took an order: it names the call that it dials."""
    mine = (contact.number, phone.order) == (event.number, event.seq)
    if mine and not phone.ordered and contact.state in OPEN:
        phone.ordered = phone.dialled = event.provider_id
        phone.calls.append(event.provider_id)


APPLY: Final[dict[type, Callable[..., None]]] = {e.Called: _apply_called, e.CallNoted: _apply_noted}
