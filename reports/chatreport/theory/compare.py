"""Whether plays of a queue agree with theory; and if not, what that points to.

A play of some minutes draws a little more or less work than it was asked for, which moves the figures far more than
any fault worth finding. So each play is compared with Erlang A at what came: the answer at the rates asked for, and
its slopes times what came beyond them. These differences are zero on average, whatever came, and a t-interval of the
replications' must contain zero. An interval that reaches further than half of theory's own value to either side would
contain zero whatever was measured: it says nothing, and nothing is decided.
"""

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final, Literal

import msgspec
from scipy.special import stdtrit

from chatreport.theory.observed import Figures, Queue, Replication, theory

Word = Literal["agree", "disagree", "undecidable"]

LEVEL: Final = 0.01  # of a false alarm among all figures together
DOUBT: Final = 0.001  # of a false alarm of what is counted over all replications
DISPATCH_WITHIN: Final = 0.01  # of the mean service: more of it, and the queue is another one
OWN_TIME_WITHIN: Final = 0.02  # by which a place is taken longer than the plan says
WIDEST: Final = 0.5  # half of an interval, as a share of theory's value: beyond it agreement says nothing
FEWEST: Final = 3  # replications
FEWEST_CONTACTS: Final = 200  # in each
STEP: Final = 0.01  # for slopes, of the value
ARRIVALS: Final = "arrivals"
PATIENCE: Final = "patience timer"
LEAK: Final = "capacity leak"
DISPATCH: Final = "dispatch delay"

IDENTITY: Final = "identity"
NAMES: Final = {
    "waiting": "P(W>0)",
    "abandonment": "P(Ab)",
    "mean_wait_s": "E[W]",
    "service_level": "service level",
    "occupancy": "occupancy",
    IDENTITY: "P(Ab) − θ·E[W]",
}


class Difference(msgspec.Struct, frozen=True):
    """Measured minus theory, over the replications: mean and interval."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2

    @property
    def agrees(self) -> bool:
        """Whether the interval contains zero."""
        return self.low <= 0 <= self.high


class Comparison(msgspec.Struct, frozen=True):
    """What the replications of one kind say."""

    verdict: Word
    reasons: list[str]
    points_to: str  # one of the four above; "" where nothing is wrong or known
    differences: dict[str, Difference]
    replications: list[Replication]


def compare(replications: Sequence[Replication]) -> Comparison:
    """Judge the replications, which may have been played at several loads.

    "agree": every interval contains zero, and reaches no further than `WIDEST` of theory's value to either side;
    "undecidable": too few or doubtful replications, a dispatch so slow that it is another queue, or an interval wider
    than that. A miss is a miss, however wide the others are.
    """
    differences = {name: _interval(values, replications) for name, values in _differences(replications).items()}
    if few := _too_few(replications):
        return Comparison("undecidable", few, "", differences, list(replications))
    found = [*_contradictions(replications), *_arrivals(replications), *_leak(replications)]
    if not found and (slow := _slow(replications)):
        return Comparison("undecidable", [slow], DISPATCH, differences, list(replications))
    found += [*_patience(differences), *_services(replications)]
    wrong = [_missed(name, each) for name, each in differences.items() if not each.agrees]
    if not found and not wrong:
        if vague := _vague(differences, replications):
            return Comparison("undecidable", vague, "", differences, list(replications))
        return Comparison("agree", [_all_well(differences, replications)], "", differences, list(replications))
    points_to = next((what for what, _ in found if what), "") or _points_to(differences)
    reasons = [*(reason for _, reason in found), *wrong]
    return Comparison("disagree", reasons, points_to, differences, list(replications))


def _differences(replications: Sequence[Replication]) -> dict[str, list[float]]:
    """Measured minus theory by figure, a value a replication."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for each in replications:
        expected = at_what_came(each)
        for name in Figures.__struct_fields__:
            found[name].append(getattr(each.figures, name) - expected[name])
        found[IDENTITY].append(each.figures.identity(each.queue))
    return found


def at_what_came(each: Replication) -> dict[str, float]:
    """Theory's figures for the work that really came, to first order."""
    queue = each.queue
    asked = (queue.arrivals_per_s, queue.service_s)
    base = msgspec.structs.asdict(theory(queue, *asked, each.dispatch_s))
    beyond = (each.arrivals_per_s / asked[0] - 1, each.service_s / asked[1] - 1)
    for moved, more in zip(((1, 0), (0, 1)), beyond, strict=True):
        slope = _slope(queue, moved)
        base = {name: value + more * slope[name] for name, value in base.items()}
    return base


def _slope(queue: Queue, moved: tuple[int, int]) -> dict[str, float]:
    """By how much the figures change for one more of the rate, or of the mean service."""

    def at(step: float) -> dict[str, float]:
        rate, service = (1 + step * each for each in moved)
        return msgspec.structs.asdict(theory(queue, queue.arrivals_per_s * rate, queue.service_s * service, 0.0))

    above, below = at(STEP), at(-STEP)
    return {name: (above[name] - below[name]) / (2 * STEP) for name in above}


def _interval(values: Sequence[float], replications: Sequence[Replication]) -> Difference:
    """The t-interval of the mean, at the level that all figures share; plays of one load tell how far plays differ."""
    n, loads = len(values), {each.queue.load for each in replications}
    mean = sum(values) / max(n, 1)
    if n <= len(loads):
        return Difference(mean, -math.inf, math.inf)
    of_load = [
        [value for value, each in zip(values, replications, strict=True) if each.queue.load == load] for load in loads
    ]
    squares = sum((value - sum(some) / len(some)) ** 2 for some in of_load for value in some)
    free = n - len(loads)
    half = float(stdtrit(free, 1 - LEVEL / len(NAMES) / 2)) * math.sqrt(squares / free / n)
    return Difference(mean, mean - half, mean + half)


def too_wide(differences: dict[str, Difference], replications: Sequence[Replication]) -> dict[str, float]:
    """The intervals that would contain anything: half of each as a share of theory's value, of P(Ab) for the identity.

    Theory's value is its mean over the replications.
    """
    expected = [at_what_came(each) for each in replications]
    found = {}
    for name, each in differences.items() if expected else ():
        told = fmean(some["abandonment" if name == IDENTITY else name] for some in expected)
        if each.half > WIDEST * told:
            found[name] = each.half / told
    return found


def _vague(differences: dict[str, Difference], replications: Sequence[Replication]) -> list[str]:
    return [
        f"the interval of {NAMES[name]} says nothing: half of it is {100 * share:.0f} % of theory's"
        f" {'P(Ab)' if name == IDENTITY else 'value'}, over {100 * WIDEST:.0f} %; more or longer plays narrow it"
        for name, share in too_wide(differences, replications).items()
    ]


def _too_few(replications: Sequence[Replication]) -> list[str]:
    """Why nothing can be decided, whatever the figures."""
    found = [f"{each.name}: {doubt}" for each in replications for doubt in each.doubts]
    if len(replications) < FEWEST:
        found.append(f"{len(replications)} replications are too few, {FEWEST} are needed")
    elif len(replications) <= len({each.queue.load for each in replications}):
        found.append("no load was played twice, so that nothing says how far plays differ")
    thin = [each for each in replications if each.contacts < FEWEST_CONTACTS]
    if thin:
        found.append(f"{thin[0].name}: {thin[0].contacts} contacts are too few, {FEWEST_CONTACTS} are needed")
    return found


def _slow(replications: Sequence[Replication]) -> str:
    """Nothing, unless dispatching takes so long that it is another queue."""
    share = sum(each.dispatch_s / each.queue.service_s for each in replications) / len(replications)
    if share <= DISPATCH_WITHIN:
        return ""
    return (
        f"a free place is given after {100 * share:.1f} % of a mean service, over {100 * DISPATCH_WITHIN:.0f} %:"
        " a dispatch delay, or a busy machine; repeat it on a quieter one"
    )


Found = list[tuple[str, str]]  # what it points to, and what is wrong


def _contradictions(replications: Sequence[Replication]) -> Found:
    return [("", f"{each.name}: {fault}") for each in replications for fault in each.faults]


def _patience(differences: dict[str, Difference]) -> Found:
    if differences[IDENTITY].agrees:
        return []
    return [(PATIENCE, "contacts do not leave at the rate of their patience")]


def _arrivals(replications: Sequence[Replication]) -> Found:
    """Arrivals are Poisson's, and as many as asked for."""
    known = [(each, each.poisson_p) for each in replications if each.poisson_p is not None]
    found = [
        (ARRIVALS, f"{each.name}: arrivals are not random (Lewis, p = {p:.1g})")
        for each, p in known
        if p < DOUBT / len(known)
    ]
    loads = sorted({each.queue.load for each in replications})
    for load in loads:  # by loads, or too few of one would make up for too many of another
        those = [each for each in replications if each.queue.load == load]
        came = sum(each.contacts for each in those)
        asked = sum(each.contacts * each.queue.arrivals_per_s / each.arrivals_per_s for each in those)
        if abs(came - asked) > _deviations(len(loads)) * math.sqrt(asked):
            found.append((ARRIVALS, f"load {load:g}: {came:,} contacts came where {asked:,.0f} were asked for"))
    return found


def _services(replications: Sequence[Replication]) -> Found:
    """A place is taken for as long as the plan says, and a little of the platform's own time."""
    served = [each.contacts * (1 - each.figures.abandonment) for each in replications]
    longer = (each.service_s / each.queue.service_s - 1 for each in replications)
    count = max(sum(served), 1.0)
    share = sum(some * more for some, more in zip(served, longer, strict=True)) / count
    chance = _deviations() / math.sqrt(count)
    if -chance <= share <= chance + OWN_TIME_WITHIN:
        return []
    return [("", f"a place is taken {100 * share:+.1f} % longer than asked for")]


def _leak(replications: Sequence[Replication]) -> Found:
    leaking = [each for each in replications if each.untaken]
    if not leaking:
        return []
    worst = max(leaking, key=lambda each: each.untaken)
    words = (
        f"in {len(leaking)} of {len(replications)} replications places were never taken in the second half though"
        f" contacts waited, up to {worst.untaken} of {worst.queue.places}"
    )
    return [(LEAK, words)]


def _deviations(counts: int = 1) -> float:
    """So many standard deviations away is no chance, by `DOUBT` for all `counts` together."""
    return float(-stdtrit(math.inf, DOUBT / counts / 2))


def _points_to(differences: dict[str, Difference]) -> str:
    """By the figures alone: longer waits with as many who wait, or more who wait than there should be."""
    if differences["waiting"].low > 0:
        return LEAK
    if not differences["waiting"].agrees:
        return ""
    longer = (differences["mean_wait_s"].low, differences["abandonment"].low, -differences["service_level"].high)
    return DISPATCH if max(longer) > 0 else ""


def _missed(name: str, each: Difference) -> str:
    show: Callable[[float], str] = "{:+.4g}".format
    unit = " s" if name.endswith("_s") else ""
    return f"{NAMES[name]} is off by {show(each.mean)}{unit} ({show(each.low)} to {show(each.high)})"


def _all_well(differences: dict[str, Difference], replications: Sequence[Replication]) -> str:
    contacts = sum(each.contacts for each in replications)
    return f"{len(replications)} replications, {contacts:,} contacts: all {len(differences)} intervals contain theory"
