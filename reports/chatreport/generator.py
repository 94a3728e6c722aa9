"""Whether the generator kept its word: on time, all of it, with books that balance, and how fine it can measure."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chatreport.evidence import SECOND_NS, Evidence
from chatreport.grouping import Floats, Ints, earliest, lookup, unique
from chatreport.latency import MS, connection, figures
from chatreport.ledger import Rows
from chatreport.rundir import Outcome, Phase, What

WHOLE_DIALOG: Final = "dialog"  # the reason of an UNSENT row: not a step of it alone
OUTCOMES: Final = {
    "completed": Outcome.COMPLETED,
    "abandoned": Outcome.ABANDONED,
    "failed": Outcome.FAILED,
    "in_flight": Outcome.IN_FLIGHT,
}


def health(evidence: Evidence, run: Path) -> dict[str, Any]:
    """`generator` of the verdict."""
    late = _lag(evidence)
    lag = figures(late)
    mirror = figures(spans(evidence.ledger.of(What.MIRROR)))
    probes = evidence.ledger.of(What.PROBE)
    answered = probes.where((probes["outcome"] == Outcome.OK) & (probes["done"] >= 0))
    return {
        "lag_p50_ms": lag.get("p50"),
        "lag_p99_ms": lag.get("p99"),
        "lag_max_ms": lag.get("max"),
        "late_starts": int((late > 1.0).sum()),
        "mirror_p50_ms": mirror.get("p50"),
        "mirror_p99_ms": mirror.get("p99"),
        "mirror_n": mirror["n"],
        "stalled_s": round(float((evidence.stalls[1] - evidence.stalls[0]).sum()) / SECOND_NS, 3),
        "probe_ms": figures(spans(answered)),
        "probes_unanswered": len(probes) - len(answered),
        **_offered(evidence),
        **_cpu(run, evidence.manifest),
        "little": _little(evidence),
        "conservation": conservation(evidence),
        "clocks": 1 if evidence.clocks is None else len(unique(evidence.clocks[evidence.clocks >= 0])),
    }


def conservation(evidence: Evidence) -> dict[str, Any]:
    """Offered = completed + abandoned + failed + in flight, exactly; and what else must balance.

    Dialogs that were due and never started are offered, too: they are *never started*, and unsent work besides.
    """
    scripts = evidence.ledger.of(What.DIALOG)
    planned = evidence.manifest.get("planned") or {}
    offered = int(planned.get("dialogs", 0)) + int(planned.get("ramp_dialogs", 0))
    ends = {name: int((scripts["outcome"] == outcome).sum()) for name, outcome in OUTCOMES.items()}
    unsent = evidence.ledger.of(What.UNSENT)
    never_started = int((unsent["reason"] == evidence.ledger.number(WHOLE_DIALOG)).sum())
    workers = evidence.manifest.get("workers") or []
    told = sum(int(worker.get("rows", 0)) for worker in workers)
    recorded = len(evidence.ledger)
    twice = len(scripts) - len(unique(scripts["who"]))
    return {
        "offered": offered,
        **ends,
        "never_started": never_started,
        "started_twice": twice,
        "balanced": sum(ends.values()) == len(scripts) == offered - never_started and not twice,
        "workers_lost": evidence.workers_lost,
        "rows_told": told,
        "rows_recorded": recorded,
        "rows_missing": max(told - recorded, 0),
    }


def _lag(evidence: Evidence) -> Floats:
    """Actual minus intended start of everything that had an intended one, in ms.

    Repeats follow their own clock; what was due while its socket was being opened waited for the platform.
    """
    ledger = evidence.ledger
    rows = ledger.of(What.SEND, What.CONNECT, What.PROBE, What.CALL)
    rows = rows.where((rows["intended"] >= 0) & (rows["started"] >= 0) & (rows["attempt"] <= 1))
    logins = ledger.of(What.CONNECT, What.RESUME)
    logged_in = lookup(*earliest(connection(logins), logins["done"]), connection(rows))
    rows = rows.where((rows["what"] == What.CONNECT) | (logged_in <= rows["intended"]))
    late: Floats = np.maximum(rows["started"] - rows["intended"], 0) / MS
    return late


def spans(rows: Rows) -> Floats:
    """What whole rows took from the intended time, or the actual one where there is none, to done; in ms."""
    begin = np.where(rows["intended"] >= 0, rows["intended"], rows["started"])
    whole = (begin >= 0) & (rows["done"] >= 0)
    return (rows["done"] - begin)[whole] / MS


def _offered(evidence: Evidence) -> dict[str, Any]:
    """How much of what the plan offers in the main part was started, and what was due and was not."""
    ledger, manifest = evidence.ledger, evidence.manifest
    scripts = ledger.of(What.DIALOG).is_("phase", Phase.MAIN)
    offered = int((manifest.get("planned") or {}).get("dialogs", 0))
    started = int((scripts["started"] >= 0).sum())
    unsent = max(len(ledger.of(What.UNSENT)), int((manifest.get("drain") or {}).get("unsent") or 0))
    return {
        "dialogs_offered": offered,
        "dialogs_started": started,
        "offered_share": round(started / offered, 6) if offered else None,
        "unsent": unsent,
    }


def _little(evidence: Evidence) -> dict[str, float | None]:
    manifest = evidence.manifest
    begin, end = int(manifest.get("t0_ns") or 0), int(manifest.get("end_ns") or 0)
    scripts = evidence.ledger.of(What.DIALOG)
    scripts = scripts.where(scripts["started"] >= 0)
    until = np.where(scripts["done"] >= 0, scripts["done"], int(manifest.get("drained_ns") or end))
    return littles_law(scripts["started"], until, begin, end)


def littles_law(started: Ints, done: Ints, begin: int, end: int) -> dict[str, float | None]:
    """L = λ·W over a window: dialogs `open` on average, started `per_s`, lasting `mean_s`; L ÷ λW − 1 is `deviation`.

    Over a whole life of the system the law is exact. A window cuts it: dialogs from before add to L alone, and those
    that outlast it add to W what L does not see. Steady Poisson arrivals make each of these two amounts of work vary by
    λE[W³]/3 (Campbell); `edges` is two standard deviations of their difference, as a share of the whole. What goes
    beyond says that the window was not steady.
    """
    mine = (started >= begin) & (started < end)
    if end <= begin or not mine.any():
        return {"open": None, "per_s": None, "mean_s": None, "deviation": None, "edges": None}
    span_s = (end - begin) / SECOND_NS
    lasted_s = (done - started)[mine] / SECOND_NS
    inside_s = float((np.clip(done, begin, end) - np.clip(started, begin, end)).sum()) / SECOND_NS
    whole_s = float(lasted_s.sum())
    edges_s = 2 * float(np.sqrt(2 / 3 * (lasted_s**3).sum() / span_s))
    return {
        "open": round(inside_s / span_s, 3),
        "per_s": round(int(mine.sum()) / span_s, 3),
        "mean_s": round(whole_s / int(mine.sum()), 3),
        "deviation": round(inside_s / whole_s - 1, 4) if whole_s else None,
        "edges": round(edges_s / whole_s, 4) if whole_s else None,
    }


def _cpu(run: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Shares of one core, mean over the main part's samples of the busiest worker; None without a time series."""
    gauges = read_gauges(run)
    shares: dict[str, Any] = {"cpu_share": None, "core_cpu_share": None}
    if gauges is None:
        return shares
    at = np.array(gauges.column("t_ns").to_pylist(), np.int64)
    main = (at >= int(manifest.get("t0_ns") or 0)) & (at <= int(manifest.get("end_ns") or 0))
    workers = np.array(gauges.column("worker").to_pylist())
    for name, column in (("cpu_share", "fleet_cpu"), ("core_cpu_share", "core_cpu")):
        if column not in gauges.column_names:
            continue
        values = np.array(gauges.column(column).to_pylist(), np.float64)
        measured = main & (values > 0)  # 0: nobody measured it
        means = [float(values[measured & (workers == worker)].mean()) for worker in sorted(set(workers[measured]))]
        shares[name] = round(max(means), 4) if means else None
    return shares


def read_gauges(run: Path) -> pa.Table | None:
    """The gauges once a second; None if the run has none that can be read."""
    path = run / "timeseries.parquet"
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError):
        return None
    return table if {"t_ns", "worker"} <= set(table.column_names) else None
