"""The floor: departments' queues, the operators, and who gets which dialog next.

It owns capacity and numbers: every dialog that waits gets a place once and keeps it, every offer gets a number.
It acts on events only: a dialog is offered when it, or an operator, becomes free. No message passes through it.
"""

from bisect import insort
from collections.abc import Callable
from typing import Final

import msgspec

from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.bench import Bench
from chatcore.machines.events import Presence, Ref


class Operator(msgspec.Struct, array_like=True):
    """An operator: what they may take, whether they are there, and how many slots are in use."""

    id: str
    departments: tuple[str, ...]
    slots: int
    presence: Presence = Presence.OFFLINE
    grace: int = 0  # their connection is lost; what they hold goes back at this time
    used: int = 0
    idle_since: int = 0

    @property
    def on_duty(self) -> bool:
        """Whether the operator says online and their connection stands."""
        return self.presence is Presence.ONLINE and not self.grace


class Place(msgspec.Struct, array_like=True, order=True):
    """A dialog in a queue; ordered by priority, then by place."""

    priority: int
    place: int
    ref: Ref
    department: str
    previous: str
    lapsed: list[str] = []


class Assignment(msgspec.Struct, array_like=True):
    """A numbered offer, and after acceptance the ownership."""

    number: int
    operator: str
    place: Place
    deadline: int  # 0 once accepted
    withdrawing: str = ""  # why the floor wants it back; "" = it does not
    forced: bool = False  # … also after acceptance
    gone: bool = False  # its dialog closed meanwhile; it must not be queued again


class Floor:
    """The state of the floor's log."""

    def __init__(self, rules: c.Rules) -> None:
        self.rules = rules
        self.now = 0
        self.next_place = 1
        self.next_number = 1
        self.operators: dict[str, Operator] = {}
        self.queues: dict[str, list[Place]] = {}
        self.assignments: dict[int, Assignment] = {}
        self.applied: dict[str, int] = {}
        # indexes of the above
        self.by_ref: dict[Ref, int] = {}  # a dialog's number while it is offered or owned
        self.open: dict[int, Assignment] = {}  # offers that nobody has accepted
        self.absent: dict[str, Operator] = {}  # operators whose connection is lost
        self.benches: dict[str, Bench] = {}  # by department

    @property
    def waiting(self) -> int:
        """Dialogs in queues, not counting those on offer."""
        return sum(map(len, self.queues.values()))

    def dump(self) -> list[bytes]:
        """The state as a snapshot; rules and indexes are not part of it."""
        operators, assignments = list(self.operators.values()), list(self.assignments.values())
        state = (self.now, self.next_place, self.next_number, operators, self.queues, assignments, self.applied)
        return [msgspec.msgpack.encode(state)]

    def load(self, blob: bytes) -> None:
        """Take over the state that `dump` wrote."""
        self.now, self.next_place, self.next_number, operators, self.queues, assignments, self.applied = (
            msgspec.msgpack.decode(blob, type=_Dump)
        )
        self.operators = {operator.id: operator for operator in operators}
        self.assignments = {assignment.number: assignment for assignment in assignments}
        self.by_ref = {assignment.place.ref: assignment.number for assignment in assignments}
        self.open = {assignment.number: assignment for assignment in assignments if assignment.deadline}
        self.absent, self.benches = {}, {}
        for operator in operators:
            self.seat(operator)

    def seat(self, operator: Operator) -> None:
        """Note in the indexes what an operator has become."""
        if operator.grace:
            self.absent[operator.id] = operator
        else:
            self.absent.pop(operator.id, None)
        for department in operator.departments:
            bench = self.benches.setdefault(department, Bench())
            if operator.on_duty:
                room = operator.used < operator.slots
                bench.put(operator.id, operator.used, operator.idle_since, room=room)
            else:
                bench.drop(operator.id)


_Dump = tuple[int, int, int, list[Operator], dict[str, list[Place]], list[Assignment], dict[str, int]]


# --- decide -------------------------------------------------------------------------------------------------------


def decide(state: Floor, command: c.FloorCommand, now: int) -> list[e.FloorEvent]:
    """What happens on `command` at `now` (wall ms).

    Raises:
        Refused: the state does not allow it.
    """
    return _DECIDE[type(command)](state, command, now)


def _hire(state: Floor, command: c.Hire, now: int) -> list[e.FloorEvent]:
    return [e.Hired(operator, departments, slots) for operator, departments, slots in command.operators]


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


def _take_back(state: Floor, operator: str, reason: str) -> list[e.FloorEvent]:
    """Ask for everything the operator holds."""
    return [
        e.Withdrawing(held.number, held.place.ref, True, reason)
        for held in state.assignments.values()
        if held.operator == operator and not held.gone and not held.forced
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
    return events


def _enqueue(state: Floor, command: c.Enqueue, now: int) -> list[e.FloorEvent]:
    return [e.Waiting(command.ref, command.department, command.priority, state.next_place, command.previous, now)]


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
    for department, queue in state.queues.items():
        bench = state.benches.get(department)
        if not queue or bench is None or not bench.has_room or (best is not None and best[0] <= queue[0]):
            continue
        found = _first_offerable(queue, bench)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    if best is None:
        return []
    place, operator = best
    number, deadline = state.next_number, now + state.rules.offer_ms
    return [e.Offering(number, place.ref, operator, place.department, place.priority, place.place, deadline, now)]


def _first_offerable(queue: list[Place], bench: Bench) -> tuple[Place, str] | None:
    """The first dialog in the queue for which somebody has room, and who that is."""
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
    for department in operator.departments:
        state.benches[department].drop(operator.id)
    operator.departments, operator.slots = event.departments, event.slots
    state.seat(operator)


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
    place = Place(event.priority, event.place, event.ref, event.department, event.previous, [])
    insort(state.queues.setdefault(event.department, []), place)
    state.next_place = event.place + 1


def _apply_offering(state: Floor, event: e.Offering) -> None:
    place = _leave_queue(state, event.ref)
    offer = Assignment(event.number, event.operator, place, event.deadline)
    state.assignments[event.number] = state.open[event.number] = offer
    state.by_ref[event.ref] = event.number
    operator = state.operators[event.operator]
    operator.used += 1
    state.seat(operator)
    state.next_number = event.number + 1


def _leave_queue(state: Floor, ref: Ref) -> Place:
    """Take the dialog out of its queue."""
    for queue in state.queues.values():
        for index, place in enumerate(queue):
            if place.ref == ref:
                return queue.pop(index)
    raise KeyError(ref)


def _apply_withdrawing(state: Floor, event: e.Withdrawing) -> None:
    held = state.assignments[event.number]
    held.withdrawing, held.forced = event.reason, event.force


def _apply_taken(state: Floor, event: e.Taken) -> None:
    held = state.assignments[event.number]
    held.deadline = 0
    state.open.pop(event.number, None)
    if not held.forced:
        held.withdrawing = ""


def _apply_freed(state: Floor, event: e.Freed) -> None:
    held = state.assignments.pop(event.number)
    del state.by_ref[held.place.ref]
    state.open.pop(event.number, None)
    operator = state.operators[held.operator]
    operator.used -= 1
    operator.idle_since = event.at
    state.seat(operator)
    if event.requeue and not held.gone:
        if event.lapsed and held.operator not in held.place.lapsed:
            held.place.lapsed.append(held.operator)
        insort(state.queues[held.place.department], held.place)


def _apply_gone(state: Floor, event: e.Gone) -> None:
    number = state.by_ref.get(event.ref)
    if number is None:
        _leave_queue(state, event.ref)
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
}
