"""Business hours: weekly windows in a time zone. Pure: the time is passed in, and the zone was read before."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"(\w{3})(?:-(\w{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
DAY_MIN: Final = 24 * 60


class Window(NamedTuple):
    """Open on `weekday` (0 = Monday) from `start` to before `end`, in minutes of the day."""

    weekday: int
    start: int
    end: int


class Hours(NamedTuple):
    """When a department is open, in the wall time of its zone."""

    zone: ZoneInfo
    windows: tuple[Window, ...]

    @classmethod
    def parse(cls, zone: str, windows: tuple[str, ...]) -> Self:
        """Hours in an IANA zone from windows such as `mon-fri 09:00-18:00` or `sat 10:00-24:00`.

        Raises:
            ValueError: an unknown zone, or a window that is none.
        """
        try:
            found = ZoneInfo(zone)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"no time zone is called {zone!r}") from error
        if not windows:
            raise ValueError("at least one window, such as mon-fri 09:00-18:00")
        return cls(found, tuple(sorted(one for text in windows for one in _windows(text))))

    def opens_at(self, now_ms: int) -> int:
        """When it opens next, in wall ms; 0 if it is open at `now_ms`."""
        now = datetime.fromtimestamp(now_ms / 1000, self.zone)
        for ahead in range(-1, 9):  # a week, and a day on both sides for windows that a change of the clock moves
            day = now.date() + timedelta(ahead)
            for window in self.windows:
                if window.weekday == day.weekday():
                    start_ms, end_ms = self._moment_ms(day, window.start), self._moment_ms(day, window.end)
                    if now_ms < end_ms:
                        return start_ms if start_ms > now_ms else 0
        raise AssertionError("every week has a window")

    def shown(self, at_ms: int) -> str:
        """A moment as people of the department read it."""
        return datetime.fromtimestamp(at_ms / 1000, self.zone).strftime("%Y-%m-%d %H:%M")

    def _moment_ms(self, day: date, minute: int) -> int:
        if minute == DAY_MIN:
            return self._moment_ms(day + timedelta(1), 0)
        local = datetime.combine(day, time(*divmod(minute, 60)), self.zone)
        return int(local.astimezone(UTC).timestamp() * 1000)


def _windows(text: str) -> list[Window]:
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        raise ValueError(f"{text!r} is no window such as mon-fri 09:00-18:00")
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    start, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (3, 5))
    if max(int(found[4]), int(found[6])) > 59 or not 0 <= start < end <= DAY_MIN or last < first:
        raise ValueError(f"{text!r} ends before it begins; what crosses midnight, or Sunday, is two windows")
    return [Window(day, start, end) for day in range(first, last + 1)]
