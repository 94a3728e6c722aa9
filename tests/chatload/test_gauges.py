"""Several fleets' reports as one: what may be added is added, and percentiles come last."""

from typing import Any

from chatload.control.gauges import row, together
from chatreport.histogram import Histogram

MS = 1_000_000


def report(opened: int, cpu_share: float, delivered_ms: list[int], lags_ms: list[int]) -> dict[str, Any]:
    """What a fleet says once a second."""
    times = {"delivery": delivered_ms, "lag": lags_ms}
    return {
        "t_ns": 5_000 * MS,
        "gauges": {"open": opened, "waiting": 1, "cpu_share": cpu_share, "rss_mb": 80.0},
        "histograms": {name: Histogram([ms * MS for ms in values]).sparse() for name, values in times.items()},
    }


def test_several_workers_are_one_row_for_the_view() -> None:
    """Counts add up; the p99 is that of all values together, neither the workers' mean nor their maximum."""
    quick, slow = report(10, 0.2, [1] * 10_000, [0]), report(5, 0.4, [500] * 10, [])
    assert together([quick, slow]) == {"open": 15, "waiting": 2, "deliver_p99_ms": 1.003519, "lag_p99_ms": 0.0}


def test_nobody_has_reported_yet() -> None:
    """No report, no count, and percentiles of nothing."""
    assert together([]) == {"deliver_p99_ms": 0.0, "lag_p99_ms": 0.0}


def test_a_workers_row_is_its_own() -> None:
    """The time series keeps each worker apart, with what its process used."""
    assert row(report(5, 0.4, [7, 9], [3]), "w1") == {
        "t_ns": 5_000 * MS, "worker": "w1", "open": 5, "waiting": 1, "fleet_cpu": 0.4, "fleet_rss_mb": 80.0,
        "deliver_p99_ms": 9.0, "lag_p99_ms": 3.0,
    }  # fmt: skip
