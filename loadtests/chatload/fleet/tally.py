"""What Locust's tables and the live view show: sums of the last second, for display only.

Nothing here is judged; the ledger has every value unrounded. Percentiles are taken by whoever has the histograms of
all workers: those of one worker could not be merged with another's.
"""

import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from chatload.accounts import ACCOUNTS
from chatload.fleet import codes
from chatload.fleet.clock import MS
from chatreport.histogram import Histogram, Sparse

# The ledger's channel codes as Locust's "method".
NAMES: Final = {codes.CHANNELS[channel]: name.upper() for channel, name in ACCOUNTS.items()}
DESK: Final = "DESK"
DELIVERIES: Final = ("deliver_in", "deliver_out")
_STATM: Final = Path("/proc/self/statm")
_PAGE_MB: Final = resource.getpagesize() / 1e6


def bucket_ms(ms: float) -> int:
    """Locust's bucket of a response time: whole ms below 100, then two significant digits."""
    if ms < 100:
        return round(ms)
    return int(round(ms, -1 if ms < 1_000 else -2 if ms < 10_000 else -3))


class Tally:
    """Counts of one worker. `add` and `fail` cost a dictionary look-up; `report` empties what they gathered."""

    def __init__(self) -> None:
        self.open = 0
        self.waiting = 0
        self.messages = 0
        self.unconfirmed = 0
        self.seats = 0
        self.busy = 0
        self.started = 0
        self.planned = 0
        self._times_ns: dict[tuple[str, str], list[int]] = {}
        self._errors: dict[tuple[str, str], Counter[str]] = {}
        self._lags_ns: list[int] = []
        self._cpu_s = time.process_time()
        self._since_s = time.monotonic()

    def add(self, name: str, method: str, elapsed_ns: int) -> None:
        """Something took so long."""
        times = self._times_ns.get((name, method))
        if times is None:
            times = self._times_ns[name, method] = []
        times.append(elapsed_ns)

    def fail(self, name: str, method: str, text: str) -> None:
        """Something was refused, or stayed without an answer."""
        self._errors.setdefault((name, method), Counter())[text] += 1

    def lag(self, late_ns: int) -> None:
        """A step started so long after it was due."""
        self._lags_ns.append(late_ns)

    def report(self) -> tuple[list[dict[str, Any]], dict[str, float], dict[str, Sparse]]:
        """Deltas per (name, method) and histograms ("delivery", "lag") since the last report, and the gauges of now."""
        delivered = [ns for (name, _), times in self._times_ns.items() if name in DELIVERIES for ns in times]
        stats = [self._delta(*key) for key in self._times_ns.keys() | self._errors.keys()]
        histograms = {"delivery": Histogram(delivered).sparse(), "lag": Histogram(self._lags_ns).sparse()}
        self._times_ns.clear()
        self._errors.clear()
        self._lags_ns.clear()
        return stats, self._gauges(), histograms

    def _delta(self, name: str, method: str) -> dict[str, Any]:
        times = [ns / MS for ns in self._times_ns.get((name, method), [])]
        errors = self._errors.get((name, method), Counter())
        return {
            "name": name,
            "method": method,
            "n": len(times) + errors.total(),
            "failures": errors.total(),
            "total_ms": sum(times),
            "min_ms": min(times, default=0.0),
            "max_ms": max(times, default=0.0),
            "buckets": dict(Counter(bucket_ms(ms) for ms in times)),
            "errors": dict(errors),
        }

    def _gauges(self) -> dict[str, float]:
        cpu_s, since_s = time.process_time(), time.monotonic()
        share = (cpu_s - self._cpu_s) / max(since_s - self._since_s, 1e-6)
        self._cpu_s, self._since_s = cpu_s, since_s
        counts = ("open", "waiting", "messages", "unconfirmed", "seats", "busy", "started", "planned")
        return {
            **{name: getattr(self, name) for name in counts},
            "cpu_share": share,
            "rss_mb": resident_mb(),
        }


def resident_mb() -> float:
    """Memory of this process that is in RAM."""
    return int(_STATM.read_bytes().split()[1]) * _PAGE_MB
