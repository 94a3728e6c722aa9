"""Counts of what there is now, for the state that is read over REST and for metrics."""

from collections import Counter
from collections.abc import Iterator

from chatcore.machines.contacts import OPEN, Contact
from chatcore.machines.events import Presence, State
from chatcore.runtime.core import Core


def open_contacts(core: Core) -> Iterator[Contact]:
    """Every contact with an open dialog, in the order of partitions and contacts."""
    for partition in core.partitions:
        for _, contact in sorted(partition.state.contacts.active.items()):
            if contact.state in OPEN:
                yield contact


def stage(contact: Contact) -> str:
    """The state of the contact's dialog; of those that wait, call-backs are told apart."""
    return "callback" if contact.callback and contact.state is State.QUEUED else contact.state.name.lower()


def dialogs(core: Core) -> Counter[str]:
    """Dialogs by state; those that are closed, rated or not, are one."""
    names = [known.name.lower() for known in State if known not in (State.NONE, State.RATED)]
    found = Counter(dict.fromkeys([*names, "callback"], 0))
    for contact in open_contacts(core):
        found[stage(contact)] += 1
    found["closed"] = sum(partition.state.contacts.dialogs for partition in core.partitions) - found.total()
    return found


def operators(core: Core) -> Counter[str]:
    """Operators by presence; whose connection is lost is counted apart."""
    found = Counter(dict.fromkeys(("online", "lost", "away", "offline"), 0))
    for operator in core.floor.state.operators.values():
        lost = operator.grace and operator.presence is not Presence.OFFLINE
        found["lost" if lost else operator.presence.name.lower()] += 1
    return found


def messages(core: Core) -> Counter[str]:
    """Messages by channel account, since the process began."""
    return sum((Counter(partition.messages) for partition in core.partitions), Counter())


def closed(core: Core) -> Counter[str]:
    """Dialogs that were closed, by reason, since the process began."""
    return sum((Counter(partition.closed) for partition in core.partitions), Counter())
