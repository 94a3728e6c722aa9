"""What the pictures show: the run over time in bins, and percentile curves; small arrays, made from the record."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from chatreport.evidence import SECOND_NS, Evidence
from chatreport.floor import Floor
from chatreport.generator import spans
from chatreport.grouping import NEVER, Floats, Ints, order_by, running_sum
from chatreport.latency import Samples
from chatreport.rundir import Outcome, Phase, What

BINS: Final = 120
CURVES: Final = ("deliver_in", "deliver_out", "accept", "bot", "assign")
SHORTEST_MS: Final = 0.01  # a logarithmic axis has no place for what is shorter
BEYOND: Final = 10  # a percentile is drawn while at least so many samples exceed it


@dataclass(frozen=True, slots=True)
class Timeline:
    """The run in bins of `step_s` wall seconds; `at_s` are their middles, counted from t0."""

    at_s: Floats
    step_s: float
    end_s: float  # of the main part
    offered: Floats  # dialogs/s that the plan starts
    completed: Floats  # dialogs/s
    open_dialogs: Floats  # at the bin's end, by the customers' scripts
    waiting: Floats  # for an operator, queued or offered, at the bin's end
    busy: Floats  # operators with a dialog, at the bin's end
    online: Floats  # operators, at the bin's end
    delivery_p50_ms: Floats  # NaN where nothing was delivered
    delivery_p99_ms: Floats
    faults_s: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Starts:
    """Dialogs that started beside those that the plan expects, in steps of business time from t0."""

    edges_s: Floats
    planned: Floats
    started: Floats
    by_clock: bool  # t0 is midnight

    @property
    def step_s(self) -> float:
        """How long a step is."""
        return float(self.edges_s[1] - self.edges_s[0])


@dataclass(frozen=True, slots=True)
class Curve:
    """Latency by percentile: `odds` is 1/(1-p)."""

    name: str
    odds: Floats
    ms: Floats


def timeline(evidence: Evidence, floor: Floor, samples: dict[str, Samples]) -> Timeline:
    """The run over time, from the ramp's begin to the drain's end."""
    manifest = evidence.manifest
    t0 = int(manifest.get("t0_ns") or 0)
    begin = t0 - int(float(manifest.get("ramp_s") or 0) * SECOND_NS)
    end = int(manifest.get("end_ns") or floor.horizon)
    stop = max(floor.horizon, end, begin + 1)
    edges = np.linspace(begin, stop, BINS + 1).astype(np.int64)
    step_s = float(edges[1] - edges[0]) / SECOND_NS
    scripts = evidence.ledger.of(What.DIALOG)
    started = scripts.where(scripts["started"] >= 0)
    completed = scripts["done"][scripts["outcome"] == Outcome.COMPLETED]
    over = started["done"] >= 0
    people, times, slots = floor.presence
    delivered = [samples[name] for name in ("deliver_in", "deliver_out")]
    p50, p99 = _by_bin(
        np.concatenate([each.at for each in delivered]), np.concatenate([each.response for each in delivered]), edges
    )
    windows = tuple(
        ((start - t0) / SECOND_NS, (finish - t0) / SECOND_NS)
        for start, finish in zip(*(side.tolist() for side in evidence.fault_windows), strict=True)
        if start < stop
    )
    return Timeline(
        at_s=((edges[:-1] + edges[1:]) / 2 - t0) / SECOND_NS,
        step_s=step_s,
        end_s=(end - t0) / SECOND_NS,
        offered=np.histogram(scripts["intended"], edges)[0] / step_s,
        completed=np.histogram(completed, edges)[0] / step_s,
        open_dialogs=_level(started["started"], started["done"][over], edges),
        waiting=_level(*_waiting(floor), edges),
        busy=_busy(floor, edges),
        online=_present(people, times, slots > 0, edges),
        delivery_p50_ms=p50,
        delivery_p99_ms=p99,
        faults_s=windows,
    )


def starts(evidence: Evidence) -> Starts | None:
    """The main part's starts, by when they were due; None if the manifest has no planned curve.

    Customers who come back are among both: they begin dialogs that would start anyway, and add none. A caller who calls
    again does so in the same dialog.
    """
    manifest = evidence.manifest
    curve = (manifest.get("planned") or {}).get("curve") or {}
    if not curve.get("starts"):
        return None
    planned = np.array(curve["starts"], np.float64)
    edges = float(curve["step_s"]) * np.arange(len(planned) + 1, dtype=np.float64)
    due = evidence.ledger.of(What.DIALOG).is_("phase", Phase.MAIN)["intended"]
    at_s = (due - int(manifest.get("t0_ns") or 0)) / SECOND_NS * float(manifest.get("speed") or 1)
    return Starts(edges, planned, np.histogram(at_s, edges)[0].astype(np.float64), manifest.get("part") == "day")


def _waiting(floor: Floor) -> tuple[Ints, Ints]:
    """From entering the queue, or coming back to it, to the acceptance, else the offer's end, the closing, the end."""
    waits, held = floor.waits, floor.holdings
    accepted, ended = (np.append(times, NEVER)[waits.holding] for times in (held.accepted_at, held.ended_at))
    offered = np.where(accepted >= 0, np.minimum(accepted, ended), ended)
    gone = np.minimum(np.where(waits.holding >= 0, offered, waits.end), floor.horizon)
    return waits.begin, np.maximum(gone, waits.begin)


def _level(begins: Ints, ends: Ints, edges: Ints) -> Floats:
    """How many were going on at the end of each bin."""
    begun = np.searchsorted(np.sort(begins), edges[1:], side="right")
    return (begun - np.searchsorted(np.sort(ends), edges[1:], side="right")).astype(np.float64)


def _busy(floor: Floor, edges: Ints) -> Floats:
    held = floor.holdings
    mine = held.accepted_at >= 0
    over = mine & (held.ended_at < NEVER)
    who = np.concatenate([held.operator[mine], held.operator[over]])
    when = np.concatenate([held.accepted_at[mine], held.ended_at[over]])
    step = np.repeat(np.array([1, -1], np.int64), [int(mine.sum()), int(over.sum())])
    order = order_by(who, when, -step)
    holds = running_sum(who[order], step[order])
    first = (holds == 1) & (step[order] == 1)
    last = (holds == 0) & (step[order] == -1)
    return _level(when[order][first], when[order][last], edges)


def _present(people: Ints, times: Ints, online: np.ndarray[tuple[int], np.dtype[np.bool_]], edges: Ints) -> Floats:
    same = people[1:] == people[:-1]
    was = np.append(False, online[:-1] & same) if len(online) else online
    return _level(times[online & ~was], times[~online & was], edges)


def _by_bin(at: Ints, ms: Floats, edges: Ints) -> tuple[Floats, Floats]:
    """Median and 99th percentile of each bin; NaN where it is empty."""
    p50, p99 = np.full(len(edges) - 1, np.nan), np.full(len(edges) - 1, np.nan)
    order = np.argsort(at, kind="stable")
    bounds = np.searchsorted(at[order], edges)
    for number in range(len(edges) - 1):
        inside = ms[order[bounds[number] : bounds[number + 1]]]
        if len(inside):
            p50[number], p99[number] = np.quantile(inside, [0.5, 0.99], method="inverted_cdf")
    return p50, p99


def curves(evidence: Evidence, samples: dict[str, Samples]) -> list[Curve]:
    """The response times' percentile curves, and the mirror's as their floor; each as far as its samples carry."""
    found = [(name, samples[name].response) for name in CURVES]
    found.append(("mirror", spans(evidence.ledger.of(What.MIRROR))))
    return [_curve(name, times) for name, times in found if len(times) > BEYOND]


def _curve(name: str, times_ms: Floats) -> Curve:
    furthest = len(times_ms) / BEYOND
    odds = np.geomspace(1.0, furthest, 80)
    ms = np.quantile(times_ms, 1 - 1 / odds, method="inverted_cdf")
    return Curve(name, odds, np.maximum(ms, SHORTEST_MS))
