"""What the fleets report once a second, put together: counts are added, and so are histograms, before a percentile."""

from collections.abc import Iterable
from typing import Any, Final

from chatload.control.link import Message
from chatreport.histogram import Histogram

MS: Final = 1e6
PERCENTILES: Final = {"delivery": "deliver_p99_ms", "lag": "lag_p99_ms"}  # of a report's histograms
OF_A_PROCESS: Final = {"cpu_share": "fleet_cpu", "rss_mb": "fleet_rss_mb"}


def row(report: Message, worker: str) -> dict[str, Any]:
    """A worker's row of `timeseries.parquet`; the percentiles are of that worker's last second alone."""
    gauges = {OF_A_PROCESS.get(name, name): value for name, value in report["gauges"].items()}
    return {**gauges, **_percentiles([report]), "t_ns": report["t_ns"], "worker": worker}


def together(reports: Iterable[Message]) -> dict[str, float]:
    """The live view's gauges from the last report of every worker."""
    reports = list(reports)
    counts: dict[str, float] = {}
    for report in reports:
        for name, value in report["gauges"].items():
            if name not in OF_A_PROCESS:
                counts[name] = counts.get(name, 0) + value
    return counts | _percentiles(reports)


def _percentiles(reports: list[Message]) -> dict[str, float]:
    merged = {
        name: sum((Histogram.from_sparse(report["histograms"][name]) for report in reports), Histogram())
        for name in PERCENTILES
    }
    return {PERCENTILES[name]: histogram.percentile_ns(0.99) / MS for name, histogram in merged.items()}
