"""The fleet's one clock: every wait of every dialog is an entry of one heap behind one timerfd.

The event loop's own timers have millisecond resolution and fire early; a timerfd on the monotonic clock does
neither. Nothing here fires before it is due.
"""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Protocol

now_ns: Final = time.monotonic_ns
NEVER: Final = 2**63 - 1
MS: Final = 1_000_000

_TFD_ABSTIME: Final = 1
_TFD_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """A call that is due once; `cancel` makes it never happen."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Forget the call; cancelling twice, or after it happened, does nothing."""
        self.call = None


class Time(Protocol):
    """Where whoever plays has the time from: the fleet's clock, or a virtual one."""

    def now_ns(self) -> int:
        """The time."""

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        """Call `call` once `due_ns` has come; a due time in the past is due at once, after what is due earlier."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` next, after all that is under way."""


class Clock:
    """Calls at monotonic nanoseconds, in order of due time, never early.

    Needs a running event loop; belongs to the thread of that loop.
    """

    now_ns = staticmethod(now_ns)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _Setting()
        self._settime = libc.timerfd_settime
        self._settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._setting_at = ctypes.addressof(self._setting)
        self._heap: list[tuple[int, int, Timer]] = []
        self._serial = 0
        self._armed_ns = NEVER
        self._soon: list[Callable[[], None]] = []
        self._loop.add_reader(self._fd, self._expired)

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        """Call `call` once `due_ns` has come; a due time in the past is due at once, after what is due earlier."""
        timer = Timer(call)
        self._serial += 1
        heappush(self._heap, (due_ns, self._serial, timer))
        if due_ns < self._armed_ns:
            self._arm(due_ns)
        return timer

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` in the loop's next turn, with all others that are asked for meanwhile."""
        if not self._soon:
            self._loop.call_soon(self._turn)
        self._soon.append(call)

    def close(self) -> None:
        """Drop all timers and release the descriptor."""
        self._heap.clear()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _turn(self) -> None:
        calls, self._soon = iter(self._soon), []
        try:
            for call in calls:
                call()
        finally:  # as with timers: a call that raises leaves the others theirs
            for call in calls:
                self.soon(call)

    def _arm(self, due_ns: int) -> None:
        """Be woken at `due_ns` and not before: setting the descriptor anew also forgets that it had expired."""
        value = self._setting.value
        value.s, value.ns = divmod(max(due_ns, 1), 1_000_000_000)  # all zero would disarm
        self._settime(self._fd, _TFD_ABSTIME, self._setting_at, None)
        self._armed_ns = due_ns

    def _expired(self) -> None:
        heap = self._heap
        now = now_ns()
        self._armed_ns = 0  # what the calls add is armed once, below
        try:
            while heap and heap[0][0] <= now:
                call = heappop(heap)[2].call
                if call is not None:
                    call()
        finally:  # a call that raises must not stop the clock for the others
            while heap and heap[0][2].call is None:
                heappop(heap)
            self._arm(heap[0][0] if heap else NEVER)
