"""Senders whose messages are refused, by the word of somebody in charge."""

from collections.abc import Callable
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN, Contact
from chatcore.machines.customer import closed
from chatcore.machines.partition import Partition


def _block(state: Partition, command: c.Block, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    if contact.id in state.blocked:
        return []
    ending = [closed(contact, "blocked", now)] if contact.state in OPEN else []
    return [e.Blocked(contact.id, command.by, now), *ending]


def _unblock(state: Partition, command: c.Unblock, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    return [e.Unblocked(contact.id, command.by, now)] if contact.id in state.blocked else []


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {c.Block: _block, c.Unblock: _unblock}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_blocked(state: Partition, contact: Contact, event: e.Blocked) -> None:
    state.blocked[contact.id] = contact.key


def _apply_unblocked(state: Partition, contact: Contact, event: e.Unblocked) -> None:
    state.blocked.pop(contact.id, None)


APPLY: Final[dict[type, Callable[..., None]]] = {e.Blocked: _apply_blocked, e.Unblocked: _apply_unblocked}
