"""What the generator and its machine must keep for a run to count, and what to do when they did not: one table."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from chatreport import isolation
from chatreport.distortion import WARNS_ABOVE
from chatreport.objectives import Judged

OFFERED_AT_LEAST: Final = 0.99
BLUR_SHARE: Final = 0.1
BLUR_AT_LEAST_MS: Final = 2.0
HIGH_CPU: Final = 0.8  # above it a core answers late now and then, whatever runs on it
LITTLE_WITHIN: Final = 0.02  # beyond what the edges of the run explain
STOLEN_AT_MOST: Final = 0.01
WAITING_AT_MOST: Final = 0.1

GENERATE_MORE: Final = "use more workers (--workers N), more machines, or less compression (a lower --speed)"
LESS_COMPRESSION: Final = "use less compression (a lower --speed)"
FEWER_NEIGHBOURS: Final = "stop what else runs here, use more machines, or measure on a quieter one"
REPEAT: Final = "repeat the run"


class Seen(NamedTuple):
    """What the rules look at."""

    generator: Mapping[str, Any]
    manifest: Mapping[str, Any]
    distortion: float | None = None


class Rule(NamedTuple):
    """`broken` says what is wrong, nothing while the rule is kept; `remedy` is what to do then."""

    broken: Callable[[Seen], str]
    remedy: str


def untrusted(seen: Seen) -> list[str]:
    """Why nothing may be claimed of the run."""
    return _said(INVALID, seen)


def warned(seen: Seen) -> list[str]:
    """What does not decide, and should be known."""
    return _said(WARNING, seen)


def blur_limit_ms(objectives: Iterable[Judged]) -> float | None:
    """The lag above which a missed latency proves nothing; None without latency objectives."""
    bounds = [objective.threshold for objective in objectives if objective.latency]
    return max(BLUR_AT_LEAST_MS, BLUR_SHARE * min(bounds)) if bounds else None


def blur(generator: Mapping[str, Any], limit_ms: float) -> str:
    """Why the generator cannot tell a missed latency from its own; empty if it can."""
    for name, label, remedy in BLURRING:
        value = generator[name]
        if value is None:
            return f"the generator's {label} is not known; {REPEAT}"
        if value > limit_ms:
            return (
                f"the generator's {label} p99 is {value:.2f} ms, over {limit_ms:.2f} ms, so the miss may be its own; "
                f"{remedy}"
            )
    return ""


def _said(rules: Iterable[Rule], seen: Seen) -> list[str]:
    return [f"{what}; {rule.remedy}" for rule in rules if (what := rule.broken(seen))]


# What is wrong


def _failed(seen: Seen) -> str:
    return "the run failed before its end" if seen.manifest.get("finished") == "failed" else ""


def _not_offered(seen: Seen) -> str:
    share = seen.generator["offered_share"]
    if share is not None and share >= OFFERED_AT_LEAST:
        return ""
    shown = "nothing" if share is None else f"{100 * share:.1f} %"
    return f"{shown} of the offered load was started, of which {100 * OFFERED_AT_LEAST:.0f} % are needed"


def _unsent(seen: Seen) -> str:
    unsent = seen.generator["unsent"]
    return f"{unsent:,} due steps were never sent" if unsent else ""


def _workers_lost(seen: Seen) -> str:
    lost = seen.generator["conservation"]["workers_lost"]
    return f"the record of {', '.join(lost)} is missing" if lost else ""


def _rows_missing(seen: Seen) -> str:
    missing = seen.generator["conservation"]["rows_missing"]
    return f"{missing:,} rows are missing from the ledger" if missing else ""


def _unbalanced(seen: Seen) -> str:
    books = seen.generator["conservation"]
    if books["balanced"]:
        return ""
    more = "".join(
        f", {books[name]:,} {name.replace('_', ' ')}" for name in ("never_started", "started_twice") if books[name]
    )
    return (
        f"the books do not balance: {books['offered']:,} offered, {books['completed']:,} completed, "
        f"{books['abandoned']:,} abandoned, {books['failed']:,} failed, {books['in_flight']:,} in flight{more}"
    )


def _restless(seen: Seen) -> str:
    clean = (seen.manifest.get("drain") or {}).get("clean", False)
    return "" if clean else "the drain's deadline passed before everything came to rest"


def _bent(seen: Seen) -> str:
    bent = seen.distortion
    if bent is None or bent <= WARNS_ABOVE:
        return ""
    return f"distortion is {100 * bent:.1f} %: the platform's own time is no longer small beside the plan's"


def _busy(seen: Seen) -> str:
    share = seen.generator["cpu_share"]
    return f"the generator used {100 * share:.0f} % of a core" if share is not None and share >= HIGH_CPU else ""


def _stalled(seen: Seen) -> str:
    stalled_s = seen.generator["stalled_s"]
    return f"the generator stalled for {stalled_s:.2f} s in all, by its own mirror" if stalled_s else ""


def _unsteady(seen: Seen) -> str:
    little = seen.generator["little"]
    if little["deviation"] is None or abs(little["deviation"]) <= LITTLE_WITHIN + little["edges"]:
        return ""
    return (
        f"Little's law is off by {100 * little['deviation']:.1f} %, of which the run's edges explain "
        f"{100 * little['edges']:.1f} %: arrivals or durations were not steady"
    )


def _shared(seen: Seen) -> str:
    return "; ".join(isolation.sharing(isolation.of(seen.manifest)))


def _stolen(seen: Seen) -> str:
    share = isolation.of(seen.manifest).get("steal_share") or 0.0
    return f"the host gave {100 * share:.1f} % of our CPUs' time to others" if share > STOLEN_AT_MOST else ""


def _throttled(seen: Seen) -> str:
    times = isolation.of(seen.manifest).get("throttled")
    return f"a CPU quota stopped us, times: {times:,}" if times else ""


def _waited(seen: Seen) -> str:
    found = isolation.waiting(isolation.of(seen.manifest))
    late = [f"{name} {100 * share:.0f} %" for name, share in found.items() if share > WAITING_AT_MOST]
    return f"waited for a CPU, of the time in which there was work: {', '.join(late)}" if late else ""


# The table

INVALID: Final = (
    Rule(_failed, "see the notes and the logs in the run directory, and repeat it"),
    Rule(_not_offered, GENERATE_MORE),
    Rule(_unsent, GENERATE_MORE),
    Rule(_workers_lost, "see its log in the run directory, and repeat the run"),
    Rule(_rows_missing, "look for a full disk, and repeat the run"),
    Rule(_unbalanced, "unless a worker's record is missing, the suite is at fault: report it with this directory"),
    Rule(_restless, "offer less (--load), or, if lag and stalls are the generator's, " + GENERATE_MORE),
)
BLURRING: Final = (
    ("lag_p99_ms", "send lag", GENERATE_MORE),
    ("mirror_p99_ms", "mirror", GENERATE_MORE + ", and fewer neighbours"),
)
WARNING: Final = (
    Rule(_bent, LESS_COMPRESSION),
    Rule(_busy, GENERATE_MORE),
    Rule(_stalled, GENERATE_MORE + ", and fewer neighbours"),
    Rule(_shared, "use a machine with more cores, or drive the load from another one"),
    Rule(_stolen, FEWER_NEIGHBOURS),
    Rule(_throttled, "raise the quota (cpu.max), or use less of it: a lower --load or --speed"),
    Rule(_waited, "stop what else runs here, or give the run more CPUs or machines"),
    Rule(_unsteady, "play longer (--duration), or with a longer --ramp"),
)
