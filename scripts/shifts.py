"""Who is on duty when, beside how many the curve of the day asks for; and shares of the shifts that follow it.

    python -m scripts.shifts SCENARIO

A half hour with an offered load of a places needs a + √a of them (square-root staffing), and somebody in each group of
teams. The shares that are printed come nearest to that with the shifts' times as they are. The table shows what
Erlang A says of each half hour as it is staffed now, breaks counted, as if each lasted for ever.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import nnls

from chatload.draws import Draws
from chatload.plan.roster import Roster
from chatload.scenario import Scenario, load, shape_of
from chatload.scenario.shifts import DAY_MS, HOUR_MS, Shift
from chatreport.erlang import ErlangA

STEP_MS: Final = HOUR_MS / 2
STEPS: Final = round(DAY_MS / STEP_MS)
LOOKS: Final = 30  # moments of a half hour at which it is looked who is there


@dataclass(frozen=True)
class Group:
    """Operators who may take each other's dialogs, and the contacts that come to them."""

    departments: frozenset[str]
    per_day: float
    service_s: float
    patience_s: float
    slots: int

    def per_s(self, scenario: Scenario, step: int) -> float:
        """Contacts a second in this half hour."""
        curve = scenario.volume.intraday
        return self.per_day * curve[step // 2] / sum(curve) * 1000 / HOUR_MS

    def queue(self, per_s: float, operators: int) -> ErlangA:
        """With so many of them there; with nobody, as with one place that is never free in time."""
        service_s = self.service_s if operators else 100 * self.patience_s
        return ErlangA(per_s, service_s, self.patience_s, max(1, operators * self.slots))


@dataclass(frozen=True)
class Staffed:
    """A group in a half hour: how often so many are there, and the queue that each number makes."""

    group: Group
    step: int
    per_s: float
    there: dict[int, float]

    @property
    def on_duty(self) -> float:
        """Operators, on average."""
        return sum(number * share for number, share in self.there.items())

    @property
    def offered(self) -> float:
        """Operators who would be busy if nobody left."""
        return self.per_s * self.group.service_s / self.group.slots

    def mean(self, figure: Callable[[ErlangA], float]) -> float:
        """A figure of the queue, on average."""
        return sum(share * figure(self.group.queue(self.per_s, number)) for number, share in self.there.items())


def groups(scenario: Scenario) -> list[Group]:
    """The groups of teams, and what of the day's contacts is theirs."""
    parts: list[frozenset[str]] = []
    for team in scenario.operators.teams:
        touched = [part for part in parts if part & set(team.departments)]
        parts = [part for part in parts if part not in touched]
        parts.append(frozenset(team.departments).union(*touched))
    return [_calls(scenario, part) or _texts(scenario, part) for part in parts]


def _calls(scenario: Scenario, part: frozenset[str]) -> Group | None:
    phone = scenario.channels.calls()
    if phone is None or phone.department not in part:
        return None
    per_day = scenario.volume.dialogs_per_day * shape_of(scenario).mix["phone"]
    return Group(part, per_day, (scenario.operators.accept + phone.talk) / 1000, phone.patience / 1000, 1)


def _texts(scenario: Scenario, part: frozenset[str]) -> Group:
    shape, per_day, service = shape_of(scenario), 0.0, scenario.bot.service
    for name, channel in scenario.channels.written().items():
        wishes = [channel.department]
        if service is not None and channel.bot and service.topics:
            wishes = list(service.topics.values())
        asked = shape.mix[name] * (1 - scenario.bot.contained * channel.bot)
        per_day += scenario.volume.dialogs_per_day * asked * sum(wish in part for wish in wishes) / len(wishes)
    people = scenario.operators
    return Group(part, per_day, shape.operator_ms / 1000, scenario.patience.queue / 1000, people.slots)


def staffed(scenario: Scenario) -> Iterator[Staffed]:
    """Every group in every half hour, as the roster has it."""
    people = scenario.operators
    roster = Roster(scenario, "day", Draws(scenario.seed), DAY_MS, people.count)
    moments = STEP_MS * (np.arange(STEPS * LOOKS) + 0.5) / LOOKS
    for group in groups(scenario):
        there = np.zeros(len(moments), np.int64)
        for seat in range(1, people.count + 1):
            if group.departments & set(people.team(seat).departments):
                for stint in roster.stints(seat):
                    there += (stint.from_ms <= moments) & (moments < stint.to_ms)
        for step, numbers in enumerate(there.reshape(STEPS, LOOKS).tolist()):
            shares = {number: seen / LOOKS for number, seen in Counter(numbers).items()}
            yield Staffed(group, step, group.per_s(scenario, step), shares)


def of_the_day(found: Sequence[Staffed], figure: Callable[[ErlangA], float]) -> float:
    """A figure of the queues, on average over the day's contacts."""
    return float(np.average([each.mean(figure) for each in found], weights=[each.per_s for each in found]))


def needed(scenario: Scenario) -> list[float]:
    """Operators by half hour, as square-root staffing has it; without those who have a break."""
    found = []
    for step in range(STEPS):
        loads = [(group.per_s(scenario, step) * group.service_s, group.slots) for group in groups(scenario)]
        found.append(sum(max(1.0, (load + math.sqrt(load)) / slots) for load, slots in loads))
    return found


def followed(wanted: Sequence[float], shifts: Sequence[Shift]) -> list[float]:
    """How many each shift has, such that together they come nearest to what is wanted, half hour by half hour."""
    covers = [[shift.covers(step * STEP_MS, (step + 1) * STEP_MS) for shift in shifts] for step in range(STEPS)]
    weight = 1 / np.sqrt(wanted)
    found, _ = nnls(np.array(covers) * weight[:, None], np.array(wanted) * weight)
    return [float(number) for number in found]


def shown(each: Staffed) -> str:
    """A line of the table."""
    hour, minute = divmod(30 * each.step, 60)
    return (
        f"{', '.join(sorted(each.group.departments)):24} {hour:02}:{minute:02}  busy {each.offered:6.1f}"
        f" of {each.on_duty:6.1f} on duty, a wait of {each.mean(lambda queue: queue.mean_wait_s):4.0f} s,"
        f" {100 * each.mean(lambda queue: queue.served_within(20)):3.0f} % within 20 s,"
        f" {100 * each.mean(lambda queue: queue.abandonment):4.1f} % leave"
    )


def main(argv: Sequence[str]) -> int:
    """Print the table, and the shares."""
    parser = argparse.ArgumentParser(prog="scripts/shifts", description=__doc__.splitlines()[0])
    parser.add_argument("scenario")
    scenario = load(parser.parse_args(argv).scenario).scenario
    found = list(staffed(scenario))
    print(*map(shown, found), sep="\n")
    wait_s = of_the_day(found, lambda queue: queue.mean_wait_s)
    level = of_the_day(found, lambda queue: queue.served_within(20))
    left = of_the_day(found, lambda queue: queue.abandonment)
    print(f"the day: a wait of {wait_s:.0f} s, {100 * level:.0f} % within 20 s, {100 * left:.1f} % leave")
    people = scenario.operators
    numbers = followed(needed(scenario), people.shifts)
    for shift, number in zip(people.shifts, numbers, strict=True):
        share = number / sum(numbers) * (1 - people.day_off)
        print(f"{shift.begin / HOUR_MS:g} to {shift.end / HOUR_MS:g} h: share = {share:.3f} # derived: scripts/shifts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
