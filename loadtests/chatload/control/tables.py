"""The fleet's figures in Locust's own tables, by merging instead of logging one request at a time."""

import time
from typing import Any

from locust.stats import RequestStats, StatsEntry, StatsError


def merge(stats: RequestStats, rows: list[dict[str, Any]], now_s: float | None = None) -> None:
    """Add one report's rows to `stats`: what Locust would hold had it logged every step itself.

    A row has `name`, `method`, `n`, `failures`, `total_ms`, `min_ms`, `max_ms`, `buckets` (milliseconds, rounded as
    Locust rounds, to counts) and `errors` (text to count). Locust's second is the one in which the report arrived.
    Never yields: a reset between two entries would tear them.
    """
    second = time.time() if now_s is None else now_s
    for row in rows:
        delta = _entry(stats, row, second)
        stats.get(row["name"], row["method"]).extend(delta)
        stats.total.extend(delta)
        for text, count in row.get("errors", {}).items():
            _count_error(stats, row, text, count)


def _entry(stats: RequestStats, row: dict[str, Any], second: float) -> StatsEntry:
    entry = StatsEntry(stats, row["name"], row["method"])
    entry.num_requests = row["n"]
    entry.num_none_requests = row["n"] - sum(row["buckets"].values())  # refused or unanswered: they have no time
    entry.num_failures = row["failures"]
    entry.total_response_time = row["total_ms"]
    entry.min_response_time = row["min_ms"] if row["buckets"] else None
    entry.max_response_time = row["max_ms"]
    entry.response_times.update({int(ms): count for ms, count in row["buckets"].items()})
    entry.last_request_timestamp = second
    entry.start_time = second
    if row["n"]:
        entry.num_reqs_per_sec[int(second)] = row["n"]
    if row["failures"]:
        entry.num_fail_per_sec[int(second)] = row["failures"]
    return entry


def _count_error(stats: RequestStats, row: dict[str, Any], text: str, count: int) -> None:
    key = StatsError.create_key(row["method"], row["name"], text)
    known = stats.errors.get(key)
    if known is None:
        known = stats.errors[key] = StatsError(row["method"], row["name"], text)
    known.occurrences += count
