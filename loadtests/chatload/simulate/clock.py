"""A clock that does not tick: it stands at the time of what is due, and then at that of what is due next."""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

from chatload.fleet.clock import Timer

_Due = tuple[int, int, Timer]

SLOT_BITS: Final = 30  # of a time in ns, those within a slot


class VirtualClock:
    """The fleet's `Time` without waiting; what is due at the same time happens in the order in which it was asked for.

    What is to happen `soon` happens before anything that is due later is looked at. What is due stands in slots of a
    second, of which only the present one is in order: a day's timers are many, and most are cancelled.
    """

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._slots: dict[int, list[_Due]] = {}
        self._to_come: list[int] = []  # the slots' numbers, the least first
        self._slot = -1  # the present one's …
        self._heap: list[_Due] = []  # … and what is due in it
        self._serial = 0
        self._soon: deque[Callable[[], None]] = deque()

    def now_ns(self) -> int:
        """The virtual time."""
        return self._now_ns

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        """Call `call` at `due_ns`; a due time in the past is due at once, after what is due earlier."""
        timer = Timer(call)
        self._serial += 1
        slot = due_ns >> SLOT_BITS
        if slot <= self._slot:
            heappush(self._heap, (due_ns, self._serial, timer))
        elif slot in self._slots:
            self._slots[slot].append((due_ns, self._serial, timer))
        else:
            self._slots[slot] = [(due_ns, self._serial, timer)]
            heappush(self._to_come, slot)
        return timer

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` next, after all that is under way."""
        self._soon.append(call)

    def run(self, until_ns: int) -> None:
        """Let everything happen that is due up to `until_ns`, at which the clock stands then."""
        soon = self._soon
        while True:
            while soon:
                soon.popleft()()
            heap = self._heap or self._next(until_ns)
            if not heap or heap[0][0] > until_ns:
                break
            due_ns, _, timer = heappop(heap)
            call = timer.call
            if call is not None:
                self._now_ns = max(self._now_ns, due_ns)
                call()
        self._now_ns = max(self._now_ns, until_ns)

    def _next(self, until_ns: int) -> list[_Due]:
        """What is due in the next slot that anything is due in; nothing if that is later."""
        while not self._heap and self._to_come and self._to_come[0] << SLOT_BITS <= until_ns:
            self._slot = heappop(self._to_come)
            self._heap = [due for due in self._slots.pop(self._slot) if due[2].call is not None]
            heapify(self._heap)
        return self._heap
