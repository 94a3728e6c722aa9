"""A seat's roster on the clock: when it has to look up, and where it has to be."""

import math
from collections import deque
from collections.abc import Callable

from chatload.fleet.world import World
from chatload.plan import Post
from chatload.plan.roster import moments, post


class Hours:
    """The hours of operator `n`; `turn(due_ns)` is called when their place may change, which was due then."""

    def __init__(self, world: World, n: int, turn: Callable[[int], None]) -> None:
        self._world = world
        self._turn = turn
        self._stints = world.plan.roster(n)
        self._to_come = deque(moments(self._stints))
        self._at_ms = -math.inf  # the last of these moments that has come

    def post(self, busy: bool) -> Post:
        """Where they have to be, with something at hand or not; before `begin` as before t0."""
        return post(self._stints, self._at_ms, busy)

    def begin(self) -> None:
        """Go by the clock from now on; t0 is known. Moments that have passed by now are one."""
        now, came = self._world.clock.now_ns(), False
        while self._to_come and self._world.when(self._to_come[0]) <= now:
            self._at_ms, came = self._to_come.popleft(), True
        if came:
            self._turn(self._world.when(self._at_ms))
        if self._to_come:
            self._world.clock.at(self._world.when(self._to_come[0]), self.begin)
