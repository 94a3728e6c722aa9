"""A queue played in the plainest way, contact by contact, and ways to play it wrongly."""

from heapq import heapify, heapreplace
from typing import Any

import numpy as np

from chatreport.grouping import Floats
from chatreport.theory.observed import Observed, Queue, Replication, measure

QUEUE = Queue(arrivals_per_s=40 / 180, service_s=180, patience_s=240, operators=10, slots=4, target_s=20)
SPAN_S, WARM_UP_S = 45 * QUEUE.service_s, 7 * QUEUE.service_s


def played(
    queue: Queue, seed: int, span_s: float = SPAN_S, *,
    leaked: int = 0, delay_s: float = 0.0, late_s: float = 0.0, hurry: float = 1.0, metronome: bool = False,
) -> Observed:  # fmt: skip
    """First come, first served. `leaked` places are never given; `delay_s` passes at every dispatch, `late_s` when a
    place was waited for; patience lasts `hurry` times as long as asked; a `metronome` sends the contacts.
    """
    chance = np.random.default_rng(seed)
    until_s = WARM_UP_S + span_s
    came_s = regular(chance, queue, until_s) if metronome else random(chance, queue, until_s)
    service_s = chance.exponential(queue.service_s, len(came_s))
    patience_s = chance.exponential(queue.patience_s * hurry, len(came_s))
    free = [(0.0, place) for place in range(queue.places - leaked)]
    heapify(free)
    waited_s, served = patience_s.copy(), np.zeros(len(came_s), np.bool_)
    takings = []
    for line, (at_s, serves_s, bears_s) in enumerate(zip(came_s, service_s, patience_s, strict=True)):
        free_s, place = free[0]
        wait_s = max(0.0, free_s - at_s) + delay_s + (late_s if free_s > at_s else 0.0)
        if wait_s < bears_s:
            begins_s = at_s + wait_s
            waited_s[line], served[line] = wait_s, True
            takings.append((begins_s, begins_s + serves_s, place // queue.slots))
            heapreplace(free, (begins_s + serves_s, place))
    taken_s, freed_s, operator = (np.array(column) for column in zip(*takings, strict=True))
    taking = np.where(served, np.cumsum(served) - 1, -1)
    return Observed(came_s, came_s, waited_s, served, ~served, taking, taken_s, freed_s, operator, until_s)


def random(chance: np.random.Generator, queue: Queue, until_s: float) -> Floats:
    return np.sort(chance.uniform(0, until_s, chance.poisson(queue.arrivals_per_s * until_s)))


def regular(chance: np.random.Generator, queue: Queue, until_s: float) -> Floats:
    gap_s = 1 / queue.arrivals_per_s
    times: Floats = np.arange(0, until_s, gap_s)
    return times + chance.uniform(0, 0.4 * gap_s, len(times))


def replications(
    count: int = 9,
    first: int = 1,
    loads: tuple[float, ...] = (0.9, 1.0, 1.1),
    *,
    wire: bool = False,
    span_s: float = SPAN_S,
    **wrong: Any,
) -> list[Replication]:
    """So many plays after their warm-up, at the loads in turn."""
    found = []
    for seed in range(first, first + count):
        load = loads[seed % len(loads)]
        queue = Queue(QUEUE.arrivals_per_s * load, *[getattr(QUEUE, name) for name in QUEUE.__struct_fields__[1:]])
        found.append(measure(played(queue, seed, span_s, **wrong), queue, WARM_UP_S, wire=wire))
    return found
