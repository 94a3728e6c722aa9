"""Wakes owners when a deadline of their state may have passed. Timers are state; this only reminds."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush


class Reminders:
    """Calls `due(key)` once for each `at(deadline_ms, key)`, not before the deadline on the clock `now_ms`."""

    def __init__(self, now_ms: Callable[[], int], due: Callable[[int], None]) -> None:
        self._now_ms = now_ms
        self._due = due
        self._heap: list[tuple[int, int]] = []
        self._timer: asyncio.TimerHandle | None = None

    def at(self, deadline_ms: int, key: int) -> None:
        """Remind of `key` at `deadline_ms`."""
        heappush(self._heap, (deadline_ms, key))
        if self._heap[0] == (deadline_ms, key):
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_ms = max(1, self._heap[0][0] - self._now_ms())
        self._timer = asyncio.get_running_loop().call_later(delay_ms / 1000, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._now_ms()
        while self._heap and self._heap[0][0] <= now:
            _, key = heappop(self._heap)
            self._due(key)
        if self._heap and self._timer is None:
            self._arm()
