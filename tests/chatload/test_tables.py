"""Figures merged into Locust's tables are the ones that Locust would have from logging every request itself."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

Merge = Callable[[Any, list[dict[str, Any]], float], None]


@pytest.fixture(scope="module")
def locust_stats() -> Any:
    """Locust's statistics, without its patching of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        from locust import stats
    return stats


def a_report(stats: Any, name: str, times_ms: list[float], failures: int) -> dict[str, Any]:
    """What a fleet tells of these steps."""
    return {
        "name": name,
        "method": "APP",
        "n": len(times_ms) + failures,
        "failures": failures,
        "total_ms": sum(times_ms),
        "min_ms": min(times_ms, default=0.0),
        "max_ms": max(times_ms, default=0.0),
        "buckets": {str(ms): n for ms, n in Counter(map(stats.bucket_response_time, times_ms)).items()},
        "errors": {"refused: closed": failures} if failures else {},
    }


@given(st.lists(st.lists(st.floats(0.01, 20_000), max_size=20), min_size=1, max_size=4), st.integers(0, 3))
def test_merging_is_logging(locust_stats: Any, reports: list[list[float]], failures: int) -> None:
    """Counts, histograms, extremes, failures and errors of the row and of the total."""
    from chatload.control.tables import merge

    merged, logged = locust_stats.RequestStats(), locust_stats.RequestStats()
    for times_ms in reports:
        merge(merged, [a_report(locust_stats, "deliver_in", times_ms, failures)], 1000.0)
        for ms in times_ms:
            logged.log_request("APP", "deliver_in", ms, 0)
        for _ in range(failures):
            logged.log_request("APP", "deliver_in", None, 0)
            logged.log_error("APP", "deliver_in", "refused: closed")
    for one, other in zip(rows(merged), rows(logged), strict=True):
        assert one == pytest.approx(other)
    errors = [{key: error.occurrences for key, error in stats.errors.items()} for stats in (merged, logged)]
    assert errors[0] == errors[1]


def rows(stats: Any) -> list[dict[Any, Any]]:
    """The row and the total, as numbers; a report that has no steps in it makes no difference to a row."""
    names = ("requests", "none_requests", "failures")
    times = ("total", "min", "max")
    found = []
    for entry in (stats.get("deliver_in", "APP"), stats.total):
        figures = {name: getattr(entry, f"num_{name}") for name in names}
        figures |= {name: getattr(entry, f"{name}_response_time") or 0 for name in times}
        found.append(figures | dict(entry.response_times))
    return found


def test_requests_count_in_the_second_they_are_reported(locust_stats: Any) -> None:
    """So that Locust's charts move with the run."""
    from chatload.control.tables import merge

    stats = locust_stats.RequestStats()
    merge(stats, [a_report(locust_stats, "accept", [1.0, 2.0], 1)], 1000.5)
    merge(stats, [a_report(locust_stats, "accept", [3.0], 0)], 1001.5)
    assert dict(stats.total.num_reqs_per_sec) == {1000: 3, 1001: 1}
    assert dict(stats.total.num_fail_per_sec) == {1000: 1}
    assert stats.total.last_request_timestamp == 1001.5
