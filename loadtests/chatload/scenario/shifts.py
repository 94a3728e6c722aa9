"""When operators are there: shifts by the time of day, breaks, and the staff that join in the middle of it."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from chatload.scenario.tables import Share, Table, Whole
from chatload.scenario.units import UNITS_MS, ClockMs, DurationMs, LastingMs

HOUR_MS: Final = UNITS_MS["h"]
DAY_MS: Final = 24 * HOUR_MS


class Shift(Table):
    """The same hours every day, worked by this `share` of the operators; `to` before `from` is on the next day.

    `overtime`: how long at most they stay after the end to finish the dialogs they have; they get no new ones then.
    """

    begin: Annotated[ClockMs, Field(alias="from")]
    end: Annotated[ClockMs, Field(alias="to")]
    share: Share
    overtime: DurationMs

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.begin == self.end:
            raise ValueError('a shift ends when it begins; a whole day is from "00:00" to "24:00"')
        return self

    @property
    def lasts_ms(self) -> float:
        """From its beginning to its end."""
        return (self.end - self.begin) % DAY_MS or DAY_MS

    def covers(self, from_ms: float, to_ms: float) -> float:
        """The share of this time of day that lies in the shift."""
        found = 0.0
        for begin in (self.begin - DAY_MS, self.begin):
            found += max(0.0, min(to_ms, begin + self.lasts_ms) - max(from_ms, begin))
        return found / (to_ms - from_ms)


class Breaks(Table):
    """What operators take off in a shift: `duration` in `every` such time of it, in turns, so that others stay.

    Who has a break gets no new dialogs and finishes the ones at hand.
    """

    every: LastingMs
    duration: LastingMs

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if self.duration >= self.every:
            raise ValueError("breaks last as long as the time they are taken from")
        return self

    @property
    def share(self) -> float:
        """Of a shift."""
        return self.duration / self.every


class Surge(Table):
    """The part `surge`: the peak part in which, `after` so long, `load` times as many dialogs start.

    Meanwhile staff join, evenly over the time `over`, until there are so many `operators`: the administrator adds them
    to the platform while it runs.
    """

    after: DurationMs
    load: Annotated[float, Field(ge=1, le=100)]
    operators: Whole
    over: DurationMs
