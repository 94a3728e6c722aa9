"""Objectives: "deliver_in p99 < 200 ms {channel=telegram}", "service_level_20s >= 80 %", "messages_acked >= 40000"."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal

import msgspec

from chatreport.errors import BadObjective
from chatreport.kpi import FIGURES, named
from chatreport.latency import OPERATIONS, STATS
from chatreport.rundir import Channel

Outcome = Literal["met", "missed", "inconclusive"]

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
LATENCY_STATS: Final = (*STATS, "mean", "max")
COUNTS: Final = (
    "dialogs", "operators", "messages_attempted", "messages_acked", "messages_rejected", "messages_indeterminate",
    "messages_lost", "messages_duplicated", "messages_reordered", "messages_phantom", "messages_recovered",
    "messages_repeated", "repeats_shown", "gaps", "wire_repeats", "wire_repeats_excused",
)  # fmt: skip
HEALTH: Final = {
    "lag_p99_ms": "ms", "mirror_p99_ms": "ms", "cpu_share": "", "offered_share": "", "unsent": "", "distortion": "",
}  # fmt: skip
CHANNELS: Final = (*(channel.name.lower() for channel in Channel if channel), "desk")
TIMINGS: Final = ("response", "service")
FILTERS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "latency": {"channel": CHANNELS, "timing": TIMINGS},
    "figure": {"channel": CHANNELS[:-1], "department": ()},
    "other": {},
}
_FORM: Final = re.compile(
    r"\s*(?P<metric>\w+)(?:\s+(?P<stat>[a-z]\w*))?\s*(?P<compare><=|>=|<|>)\s*(?P<number>-?[\d_]*\.?\d+(?:e-?\d+)?)"
    r"\s*(?P<unit>ms|s|%)?\s*(?:\{(?P<filters>[^}]*)\})?\s*"
)


class Objective(msgspec.Struct, frozen=True):
    """What must hold: a metric's value against a threshold, both in `unit`."""

    text: str
    metric: str
    stat: str
    compare: str
    threshold: float
    unit: str
    filters: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """What a later objective must equal to replace this one."""
        return self.metric, self.stat, self.filters

    @property
    def is_latency(self) -> bool:
        """Whether it bounds a time that the generator's own lag would blur."""
        return self.metric in OPERATIONS


class Judged(msgspec.Struct, frozen=True):
    """An objective and what the run has for it."""

    objective: str
    metric: str
    stat: str
    filters: dict[str, str]
    status: Outcome
    value: float | None
    threshold: float
    unit: str
    why: str = ""
    latency: bool = False


def parse(text: str) -> Objective:
    """An objective from its text.

    Raises:
        BadObjective: its form, metric, statistic, unit or filter is none that there is; names the nearest.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise BadObjective(text, "not of the form METRIC [STAT] < NUMBER [UNIT] [{filter=value}]")
    metric, stat, unit = form["metric"], form["stat"] or "", form["unit"] or ""
    native = _native_unit(text, metric, stat)
    threshold = _threshold(text, float(form["number"].replace("_", "")), unit, native)
    filters = _filters(text, form["filters"] or "", metric)
    return Objective(text.strip(), metric, stat, form["compare"], threshold, native, filters)


def parse_all(texts: Iterable[str]) -> list[Objective]:
    """The objectives that hold in the end: a later one replaces an earlier one of the same metric, stat and filters."""
    return list({objective.key: objective for objective in map(parse, texts)}.values())


def _native_unit(text: str, metric: str, stat: str) -> str:
    if metric in OPERATIONS:
        if stat not in LATENCY_STATS:
            what = f'"{stat}" is no statistic of {metric}' if stat else f"{metric} needs a statistic"
            raise BadObjective(text, f"{what} ({', '.join(LATENCY_STATS)})")
        return "ms"
    figure = named(metric)
    if figure is None and metric not in COUNTS and metric not in HEALTH:
        near = get_close_matches(metric, [*OPERATIONS, *FIGURES, *COUNTS, *HEALTH], 1, 0.4)
        hint = f'; did you mean "{near[0]}"' if near else ""
        raise BadObjective(text, f'there is no metric "{metric}"{hint}')
    if stat:
        raise BadObjective(text, f'{metric} is one number and has no statistic "{stat}"')
    if figure is not None:
        unit = figure.definition.unit
        return unit if unit in ("s", "%") else ""
    return HEALTH.get(metric, "")


def _threshold(text: str, number: float, unit: str, native: str) -> float:
    factors = {("ms", "ms"): 1.0, ("s", "ms"): 1e3, ("s", "s"): 1.0, ("ms", "s"): 1e-3, ("%", "%"): 1.0, ("", ""): 1.0}
    factors |= {("%", ""): 0.01}
    if (unit, native) not in factors:
        wanted = f'in "{native}"' if native else "without a unit"
        raise BadObjective(text, f"the threshold must be given {wanted}" + (f', not in "{unit}"' if unit else ""))
    return number * factors[unit, native]


def _filters(text: str, inside: str, metric: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in inside.split(","))):
        name, _, value = (each.strip() for each in part.partition("="))
        known = _values_of(text, name, metric)
        if known and value not in known:
            near = get_close_matches(value, known, 1, 0.0)
            raise BadObjective(text, f'there is no {name} "{value}"; did you mean "{near[0]}"')
        found[name] = value
    if named(metric) is not None and len(found) > 1:
        raise BadObjective(text, "a key figure is told by channel or by department, not by both")
    return tuple(sorted(found.items()))


def _values_of(text: str, name: str, metric: str) -> tuple[str, ...]:
    """What a filter of a metric may ask for; nothing for what only the run knows."""
    allowed = FILTERS["latency" if metric in OPERATIONS else "figure" if named(metric) is not None else "other"]
    if name not in allowed:
        kinds = "latencies have channel and timing, key figures channel or department"
        raise BadObjective(text, f'"{name}" is no filter of {metric}; {kinds}')
    return allowed[name]


def judge(objective: Objective, verdict: Mapping[str, Any]) -> Judged:
    """Whether a run meets an objective; without data, or with too little for its percentile, it is inconclusive."""
    value, why = _value(objective, verdict)
    status: Outcome = "inconclusive"
    if value is not None and not why:
        status = "met" if COMPARISONS[objective.compare](value, objective.threshold) else "missed"
    return Judged(
        objective.text, objective.metric, objective.stat, dict(objective.filters), status, value,
        objective.threshold, objective.unit, why, objective.is_latency,
    )  # fmt: skip


def _value(objective: Objective, verdict: Mapping[str, Any]) -> tuple[float | None, str]:
    metric = objective.metric
    if objective.is_latency:
        return _latency(objective, verdict["latency_ms"].get(metric))
    if named(metric) is not None:
        return _figure(objective, verdict)
    if metric == "distortion":
        value = verdict["distortion"]["share"]
    elif metric in HEALTH:
        value = verdict["generator"].get(metric)
    else:
        value = verdict["counts"].get(metric)
    return value, "" if value is not None else "no data"


def _figure(objective: Objective, verdict: Mapping[str, Any]) -> tuple[float | None, str]:
    figure = verdict["kpi"].get(objective.metric, {})
    value = figure.get("value")
    for kind, part in objective.filters:
        value = verdict["kpi_by"].get(kind, {}).get(part, {}).get(objective.metric)
    return value, figure.get("withheld") or ("" if value is not None else "no data")


def _latency(objective: Objective, found: dict[str, Any] | None) -> tuple[float | None, str]:
    filters = dict(objective.filters)
    if found and "channel" in filters:
        found = found["channels"].get(filters["channel"])
    if found and filters.get("timing") == "service":
        found = found["service"]
    if not found or not found["n"]:
        return None, "no data"
    value, n = float(found[objective.stat]), int(found["n"])
    needed = round(1 / (1 - STATS[objective.stat])) if objective.stat in STATS else 1
    return value, "" if n >= needed else f"{n} samples are too few for {objective.stat}, which needs {needed}"
