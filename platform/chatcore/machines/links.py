"""What one machine tells the other: commands that follow from durable events, and from nothing else.

Delivery is at least once and in the source's order; the receiver stores the source's position in the same record.
"""

from collections.abc import Iterable

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.events import Ref, State


def to_floor(log: int, events: Iterable[e.AnyEvent]) -> list[c.FloorCommand]:
    """What partition `log` tells the floor after a record with `events`."""
    told: list[c.FloorCommand] = []
    for event in events:
        match event:
            case e.Said() | e.Sent() | e.Receipted():  # by far the most, and nothing to the floor
                continue
            case e.Queued():
                ref = Ref(log, event.contact, event.number)
                told.append(c.Enqueue(ref, event.department, event.priority, event.previous, event.wish))
            case e.Assigned():
                told.append(c.Report(event.assignment, accepted=True))
            case e.Transferred():
                told.append(c.Redirect(event.assignment, event.to_operator, event.department, event.skill))
            case e.OfferEnded() | e.OfferRefused() | e.Released():
                told.append(c.Report(event.assignment, accepted=False, requeue=True))
            case e.Closed(was=State.OFFERED | State.ASSIGNED | State.ON_HOLD):
                told.append(c.Report(event.assignment, accepted=False))
            case e.Closed(was=State.QUEUED):
                told.append(c.Vanish(Ref(log, event.contact, event.number)))
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
