"""What the bank sends of its own accord: templates to customers who agreed, in no dialog but the contact's number 0.

Within a messenger's window after the customer's last message anything may be said; outside it only templates are let
through, so an operator is told before the provider refuses. Who pays by active customers or by notices delivered has
them counted here.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact, Seen, Unsettled
from chatcore.machines.partition import Partition


def _notify(state: Partition, command: c.Notify, now: int) -> list[e.DialogEvent]:
    known = state.by_key.get(command.contact)
    events: list[e.DialogEvent] = []
    if known is None:
        known = Contact(len(state.contacts) + 1, command.contact, True, receipts=command.receipts)
        events = [e.Met(known.id, known.key, True, command.receipts, command.windowed)]
    seen = known.seen.get(notice_id(command.id))
    if seen is not None:
        if seen.digest != command.digest:
            raise c.Refused("conflict")
        return []
    if command.broadcast and not known.consent:
        raise c.Refused("no_consent")
    place = (known.id, 0, known.notices + 1, now)
    return [*events, e.Noticed(*place, command.id, command.digest, command.template, command.parameters, command.text)]


def notice_id(given: str) -> str:
    """The id under which a notice is remembered; no customer's or operator's begins so."""
    return f"\n\n{given}"


def check_window(state: Partition, contact: Contact, now: int) -> None:
    """Let a free text pass only while the messenger would.

    Raises:
        Refused: the customer's last message is too long ago.
    """
    if contact.windowed and now - contact.heard > state.rules.window_ms:
        raise c.Refused("window_closed")


def _consent(state: Partition, command: c.Consent, now: int) -> list[e.DialogEvent]:
    known = state.by_key.get(command.contact)
    if known is not None:
        return [] if known.consent == command.given else [e.Consented(known.id, command.given, now)]
    number = len(state.contacts) + 1
    return [
        e.Met(number, command.contact, True, command.receipts, command.windowed),
        e.Consented(number, command.given, now),
    ]


DECIDE: Final[dict[type, Callable[..., list[e.DialogEvent]]]] = {
    c.Notify: _notify,
    c.Consent: _consent,
}


# --- apply -----------------------------------------------------------------------------------------------------------


def _apply_noticed(state: Partition, contact: Contact, event: e.Noticed) -> None:
    contact.notices = event.seq
    contact.seen[notice_id(event.id)] = Seen(0, event.seq, event.digest, event.at)
    contact.unsettled.append(Unsettled(0, event.seq, 1))


def _apply_consented(state: Partition, contact: Contact, event: e.Consented) -> None:
    contact.consent = event.given


def delivered(state: Partition, contact: Contact, at: int) -> None:
    """Note that a notice reached its customer in that month; it is paid for then, and not when it was sent."""
    account = f"{contact.key.partition('/')[0]} {month_of(at)}"
    state.delivered[account] = state.delivered.get(account, 0) + 1


def heard(state: Partition, contact: Contact, at: int) -> None:
    """Note that the customer wrote at `at`: the window opens again, and the contact is active in that month."""
    contact.heard = at
    month = month_of(at)
    if contact.month != month:
        contact.month = month
        account = f"{contact.key.partition('/')[0]} {month}"
        state.active[account] = state.active.get(account, 0) + 1


def month_of(at: int) -> int:
    """The month of a wall time, such as 202611."""
    return _month_of_hour(at // 3_600_000)


@lru_cache(maxsize=64)  # every message asks, and nearly always about this hour
def _month_of_hour(hour: int) -> int:
    day = datetime.fromtimestamp(hour * 3_600, UTC)
    return day.year * 100 + day.month


APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Noticed: _apply_noticed,
    e.Consented: _apply_consented,
}
