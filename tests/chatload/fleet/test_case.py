"""An operator's dialog by itself, under a clock of its own: what is written at once is answered once."""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.fleet.case import LULL_NS, Case, Waiting
from chatload.fleet.clock import Timer
from chatload.fleet.frames import Cause, Entry
from chatload.fleet.identity import compose, parse
from chatload.fleet.ledger import Subject
from chatload.fleet.recorder import Recorder
from chatload.fleet.tally import Tally
from chatload.fleet.world import World
from chatload.plan import Destination, Reply
from tests.chatload.fleet.stage import RUN, dialog, make_plan


class Moments:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self._now_ns = 0
        self._due: list[tuple[int, int, Timer]] = []
        self._serial = count()

    def now_ns(self) -> int:
        return self._now_ns

    def at(self, due_ns: int, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        heappush(self._due, (due_ns, next(self._serial), timer))
        return timer

    def soon(self, call: Callable[[], None]) -> None:
        self.at(self._now_ns, call)

    def turn_to(self, now_ns: int) -> None:
        """Let everything happen that is due by then."""
        while self._due and self._due[0][0] <= now_ns:
            self._now_ns, _, timer = heappop(self._due)
            if timer.call is not None:
                timer.call()
        self._now_ns = now_ns


class Floor:
    """One dialog on the platform, and the seats that own it one after the other; what they send is stored at once."""

    def __init__(self, world: World, clock: Moments) -> None:
        self._world = world
        self._clock = clock
        self._entries: list[Entry] = []
        self.answers: list[tuple[int, int]] = []
        self.closed_ns = -1
        self.own("o1")

    def own(self, operator: str) -> None:
        """Have an operator take the dialog over, and read what is in it."""
        self._operator = operator
        self._case = Case(self._world, self, operator, Subject(self._world, "web/u5", 5), "web/u5#1", 1)
        for entry in self._entries:
            self._case.take(entry, parse(entry.text), self._clock.now_ns())
        self._case.plan()

    def lose(self) -> None:
        """Have the owner leave."""
        self._case.stop()

    def say(self, counter: int) -> None:
        """Store the customer's n-th message, and show it."""
        entry = self._enter("customer", compose(RUN, "c5", counter))
        self._case.take(entry, parse(entry.text), self._clock.now_ns())
        self._case.plan()

    def _enter(self, author: str, text: str) -> Entry:
        entry = Entry(dialog="web/u5#1", seq=len(self._entries) + 1, kind="message", author=author, text=text)
        self._entries.append(entry)
        return entry

    def answer_by_bot(self, seq: int) -> None:
        """Show the bot's answer to the customer's message at this place."""
        entry = self._enter("bot", "choose a number")
        entry.cause = Cause(seq)
        self._case.take(entry, None, self._clock.now_ns())
        self._case.plan()

    def answer_early(self) -> None:
        """Show an answer of somebody who has owned the dialog before."""
        entry = self._enter("o9", compose(RUN, "o9", 1))
        self._case.take(entry, parse(entry.text), self._clock.now_ns())
        self._case.plan()

    def answer(self, case: Case, waiting: Waiting, reply: Reply, due_ns: int) -> None:
        self.answers.append((waiting.counter, due_ns))
        self._enter(self._operator, compose(RUN, self._operator, len(self.answers)))
        case.settled(self._clock.now_ns())

    def close(self, case: Case, due_ns: int) -> None:
        self.closed_ns = due_ns

    def destination(self, plan: int) -> Destination | None:
        return None

    def send_on(self, case: Case, to: Destination) -> None:
        raise AssertionError("nobody is sent on")

    def hold(self, case: Case) -> None:
        raise AssertionError("nobody is put on hold")

    def resume(self, case: Case) -> None:
        raise AssertionError("nobody is put on hold")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    folder = tmp_path_factory.mktemp("case")
    kept = Recorder(folder, "w0")
    yield kept
    kept.close()


PLANNED = dialog(5, "handover", "more", "more", "operator", "more")
HOUR_NS = 3_600_000_000_000
DELAYS_NS = st.integers(0, LULL_NS - 1)


@given(
    first=st.permutations([1, 2, 3]),
    second=st.permutations([4, 5]),
    delays_ns=st.lists(DELAYS_NS, min_size=5, max_size=5),
    taken_over=st.sets(st.integers(0, 4)),
)
def test_what_is_written_at_once_is_answered_once(
    recorder: Recorder, first: list[int], second: list[int], delays_ns: list[int], taken_over: set[int]
) -> None:
    """After the last of it, in whatever order the messages come, soon or not, and whoever takes the dialog over."""
    clock = Moments()
    world = World(clock, recorder, Tally(), make_plan([PLANNED]), RUN, 1.0)
    floor, waits = Floor(world, clock), iter(enumerate(delays_ns))
    asked_ns = []
    for burst in (first, second):
        for counter in burst:
            place, delay_ns = next(waits)
            clock.turn_to(clock.now_ns() + delay_ns)
            floor.say(counter)
            if place in taken_over:
                floor.lose()
                floor.own(f"o{place + 2}")
        asked_ns.append(clock.now_ns())
        clock.turn_to(clock.now_ns() + HOUR_NS)
    expected = [(1, asked_ns[0] + react_ns(world, 0)), (4, asked_ns[1] + react_ns(world, 3))]
    assert floor.answers == expected
    assert floor.closed_ns == expected[1][1] + world.wall(world.plan.wrap_up_ms(5))


def react_ns(world: World, turn: int) -> int:
    return world.wall(world.plan.reply(5, turn).react_ms)


def test_who_takes_over_adds_nothing_to_what_is_answered(recorder: Recorder) -> None:
    """A message that comes after the answer to those written at once with it is covered by that answer."""
    clock = Moments()
    world = World(clock, recorder, Tally(), make_plan([dialog(5, "handover", "more")]), RUN, 1.0)
    floor = Floor(world, clock)
    floor.say(1)
    floor.answer_early()
    floor.say(2)
    clock.turn_to(HOUR_NS)
    assert floor.answers == []
    assert floor.closed_ns == world.wall(world.plan.wrap_up_ms(5))


def test_what_the_bot_has_answered_is_not_waited_for(recorder: Recorder) -> None:
    """The last of three came first, and to the bot; once the others are here, the operator answers at once."""
    clock = Moments()
    world = World(clock, recorder, Tally(), make_plan([dialog(5, "handover", "more", "more")]), RUN, 1.0)
    floor = Floor(world, clock)
    floor.say(3)
    floor.answer_by_bot(1)
    floor.say(2)
    floor.say(1)
    clock.turn_to(HOUR_NS)
    assert floor.answers == [(1, react_ns(world, 0))]


@given(
    counters=st.permutations([1, 2, 3]).flatmap(lambda told: st.integers(1, 2).map(lambda come: told[:come])),
    late=st.booleans(),
)
def test_a_lost_message_does_not_stop_the_dialog(recorder: Recorder, counters: list[int], late: bool) -> None:
    """What is left of those written at once is answered after a lull; what comes after all is covered by the answer."""
    clock = Moments()
    world = World(clock, recorder, Tally(), make_plan([dialog(5, "handover", "more", "more")]), RUN, 1.0)
    floor = Floor(world, clock)
    for counter in counters:
        floor.say(counter)
    due_ns = LULL_NS + react_ns(world, 0)
    clock.turn_to(due_ns)
    assert floor.answers == [(1, due_ns)]
    if late:
        floor.say(next(counter for counter in (1, 2, 3) if counter not in counters))
    clock.turn_to(HOUR_NS)
    assert floor.answers == [(1, due_ns)]
    assert floor.closed_ns == due_ns + world.wall(world.plan.wrap_up_ms(5))
