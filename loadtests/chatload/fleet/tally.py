"""What Locust's tables and the live view show: sums of the last second, for display only.

Nothing here is judged; the ledger has every value unrounded.
"""

import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from chatload.fleet.clock import MS

NAMES: Final = {1: "WEB", 2: "APP", 3: "TG"}  # the ledger's channel codes as Locust's "method"
DESK: Final = "DESK"
_STATM: Final = Path("/proc/self/statm")
_PAGE_MB: Final = resource.getpagesize() / 1e6


def bucket_ms(ms: float) -> int:
    """Locust's bucket of a response time: whole ms below 100, then two significant digits."""
    if ms < 100:
        return round(ms)
    return int(round(ms, -1 if ms < 1_000 else -2 if ms < 10_000 else -3))


def quantile(values: list[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; 0 without values."""
    if not values:
        return 0.0
    values.sort()
    return values[min(len(values) - 1, int(share * len(values)))]


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
        self._times: dict[tuple[str, str], list[float]] = {}
        self._errors: dict[tuple[str, str], Counter[str]] = {}
        self._lags_ms: list[float] = []
        self._cpu_s = time.process_time()
        self._since_s = time.monotonic()

    def add(self, name: str, method: str, elapsed_ns: int) -> None:
        """Something took so long."""
        times = self._times.get((name, method))
        if times is None:
            times = self._times[name, method] = []
        times.append(elapsed_ns / MS)

    def fail(self, name: str, method: str, text: str) -> None:
        """Something was refused, or stayed without an answer."""
        self._errors.setdefault((name, method), Counter())[text] += 1

    def lag(self, late_ns: int) -> None:
        """A step started so long after it was due."""
        self._lags_ms.append(late_ns / MS)

    def report(self) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """Deltas per (name, method) since the last report, and the gauges of now."""
        delivered = [
            ms for (name, _), times in self._times.items() if name in {"deliver_in", "deliver_out"} for ms in times
        ]
        stats = [self._delta(*key) for key in self._times.keys() | self._errors.keys()]
        gauges = self._gauges(quantile(delivered, 0.99), quantile(self._lags_ms, 0.99))
        self._times.clear()
        self._errors.clear()
        self._lags_ms.clear()
        return stats, gauges

    def _delta(self, name: str, method: str) -> dict[str, Any]:
        times = self._times.get((name, method), [])
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

    def _gauges(self, deliver_p99_ms: float, lag_p99_ms: float) -> dict[str, float]:
        cpu_s, since_s = time.process_time(), time.monotonic()
        share = (cpu_s - self._cpu_s) / max(since_s - self._since_s, 1e-6)
        self._cpu_s, self._since_s = cpu_s, since_s
        counts = ("open", "waiting", "messages", "unconfirmed", "seats", "busy", "started", "planned")
        return {
            **{name: getattr(self, name) for name in counts},
            "deliver_p99_ms": deliver_p99_ms,
            "lag_p99_ms": lag_p99_ms,
            "cpu_share": share,
            "rss_mb": resident_mb(),
        }


def resident_mb() -> float:
    """Memory of this process that is in RAM."""
    return int(_STATM.read_bytes().split()[1]) * _PAGE_MB
