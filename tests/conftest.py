"""What tests of several packages share."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how long an example takes is the machine's; the rest stays as it is, also in CI


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium, for Playwright's `executable_path`; scripts/test installs it if it may."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium in CI: scripts/test could not install it (Debian: apt install chromium)")
    if found is None:
        pytest.skip(reason="no Chromium on this machine (Debian, Ubuntu: apt install chromium)")
    return found
