"""What a run against a target that shows nothing says of the generator: its floor and its ceiling."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from chatreport.generator import read_gauges

GAUGES: Final = {"cpu_share": "fleet_cpu", "target_cpu_share": "core_cpu"}
USABLE: Final = 0.5  # of the ceiling: above it the generator's own queues are no longer small


def generator_alone(manifest: Mapping[str, Any]) -> bool:
    """Whether the target shows nothing that a guarantee could be judged by: only the generator was measured."""
    return (manifest.get("target") or {}).get("observes") == [] and not simulated(manifest)


def simulated(manifest: Mapping[str, Any]) -> bool:
    """Whether there was neither a platform nor a generator: a virtual clock drove the plan and the core's rules."""
    return bool(manifest.get("simulated"))


def ceiling(run: Path, manifest: Mapping[str, Any], messages_per_s: float | None) -> dict[str, float | None]:
    """What the main part's load took of the busiest worker's core, and what a whole core would carry at that price.

    `messages_per_s`: acknowledged in the main part, all workers; `cpu_share`, `target_cpu_share`: of a core, means;
    `estimate_messages_per_s` = messages_per_s ÷ cpu_share; `usable_messages_per_s`: half of it, up to which latencies
    are the target's. None where it was not measured.
    """
    shares = {name: _busiest(run, manifest, column) for name, column in GAUGES.items()}
    cpu_share = shares["cpu_share"]
    estimate = messages_per_s / cpu_share if messages_per_s and cpu_share else None
    return {
        "messages_per_s": messages_per_s,
        **shares,
        "estimate_messages_per_s": estimate and round(estimate, 1),
        "usable_messages_per_s": estimate and round(USABLE * estimate, 1),
    }


def _busiest(run: Path, manifest: Mapping[str, Any], column: str) -> float | None:
    gauges = read_gauges(run)
    if gauges is None or column not in gauges.column_names:
        return None
    at = np.array(gauges.column("t_ns").to_pylist(), np.int64)
    main = (at > int(manifest.get("t0_ns") or 0)) & (at <= int(manifest.get("end_ns") or 0))
    workers = np.array(gauges.column("worker").to_pylist())
    values = np.array(gauges.column(column).to_pylist(), np.float64)
    measured = main & (values > 0)
    means = [float(values[measured & (workers == worker)].mean()) for worker in sorted(set(workers[measured]))]
    return round(max(means), 4) if means else None
