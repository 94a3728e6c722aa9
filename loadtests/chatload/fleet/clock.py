"""The fleet's one clock: every wait of every dialog is an entry of one heap behind one timerfd.

The event loop's own timers have millisecond resolution and fire early; a timerfd on the monotonic clock does
neither. Nothing here fires before it is due.
"""

import asyncio
import ctypes
import heapq
import os
import time
from collections.abc import Callable
from typing import Final

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


class Clock:
    """Calls and wakes at monotonic nanoseconds, in order of due time, never early.

    Needs a running event loop; belongs to the thread of that loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _Setting()
        self._heap: list[tuple[int, int, Timer]] = []
        self._serial = 0
        self._armed_ns = NEVER
        self._loop.add_reader(self._fd, self._expired)

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        """Call `call` once `due_ns` has come; a due time in the past is due at once, after what is due earlier."""
        timer = Timer(call)
        self._serial += 1
        heapq.heappush(self._heap, (due_ns, self._serial, timer))
        if due_ns < self._armed_ns:
            self._arm(due_ns)
        return timer

    def until(self, due_ns: int) -> asyncio.Future[None]:
        """Wait for `due_ns`; cancelling the wait frees its entry."""
        future: asyncio.Future[None] = self._loop.create_future()
        timer = self.at(due_ns, lambda: _wake(future))
        future.add_done_callback(lambda _: timer.cancel())
        return future

    def close(self) -> None:
        """Drop all timers and release the descriptor."""
        self._heap.clear()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _arm(self, due_ns: int) -> None:
        value = self._setting.value
        value.s, value.ns = divmod(max(due_ns, 1), 1_000_000_000)  # all zero would disarm
        self._libc.timerfd_settime(self._fd, _TFD_ABSTIME, ctypes.byref(self._setting), None)
        self._armed_ns = due_ns

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # armed again for a later time since the loop saw it
        heap = self._heap
        now = now_ns()
        self._armed_ns = 0  # what the calls add is armed once, below
        try:
            while heap and heap[0][0] <= now:
                call = heapq.heappop(heap)[2].call
                if call is not None:
                    call()
        finally:  # a call that raises must not stop the clock for the others
            while heap and heap[0][2].call is None:
                heapq.heappop(heap)
            self._armed_ns = NEVER
            if heap:
                self._arm(heap[0][0])


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Signal:
    """Wakes one waiting script when something changed, or when its deadline comes.

    The waiter looks at the facts again after each wake; setting with nobody waiting does nothing.
    """

    __slots__ = ("_clock", "_waiter")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake the waiter, if any."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, until_ns: int = NEVER) -> None:
        """Return at the next `set`, or at `until_ns`."""
        if until_ns == NEVER:
            self._waiter = asyncio.get_running_loop().create_future()
        else:
            self._waiter = self._clock.until(until_ns)
        try:
            await self._waiter
        finally:
            self._waiter = None
