"""The virtual clock: everything in order of due time, however far apart, and nothing that was cancelled."""

from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from chatload.fleet.clock import Time, Timer
from chatload.simulate.clock import VirtualClock

SECOND_NS = 1_000_000_000


class Plain:
    """The same in one list, of which the least is taken each time."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns, self._asked = now_ns, 0
        self._waiting: list[tuple[int, int, Timer]] = []

    def now_ns(self) -> int:
        """The time."""
        return self._now_ns

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        """Call it then."""
        self._asked += 1
        self._waiting.append((due_ns, self._asked, Timer(call)))
        return self._waiting[-1][2]

    def soon(self, call: Callable[[], None]) -> None:
        """Call it before anything else."""
        self.at(-1, call)

    def run(self, until_ns: int) -> None:
        """Take the least as long as it is due."""
        while self._waiting and (least := min(self._waiting, key=lambda each: each[:2]))[0] <= until_ns:
            self._waiting.remove(least)
            if least[2].call is not None:
                self._now_ns = max(self._now_ns, least[0])
                least[2].call()
        self._now_ns = max(self._now_ns, until_ns)


Asked = tuple[int, list[int], bool]
_dues_ns = st.integers(0, 3 * SECOND_NS) | st.integers(0, 90_000 * SECOND_NS)


def happened(clock: VirtualClock | Plain, asked: list[Asked], stops: list[int]) -> list[tuple[int, str]]:
    """What happens when, if each that is asked for asks for more, and calls the one before it off or not."""
    told: list[tuple[int, str]] = []

    def happen(name: str, more: list[int], off: Timer | None) -> None:
        told.append((clock.now_ns(), name))
        clock.soon(partial(told.append, (0, f"{name}, soon")))
        for due_ns in more:
            clock.at(due_ns, partial(happen, f"{name}, {due_ns}", [], None))
        if off is not None:
            off.cancel()

    before: Timer | None = None
    for number, (due_ns, more, calls_off) in enumerate(asked):
        before = clock.at(due_ns, partial(happen, str(number), more, before if calls_off else None))
    for until_ns in [*sorted(stops), 100_000 * SECOND_NS]:
        clock.run(until_ns)
        told.append((clock.now_ns(), "stop"))
    return told


@given(
    st.lists(st.tuples(_dues_ns, st.lists(_dues_ns, max_size=2), st.booleans()), max_size=30),
    st.lists(_dues_ns, max_size=3),
)
def test_what_is_due_happens_in_order_of_due_time_then_of_asking(asked: list[Asked], stops: list[int]) -> None:
    """As from one list: also what is asked for meanwhile, what was due before, and in several runs."""
    assert happened(VirtualClock(SECOND_NS), asked, stops) == happened(Plain(SECOND_NS), asked, stops)


def test_a_virtual_clock_is_one_that_the_fleet_can_have() -> None:
    """It has the fleet's verbs."""
    clock: Time = VirtualClock(SECOND_NS)
    assert clock.now_ns() == SECOND_NS
