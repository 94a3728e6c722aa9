"""Plays of a queue beside theory: right ones agree, wrong ones say what is wrong, few or slow ones decide nothing."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from chatreport.theory.compare import compare, too_wide
from chatreport.theory.observed import Figures, Observed, Queue, measure
from chatreport.theory.recorded import blaming
from tests.chatreport.queues import QUEUE, SPAN_S, WARM_UP_S, played, replications


def test_right_plays_agree() -> None:
    """Every interval contains zero, and none is so wide that it says nothing."""
    found = compare(replications())
    assert (found.verdict, found.points_to) == ("agree", "")
    assert {name: each.high - each.low < 0.2 for name, each in found.differences.items() if name != "mean_wait_s"} == {
        "waiting": True, "abandonment": True, "service_level": True, "occupancy": True, "identity": True,
    }  # fmt: skip


def test_few_false_alarms_are_raised() -> None:
    """Of a hundred right validations two or three are called wrong; ten would be none of chance."""
    words = [compare(replications(6, first=1000 + 6 * each, span_s=SPAN_S / 3)).verdict for each in range(100)]
    assert words.count("disagree") < 10


@pytest.mark.parametrize(
    "wrong, points_to",
    [
        ({"leaked": 1}, "capacity leak"),
        ({"leaked": 3}, "capacity leak"),
        ({"late_s": 0.1 * QUEUE.service_s}, "dispatch delay"),
        ({"delay_s": 0.1 * QUEUE.service_s}, "dispatch delay"),
        ({"hurry": 0.7}, "patience timer"),
        ({"hurry": 1.4}, "patience timer"),
        ({"metronome": True}, "arrivals"),
    ],
    ids=str,
)
def test_a_miss_says_what_it_points_to(wrong: dict[str, Any], points_to: str) -> None:
    """A place that is never given back, a dispatch that dawdles, a patience of another mean, a metronome."""
    found = compare(replications(**wrong))
    assert (found.verdict, found.points_to) == ("disagree", points_to)


def test_on_the_wire_a_little_dispatching_is_allowed_for() -> None:
    """Half a percent of a service agrees; so much that it would be another queue decides nothing, and says why."""
    quick = compare(replications(wire=True, delay_s=0.005 * QUEUE.service_s))
    slow = compare(replications(wire=True, delay_s=0.05 * QUEUE.service_s))
    assert quick.verdict == "agree"
    assert [each.dispatch_s for each in quick.replications] == pytest.approx([0.005 * QUEUE.service_s] * 9)
    assert (slow.verdict, slow.points_to) == ("undecidable", "dispatch delay")
    assert "5.0 % of a mean service" in slow.reasons[0]


def test_a_leak_is_a_leak_on_the_wire_too() -> None:
    """Waiting beside places that nobody is given is no slow dispatch."""
    assert compare(replications(wire=True, leaked=1)).points_to == "capacity leak"


def test_a_place_too_many_hides_no_leak() -> None:
    """One operator has what should be another's: as many places are taken as there are, and four of them by nobody."""
    seen = played(QUEUE, 1)
    crowded = Observed(
        **{name: getattr(seen, name) for name in Observed.__slots__} | {"operator": np.minimum(seen.operator, 8)}
    )
    assert [measure(each, QUEUE, WARM_UP_S, wire=False).untaken for each in (seen, crowded)] == [0, 4]


def test_fewer_who_wait_are_no_leak() -> None:
    """Places that nobody asked for serve sooner: wrong, and nothing that a leak would explain."""
    more = replace(QUEUE, slots=5)
    plays = [measure(played(more, seed), QUEUE, WARM_UP_S, wire=False) for seed in range(9)]
    found = compare(plays)
    assert (found.verdict, found.points_to, found.differences["waiting"].high < 0) == ("disagree", "", True)


def test_a_load_that_is_ignored_is_found() -> None:
    """All plays at load 1: too many at 0.9 and too few at 1.1, and as many as asked for in all."""
    queues = [replace(QUEUE, arrivals_per_s=QUEUE.arrivals_per_s * load) for load in (0.9, 1.0, 1.1)]
    plays = [measure(played(QUEUE, seed), queues[seed % 3], WARM_UP_S, wire=False) for seed in range(9)]
    found = compare(plays)
    assert (found.verdict, found.points_to) == ("disagree", "arrivals")
    assert [reason[:9] for reason in found.reasons if "contacts came" in reason] == ["load 0.9:", "load 1.1:"]


def test_what_contradicts_itself_disagrees() -> None:
    """A play whose books do not balance is wrong, though its figures are right."""
    plays = replications()
    plays[3] = replace(plays[3], name="third", faults=["12 contacts came, 11 were served or left"])
    found = compare(plays)
    assert (found.verdict, found.reasons) == ("disagree", ["third: 12 contacts came, 11 were served or left"])


def test_too_little_decides_nothing() -> None:
    """Two plays, a play of few contacts, or one that cannot be trusted."""
    plays = replications()
    doubted = replace(plays[0], name="first", doubts=["the generator was late"])
    assert [compare(some).reasons for some in (plays[:2], [*plays[:8], doubted])] == [
        ["2 replications are too few, 3 are needed"],
        ["first: the generator was late"],
    ]
    short = compare(replications(span_s=4 * QUEUE.service_s))
    assert (short.verdict, "contacts are too few" in short.reasons[0]) == ("undecidable", True)
    assert compare([]).verdict == "undecidable"


def test_an_interval_that_would_contain_anything_decides_nothing() -> None:
    """Three short plays differ by more than half of what theory says; and no load played twice, by nobody knows what.

    What is certainly wrong is told all the same.
    """
    short: dict[str, Any] = {"count": 3, "loads": (1.0,), "span_s": 12 * QUEUE.service_s}
    found = compare(replications(**short))
    assert (found.verdict, found.points_to) == ("undecidable", "")
    assert set(too_wide(found.differences, found.replications)) == {"waiting", "abandonment", "mean_wait_s",
                                                                   "service_level", "identity"}  # fmt: skip
    assert "the interval of P(W>0) says nothing" in found.reasons[0]
    assert "over 50 %" in found.reasons[0]
    once = compare(replications(3))
    assert (once.verdict, once.reasons[0][:24]) == ("undecidable", "no load was played twice")
    assert compare(replications(**short, leaked=20)).verdict == "disagree"


def test_late_starts_are_no_wrong_arrivals() -> None:
    """Arrivals that were planned at random and came in bunches are the machine's fault; a planned metronome is not."""
    right = replications()
    bunched = replace(right[0], poisson_p=1e-6)
    random_s = np.random.default_rng(1).uniform(0, 1000, 500)
    late = blaming(bunched, random_s, 0, 1000)
    assert [each.verdict for each in (compare([late, *right[1:]]), compare([bunched, *right[1:]]))] == [
        "undecidable", "disagree",
    ]  # fmt: skip
    assert "started so late" in late.doubts[0]
    assert blaming(bunched, np.linspace(0, 999, 500), 0, 1000) == bunched
    assert blaming(right[0], random_s, 0, 1000) == right[0]


def test_service_times_are_held_against_the_plan() -> None:
    """Places that are taken ten percent longer than asked for are no chance."""
    asked = Queue(
        QUEUE.arrivals_per_s,
        QUEUE.service_s / 1.1,
        *[getattr(QUEUE, name) for name in ("patience_s", "operators", "slots", "target_s")],
    )
    found = compare([measure(played(QUEUE, seed), asked, WARM_UP_S, wire=False) for seed in range(9)])
    assert (found.verdict, any("longer than asked for" in reason for reason in found.reasons)) == ("disagree", True)


def test_a_tiny_play_by_hand() -> None:
    """Two places; the third contact waits for the first to end, the fourth gives up, the fifth finds a place free."""
    queue = Queue(arrivals_per_s=0.5, service_s=4, patience_s=2, operators=1, slots=2, target_s=1.5)
    seen = Observed(**columns(
        came_s=[1, 2, 3, 4, 9], queued_s=[1, 2, 3, 4, 9], waited_s=[0, 0, 2, 1.5, 0.5],
        served=[True, True, True, False, True], left=[False, False, False, True, False], taking=[0, 1, 2, -1, 3],
        taken_s=[1, 2, 5, 9.5], freed_s=[5, 8, 8.5, 12], operator=[0, 0, 0, 0],
    ), until_s=10)  # fmt: skip
    found = measure(seen, queue, 0, wire=True)
    assert found.figures.__struct_fields__ == ("waiting", "abandonment", "mean_wait_s", "service_level", "occupancy")
    assert (found.figures.waiting, found.figures.abandonment) == (0.4, 0.2)
    assert (found.figures.mean_wait_s, found.figures.service_level) == (0.8, 0.6)
    assert found.figures.occupancy == pytest.approx((4 + 6 + 3.5 + 0.5) / 20)
    assert (found.contacts, found.arrivals_per_s, found.dispatch_s, found.untaken) == (5, 0.5, 0.0, 0)
    assert found.service_s == pytest.approx((4 + 6 + 3.5 + 2.5) / 4)
    assert measure(seen, queue, 8, wire=True).contacts == 1


def columns(**values: list[Any]) -> dict[str, Any]:
    """The values as arrays of their types."""
    types = {"served": np.bool_, "left": np.bool_, "taking": np.int64, "operator": np.int64}
    return {name: np.array(each, types.get(name, np.float64)) for name, each in values.items()}


def test_nobody_came() -> None:
    """A play without contacts has figures, and decides nothing."""
    nobody: dict[str, list[Any]] = {name: [] for name in Observed.__slots__ if name != "until_s"}
    empty = Observed(**columns(**nobody), until_s=10)
    found = measure(empty, QUEUE, 0, wire=True)
    assert (found.contacts, found.poisson_p, found.figures) == (0, None, Figures(0, 0, 0, 0, 0))
    assert compare([found] * 3).verdict == "undecidable"
