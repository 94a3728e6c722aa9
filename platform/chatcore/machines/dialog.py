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

What takes a seq. Messages, queue entries, assignments, releases and closings stand in one dense numbering per
dialog, which every observer shares. Offers and receipts do not: they concern one desk or one provider, and a gap
in what an observer sees must mean a loss, nothing else.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN, THREE, Contact, Contacts, Dump, Seen, Unsettled
from chatcore.machines.events import State

TABLE: Final[dict[State, dict[type[e.Event], State]]] = {
    State.NONE: {e.Opened: State.BOT},
    State.BOT: {e.Said: State.BOT, e.Queued: State.QUEUED, e.Closed: State.CLOSED},
    State.QUEUED: {e.Said: State.QUEUED, e.Offered: State.OFFERED, e.Closed: State.CLOSED},
    State.OFFERED: {
        e.Said: State.OFFERED,
        e.OfferEnded: State.QUEUED,
        e.Assigned: State.ASSIGNED,
        e.Closed: State.CLOSED,
    },
    State.ASSIGNED: {e.Said: State.ASSIGNED, e.Released: State.QUEUED, e.Closed: State.CLOSED},
    State.CLOSED: {e.Opened: State.BOT},
}


class Partition:
    """The state of one dialog log: its contacts and how far each other log's commands were applied."""

    def __init__(self, rules: c.Rules) -> None:
        self.rules = rules
        self.now = 0
        self.contacts = Contacts()
        self.by_key = self.contacts.by_key
        self.applied: dict[str, int] = {}
        self.held: dict[str, set[int]] = {}  # operator → contacts offered or assigned to them

    def contact(self, key: str) -> Contact:
        """The contact named `key`.

        Raises:
            Refused: nobody of that name has written yet.
        """
        found = self.by_key.get(key)
        if found is None:
            raise c.Refused("unknown_dialog")
        return found

    def dump(self) -> list[bytes]:
        """The state as a snapshot, in parts; rules and indexes are not part of it."""
        encode = msgspec.msgpack.encode
        return [THREE, encode(self.now), *self.contacts.dump(), encode(self.applied)]

    def load(self, blob: bytes) -> None:
        """Take over the state that `dump` wrote."""
        self.now, contacts, self.applied = msgspec.msgpack.decode(blob, type=tuple[int, Dump, dict[str, int]])
        self.contacts.load(contacts)
        for contact in self.contacts.active.values():
            if contact.operator:
                self.held.setdefault(contact.operator, set()).add(contact.id)


# --- decide -------------------------------------------------------------------------------------------------------


def decide(state: Partition, command: c.DialogCommand, now: int) -> list[e.DialogEvent]:
    """What happens on `command` at `now` (wall ms); an empty list when it changes nothing, as a repeat does.

    Raises:
        Refused: the state does not allow it.
    """
    return _DECIDE[type(command)](state, command, now)


def _receive(state: Partition, command: c.Receive, now: int) -> list[e.DialogEvent]:
    known = state.by_key.get(command.contact)
    if known is None:
        contact = Contact(len(state.contacts) + 1, command.contact, command.messenger)
        events: list[e.DialogEvent] = [e.Met(contact.id, contact.key, contact.messenger)]
    else:
        contact, events = known, []
        if _is_repeat(contact, command.id, command.digest):
            return []
    number, seq, dialog_state = contact.number, contact.seq, contact.state
    if dialog_state not in OPEN:
        number, seq, dialog_state = number + 1, 0, State.BOT
        events.append(e.Opened(contact.id, number, now))
    seq += 1
    events.append(e.Said(contact.id, number, seq, now, "customer", command.id, command.digest, command.text, 0, "", 0))
    if dialog_state is State.BOT:
        misses = contact.misses if seq > 1 else 0
        events += _bot(state.rules, contact, command, number, seq, misses, now)
    return events


def _bot(
    rules: c.Rules, contact: Contact, command: c.Receive, number: int, seq: int, misses: int, now: int
) -> list[e.DialogEvent]:
    """The bot's turn after message `seq`: its answer, or the queue."""
    choice = command.choice
    missed: list[e.DialogEvent] = []
    if choice is not None and choice.kind == "miss":
        misses += 1
        missed = [e.Missed(contact.id, misses)]
    elif misses:
        missed = [e.Missed(contact.id, 0)]
    if choice is None or choice.kind == "handover" or misses >= rules.bot_misses:
        return [*missed, e.Queued(contact.id, number, seq + 1, now, command.department, 0, contact.previous)]
    deadline = now + rules.inactivity_ms
    answer = e.Said(contact.id, number, seq + 1, now, "bot", "", 0, choice.text, seq, choice.rule, deadline)
    return [*missed, answer]


def _is_repeat(contact: Contact, message_id: str, digest: int) -> bool:
    seen = contact.seen.get(message_id)
    if seen is None:
        return False
    if seen.digest != digest:
        raise c.Refused("conflict")
    return True


def _leave(state: Partition, command: c.Leave, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    if contact.state not in OPEN:
        raise c.Refused("closed")
    return [_closed(contact, "customer", now)]


def _closed(contact: Contact, reason: str, now: int) -> e.Closed:
    held = contact.state in (State.OFFERED, State.ASSIGNED)
    number, operator = (contact.assignment, contact.operator) if held else (0, "")
    return e.Closed(contact.id, contact.number, contact.seq + 1, now, reason, number, operator, contact.state)


def _accept(state: Partition, command: c.Accept, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    shown = (command.dialog, command.number, command.operator)
    if (contact.number, contact.assignment, contact.operator) != shown:
        raise c.Refused("withdrawn")
    if contact.state is State.ASSIGNED:
        return []
    return [e.Assigned(contact.id, contact.number, contact.seq + 1, now, command.number, command.operator)]


def _owned(state: Partition, command: c.Reply | c.Close) -> Contact:
    """The contact whose dialog the command's operator owns; refuses otherwise, saying whether it has closed."""
    contact = state.contact(command.contact)
    shown = (command.dialog, command.number, command.operator)
    if contact.state is State.ASSIGNED and (contact.number, contact.assignment, contact.operator) == shown:
        return contact
    over = contact.number if contact.state is State.CLOSED else contact.number - 1
    raise c.Refused("closed" if 1 <= command.dialog <= over else "not_owner")


def _reply(state: Partition, command: c.Reply, now: int) -> list[e.DialogEvent]:
    message_id = reply_id(command.operator, command.id)
    if _is_repeat(state.contact(command.contact), message_id, command.digest):
        return []
    contact = _owned(state, command)
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
        )
    ]


def reply_id(operator: str, message_id: str) -> str:
    """The id under which an operator's message is remembered; no customer's begins with a line feed."""
    return f"\n{operator}/{message_id}"


def shown_id(message_id: str) -> str:
    """The id as its sender gave it."""
    return message_id.partition("/")[2] if message_id.startswith("\n") else message_id


def _close(state: Partition, command: c.Close, now: int) -> list[e.DialogEvent]:
    contact = _owned(state, command)
    return [_closed(contact, "operator", now)]


def _remind(state: Partition, command: c.Remind, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    due = 0 < contact.deadline <= now and contact.state in (State.BOT, State.ASSIGNED)
    return [_closed(contact, "inactive", now)] if due else []


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
        )
    ]


def _withdraw(state: Partition, command: c.Withdraw, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.ref.contact]
    if contact.assignment != command.number:
        return []
    if contact.state is State.OFFERED:
        return [e.OfferEnded(contact.id, contact.number, command.number, contact.operator, now)]
    if contact.state is State.ASSIGNED and command.force:
        seq = contact.seq + 1
        return [e.Released(contact.id, contact.number, seq, now, command.number, contact.operator, command.reason)]
    return []


_DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.Receive: _receive,
    c.Leave: _leave,
    c.Accept: _accept,
    c.Reply: _reply,
    c.Close: _close,
    c.Remind: _remind,
    c.Attempting: _attempting,
    c.Settle: _settle,
    c.OfferTo: _offer_to,
    c.Withdraw: _withdraw,
}


# --- apply --------------------------------------------------------------------------------------------------------


def apply(state: Partition, event: e.DialogEvent) -> None:
    """Change `state` by what `event` says.

    Raises:
        KeyError: the table does not allow the event here; a fault of `decide`, never of a caller.
    """
    if isinstance(event, e.Inert):
        return
    if isinstance(event, e.Met):
        state.contacts.add(Contact(event.contact, event.key, event.messenger, seen={}, unsettled=[]))
        return
    contact = state.contacts.active.get(event.contact) or state.contacts.wake(event.contact)
    kind = type(event)
    if kind not in _STANDING:
        contact.state = TABLE[contact.state][kind]
    _APPLY[kind](state, contact, event)
    if contact.idle:
        state.contacts.rest(contact)


def _apply_opened(state: Partition, contact: Contact, event: e.Opened) -> None:
    contact.number, contact.seq, contact.misses, contact.deadline = event.number, 0, 0, 0
    state.contacts.dialogs += 1


def _apply_said(state: Partition, contact: Contact, event: e.Said) -> None:
    contact.seq, contact.deadline = event.seq, event.deadline
    if event.id:
        _forget(contact.seen, event.at - state.rules.dedupe_ms)
        contact.seen[event.id] = Seen(event.number, event.seq, event.digest, event.at)
    if contact.messenger and event.author != "customer":
        contact.unsettled.append(Unsettled(event.number, event.seq, 1))


def _forget(seen: dict[str, Seen], before: int) -> None:
    """Drop the ids taken before `before`; the dictionary is in order of taking."""
    while seen:
        oldest = next(iter(seen))
        if seen[oldest].at >= before:
            return
        del seen[oldest]


def _apply_missed(state: Partition, contact: Contact, event: e.Missed) -> None:
    contact.misses = event.in_a_row


def _apply_queued(state: Partition, contact: Contact, event: e.Queued) -> None:
    contact.seq, contact.deadline = event.seq, 0


def _apply_offered(state: Partition, contact: Contact, event: e.Offered) -> None:
    contact.assignment, contact.operator = event.assignment, event.operator
    state.held.setdefault(event.operator, set()).add(contact.id)


def _apply_let_go(state: Partition, contact: Contact, event: e.OfferEnded | e.Released | e.Closed) -> None:
    if not isinstance(event, e.OfferEnded):
        contact.seq = event.seq
    contact.deadline = 0
    if contact.operator:
        state.held[contact.operator].discard(contact.id)
        contact.operator = ""


def _apply_assigned(state: Partition, contact: Contact, event: e.Assigned) -> None:
    contact.seq = contact.owned_since = event.seq
    contact.previous = event.operator


def _apply_offer_refused(state: Partition, contact: Contact, event: e.OfferRefused) -> None:
    """Nothing changes; the floor learns of it from the log."""


def _apply_attempted(state: Partition, contact: Contact, event: e.Attempted) -> None:
    found = find_unsettled(contact, event.number, event.seq)
    if found is not None:
        found.attempt = event.attempt


def _apply_settled(state: Partition, contact: Contact, event: e.Delivered | e.Undelivered) -> None:
    contact.unsettled = [u for u in contact.unsettled if (u.number, u.seq) != (event.number, event.seq)]


_STANDING: Final = frozenset((e.Missed, e.OfferRefused, e.Attempted, e.Delivered, e.Undelivered))
_APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Opened: _apply_opened,
    e.Said: _apply_said,
    e.Missed: _apply_missed,
    e.Queued: _apply_queued,
    e.Offered: _apply_offered,
    e.OfferEnded: _apply_let_go,
    e.OfferRefused: _apply_offer_refused,
    e.Assigned: _apply_assigned,
    e.Released: _apply_let_go,
    e.Closed: _apply_let_go,
    e.Attempted: _apply_attempted,
    e.Delivered: _apply_settled,
    e.Undelivered: _apply_settled,
}
