"""What one machine tells the other: commands that follow from durable events, and from nothing else.

Delivery is at least once and in the source's order; the receiver stores the source's position in the same record.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.events import OWNED, Ref, State


def to_floor(log: int, events: Iterable[e.AnyEvent]) -> list[c.FloorCommand]:
    """What partition `log` tells the floor after a record with `events`."""
    told: list[c.FloorCommand] = []
    for event in events:
        tell = _TO_FLOOR.get(type(event))
        command = None if tell is None else tell(log, event)
        if command is not None:
            told.append(command)
    return told


def to_partitions(events: Iterable[e.AnyEvent]) -> dict[int, list[c.DialogCommand]]:
    """What the floor tells each partition after a record with `events`."""
    told: dict[int, list[c.DialogCommand]] = {}
    for event in events:
        match event:
            case e.Offering():
                asked = event.department, event.priority, event.place, event.wish
                told.setdefault(event.ref.log, []).append(c.OfferTo(event.ref, event.number, event.operator, *asked))
            case e.Withdrawing():
                back = c.Withdraw(event.ref, event.number, event.force, event.reason)
                told.setdefault(event.ref.log, []).append(back)
    return told


def _enqueue(log: int, event: e.Queued) -> c.Enqueue:
    ref = Ref(log, event.contact, event.number)
    return c.Enqueue(ref, event.department, event.priority, event.previous, event.wish)


def _taken(log: int, event: e.Assigned) -> c.Report:
    return c.Report(event.assignment, accepted=True)


def _redirect(log: int, event: e.Transferred) -> c.Redirect:
    return c.Redirect(event.assignment, event.to_operator, event.department, event.skill)


def _back(log: int, event: e.OfferEnded | e.OfferRefused | e.Released) -> c.Report:
    return c.Report(event.assignment, accepted=False, requeue=True)


def _over(log: int, event: e.Closed) -> c.Report | c.Vanish | None:
    if event.was is State.QUEUED:
        return c.Vanish(Ref(log, event.contact, event.number))
    return c.Report(event.assignment, accepted=False) if event.was is State.OFFERED or event.was in OWNED else None


_TO_FLOOR: Final[dict[type[e.Event], Callable[[int, Any], c.FloorCommand | None]]] = {
    e.Queued: _enqueue,
    e.Assigned: _taken,
    e.Transferred: _redirect,
    e.OfferEnded: _back,
    e.OfferRefused: _back,
    e.Released: _back,
    e.Closed: _over,
}
