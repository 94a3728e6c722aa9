"""Whether the generator kept its word: on time, all of it, with books that balance, and how fine it can measure."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chatreport.evidence import SECOND_NS, Evidence
from chatreport.grouping import Floats, earliest, lookup, unique
from chatreport.latency import MS, connection, figures
from chatreport.ledger import Rows
from chatreport.rundir import Outcome, Phase, What

HIGH_CPU: Final = 0.8
OUTCOMES: Final = {
    "completed": Outcome.COMPLETED,
    "abandoned": Outcome.ABANDONED,
    "failed": Outcome.FAILED,
    "in_flight": Outcome.IN_FLIGHT,
}


def health(evidence: Evidence, run: Path) -> dict[str, Any]:
    """`generator` of the verdict."""
    lag = figures(_lag(evidence))
    mirror = figures(spans(evidence.ledger.of(What.MIRROR)))
    probes = evidence.ledger.of(What.PROBE)
    answered = probes.where((probes["outcome"] == Outcome.OK) & (probes["done"] >= 0))
    return {
        "lag_p50_ms": lag.get("p50"),
        "lag_p99_ms": lag.get("p99"),
        "lag_max_ms": lag.get("max"),
        "late_starts": int((_lag(evidence) > 1.0).sum()),
        "mirror_p50_ms": mirror.get("p50"),
        "mirror_p99_ms": mirror.get("p99"),
        "mirror_n": mirror["n"],
        "stalled_s": round(float((evidence.stalls[1] - evidence.stalls[0]).sum()) / SECOND_NS, 3),
        "probe_ms": figures(spans(answered)),
        "probes_unanswered": len(probes) - len(answered),
        **_offered(evidence),
        **_cpu(run),
        "conservation": conservation(evidence),
        "clocks": 1 if evidence.clocks is None else len(unique(evidence.clocks[evidence.clocks >= 0])),
    }


def conservation(evidence: Evidence) -> dict[str, Any]:
    """Offered = completed + abandoned + failed + in flight, exactly; and what else must balance."""
    scripts = evidence.ledger.of(What.DIALOG)
    planned = evidence.manifest.get("planned") or {}
    offered = int(planned.get("dialogs", 0)) + int(planned.get("ramp_dialogs", 0))
    ends = {name: int((scripts["outcome"] == outcome).sum()) for name, outcome in OUTCOMES.items()}
    workers = evidence.manifest.get("workers") or []
    told = sum(int(worker.get("rows", 0)) for worker in workers)
    recorded = len(evidence.ledger)
    return {
        "offered": offered,
        **ends,
        "started_twice": len(scripts) - len(unique(scripts["who"])),
        "balanced": sum(ends.values()) == offered == len(scripts),
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
    rows = ledger.of(What.SEND, What.CONNECT, What.PROBE)
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


def _cpu(run: Path) -> dict[str, Any]:
    """Shares of one core, mean over the samples of the busiest worker; None without a time series."""
    gauges = read_gauges(run)
    shares: dict[str, Any] = {"cpu_share": None, "core_cpu_share": None}
    for name, column in (("cpu_share", "fleet_cpu"), ("core_cpu_share", "core_cpu")):
        if gauges is None or column not in gauges.column_names:
            continue
        workers = gauges.column("worker").to_pylist()
        values = np.array(gauges.column(column).to_pylist(), np.float64)
        values[values <= 0] = np.nan  # nobody measured it
        means = [
            float(np.nanmean(mine))
            for worker in sorted(set(workers))
            for mine in [values[[each == worker for each in workers]]]
            if not np.isnan(mine).all()
        ]
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
