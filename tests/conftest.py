"""What tests of several packages share."""

import os
import shutil
from math import ceil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how long an example takes is the machine's; the rest stays as it is, also in CI


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers, give each as many of the tests marked `slow`, and those first: they mostly wait.

    Each worker begins with an equal part of the list, and steals from others' ends when it has none left.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        slow = [item for item in items if item.get_closest_marker("slow")]
        others = [item for item in items if not item.get_closest_marker("slow")]
        size = ceil(len(others) / workers)
        items[:] = [item for n in range(workers) for item in (*slow[n::workers], *others[n * size : (n + 1) * size])]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium, for Playwright's `executable_path`; scripts/test installs it if it may."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium in CI: scripts/test could not install it (Debian: apt install chromium)")
    if found is None:
        pytest.skip(reason="no Chromium on this machine (Debian, Ubuntu: apt install chromium)")
    return found
