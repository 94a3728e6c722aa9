"""The state of the floor's log: operators, queues and assignments, with the indexes that make a choice cheap."""

from bisect import bisect_left, insort

import msgspec

from chatcore.machines import commands as c
from chatcore.machines.bench import Bench
from chatcore.machines.events import Ref
from chatcore.machines.staff import Assignment, Kind, Operator, Place, fits, takes


class Floor:
    """The state of the floor's log."""

    def __init__(self, rules: c.Rules) -> None:
        self.rules = rules
        self.now = 0
        self.next_place = 1
        self.next_number = 1
        self.operators: dict[str, Operator] = {}
        self.places: dict[Ref, Place] = {}  # who waits, not counting those on offer
        self.assignments: dict[int, Assignment] = {}
        self.applied: dict[str, int] = {}
        # indexes of the above
        self.queues: dict[Kind, list[Place]] = {}  # none is empty
        self.bound: dict[Ref, Place] = {}  # those who wait for one operator
        self.by_ref: dict[Ref, int] = {}  # a dialog's number while it is offered or owned
        self.open: dict[int, Assignment] = {}  # offers that nobody has accepted
        self.absent: dict[str, Operator] = {}  # operators whose connection is lost
        self.benches: dict[Kind, Bench] = {}  # for every kind that anybody has asked for
        self._benches_of: dict[str, list[Bench]] = {}  # by operator

    @property
    def waiting(self) -> int:
        """Dialogs in queues, not counting those on offer."""
        return len(self.places)

    def dump(self) -> bytes:
        """The state as a snapshot; rules and indexes are not part of it."""
        stored = (list(self.operators.values()), list(self.places.values()), list(self.assignments.values()))
        return msgspec.msgpack.encode((self.now, self.next_place, self.next_number, *stored, self.applied))

    def load(self, blob: bytes) -> None:
        """Take over the state that `dump` wrote."""
        self.now, self.next_place, self.next_number, operators, places, assignments, self.applied = (
            msgspec.msgpack.decode(blob, type=_Dump)
        )
        self.operators = {operator.id: operator for operator in operators}
        self.assignments = {assignment.number: assignment for assignment in assignments}
        self.by_ref = {assignment.place.ref: assignment.number for assignment in assignments}
        self.open = {assignment.number: assignment for assignment in assignments if assignment.deadline}
        self.places, self.queues, self.bound, self.absent, self.benches = {}, {}, {}, {}, {}
        for operator in operators:
            self.place_on_benches(operator)
        for place in places:
            self.queue(place)

    # --- operators -------------------------------------------------------------------------------------------------

    def seat(self, operator: Operator) -> None:
        """Note in the indexes what an operator has become."""
        if operator.grace:
            self.absent[operator.id] = operator
        else:
            self.absent.pop(operator.id, None)
        for bench in self._benches_of[operator.id]:
            bench.put(operator)

    def place_on_benches(self, operator: Operator) -> None:
        """Note an operator who is new, or may take other dialogs than before."""
        for bench in self._benches_of.get(operator.id, ()):
            bench.drop(operator.id)
        held = (a.place.wish.weight for a in self.assignments.values() if a.operator == operator.id)
        operator.used = sum(takes(operator, weight) for weight in held)
        self._benches_of[operator.id] = [bench for kind, bench in self.benches.items() if fits(operator, kind)]
        self.seat(operator)

    def _open_bench(self, kind: Kind) -> None:
        bench = self.benches[kind] = Bench(kind)
        for operator in self.operators.values():
            if fits(operator, kind):
                self._benches_of[operator.id].append(bench)
                bench.put(operator)

    def destination(self, number: int, operator: str, department: str, skill: str) -> tuple[str, str, str]:
        """What a transfer of `number` asks for: the operator, the department, the skill; "" = as before, or any.

        An operator is asked for in the dialog's own department where they are in it.

        Raises:
            Refused: nobody fits, so the dialog would wait for ever.
        """
        held = self.assignments.get(number)
        before = held.place.department if held is not None else ""
        language = held.place.wish.language if held is not None and not operator else ""
        found = self.operators.get(operator)
        if found is not None and not department:
            department = before if before in found.departments else found.departments[0]
        kind = Kind(department or before, skill, language, 1, operator)
        if not any(fits(each, kind) for each in self.operators.values()):
            raise c.Refused("nobody_there")
        return operator, department, skill

    # --- queues ----------------------------------------------------------------------------------------------------

    def queue(self, place: Place) -> None:
        """Let a dialog wait at its place."""
        kind = place.kind
        self.places[place.ref] = place
        insort(self.queues.setdefault(kind, []), place)
        if place.operator:
            self.bound[place.ref] = place
        elif kind not in self.benches:
            self._open_bench(kind)

    def leave(self, ref: Ref) -> Place:
        """Take a dialog out of its queue."""
        place = self.places.pop(ref)
        self.bound.pop(ref, None)
        queue = self.queues[place.kind]
        del queue[bisect_left(queue, place)]
        if not queue:
            del self.queues[place.kind]
        return place


_Dump = tuple[int, int, int, list[Operator], list[Place], list[Assignment], dict[str, int]]
