"""The Erlang formulas: what a queue of known rates does in the long run, exactly.

Contacts arrive at random (Poisson), n places serve one each for exponential times; who finds all taken waits in order
of arrival: for ever (Erlang C), or for an exponential patience (Erlang A, M/M/n+M). Operators with several slots
whose speed does not depend on how many are taken are as many places. Rates are per second, times in seconds; every
argument is positive.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from scipy.special import gammainc

NEGLIGIBLE = 1e-17  # of a sum: a term that no longer changes it


def erlang_b(offered: float, places: int) -> float:
    """The share of contacts that find all places taken where nobody waits; `offered` load in Erlang."""
    blocked = 1.0
    for taken in range(1, places + 1):
        blocked = offered * blocked / (taken + offered * blocked)
    return blocked


@dataclass(frozen=True)
class ErlangC:
    """A queue in which everybody waits; it has a long run only while `load` is below 1."""

    arrivals_per_s: float
    service_s: float  # mean
    places: int

    @property
    def load(self) -> float:
        """Offered work per place: the share of time that a place is taken."""
        return self.arrivals_per_s * self.service_s / self.places

    @cached_property
    def waiting(self) -> float:
        """The share of contacts that find no place free."""
        blocked = erlang_b(self.arrivals_per_s * self.service_s, self.places)
        return blocked / (1 - self.load * (1 - blocked))

    @property
    def mean_wait_s(self) -> float:
        """The mean wait of all contacts."""
        return self.waiting * self.service_s / (self.places * (1 - self.load))

    def service_level(self, within_s: float) -> float:
        """The share of contacts that wait no longer than this."""
        return 1 - self.waiting * math.exp(-self.places * (1 - self.load) * within_s / self.service_s)


@dataclass(frozen=True)
class ErlangA:
    """A queue in which each contact leaves after a patience of its own."""

    arrivals_per_s: float
    service_s: float  # mean
    patience_s: float  # mean
    places: int

    @property
    def load(self) -> float:
        """Offered work per place; it may exceed 1."""
        return self.arrivals_per_s * self.service_s / self.places

    @cached_property
    def waiting(self) -> float:
        """The share of contacts that find no place free."""
        blocked = erlang_b(self.arrivals_per_s * self.service_s, self.places)
        return blocked / (self._all_taken + (1 - self._all_taken) * blocked)

    @property
    def abandonment(self) -> float:
        """The share of contacts that leave without being served."""
        return self.waiting * (self._all_taken / self.load + 1 - 1 / self.load)

    @property
    def mean_wait_s(self) -> float:
        """The mean wait of all contacts, served or not."""
        return self.abandonment * self.patience_s

    @property
    def occupancy(self) -> float:
        """The share of time that a place is taken."""
        return self.load * (1 - self.abandonment)

    def waits_longer(self, than_s: float) -> float:
        """The share of contacts that wait longer than this, whatever becomes of them."""
        return math.exp(-than_s / self.patience_s) * self.waiting * self._virtual_tail(than_s)

    def served_within(self, within_s: float) -> float:
        """The share of all contacts that are served after no longer wait than this: the service level of `kpi`."""
        late = self._virtual_tail(within_s) - math.exp(self._drift(within_s) - _log_a(*self._at_once))
        return 1 - self.waiting + self.waiting / self.load * (1 - self._all_taken - late)

    def abandoned_within(self, within_s: float) -> float:
        """The share of all contacts that leave after no longer wait than this."""
        return 1 - self.waits_longer(within_s) - self.served_within(within_s)

    def service_level_without_short(self, within_s: float) -> float:
        """Served within this time, of all but those who left within it."""
        return self.served_within(within_s) / (1 - self.abandoned_within(within_s))

    def service_level_of_served(self, within_s: float) -> float:
        """Served within this time, of those who were served."""
        return self.served_within(within_s) / (1 - self.abandonment)

    @property
    def _at_once(self) -> tuple[float, float]:
        """(completions, arrivals) in a mean patience with all places taken: the x and y of the literature."""
        return self.places * self.patience_s / self.service_s, self.arrivals_per_s * self.patience_s

    @cached_property
    def _all_taken(self) -> float:
        """Of the time that all places are taken, the share with nobody waiting: 1 / A(x, y)."""
        return math.exp(-_log_a(*self._at_once))

    def _drift(self, wait_s: float) -> float:
        """The logarithm of how the density of virtual waits at `wait_s` compares with that at 0."""
        left = -math.expm1(-wait_s / self.patience_s)
        return self.arrivals_per_s * self.patience_s * left - self.places * wait_s / self.service_s

    def _virtual_tail(self, wait_s: float) -> float:
        """Of contacts that find no place free, how many would wait longer than this if they never left."""
        x, y = self._at_once
        return math.exp(self._drift(wait_s) + _log_a(x, y * math.exp(-wait_s / self.patience_s)) - _log_a(x, y))


def operators_needed(
    arrivals_per_s: float, service_s: float, patience_s: float, slots: int, within_s: float, level: float
) -> int:
    """The fewest operators with so many `slots` each that serve the share `level` of all contacts `within_s`.

    By Erlang A: `service_s` is how long a contact holds a slot on average, `patience_s` how long one waits on average,
    0 < `level` < 1; a slot's speed does not depend on the operator's other contacts. Example: ten contacts a minute of
    six minutes each, patience five minutes, three slots, 80 % within 20 s: operators_needed(1/6, 360, 300, 3, 20, 0.8).
    """

    def suffices(operators: int) -> bool:
        return ErlangA(arrivals_per_s, service_s, patience_s, operators * slots).served_within(within_s) >= level

    enough = 1
    while not suffices(enough):
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        enough, too_few = (middle, too_few) if suffices(middle) else (enough, middle)
    return enough


def _log_a(x: float, y: float) -> float:
    """The logarithm of A(x, y) = 1 + y/(x+1) + y²/((x+1)(x+2)) + … = x · e^y · y^-x · gamma(x, y)."""
    if y > x:  # here the terms grow beyond any float at first, and the integral is no small part of the whole
        return math.log(x) + y - x * math.log(y) + math.lgamma(x) + math.log(gammainc(x, y))
    total = term = 1.0
    while term > NEGLIGIBLE * total:
        x += 1
        term *= y / x
        total += term
    return math.log(total)
