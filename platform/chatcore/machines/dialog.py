"""The dialog machine: every contact's dialogs, one after another, decided in one place.

The rules of this file: `decide` never changes anything, `apply` asks nothing and reads only the event, and the
table below is the whole of what may follow what. A change of the table is not for a first contribution: the
guarantees G3, G4, G7 and G8 rest on it, and the property tests must be read before it.

Why the contact is the key. The obvious key is the dialog: a fresh id for each, a row to lock, an index from the
contact to "its open dialog". Every platform we know that is built so has had the same fault: two messages of one
person, a moment apart, both find no open dialog and open one each; or a message that arrives a second time after
its dialog was closed is taken for a new question. Here the key is the contact, (channel account, external user),
and it never changes. Dialogs are numbered episodes *inside* it, so deduplication, "one open dialog" and messages
after closing are one decision on one state in one process, with nothing to lock. The price is that a person who
writes on two channels is two contacts; what links them is read together, never merged.

Why the dialog does not choose its operator. Who gets which dialog next is one question over all dialogs, so one
machine, the floor, answers it, and no message passes through it. The two share no state and no transaction: each
tells the other what it durably wrote, by position, at least once and in order. The floor numbers each offer. From
then on that number is the key to the dialog: an operator who shows an older one is refused, a withdrawal that
names an older one does nothing, and only this machine says that a number is free again. An offer that crosses an
acceptance on the way can thus never give a dialog two owners. The alternative, a lease with a time-out, needs
clocks that agree; a lock over both needs them to fail together. Both were rejected.

What takes a seq. Messages, their edits, queue entries, assignments, holds, transfers, releases and closings stand in
one dense numbering per dialog, which every observer shares. Offers and receipts do not: they concern one desk or one
provider, and a gap in what an observer sees must mean a loss, nothing else. Nor does a rating: nothing follows a
closing. An automatic text at the end therefore stands before the closing, caused by the entry before it.
"""

from collections.abc import Callable
from typing import Final

from chatcore.machines import binding, blocking, bot, calls, customer, feedback, notices, outbound, ownership, quality
from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact
from chatcore.machines.events import State
from chatcore.machines.partition import Partition

__all__ = ["TABLE", "Partition", "apply", "decide"]

TABLE: Final[dict[State, dict[type[e.Event], State]]] = {
    State.NONE: {e.Opened: State.BOT},
    State.BOT: {
        e.Said: State.BOT,
        e.Edited: State.BOT,
        e.Called: State.BOT,
        e.Queued: State.QUEUED,
        e.Closed: State.CLOSED,
    },
    State.QUEUED: {
        e.Said: State.QUEUED,
        e.Edited: State.QUEUED,
        e.Called: State.QUEUED,
        e.Offered: State.OFFERED,
        e.Closed: State.CLOSED,
    },
    State.OFFERED: {
        e.Said: State.OFFERED,
        e.Edited: State.OFFERED,
        e.Called: State.OFFERED,
        e.OfferEnded: State.QUEUED,
        e.Assigned: State.ASSIGNED,
        e.Closed: State.CLOSED,
    },
    State.ASSIGNED: {
        e.Said: State.ASSIGNED,
        e.Edited: State.ASSIGNED,
        e.Called: State.ASSIGNED,
        e.Held: State.ON_HOLD,
        e.Transferred: State.ASSIGNED,
        e.Released: State.QUEUED,
        e.Closed: State.CLOSED,
    },
    State.ON_HOLD: {
        e.Said: State.ON_HOLD,
        e.Edited: State.ON_HOLD,
        e.Called: State.ON_HOLD,
        e.Resumed: State.ASSIGNED,
        e.Transferred: State.ON_HOLD,
        e.Released: State.QUEUED,
        e.Closed: State.CLOSED,
    },
    State.CLOSED: {e.Opened: State.BOT, e.Edited: State.CLOSED, e.Rated: State.RATED},
    State.RATED: {e.Opened: State.BOT, e.Edited: State.RATED},
}


_DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    **customer.DECIDE,
    **bot.DECIDE,
    **binding.DECIDE,
    **notices.DECIDE,
    **ownership.DECIDE,
    **outbound.DECIDE,
    **blocking.DECIDE,
    **feedback.DECIDE,
    **quality.DECIDE,
    **calls.DECIDE,
}
_STANDING: Final = frozenset(
    (
        *(e.OfferRefused, e.Stored, e.Unfetched, e.CallNoted, *bot.APPLY, *outbound.APPLY),
        *(*blocking.APPLY, *binding.APPLY, *notices.APPLY, *quality.APPLY),
    )
)
_APPLY: Final[dict[type, Callable[..., None]]] = {
    **customer.APPLY,
    **bot.APPLY,
    **binding.APPLY,
    **notices.APPLY,
    **ownership.APPLY,
    **outbound.APPLY,
    **blocking.APPLY,
    **feedback.APPLY,
    **quality.APPLY,
    **calls.APPLY,
}


def decide(state: Partition, command: c.DialogCommand, now: int) -> list[e.DialogEvent]:
    """What happens on `command` at `now` (wall ms); an empty list when it changes nothing, as a repeat does.

    Raises:
        Refused: the state does not allow it.
    """
    return _DECIDE[type(command)](state, command, now)


def apply(state: Partition, event: e.DialogEvent) -> None:
    """Change `state` by what `event` says.

    Raises:
        KeyError: the table does not allow the event here; a fault of `decide`, never of a caller.
    """
    if isinstance(event, e.Inert):
        return
    if isinstance(event, e.Met):
        state.contacts.add(
            Contact(event.contact, event.key, event.messenger, receipts=event.receipts, windowed=event.windowed)
        )
        return
    contact = state.contacts.active.get(event.contact) or state.contacts.wake(event.contact)
    kind = type(event)
    if kind not in _STANDING:
        contact.state = TABLE[contact.state][kind]
    _APPLY[kind](state, contact, event)
    if contact.idle:
        state.contacts.rest(contact)
