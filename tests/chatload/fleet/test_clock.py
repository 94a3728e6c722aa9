"""The fleet's clock: in order, never early, and cheap to change one's mind about."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import uvloop

from chatload.fleet.clock import MS, Clock, now_ns


def with_clock(act: Callable[[Clock], Awaitable[None]]) -> None:
    """Run `act` with a clock on uvloop."""

    async def run() -> None:
        clock = Clock()
        try:
            async with asyncio.timeout(60):
                await act(clock)
        finally:
            clock.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(clock: Clock, due_ns: int) -> None:
    """Wait for a time."""
    come = asyncio.Event()
    clock.at(due_ns, come.set)
    await come.wait()


def test_calls_come_in_order_of_due_time_and_never_early() -> None:
    """Timers set in any order fire by due time, and none before it."""
    fired: list[tuple[int, int]] = []

    async def act(clock: Clock) -> None:
        start = now_ns()
        offsets_us = [(7 * n) % 500 for n in range(500)]
        for offset in offsets_us:
            due_ns = start + offset * 20_000
            clock.at(due_ns, lambda due_ns=due_ns: fired.append((due_ns, now_ns())))  # type: ignore[misc]  # the default binds the loop's value
        await until(clock, start + 12 * MS)

    with_clock(act)
    assert len(fired) == 500
    assert [due for due, _ in fired] == sorted(due for due, _ in fired)
    assert all(at >= due for due, at in fired)


def test_equal_due_times_keep_the_order_they_were_set_in() -> None:
    """Two calls due at the same nanosecond happen in the order they were asked for; the past is due at once."""
    fired: list[int] = []

    async def act(clock: Clock) -> None:
        for n in range(10):
            clock.at(1, lambda n=n: fired.append(n))  # type: ignore[misc]  # the default binds the loop's value
        await until(clock, 2)

    with_clock(act)
    assert fired == list(range(10))


def test_a_cancelled_timer_never_happens() -> None:
    """Cancelling forgets the call, also of the timer that is next, and may be repeated."""
    fired: list[str] = []

    async def act(clock: Clock) -> None:
        start = now_ns()
        first = clock.at(start + MS, lambda: fired.append("first"))
        clock.at(start + 2 * MS, lambda: fired.append("second"))
        first.cancel()
        first.cancel()
        await until(clock, start + 3 * MS)

    with_clock(act)
    assert fired == ["second"]


def test_a_call_may_set_the_next() -> None:
    """A chain of calls, each setting the next, runs to its end."""
    fired: list[int] = []

    async def act(clock: Clock) -> None:
        done = asyncio.Event()

        def step() -> None:
            fired.append(now_ns())
            if len(fired) == 50:
                done.set()
            else:
                clock.at(fired[-1] + 50_000, step)

        step()
        await done.wait()

    with_clock(act)
    assert all(after - before >= 50_000 for before, after in pairwise(fired))


def test_a_call_that_raises_stops_nobody_else() -> None:
    """The loop hears of the exception, and timers due at the same moment still fire."""
    fired: list[str] = []
    heard: list[str] = []
    empty: list[None] = []

    async def act(clock: Clock) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(str(context["exception"])))
        due_ns = now_ns() + MS
        clock.at(due_ns, empty.pop)
        clock.at(due_ns, lambda: fired.append("after"))
        await until(clock, due_ns + MS)

    with_clock(act)
    assert fired == ["after"]
    assert heard == ["pop from empty list"]


def test_what_is_asked_for_soon_happens_once_in_order_and_not_before() -> None:
    """Calls of one turn come in the next, also those behind one that raises; what they ask for comes after them."""
    happened: list[str] = []
    heard: list[str] = []
    empty: list[None] = []

    async def act(clock: Clock) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(str(context["exception"])))
        clock.soon(lambda: clock.soon(lambda: happened.append("later")))
        clock.soon(empty.pop)
        clock.soon(lambda: happened.append("behind"))
        assert happened == []
        await until(clock, now_ns() + MS)

    with_clock(act)
    assert sorted(happened) == ["behind", "later"]
    assert heard == ["pop from empty list"]
