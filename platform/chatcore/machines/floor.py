"""The floor: departments' queues, the operators, and who gets which dialog next.

It owns capacity and numbers: every dialog that waits gets a place once and keeps it, every offer gets a number.
It acts on events only: a dialog is offered when it, or an operator, becomes free. No message passes through it.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.events import Presence
from chatcore.machines.floorstate import Floor
from chatcore.machines.staff import Assignment, Kind, Operator, Place, eligible, takes

__all__ = ["Floor", "apply", "decide"]


# --- decide -------------------------------------------------------------------------------------------------------


def decide(state: Floor, command: c.FloorCommand, now: int) -> list[e.FloorEvent]:
    """What happens on `command` at `now` (wall ms).

    Raises:
        Refused: the state does not allow it.
    """
    return _DECIDE[type(command)](state, command, now)


def _hire(state: Floor, command: c.Hire, now: int) -> list[e.FloorEvent]:
    hired = {operator.operator: operator for operator in command.operators}
    events: list[e.FloorEvent] = list(hired.values())
    for operator in hired.values():
        events += _take_back(state, operator.operator, "moved", state.rules.internal.difference(operator.departments))
    return events


def _known(state: Floor, operator: str) -> Operator:
    found = state.operators.get(operator)
    if found is None:
        raise c.Refused("unknown_operator")
    return found


def _set_presence(state: Floor, command: c.SetPresence, now: int) -> list[e.FloorEvent]:
    operator = _known(state, command.operator)
    events: list[e.FloorEvent] = [e.PresenceSet(operator.id, command.presence, now)]
    if command.presence is Presence.OFFLINE:
        events += _take_back(state, operator.id, "offline")
    return events


def _take_back(
    state: Floor, operator: str, reason: str, departments: frozenset[str] | None = None
) -> list[e.FloorEvent]:
    """Ask for everything the operator holds, or only for what is of some departments."""
    return [
        e.Withdrawing(held.number, held.place.ref, True, reason)
        for held in state.assignments.values()
        if held.operator == operator
        and not (held.gone or held.forced)
        and (departments is None or held.place.department in departments)
    ]


def _lose_seat(state: Floor, command: c.LoseSeat, now: int) -> list[e.FloorEvent]:
    operator = _known(state, command.operator)
    if operator.presence is Presence.OFFLINE or operator.grace:
        return []
    return [e.SeatLost(operator.id, now + state.rules.grace_ms)]


def _find_seat(state: Floor, command: c.FindSeat, now: int) -> list[e.FloorEvent]:
    operator = _known(state, command.operator)
    return [e.SeatFound(operator.id, now)] if operator.grace else []


def _recover(state: Floor, command: c.Recover, now: int) -> list[e.FloorEvent]:
    grace = now + state.rules.grace_ms
    events: list[e.FloorEvent] = [
        e.SeatLost(operator.id, grace)
        for operator in state.operators.values()
        if operator.presence is not Presence.OFFLINE
    ]
    for held in state.open.values():
        if not held.withdrawing and not held.gone:
            events.append(e.Withdrawing(held.number, held.place.ref, False, "restart"))
    return events


def _elapse(state: Floor, command: c.Elapse, now: int) -> list[e.FloorEvent]:
    events: list[e.FloorEvent] = [
        e.Withdrawing(held.number, held.place.ref, False, "lapsed")
        for held in state.open.values()
        if held.deadline <= now and not held.withdrawing and not held.gone
    ]
    for operator in state.absent.values():
        if operator.grace <= now:
            events.append(e.PresenceSet(operator.id, Presence.OFFLINE, now))
            events += _take_back(state, operator.id, "lost")
    events += [e.Unbound(place.ref) for place in state.bound.values() if place.until <= now]
    return events


def _enqueue(state: Floor, command: c.Enqueue, now: int) -> list[e.FloorEvent]:
    asked = command.department, command.priority, state.next_place
    return [e.Waiting(command.ref, *asked, command.previous, now, command.wish)]


def _redirect(state: Floor, command: c.Redirect, now: int) -> list[e.FloorEvent]:
    held = state.assignments.get(command.number)
    if held is None:
        return []
    department = command.department or held.place.department
    until = now + state.rules.transfer_ms if command.to_operator else 0
    return [e.Redirected(command.number, command.to_operator, department, command.skill, until)]


def _report(state: Floor, command: c.Report, now: int) -> list[e.FloorEvent]:
    if command.number not in state.assignments:
        return []
    if command.accepted:
        return [e.Taken(command.number)]
    lapsed = state.assignments[command.number].withdrawing == "lapsed"
    return [e.Freed(command.number, command.requeue, lapsed, now)]


def _vanish(state: Floor, command: c.Vanish, now: int) -> list[e.FloorEvent]:
    return [e.Gone(command.ref)]


def _match(state: Floor, command: c.Match, now: int) -> list[e.FloorEvent]:
    best: tuple[Place, str] | None = None
    for kind, queue in state.queues.items():
        if best is None or queue[0] < best[0]:
            found = _first_offerable(state, kind, queue)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
    if best is None:
        return []
    place, operator = best
    number, deadline = state.next_number, now + state.rules.offer_ms
    asked = place.department, place.priority, place.place
    return [e.Offering(number, place.ref, operator, *asked, deadline, now, place.wish)]


def _first_offerable(state: Floor, kind: Kind, queue: list[Place]) -> tuple[Place, str] | None:
    """The first dialog in the queue for which somebody has room, and who that is."""
    if kind.operator:
        wanted = state.operators.get(kind.operator)
        return (queue[0], wanted.id) if wanted is not None and eligible(wanted, kind) else None
    bench = state.benches[kind]
    if bench.has_room:
        for place in queue:
            operator = bench.choose(place.previous, place.lapsed)
            if operator is not None:
                return place, operator
    return None


_DECIDE: Final[dict[type, Callable[..., list[e.FloorEvent]]]] = {
    c.Hire: _hire,
    c.SetPresence: _set_presence,
    c.LoseSeat: _lose_seat,
    c.FindSeat: _find_seat,
    c.Recover: _recover,
    c.Elapse: _elapse,
    c.Enqueue: _enqueue,
    c.Redirect: _redirect,
    c.Report: _report,
    c.Vanish: _vanish,
    c.Match: _match,
}


# --- apply --------------------------------------------------------------------------------------------------------


def apply(state: Floor, event: e.FloorEvent) -> None:
    """Change `state` by what `event` says."""
    if not isinstance(event, e.Inert):
        _APPLY[type(event)](state, event)


def _apply_hired(state: Floor, event: e.Hired) -> None:
    operator = state.operators.setdefault(event.operator, Operator(event.operator, (), 0))
    operator.departments, operator.slots = event.departments, event.slots
    operator.skills, operator.languages = event.skills, event.languages
    state.place_on_benches(operator)


def _apply_presence(state: Floor, event: e.PresenceSet) -> None:
    operator = state.operators[event.operator]
    operator.presence, operator.grace, operator.idle_since = event.presence, 0, event.at
    state.seat(operator)


def _apply_seat_lost(state: Floor, event: e.SeatLost) -> None:
    operator = state.operators[event.operator]
    operator.grace = event.grace
    state.seat(operator)


def _apply_seat_found(state: Floor, event: e.SeatFound) -> None:
    operator = state.operators[event.operator]
    operator.grace = 0
    state.seat(operator)


def _apply_waiting(state: Floor, event: e.Waiting) -> None:
    state.queue(Place(event.priority, event.place, event.ref, event.department, event.previous, event.wish, lapsed=[]))
    state.next_place = event.place + 1


def _apply_offering(state: Floor, event: e.Offering) -> None:
    place = state.leave(event.ref)
    offer = Assignment(event.number, event.operator, place, event.deadline)
    state.assignments[event.number] = state.open[event.number] = offer
    state.by_ref[event.ref] = event.number
    operator = state.operators[event.operator]
    operator.used += takes(operator, place.wish.weight)
    state.seat(operator)
    state.next_number = event.number + 1


def _apply_withdrawing(state: Floor, event: e.Withdrawing) -> None:
    held = state.assignments[event.number]
    held.withdrawing, held.forced = event.reason, event.force


def _apply_taken(state: Floor, event: e.Taken) -> None:
    held = state.assignments[event.number]
    held.deadline, held.place.operator = 0, ""
    state.open.pop(event.number, None)
    if not held.forced:
        held.withdrawing = ""


def _apply_freed(state: Floor, event: e.Freed) -> None:
    held = state.assignments.pop(event.number)
    del state.by_ref[held.place.ref]
    state.open.pop(event.number, None)
    operator = state.operators[held.operator]
    operator.used -= takes(operator, held.place.wish.weight)
    operator.idle_since = event.at
    state.seat(operator)
    if event.requeue and not held.gone:
        _return(state, held, event)


def _return(state: Floor, held: Assignment, event: e.Freed) -> None:
    """Queue a dialog again at its old place; it waits no longer for one who let it lapse, or beyond its time."""
    place = held.place
    if event.lapsed and held.operator not in place.lapsed:
        place.lapsed.append(held.operator)
    if event.lapsed or place.until <= event.at:
        place.operator = ""
    state.queue(place)


def _apply_redirected(state: Floor, event: e.Redirected) -> None:
    """Priority and place are kept: the customer has waited once. Who sent it on is asked again only as the last."""
    held = state.assignments[event.number]
    place = held.place
    place.operator, place.department, place.until = event.to_operator, event.department, event.until
    place.wish = msgspec.structs.replace(place.wish, skill=event.skill)
    place.previous, place.lapsed = "", [held.operator]


def _apply_unbound(state: Floor, event: e.Unbound) -> None:
    place = state.leave(event.ref)
    place.operator = ""
    state.queue(place)


def _apply_gone(state: Floor, event: e.Gone) -> None:
    number = state.by_ref.get(event.ref)
    if number is None:
        state.leave(event.ref)
    else:
        state.assignments[number].gone = True


_APPLY: Final[dict[type, Callable[..., None]]] = {
    e.Hired: _apply_hired,
    e.PresenceSet: _apply_presence,
    e.SeatLost: _apply_seat_lost,
    e.SeatFound: _apply_seat_found,
    e.Waiting: _apply_waiting,
    e.Offering: _apply_offering,
    e.Withdrawing: _apply_withdrawing,
    e.Taken: _apply_taken,
    e.Freed: _apply_freed,
    e.Gone: _apply_gone,
    e.Redirected: _apply_redirected,
    e.Unbound: _apply_unbound,
}
