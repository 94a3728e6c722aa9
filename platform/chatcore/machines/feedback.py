"""Ratings: a dialog that an operator closed may be rated once within its window, which opens no new one."""

from collections.abc import Callable
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact, Seen
from chatcore.machines.events import State
from chatcore.machines.partition import Partition


def ratable(contact: Contact, score: int, now: int) -> bool:
    """Whether the contact's last dialog may be rated so now."""
    return contact.state is State.CLOSED and now <= contact.rate_until and 1 <= score <= contact.scale


def rated(contact: Contact, score: int, now: int, message_id: str = "", digest: int = 0, text: str = "") -> e.Rated:
    """The rating of the contact's last dialog."""
    return e.Rated(contact.id, contact.number, now, score, contact.scale, message_id, digest, text)


def _rate(state: Partition, command: c.Rate, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    if not ratable(contact, command.score, now):
        raise c.Refused("not_ratable")
    return [rated(contact, command.score, now)]


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {c.Rate: _rate}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_rated(state: Partition, contact: Contact, event: e.Rated) -> None:
    contact.rate_until = 0
    if event.id:
        contact.seen[event.id] = Seen(event.number, 0, event.digest, event.at)


APPLY: Final[dict[type, Callable[..., None]]] = {e.Rated: _apply_rated}
