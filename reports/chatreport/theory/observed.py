"""One play of a queue: its contacts, whose places they took, and the figures that theory has an answer for."""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from chatreport.arrivals import poisson_test
from chatreport.erlang import ErlangA
from chatreport.grouping import Floats, Ints, Mask

NOTICED: Final = 0.05  # of a mean service: who waited longer than this found every place taken
WAITERS: Final = 10  # so many of them, and every place must have been taken at some time


class Queue(msgspec.Struct, frozen=True):
    """The queue that is played, in business seconds: M/M/(operators · slots)+M."""

    arrivals_per_s: float
    service_s: float
    patience_s: float
    operators: int
    slots: int
    target_s: float  # of the service level

    @property
    def places(self) -> int:
        """How many contacts are served at once."""
        return self.operators * self.slots

    @property
    def load(self) -> float:
        """Offered work per place."""
        return self.arrivals_per_s * self.service_s / self.places


class Figures(msgspec.Struct, frozen=True):
    """What is compared with theory."""

    waiting: float
    abandonment: float
    mean_wait_s: float
    service_level: float
    occupancy: float

    def identity(self, queue: Queue) -> float:
        """P(Ab) − θ·E[W]: zero on average if patience is exponential, whatever else happens."""
        return self.abandonment - self.mean_wait_s / queue.patience_s


class Replication(msgspec.Struct, frozen=True):
    """One play, after its warm-up."""

    queue: Queue
    contacts: int
    arrivals_per_s: float  # what came
    service_s: float  # how long a place was taken, mean; with the time until the next contact got it
    figures: Figures
    dispatch_s: float  # on the wire, the wait of those who found a place free, median: the platform's own time
    untaken: int  # places that were never taken in the second half, though contacts waited
    poisson_p: float | None
    name: str = ""
    faults: list[str] = []  # what contradicts itself in its record
    doubts: list[str] = []  # why it proves nothing


@dataclass(frozen=True, slots=True)
class Observed:
    """Contacts, a line each, and takings of a place, a line each; business seconds from the start of the play."""

    came_s: Floats  # the customer's first act
    queued_s: Floats
    waited_s: Floats  # until served, or gone
    served: Mask
    left: Mask  # without being served; neither: still waiting at the end of the record
    taking: Ints  # the line of the taking; -1 of those who left
    taken_s: Floats
    freed_s: Floats
    operator: Ints  # of each taking
    until_s: float  # contacts came until then

    def found_full(self, places: int) -> Mask:
        """Who found as many others before them, waiting or served, as there are places."""
        gone_s = np.where(self.served, np.append(self.freed_s, np.inf)[self.taking], self.queued_s + self.waited_s)
        begun = np.searchsorted(np.sort(self.queued_s), self.queued_s, side="left")
        over = np.searchsorted(np.sort(gone_s), self.queued_s, side="right")
        full: Mask = begun - over >= places
        return full


def measure(seen: Observed, queue: Queue, from_s: float, *, wire: bool) -> Replication:
    """The figures of the contacts that entered the queue after `from_s`, the end of the warm-up.

    `wire`: it was played in real time, where giving a free place takes some.
    """
    late = (seen.queued_s >= from_s) & (seen.queued_s < seen.until_s)
    count, span_s = max(int(late.sum()), 1), seen.until_s - from_s
    served, full = late & seen.served, late & seen.found_full(queue.places)
    held = (seen.freed_s - seen.taken_s)[seen.taking[served]]
    at_once = seen.waited_s[served & ~full]
    dispatch_s = float(np.median(at_once)) if wire and len(at_once) else 0.0
    busy_s = np.maximum(np.minimum(seen.freed_s, seen.until_s) - np.maximum(seen.taken_s, from_s), 0).sum()
    return Replication(
        queue=queue,
        contacts=int(late.sum()),
        arrivals_per_s=count / span_s,
        service_s=float(held.mean()) + dispatch_s if len(held) else 0.0,
        figures=Figures(
            waiting=float(full.sum() / count),
            abandonment=float((late & seen.left).sum() / count),
            mean_wait_s=float(seen.waited_s[late].sum() / count),
            service_level=float((served & (seen.waited_s <= queue.target_s)).sum() / count),
            occupancy=float(busy_s / (span_s * queue.places)),
        ),
        dispatch_s=dispatch_s,
        untaken=_untaken(seen, queue, (from_s + seen.until_s) / 2),
        poisson_p=poisson_test(seen.came_s, (from_s, seen.until_s)).p,
    )


def _untaken(seen: Observed, queue: Queue, from_s: float) -> int:
    """How many places nobody had after `from_s`, though contacts waited."""
    waited = (seen.queued_s >= from_s) & (seen.waited_s > NOTICED * queue.service_s)
    if waited.sum() < WAITERS:
        return 0
    had = (_most_at_once(seen, operator, from_s) for operator in range(queue.operators))
    return sum(max(0, queue.slots - most) for most in had)  # one place too many makes up for none that was not taken


def _most_at_once(seen: Observed, operator: int, from_s: float) -> int:
    mine = (seen.operator == operator) & (seen.freed_s > from_s)
    times = np.concatenate([seen.freed_s[mine], seen.taken_s[mine]])
    steps = np.repeat([-1, 1], int(mine.sum()))
    order = np.lexsort((steps, times))
    return int(np.cumsum(steps[order]).max(initial=0))


def theory(queue: Queue, arrivals_per_s: float, service_s: float, dispatch_s: float) -> Figures:
    """What Erlang A says of the queue at this rate and mean service, `dispatch_s` of which is no service."""
    leaving = dispatch_s / queue.patience_s  # of those who are dispatched, who leave meanwhile and bring no work
    exact = ErlangA(arrivals_per_s, service_s * (1 - leaving), queue.patience_s, queue.places)
    served = 1 - exact.abandonment
    return Figures(
        waiting=exact.waiting,
        abandonment=exact.abandonment + served * leaving,
        mean_wait_s=exact.mean_wait_s + served * dispatch_s,
        service_level=exact.served_within(max(queue.target_s - dispatch_s, 0.0)),
        occupancy=exact.occupancy * (1 - dispatch_s / service_s),
    )
