"""Contacts' histories, one by one and of a person over all channels: the union is made when it is read.

What a reader may see is taken down at once, and read later: what happens meanwhile is not for who asked before it, and
whoever owned a dialog then may own it no more.
"""

from typing import Final, NamedTuple, cast

from chatcore import wire
from chatcore.edges import views as v
from chatcore.machines.contacts import Contact
from chatcore.machines.events import OWNED
from chatcore.runtime.core import Core
from chatcore.runtime.partition import PartitionOwner

CONTACTS_MOST: Final = 50  # of a person; nobody has more channels


class Part(NamedTuple):
    """A contact's history up to `through`, as of the moment that it was asked for, without the `hidden` dialogs."""

    partition: PartitionOwner
    contact: int
    key: str
    through: tuple[int, int]
    hidden: set[int]


def part(core: Core, contact: Contact, operator: str) -> Part:
    """The history of a contact; for an operator without internal dialogs of others' departments, "" sees all."""
    found = core.floor.state.operators.get(operator)
    hidden = contact.hidden(found.departments) if found is not None else set()
    through = max((contact.number, contact.seq), (0, contact.notices))
    return Part(core.partition_of(contact.key), contact.id, contact.key, through, hidden)


class Others(NamedTuple):
    """The histories of a person's other contacts, but for those of `left_out` contacts."""

    person: str = ""
    parts: tuple[Part, ...] = ()
    left_out: int = 0


NOBODY: Final = Others()


def others(core: Core, contact: Contact, operator: str) -> Others:
    """Those of the person to whom the contact is bound, as `operator` may see them."""
    if not contact.person:
        return NOBODY
    own = core.partition_of(contact.key), contact.id
    there = [(each, number) for each in core.partitions for number in each.state.contacts.of_person(contact.person)]
    further = [place for place in there if place != own]
    shown = [owner.state.contacts[number] for owner, number in further[:CONTACTS_MOST]]
    return Others(contact.person, tuple(part(core, each, operator) for each in shown), len(further) - len(shown))


def owns(core: Core, contact: Contact, operator: str) -> bool:
    """Whether the operator owns the contact's dialog, or one of another contact of the same person."""
    held = (
        partition.state.contacts[number]
        for partition in core.partitions
        for number in partition.state.held.get(operator, ())
    )
    owned = (each for each in held if each.state in OWNED)
    return any(each.key == contact.key or (contact.person and each.person == contact.person) for each in owned)


async def page(core: Core, asked: Part, after: tuple[int, int], limit: int) -> v.History:
    """At most `limit` entries behind a cursor, once all that they were taken down from is durable."""
    await asked.partition.settled()
    rows = await core.journal.history.entries(asked.partition.log, asked.contact, after, limit + 1)
    rows = [row for row in rows if (row.dialog, row.seq) <= asked.through]
    found = rows[:limit]
    last = (found[-1].dialog, found[-1].seq) if found else after
    views = [wire.stored(asked.key, row.blob) for row in found if row.dialog not in asked.hidden]
    return v.History(asked.key, cast(list[v.Entry], views), f"{last[0]}.{last[1]}", more=len(rows) > limit)
