"""Who may take one kind of dialog, and in which order those with room are offered the next.

An index of the floor's operators: nothing in it is state of its own, and a choice costs the same with ten and with a
thousand of them.
"""

from bisect import bisect_left, insort
from collections.abc import Collection

from chatcore.machines.staff import Kind, Operator, has_room

Rank = tuple[int, int, str]  # slots in use, idle since, id: the least comes first


class Bench:
    """The operators on duty who fit one kind of dialog."""

    def __init__(self, kind: Kind) -> None:
        self._weight = kind.weight
        self._staff: set[str] = set()
        self._ranks: dict[str, Rank] = {}
        self._free: list[Rank] = []

    @property
    def has_room(self) -> bool:
        """Whether anybody could take one more dialog."""
        return bool(self._free)

    def put(self, operator: Operator) -> None:
        """Note what an operator who fits has become."""
        self.drop(operator.id)
        if operator.on_duty:
            self._staff.add(operator.id)
            if has_room(operator, self._weight):
                rank = self._ranks[operator.id] = (operator.used, operator.idle_since, operator.id)
                insort(self._free, rank)

    def drop(self, operator: str) -> None:
        """Note that an operator is not on duty or does not fit; whoever was not here may be dropped again."""
        self._staff.discard(operator)
        rank = self._ranks.pop(operator, None)
        if rank is not None:
            del self._free[bisect_left(self._free, rank)]

    def choose(self, previous: str, lapsed: Collection[str]) -> str | None:
        """Who of those with room is offered a dialog: its previous operator, then the least loaded and longest idle.

        Nobody who let it lapse already, unless everybody on duty did.
        """
        if lapsed and self._staff.issubset(lapsed):
            lapsed = ()
        if previous in self._ranks and previous not in lapsed:
            return previous
        return next((operator for *_, operator in self._free if operator not in lapsed), None)
