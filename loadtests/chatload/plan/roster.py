"""When each operator is on duty: shifts without breaks, by the clock of the part that is played.

The part's clock begins at t0 and starts anew after each of its cycles: a day from midnight, or the peak hour. Before t0
whoever is on duty at t0 is there, and whoever is on duty at the last start stays for the rest of the run.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, count
from typing import Final, Literal, NamedTuple

from chatload.draws import Draws, Purpose
from chatload.scenario import Part, Scenario
from chatload.scenario.shifts import DAY_MS, HOUR_MS, Shift

GOLDEN: Final = (math.sqrt(5) - 1) / 2  # multiples of it, taken from the first on, fill a circle evenly
ALL_DAY: Final = Shift.model_validate({"from": "00:00", "to": "24:00", "share": 1.0, "overtime": "0 s"})

Post = Literal["online", "away", "offline"]


class Stint(NamedTuple):
    """On duty without interruption, in business time from t0; infinite at an end that the run does not see.

    `overtime_ms`: the shift is over then, and so long at most dialogs at hand are finished; None: a break follows.
    """

    from_ms: float
    to_ms: float
    overtime_ms: float | None


def post(stints: Sequence[Stint], at_ms: float, busy: bool) -> Post:
    """Where an operator of this roster is; `busy`: there is something at hand that they would finish first.

    Away are those who have not begun yet, have a break, or work overtime: they get nothing new. Who has gone home is
    offline, and has nothing any more.
    """
    begun = bisect_right(stints, at_ms, key=lambda stint: stint.from_ms)
    if not begun:
        return "away"
    last = stints[begun - 1]
    if at_ms < last.to_ms:
        return "online"
    if last.overtime_ms is None or (busy and at_ms < last.to_ms + last.overtime_ms):
        return "away"
    return "offline"


def moments(stints: Sequence[Stint]) -> list[float]:
    """When `post` may change by itself, in order."""
    found = {moment for stint in stints for moment in (*stint[:2], stint.to_ms + (stint.overtime_ms or 0.0))}
    return sorted(moment for moment in found if math.isfinite(moment))


class Roster:
    """The stints of all seats of one plan, by number from 1; pure, and the same in every process.

    Seats of a team are dealt out to the shifts so that any first few have the shares of the scenario, and breaks go
    round among those of a team in a shift. Beyond `operators` are the `hired`, who join one by one in the surge.
    """

    def __init__(
        self, scenario: Scenario, part: Part, draws: Draws, horizon_ms: float, operators: int, hired: int = 0
    ) -> None:
        people = scenario.operators
        self.operators, self.hired = operators, hired
        self._breaks, self._surge = people.breaks, scenario.surge
        self._alike = [people.teams.index(team) for team in people.teams]  # by the first team that may take the same
        self._shifts = people.shifts or (ALL_DAY,)
        self._draws, self._horizon_ms = draws, horizon_ms
        self._clock_ms = 0.0 if part == "day" else scenario.volume.peak_hour * HOUR_MS
        self._cycle_ms = DAY_MS if part == "day" else HOUR_MS
        self._dealt: list[tuple[int, int]] = []
        self._shares = [*(shift.share for shift in self._shifts), people.day_off]
        self._given = [0] * len(self._shares)
        self._asked: dict[int, tuple[Stint, ...]] = {}

    def stints(self, seat: int) -> tuple[Stint, ...]:
        """When this seat is on duty, in order; stints do not touch."""
        found: list[Stint] = []
        joins_ms = self.joins_ms(seat)
        for stint in self._played(seat):
            if stint.from_ms >= self._horizon_ms:
                break
            if found and found[-1].to_ms == stint.from_ms:
                found[-1] = stint._replace(from_ms=found[-1].from_ms)
            elif stint.to_ms > joins_ms:
                found.append(stint._replace(from_ms=max(stint.from_ms, joins_ms)))
        if found and found[0].from_ms <= 0 and joins_ms < 0:
            found[0] = found[0]._replace(from_ms=-math.inf)
        if found and found[-1].to_ms >= self._horizon_ms:
            found[-1] = found[-1]._replace(to_ms=math.inf)
        return tuple(found)

    def is_there(self, seat: int, at_ms: float) -> bool:
        """Whether this seat's operator is on duty then, and has no break."""
        stints = self._asked.get(seat)
        if stints is None:
            stints = self._asked[seat] = self.stints(seat)
        return post(stints, at_ms, busy=False) == "online"

    def joins_ms(self, seat: int) -> float:
        """When this seat's operator is hired; before everything, unless they join in the surge."""
        if self._surge is None or not self.hired or seat <= self.operators:
            return -math.inf
        return self._surge.after + self._surge.over * min(1.0, (seat - self.operators) / self.hired)

    def hired_by(self, at_ms: float) -> int:
        """How many operators there are by then: seats 1 up to this number."""
        if self._surge is None or at_ms < self._surge.after:
            return self.operators
        share = (at_ms - self._surge.after) / self._surge.over if self._surge.over else 1.0
        return self.operators + int(min(1.0, share) * self.hired)

    def staffed_again_ms(self, at_ms: float) -> float:
        """The first moment from then on at which somebody is on duty; infinite if nobody comes."""
        levels = self._levels
        number = bisect_right(levels, at_ms, key=lambda level: level[0]) - 1
        while number < len(levels) and not levels[number][1]:
            number += 1
        return max(at_ms, levels[number][0]) if number < len(levels) else math.inf

    def on_duty(self) -> tuple[int, int]:
        """The fewest and the most that are on duty at a time, of those that there are at first."""
        during = [level for level in self._levels if level[0] < self._horizon_ms]
        first = max(number for number, level in enumerate(during) if level[0] <= 0)
        counts = [there for _, there in during[first:]]
        return min(counts), max(counts)

    @cached_property
    def _levels(self) -> list[tuple[float, int]]:
        """From when on how many are on duty, of those that there are at first."""
        changes = Counter({-math.inf: 0})
        alike = self.operators if self._shares == [1.0, 0.0] and self._breaks is None else 1
        for seat in range(1, self.operators + 1, max(1, alike)):
            for stint in self.stints(seat):
                changes[stint.from_ms] += alike
                changes[stint.to_ms] -= alike
        moments_ms = sorted(changes)
        return list(zip(moments_ms, accumulate(changes[at_ms] for at_ms in moments_ms), strict=True))

    def _played(self, seat: int) -> Iterator[Stint]:
        """The stints of the run, cycle by cycle, those that cross from one to the next in two."""
        begin_ms, end_ms = self._clock_ms, self._clock_ms + self._cycle_ms
        cycle = [
            Stint(max(from_ms, begin_ms) - begin_ms, min(to_ms, end_ms) - begin_ms, overtime_ms)
            for from_ms, to_ms, overtime_ms in self._on_clock(seat, end_ms)
            if from_ms < end_ms and to_ms > begin_ms
        ]
        for number in range(math.ceil(self._horizon_ms / self._cycle_ms)):
            add_ms = number * self._cycle_ms
            yield from (Stint(from_ms + add_ms, to_ms + add_ms, over_ms) for from_ms, to_ms, over_ms in cycle)

    def _on_clock(self, seat: int, until_ms: float) -> Iterator[Stint]:
        """By the time of day, from the shift that began the day before."""
        team, place = self._place(seat)
        number, rank = self._deal(place)
        if number == len(self._shifts):
            return  # a day off
        shift, off_ms = self._shifts[number], self._first_break_ms(team, number, rank)
        for day in count(-1):
            begin_ms = day * DAY_MS + shift.begin
            if begin_ms >= until_ms:
                return
            yield from self._worked(begin_ms, begin_ms + shift.lasts_ms, begin_ms + off_ms, shift.overtime)

    def _worked(self, begin_ms: float, end_ms: float, off_ms: float, overtime_ms: float) -> Iterator[Stint]:
        """One shift whose first break begins at `off_ms`; a break that would reach its end is not taken."""
        if self._breaks is not None:
            while off_ms + self._breaks.duration < end_ms:
                yield Stint(begin_ms, off_ms, None)
                begin_ms = off_ms + self._breaks.duration
                off_ms += self._breaks.every
        yield Stint(begin_ms, end_ms, overtime_ms)

    def _first_break_ms(self, team: int, shift: int, rank: int) -> float:
        """From the shift's beginning: the others' by turns, from one that is drawn."""
        if self._breaks is None:
            return 0.0
        return (rank * GOLDEN + self._draws.uniform(Purpose.BREAK, team, shift)) % 1 * self._breaks.every

    def _place(self, seat: int) -> tuple[int, int]:
        """The seat's team, which teams that are alike are together, and how many seats before it are of that team."""
        rounds, at = divmod(seat - 1, len(self._alike))
        team = self._alike[at]
        return team, rounds * self._alike.count(team) + self._alike[:at].count(team)

    def _deal(self, place: int) -> tuple[int, int]:
        """The shift of a team's seat number `place`, past the last for a day off, and how many have it before."""
        while len(self._dealt) <= place:
            wanted = [share * (len(self._dealt) + 1) for share in self._shares]
            number = max(range(len(wanted)), key=lambda each: wanted[each] - self._given[each])
            self._dealt.append((number, self._given[number]))
            self._given[number] += 1
        return self._dealt[place]
