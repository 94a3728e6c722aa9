"""What customers do: their messages, the bot's turn after them, leaving, and falling silent."""

from collections.abc import Callable
from typing import Final

from chatcore.machines import binding, feedback
from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.bot import Turn, Wanted, take_turn
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
        if command.score and feedback.ratable(contact, command.score, now):
            text = command.id, command.digest, command.text
            return [feedback.rated(contact, command.score, now, *text)]
    number, seq, dialog_state = contact.number, contact.seq, contact.state
    if dialog_state not in OPEN:
        number, seq, dialog_state = number + 1, 0, State.BOT
        events.append(e.Opened(contact.id, number, now))
    seq += 1
    said = (contact.id, number, seq, now, "customer", command.id, command.digest, command.text)
    events.append(e.Said(*said, 0, "", 0, command.files))
    if dialog_state is not State.BOT and not command.replies:
        return events
    turn = Turn(contact, number, seq, now, command.replies)
    if seq == 1:
        turn.reply("greeting")
    if dialog_state is State.BOT:
        if not binding.take_turn(turn, state.rules, command):
            wanted = Wanted(command.department, command.priority, command.wish)
            take_turn(turn, state.rules, command.choice, wanted)
    else:
        turn.reply("place")
    return events + turn.events


def _edit(state: Partition, command: c.Edit, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    seen = contact.seen.get(command.id)
    if seen is None:
        raise c.Refused("unknown_message")
    if seen.digest == command.digest or command.revision < seen.revision:
        return []
    place = (contact.id, contact.number, contact.seq + 1, now)
    return [e.Edited(*place, command.id, command.digest, command.text, (seen.number, seen.seq), command.revision)]


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


def ending(
    contact: Contact, reason: str, now: int, replies: c.Replies, rating: c.Rating | None = None
) -> list[e.DialogEvent]:
    """The automatic texts at the end of the open dialog, caused by its last entry, and the end itself."""
    turn = Turn(contact, contact.number, contact.seq, now, replies)
    turn.reply("closing")
    end = closed(contact, reason, now)
    if rating is not None:
        turn.reply("feedback")
        end.rate_until, end.scale = now + rating.window_ms, rating.scale
    end.seq = turn.seq + 1
    return [*turn.events, end]


def _remind(state: Partition, command: c.Remind, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    if not 0 < contact.deadline <= now or contact.state not in (State.BOT, State.ASSIGNED):
        return []
    if not contact.asked:
        return ending(contact, "inactive", now, command.replies)
    turn = Turn(contact, contact.number, contact.seq, now, command.replies)
    wanted = Wanted(command.department, command.priority, command.wish)
    turn.queue(state.rules, wanted, reason="bot_slow")
    return turn.events


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
    contact.asked, contact.menu, contact.rate_until = 0, "", 0
    state.contacts.dialogs += 1


def _apply_said(state: Partition, contact: Contact, event: e.Said) -> None:
    contact.seq, contact.deadline, contact.asked = event.seq, event.deadline, 0
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
    seen = contact.seen[event.id]
    seen.digest, seen.revision = event.digest, event.revision


def _apply_fetched(state: Partition, contact: Contact, event: e.Stored | e.Unfetched) -> None:
    contact.unfetched.remove((event.number, event.seq, event.index))


def _apply_queued(state: Partition, contact: Contact, event: e.Queued) -> None:
    contact.seq, contact.deadline, contact.asked = event.seq, 0, 0
    if event.internal:
        contact.internal[event.number] = event.department


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Opened: _apply_opened,
    e.Said: _apply_said,
    e.Edited: _apply_edited,
    e.Stored: _apply_fetched,
    e.Unfetched: _apply_fetched,
    e.Queued: _apply_queued,
}
