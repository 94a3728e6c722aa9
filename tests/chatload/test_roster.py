"""The roster: at every minute as many are on duty as the shifts say, without those who have a break."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.draws import Draws
from chatload.plan import Plan, Stint, make_plan
from chatload.plan.roster import Roster, moments, post
from chatload.scenario import Part, Scenario, load
from chatload.scenario.people import Team
from chatload.scenario.shifts import DAY_MS, HOUR_MS, Breaks, Shift, Surge
from chatload.scenario.units import shown_clock

SMOKE = load("smoke").scenario
MINUTE = 60_000.0


def scenario_of(**people: object) -> Scenario:
    """The smoke scenario, whose curve is flat, with these operators; the busiest hour is the one from ten o'clock."""
    volume = SMOKE.volume.model_copy(update={"intraday": [1.0] * 10 + [2.0] + [1.0] * 13})
    return SMOKE.model_copy(update={"volume": volume, "operators": SMOKE.operators.model_copy(update=people)})


def shift_of(begin: float, end: float, share: float = 1.0, overtime: str = "0 s") -> Shift:
    """A shift between two minutes of the day."""
    times = {"from": shown_clock(begin * MINUTE), "to": shown_clock(end * MINUTE)}
    return Shift.model_validate(times | {"share": share, "overtime": overtime})


def roster_of(scenario: Scenario, part: Part = "day", seats: int = 24, horizon_ms: float = DAY_MS) -> Roster:
    return Roster(scenario, part, Draws(1), horizon_ms, seats)


@st.composite
def shifts(draw: st.DrawFn) -> tuple[Shift, ...]:
    """Up to three shifts, at night, too, with whole twelfths of the operators."""
    shares = draw(st.sampled_from([(12,), (6, 6), (3, 9), (2, 4, 6), (1, 1, 10)]))
    found = []
    for share in shares:
        begin, lasts = draw(st.integers(0, 1439)), draw(st.integers(60, 1439))
        found.append(shift_of(begin, (begin + lasts) % 1440, share / 12))
    return tuple(found)


@st.composite
def breaks(draw: st.DrawFn) -> Breaks:
    every = draw(st.integers(30, 240))
    return Breaks.model_validate({"every": f"{every} min", "duration": f"{draw(st.integers(5, every // 2))} min"})


MINUTES = [minute * MINUTE + MINUTE / 2 for minute in range(0, 1440, 7)]


def everybody(roster: Roster) -> list[tuple[Stint, ...]]:
    return [roster.stints(seat) for seat in range(1, roster.operators + 1)]


def on_duty(floor: list[tuple[Stint, ...]], at_ms: float) -> int:
    return sum(post(stints, at_ms, busy=False) == "online" for stints in floor)


@settings(max_examples=15, deadline=None)
@given(shifts())
def test_the_shifts_are_staffed_by_their_shares(found: tuple[Shift, ...]) -> None:
    """At every time of the day as many are on duty as the shares of the shifts then."""
    floor = everybody(roster_of(scenario_of(shifts=found)))
    wanted = [24 * sum(shift.share for shift in found if shift.covers(at_ms, at_ms + 1) > 0.5) for at_ms in MINUTES]
    assert [on_duty(floor, at_ms) for at_ms in MINUTES] == pytest.approx(wanted)


def test_teams_that_are_alike_share_the_shifts() -> None:
    """Of eight alike, one at a time in the night; the ninth is another, and has the first shift."""
    day, night = shift_of(0, 720, 0.875), shift_of(720, 1440, 0.125)
    teams = (*[Team()] * 8, Team(departments=("loans",)))
    floor = everybody(roster_of(scenario_of(shifts=(day, night), teams=teams), seats=18))
    at_night = [seat for seat, stints in enumerate(floor, 1) if post(stints, 1000 * MINUTE, busy=False) == "online"]
    assert len(at_night) == 2
    assert not {9, 18} & set(at_night)


@settings(max_examples=15, deadline=None)
@given(shifts(), st.sampled_from([0.25, 0.5]))
def test_who_has_a_day_off_is_never_on_duty(found: tuple[Shift, ...], off: float) -> None:
    """So many of them; the others as their shifts say."""
    working = tuple(shift.model_copy(update={"share": shift.share * (1 - off)}) for shift in found)
    floor = everybody(roster_of(scenario_of(shifts=working, day_off=off), seats=48))
    assert sum(not stints for stints in floor) == 48 * off
    wanted = [48 * sum(shift.share for shift in working if shift.covers(at_ms, at_ms + 1) > 0.5) for at_ms in MINUTES]
    assert [on_duty(floor, at_ms) for at_ms in MINUTES] == pytest.approx(wanted, abs=2)


@settings(max_examples=15, deadline=None)
@given(shifts(), breaks())
def test_breaks_are_no_longer_and_no_more_than_is_said(found: tuple[Shift, ...], pause: Breaks) -> None:
    """Each is as long as said, a shift has no more than fit in, and at any time no more are away than their share.

    Beyond it two of each shift may be, for the turns are of whole people.
    """
    full, paused = (everybody(roster_of(scenario_of(shifts=found, breaks=each))) for each in (None, pause))
    for at_ms in MINUTES:
        on_shift = on_duty(full, at_ms)
        assert on_shift * (1 - pause.share) - 2 * len(found) <= on_duty(paused, at_ms) <= on_shift
    for stints in paused:
        off = [(now.to_ms, then.from_ms) for now, then in pairwise(stints) if now.overtime_ms is None]
        assert [until_ms - from_ms for from_ms, until_ms in off] == pytest.approx([pause.duration] * len(off))
        assert len(off) <= math.ceil(DAY_MS / pause.every) + 2


def test_a_night_shift_crosses_midnight() -> None:
    """It is on duty from t0 on, at midnight, and again in the evening until the run is over."""
    [stints] = {roster_of(scenario_of(shifts=(shift_of(1200, 480, overtime="10 min"),))).stints(n) for n in (1, 2, 24)}
    assert stints == (Stint(-math.inf, 8 * HOUR_MS, 600_000), Stint(20 * HOUR_MS, math.inf, 600_000))


def test_a_second_day_is_like_the_first() -> None:
    """The shift comes again after 24 hours; without shifts nobody ever leaves."""
    shift = shift_of(480, 960)
    second = roster_of(scenario_of(shifts=(shift,)), horizon_ms=2 * DAY_MS).stints(1)
    assert second == (Stint(8 * HOUR_MS, 16 * HOUR_MS, 0), Stint(32 * HOUR_MS, 40 * HOUR_MS, 0))
    assert roster_of(scenario_of(), horizon_ms=2 * DAY_MS).stints(1) == (Stint(-math.inf, math.inf, 0),)


def test_the_peak_part_plays_the_busiest_hour_again_and_again() -> None:
    """Who works through it is there throughout; who comes in the middle of it does so every hour; the night is not."""
    through, half, night = shift_of(480, 960), shift_of(630, 900), shift_of(1200, 480)
    for shift, stints in (
        (through, (Stint(-math.inf, math.inf, 0),)),
        (half, (Stint(0.5 * HOUR_MS, HOUR_MS, 0), Stint(1.5 * HOUR_MS, math.inf, 0))),
        (night, ()),
    ):
        assert roster_of(scenario_of(shifts=(shift,)), "peak", horizon_ms=2 * HOUR_MS).stints(1) == stints


def test_a_team_has_its_share_of_each_shift() -> None:
    """Two teams in turn and two shifts in turn would leave each team with one; it has both, its first few, too."""
    found = (shift_of(0, 720, 0.5), shift_of(720, 30, 0.5))
    roster = roster_of(scenario_of(shifts=found, teams=(Team(), Team(departments=("loans",)))))
    mornings = [post(stints, HOUR_MS, busy=False) for stints in everybody(roster)[:8]]
    assert mornings == ["online", "online", "offline", "offline"] * 2


def test_the_roster_is_the_same_with_more_operators() -> None:
    """And for whoever makes the plan: it depends on scenario, seed and seat."""
    people = {"shifts": (shift_of(0, 720, 0.3), shift_of(720, 1440, 0.7)), "breaks": some_breaks()}
    few, many = (make_plan(scenario_of(**people), 5, "day", 1, 600, 144, 0, seats) for seats in (12, 400))
    assert [few.roster(seat) for seat in range(1, 13)] == [many.roster(seat) for seat in range(1, 13)]
    other = make_plan(scenario_of(**people), 6, "day", 1, 600, 144, 0, 12)
    assert other.roster(1) != few.roster(1)


def some_breaks() -> Breaks:
    return Breaks.model_validate({"every": "2 h", "duration": "15 min"})


STINTS = (Stint(100, 200, None), Stint(220, 300, 50))


@pytest.mark.parametrize(
    "at_ms, busy, where",
    [
        (99, True, "away"), (100, False, "online"), (199, True, "online"), (200, False, "away"), (219, False, "away"),
        (220, False, "online"), (300, False, "offline"), (300, True, "away"), (349, True, "away"),
        (350, True, "offline"),
    ],
)  # fmt: skip
def test_where_an_operator_is(at_ms: float, busy: bool, where: str) -> None:
    """Away before the shift, in a break, and in overtime, which ends with the last dialog, or when it is over."""
    assert post(STINTS, at_ms, busy) == where


def test_when_an_operator_has_to_look_up() -> None:
    """At every begin and end, and when the overtime is over."""
    assert moments((*STINTS, Stint(400, math.inf, 0))) == [100, 200, 220, 300, 350, 400]


SURGE = Surge.model_validate({"after": "2 min", "load": 2.5, "operators": 20, "over": "4 min"})


def surge_plan(load: float = 1, part: Part = "surge", seed: int = 1) -> Plan:
    scenario = scenario_of().model_copy(update={"surge": SURGE})
    return make_plan(scenario, seed, part, load, 60, 10, 2, round(12 * load))


def test_in_a_surge_operators_join_one_by_one() -> None:
    """From `after` on, evenly over `over`, in proportion to how many there are; the others are there throughout."""
    plan = surge_plan()
    always, joined = (Stint(-math.inf, math.inf, 0),), [(2 + each / 2) * MINUTE for each in range(1, 9)]
    assert {plan.roster(seat) for seat in range(1, 13)} == {always}
    assert [plan.roster(seat) for seat in range(13, 21)] == [(Stint(at_ms, math.inf, 0),) for at_ms in joined]
    counts = [plan.staff.hired_by(at_ms) for at_ms in (-1, 0, 2 * MINUTE, 4 * MINUTE, 6 * MINUTE, DAY_MS)]
    assert counts == [12, 12, 12, 16, 20, 20]
    assert (surge_plan(2).staff.hired, surge_plan(part="peak").staff.hired) == (16, 0)


@settings(max_examples=6, deadline=None)
@given(small=st.floats(0.05, 1.5), more=st.floats(0, 1), seed=st.integers(0, 1000))
def test_a_surge_contains_the_peak_and_a_smaller_surge(small: float, more: float, seed: int) -> None:
    """What it adds comes after it has begun; a larger load's surge contains a smaller one's, dialog by dialog."""
    peak, surge, larger = (
        set(surge_plan(*each, seed).dialogs) for each in ((small, "peak"), (small, "surge"), (small + more, "surge"))
    )
    assert peak <= surge <= larger
    assert all(dialog.start_ms >= SURGE.after for dialog in surge - peak)


def test_a_surge_multiplies_the_arrivals() -> None:
    """Two and a half times as many start in the minutes after it has begun, within sampling error."""
    scenario = scenario_of().model_copy(update={"surge": SURGE})
    plan = make_plan(scenario, 1, "surge", 20, 60, 10, 0, 12)
    before = [dialog for dialog in plan.main if dialog.start_ms < SURGE.after]
    after = [dialog for dialog in plan.main if dialog.start_ms >= SURGE.after]
    per_min = scenario.volume.dialogs_per_day * scenario.volume.peak_hour_share / 60 * 20
    assert len(before) == pytest.approx(2 * per_min, abs=5 * math.sqrt(2 * per_min))
    assert len(after) == pytest.approx(8 * 2.5 * per_min, abs=5 * math.sqrt(20 * per_min))
    assert len({dialog.user for dialog in plan.dialogs}) == len(plan.dialogs)
