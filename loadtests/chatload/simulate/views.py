"""What observers are shown of the machines' events: the fleet's own frames, made once for everybody."""

from collections.abc import Callable
from typing import Any, Final

from chatcore.machines import events as e
from chatcore.machines.ownership import shown_id
from chatload.fleet import frames
from chatload.fleet.frames import Cause, Destination, Offered, Withdrawn
from chatload.fleet.identity import Identity, parse


class Entry(frames.Entry):
    """An entry whose text is parsed once, for all who are shown it."""

    identity: Identity | None = None


def entry(dialog: str, event: e.Entry) -> Entry:
    """The entry that `event` shows in `dialog`."""
    return _ENTRIES[type(event)](dialog, event)


def offered(dialog: str, event: e.Offered) -> Offered:
    """The offer on a desk."""
    wish = event.wish
    return Offered(
        dialog, event.assignment, event.place, event.priority, event.department, wish.skill, wish.language, wish.weight
    )


def withdrawn(dialog: str, event: e.OfferEnded | e.Closed) -> Withdrawn:
    """The offer's end on a desk."""
    return Withdrawn(dialog, event.assignment)


def _said(dialog: str, event: e.Said) -> Entry:
    cause = Cause(event.cause_seq, event.rule) if event.rule else None
    text, shown = event.text, shown_id(event.id)
    identity = parse(text) or (parse(shown) if shown else None)
    return Entry(dialog, event.seq, "message", event.author, text, shown, cause, identity=identity)


def _queued(dialog: str, event: e.Queued) -> Entry:
    department, skill = event.department, event.wish.skill
    return Entry(dialog, event.seq, "queued", "system", department=department, skill=skill, reason=event.reason)


def _owned(kind: str) -> Callable[[str, Any], Entry]:
    def shown(dialog: str, event: e.Assigned | e.Held | e.Resumed | e.Released) -> Entry:
        reason = event.reason if isinstance(event, e.Released) else ""
        return Entry(dialog, event.seq, kind, "system", operator=event.operator, number=event.assignment, reason=reason)

    return shown


def _transferred(dialog: str, event: e.Transferred) -> Entry:
    to = Destination(event.to_operator, event.department, event.skill)
    by, number = event.operator, event.assignment
    return Entry(dialog, event.seq, "transferred", "system", operator=by, number=number, to=to)


def _called(dialog: str, event: e.Called) -> Entry:
    return Entry(dialog, event.seq, "call", "system", operator=event.operator, call=event.call, state=event.state)


def _closed(dialog: str, event: e.Closed) -> Entry:
    return Entry(dialog, event.seq, "closed", "system", reason=event.reason)


_ENTRIES: Final[dict[type[e.Entry], Callable[[str, Any], Entry]]] = {
    e.Said: _said,
    e.Queued: _queued,
    e.Assigned: _owned("assigned"),
    e.Held: _owned("held"),
    e.Resumed: _owned("resumed"),
    e.Released: _owned("released"),
    e.Transferred: _transferred,
    e.Called: _called,
    e.Closed: _closed,
}
