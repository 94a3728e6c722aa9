"""Quality control: a share of the closed dialogs is sampled, by their ids alone, for somebody to read and score."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN, Contact
from chatcore.machines.partition import Partition

DRAWS: Final = 2**32


def draw(dialog: str) -> int:
    """What a dialog drew, from 0 to DRAWS - 1: the same whenever it is asked, and evenly spread."""
    return int.from_bytes(blake2b(dialog.encode(), digest_size=4).digest())


def winning(share: float) -> int:
    """The draws below this are a sample of so large a share; a larger share's contains a smaller one's."""
    return round(share * DRAWS)


def check(contact: Contact, number: int, share: float, *, internal: bool) -> None:
    """Whether the contact's dialog may be read and scored, one of an internal department only with `internal`.

    Raises:
        Refused: unknown_dialog, open, or not_sampled, which an internal one is to others, too.
    """
    if not 1 <= number <= contact.number:
        raise c.Refused("unknown_dialog")
    if draw(f"{contact.key}#{number}") >= winning(share) or (number in contact.internal and not internal):
        raise c.Refused("not_sampled")
    if number == contact.number and contact.state in OPEN:
        raise c.Refused("open")


def _review(state: Partition, command: c.Review, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    check(contact, command.number, state.rules.sample, internal=command.internal)
    return [e.Reviewed(contact.id, command.number, now, command.by, command.score, command.comment)]


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {c.Review: _review}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_reviewed(state: Partition, contact: Contact, event: e.Reviewed) -> None:
    """Nothing follows from it."""


APPLY: Final[dict[type, Callable[..., None]]] = {e.Reviewed: _apply_reviewed}
