"""What becomes of replies on their way to a messenger."""

from collections.abc import Callable
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact, Unsettled
from chatcore.machines.partition import Partition


def _attempting(state: Partition, command: c.Attempting, now: int) -> list[e.DialogEvent]:
    if find_unsettled(state.contacts[command.contact], command.number, command.seq) is None:
        return []
    return [e.Attempted(command.contact, command.number, command.seq, command.attempt, now)]


def _settle(state: Partition, command: c.Settle, now: int) -> list[e.DialogEvent]:
    if find_unsettled(state.contacts[command.contact], command.number, command.seq) is None:
        return []
    if command.reason:
        return [e.Undelivered(command.contact, command.number, command.seq, command.reason, now)]
    return [e.Delivered(command.contact, command.number, command.seq, command.provider_id, now)]


def find_unsettled(contact: Contact, number: int, seq: int) -> Unsettled | None:
    """The open outbound message (number, seq), if it is one."""
    return next((u for u in contact.unsettled if u.number == number and u.seq == seq), None)


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.Attempting: _attempting,
    c.Settle: _settle,
}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_attempted(state: Partition, contact: Contact, event: e.Attempted) -> None:
    found = find_unsettled(contact, event.number, event.seq)
    if found is not None:
        found.attempt = event.attempt


def _apply_settled(state: Partition, contact: Contact, event: e.Delivered | e.Undelivered) -> None:
    contact.unsettled = [u for u in contact.unsettled if (u.number, u.seq) != (event.number, event.seq)]


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Attempted: _apply_attempted,
    e.Delivered: _apply_settled,
    e.Undelivered: _apply_settled,
}
