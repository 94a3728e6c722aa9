"""What becomes of replies on their way to a messenger, and after it took them."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact, Tracked, Unsettled
from chatcore.machines.partition import Partition

TRACKED_MOST: Final = 50  # messages of a contact whose receipts are awaited; the oldest is forgotten first
EARLY_MOST: Final = 16  # receipts kept that came before their message's `Sent`
RANK: Final = {"sent": 0, "failed": 1, "delivered": 2, "read": 3}  # receipts come late and in any order


def _attempting(state: Partition, command: c.Attempting, now: int) -> list[e.DialogEvent]:
    if find_unsettled(state.contacts[command.contact], command.number, command.seq) is None:
        return []
    return [e.Attempted(command.contact, command.number, command.seq, command.attempt, now)]


def _settle(state: Partition, command: c.Settle, now: int) -> list[e.DialogEvent]:
    contact = state.contacts[command.contact]
    number, seq = command.number, command.seq
    if find_unsettled(contact, number, seq) is None:
        return []
    if command.reason:
        return [e.Undelivered(contact.id, number, seq, command.reason, now)]
    sent = Tracked(command.provider_id, number, seq, command.posted)
    return [e.Sent(contact.id, number, seq, command.provider_id, now, command.posted), *_caught_up(contact, sent, now)]


def _caught_up(contact: Contact, sent: Tracked, now: int) -> Iterator[e.Receipted]:
    """What receipts that came before `sent` tell of it, and of those before it."""
    if not contact.early:
        return
    tracked = [msgspec.structs.replace(each) for each in (*contact.tracked, sent)]
    for provider_id, kept in contact.early.items():
        for state, reason, through in kept:
            for each in _meant(tracked, provider_id, through):
                if RANK[each.state] < RANK[state]:
                    each.state = state
                    yield e.Receipted(contact.id, each.number, each.seq, state, reason, now)


def find_unsettled(contact: Contact, number: int, seq: int) -> Unsettled | None:
    """The open outbound message (number, seq), if it is one."""
    return next((u for u in contact.unsettled if u.number == number and u.seq == seq), None)


def _told(state: Partition, command: c.Told, now: int) -> list[e.DialogEvent]:
    contact = state.contact(command.contact)
    rank = RANK[command.state]
    news = [
        e.Receipted(contact.id, sent.number, sent.seq, command.state, command.reason, now)
        for sent in _meant(contact.tracked, command.id, command.through)
        if RANK[sent.state] < rank
    ]
    return [*news, *_early(contact, command)]


def _meant(tracked: list[Tracked], provider_id: str, through: str) -> Iterator[Tracked]:
    """The messages that a receipt is about, the oldest first."""
    match through:
        case "time":
            yield from (sent for sent in tracked if sent.posted <= int(provider_id))
        case "number":
            yield from (sent for sent in tracked if int(sent.provider_id) <= int(provider_id))
        case _:
            last = next((at for at, sent in enumerate(tracked) if sent.provider_id == provider_id), -1)
            yield from tracked[last if not through and last >= 0 else 0 : last + 1]


def _early(contact: Contact, command: c.Told) -> list[e.DialogEvent]:
    """Keep a receipt whose message may still be on its way: its provider was faster with it than with its answer."""
    known = any(sent.provider_id == command.id for sent in contact.tracked)
    old = any(RANK[state] >= RANK[command.state] for state, _, _ in contact.early.get(command.id, ()))
    if known or old or not contact.unsettled:
        return []
    return [e.ReceiptKept(contact.id, command.id, command.state, command.reason, command.through)]


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.Attempting: _attempting,
    c.Settle: _settle,
    c.Told: _told,
}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_attempted(state: Partition, contact: Contact, event: e.Attempted) -> None:
    found = find_unsettled(contact, event.number, event.seq)
    if found is not None:
        found.attempt = event.attempt


def _apply_settled(state: Partition, contact: Contact, event: e.Sent | e.Undelivered) -> None:
    contact.unsettled = [u for u in contact.unsettled if (u.number, u.seq) != (event.number, event.seq)]
    if isinstance(event, e.Sent) and contact.receipts:
        contact.tracked.append(Tracked(event.provider_id, event.number, event.seq, event.posted))
        del contact.tracked[:-TRACKED_MOST]
    if not contact.unsettled:
        contact.early = {}


def _apply_receipted(state: Partition, contact: Contact, event: e.Receipted) -> None:
    for index, sent in enumerate(contact.tracked):
        if (sent.number, sent.seq) == (event.number, event.seq):
            sent.state = event.state
            if event.state == "read":
                del contact.tracked[index]
            return


def _apply_receipt_kept(state: Partition, contact: Contact, event: e.ReceiptKept) -> None:
    contact.early.setdefault(event.provider_id, []).append((event.state, event.reason, event.through))
    if len(contact.early) > EARLY_MOST:
        del contact.early[next(iter(contact.early))]


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Attempted: _apply_attempted,
    e.Sent: _apply_settled,
    e.Undelivered: _apply_settled,
    e.Receipted: _apply_receipted,
    e.ReceiptKept: _apply_receipt_kept,
}
