"""Who of a department is on duty, and in which order those with room are offered dialogs.

An index of the floor's operators: nothing in it is state of its own, and a choice costs the same with ten and with a
thousand of them.
"""

from bisect import bisect_left, insort
from collections.abc import Collection

Rank = tuple[int, int, str]  # slots in use, idle since, id: the least comes first


class Bench:
    """The operators of one department who are on duty."""

    def __init__(self) -> None:
        self._staff: set[str] = set()
        self._ranks: dict[str, Rank] = {}
        self._free: list[Rank] = []

    @property
    def has_room(self) -> bool:
        """Whether anybody could take one more dialog."""
        return bool(self._free)

    def put(self, operator: str, used: int, idle_since: int, *, room: bool) -> None:
        """Note that an operator is on duty, and whether they have `room` for one more dialog."""
        self.drop(operator)
        self._staff.add(operator)
        if room:
            rank = self._ranks[operator] = (used, idle_since, operator)
            insort(self._free, rank)

    def drop(self, operator: str) -> None:
        """Note that an operator is not on duty; whoever was not before may be dropped again."""
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
