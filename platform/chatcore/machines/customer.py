"""What customers do: their messages, the bot's turn after them, leaving, and falling silent."""

from collections.abc import Callable
from typing import Final

from chatcore.machines import binding
from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN, Contact, Seen, Unsettled
from chatcore.machines.events import OWNED, State
from chatcore.machines.notices import heard
from chatcore.machines.partition import Partition


def _receive(state: Partition, command: c.Receive, now: int) -> list[e.DialogEvent]:
    known = state.by_key.get(command.contact)
    if known is None:
        contact = Contact(len(state.contacts) + 1, command.contact, command.messenger)
        events: list[e.DialogEvent] = [
            e.Met(contact.id, contact.key, contact.messenger, command.receipts, command.windowed)
        ]
    else:
        contact, events = known, []
        if is_repeat(contact, command.id, command.digest):
            return []
        if contact.id in state.blocked:
            raise c.Refused("blocked")
    number, seq, dialog_state = contact.number, contact.seq, contact.state
    if dialog_state not in OPEN:
        number, seq, dialog_state = number + 1, 0, State.BOT
        events.append(e.Opened(contact.id, number, now))
    seq += 1
    said = (contact.id, number, seq, now, "customer", command.id, command.digest, command.text)
    events.append(e.Said(*said, 0, "", 0, command.files))
    if dialog_state is State.BOT:
        misses = contact.misses if seq > 1 else 0
        bound, enough = binding.turn(state, contact, command, number, seq, now)
        events += bound if enough else [*bound, *_bot(state.rules, contact, command, number, seq, misses, now)]
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
        asked = command.department, command.priority, contact.previous, command.wish
        internal = command.department in rules.internal
        return [*missed, e.Queued(contact.id, number, seq + 1, now, *asked, internal)]
    deadline = now + rules.inactivity_ms
    answer = e.Said(contact.id, number, seq + 1, now, "bot", "", 0, choice.text, seq, choice.rule, deadline)
    return [*missed, answer]


def _edit(state: Partition, command: c.Edit, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    seen = contact.seen.get(command.id)
    if seen is None:
        raise c.Refused("unknown_message")
    if seen.digest == command.digest:
        return []
    place = (contact.id, contact.number, contact.seq + 1, now)
    return [e.Edited(*place, command.id, command.digest, command.text, (seen.number, seen.seq))]


def _keep(state: Partition, command: c.Keep, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    place = (command.number, command.seq, command.index)
    if place not in contact.unfetched:
        return []
    if command.reason:
        return [e.Unfetched(contact.id, *place, command.reason, now)]
    return [e.Stored(contact.id, *place, command.ref, command.size, command.mime, now)]


def is_repeat(contact: Contact, message_id: str, digest: int) -> bool:
    """Whether the message was taken before.

    Raises:
        Refused: the id was, with other content.
    """
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
    return [closed(contact, "customer", now)]


def closed(contact: Contact, reason: str, now: int) -> e.Closed:
    """The end of the contact's open dialog, which sets free the number it holds."""
    held = contact.state is State.OFFERED or contact.state in OWNED
    number, operator = (contact.assignment, contact.operator) if held else (0, "")
    return e.Closed(contact.id, contact.number, contact.seq + 1, now, reason, number, operator, contact.state)


def _remind(state: Partition, command: c.Remind, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    due = 0 < contact.deadline <= now and contact.state in (State.BOT, State.ASSIGNED)
    return [closed(contact, "inactive", now)] if due else []


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.Receive: _receive,
    c.Edit: _edit,
    c.Keep: _keep,
    c.Leave: _leave,
    c.Remind: _remind,
}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_opened(state: Partition, contact: Contact, event: e.Opened) -> None:
    contact.number, contact.seq, contact.misses, contact.deadline = event.number, 0, 0, 0
    state.contacts.dialogs += 1


def _apply_said(state: Partition, contact: Contact, event: e.Said) -> None:
    contact.seq, contact.deadline = event.seq, event.deadline
    if event.id:
        forget(contact.seen, event.at - state.rules.dedupe_ms)
        contact.seen[event.id] = Seen(event.number, event.seq, event.digest, event.at)
    if event.author == "customer":
        heard(state, contact, event.at)
    elif contact.messenger:
        contact.unsettled.append(Unsettled(event.number, event.seq, 1))
    for index, file in enumerate(event.files):
        if not file.ref:
            contact.unfetched.append((event.number, event.seq, index))


def forget(seen: dict[str, Seen], before: int) -> None:
    """Drop the ids taken before `before`; the dictionary is in order of taking."""
    while seen:
        oldest = next(iter(seen))
        if seen[oldest].at >= before:
            return
        del seen[oldest]


def _apply_edited(state: Partition, contact: Contact, event: e.Edited) -> None:
    contact.seq = event.seq
    contact.seen[event.id].digest = event.digest


def _apply_fetched(state: Partition, contact: Contact, event: e.Stored | e.Unfetched) -> None:
    contact.unfetched.remove((event.number, event.seq, event.index))


def _apply_missed(state: Partition, contact: Contact, event: e.Missed) -> None:
    contact.misses = event.in_a_row


def _apply_queued(state: Partition, contact: Contact, event: e.Queued) -> None:
    contact.seq, contact.deadline = event.seq, 0
    if event.internal:
        contact.internal[event.number] = event.department


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Opened: _apply_opened,
    e.Said: _apply_said,
    e.Edited: _apply_edited,
    e.Stored: _apply_fetched,
    e.Unfetched: _apply_fetched,
    e.Missed: _apply_missed,
    e.Queued: _apply_queued,
}
