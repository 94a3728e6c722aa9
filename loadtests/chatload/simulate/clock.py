"""A clock that does not tick: it stands at the time of what is due, and then at that of what is due next."""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from chatload.fleet.clock import Timer


class VirtualClock:
    """The fleet's `Time` without waiting; what is due at the same time happens in the order in which it was asked for.

    What is to happen `soon` happens before anything that is due later is looked at.
    """

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._heap: list[tuple[int, int, Timer]] = []
        self._serial = 0
        self._soon: deque[Callable[[], None]] = deque()

    def now_ns(self) -> int:
        """The virtual time."""
        return self._now_ns

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        """Call `call` at `due_ns`; a due time in the past is due at once, after what is due earlier."""
        timer = Timer(call)
        self._serial += 1
        heappush(self._heap, (due_ns, self._serial, timer))
        return timer

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` next, after all that is under way."""
        self._soon.append(call)

    def run(self, until_ns: int) -> None:
        """Let everything happen that is due up to `until_ns`, at which the clock stands then."""
        heap, soon = self._heap, self._soon
        while True:
            while soon:
                soon.popleft()()
            if not heap or heap[0][0] > until_ns:
                break
            due_ns, _, timer = heappop(heap)
            call = timer.call
            if call is not None:
                self._now_ns = max(self._now_ns, due_ns)
                call()
        self._now_ns = max(self._now_ns, until_ns)
