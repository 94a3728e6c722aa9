"""Business hours: when a department is open, and when it opens next, over weekends and changes of the clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.machines.hours import DAYS, Hours

OFFICE = Hours.parse("Asia/Almaty", ("mon-fri 09:00-18:00", "sat 10:00-14:00"))
BERLIN = Hours.parse("Europe/Berlin", ("sun 02:30-04:00", "mon 00:00-24:00", "tue 00:00-01:00"))


def at(text: str, zone: str) -> int:
    """A local time as wall ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    "hours, now, opens",
    [
        (OFFICE, "2026-11-23 09:00", None),
        (OFFICE, "2026-11-23 17:59", None),
        (OFFICE, "2026-11-23 18:00", "2026-11-24 09:00"),
        (OFFICE, "2026-11-23 08:59", "2026-11-23 09:00"),
        (OFFICE, "2026-11-27 20:00", "2026-11-28 10:00"),
        (OFFICE, "2026-11-28 14:00", "2026-11-30 09:00"),
        (OFFICE, "2026-12-31 23:59", "2027-01-01 09:00"),
        (BERLIN, "2026-10-26 23:59", None),
        (BERLIN, "2026-10-27 00:30", None),
        (BERLIN, "2026-10-27 01:00", "2026-11-01 02:30"),
        (BERLIN, "2026-03-29 03:15", "2026-03-29 03:30"),  # 02:30 does not exist that night
    ],
)
def test_when_it_opens(hours: Hours, now: str, opens: str | None) -> None:
    """Open within a window of the department's wall time; else the start of the next one."""
    found = hours.opens_at(at(now, hours.zone.key))
    assert found == (0 if opens is None else at(opens, hours.zone.key))
    assert opens is None or hours.shown(found) == opens


@given(st.integers(1_700_000_000_000, 1_900_000_000_000), st.sampled_from(DAYS), st.integers(0, 23))
def test_it_opens_within_a_week(now_ms: int, day: str, hour: int) -> None:
    """Whatever the window, it is open when it says that it opens, and not a moment before."""
    hours = Hours.parse("America/New_York", (f"{day} {hour:02}:00-{hour + 1:02}:00",))
    opens_ms = hours.opens_at(now_ms)
    if opens_ms:
        assert now_ms < opens_ms <= now_ms + 8 * 86_400_000
        assert (hours.opens_at(opens_ms), hours.opens_at(opens_ms - 1)) == (0, opens_ms)


@pytest.mark.parametrize(
    "window", ["", "mon", "mon 09:00", "mun 09:00-10:00", "mon 10:00-09:00", "fri-mon 09:00-10:00", "mon 09:60-10:00"]
)
def test_what_is_no_window(window: str) -> None:
    """It is refused, and the message shows it."""
    with pytest.raises(ValueError, match=window or "window"):
        Hours.parse("UTC", (window,))
