"""Durations with units and times of day, as scenario files and the command line write them."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer

UNITS_MS: Final = {"ms": 1.0, "s": 1_000.0, "min": 60_000.0, "m": 60_000.0, "h": 3_600_000.0}
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([^\s0-9.]+)\s*")
_CLOCK: Final = re.compile(r"([0-9]{2}):([0-9]{2})")
_SPOKEN: Final = 'write a number and a unit, like "200 ms", "45 s", "12 min" or "1 h"'


def duration_ms(text: object) -> float:
    """Milliseconds of a duration such as "45 s".

    Raises:
        ValueError: no number, no unit, or a unit other than ms, s, min (or m), h.
    """
    if isinstance(text, bool) or not isinstance(text, str):
        raise ValueError(f"a duration without a unit; {_SPOKEN}")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration; {_SPOKEN}")
    if match[2] not in UNITS_MS:
        raise ValueError(f'unknown unit "{match[2]}"; {_SPOKEN}')
    return float(match[1]) * UNITS_MS[match[2]]


def spoken(ms: float) -> str:
    """The duration in its largest whole or short unit, readable by `duration_ms` again."""
    for unit in ("h", "min", "s"):
        amount = ms / UNITS_MS[unit]
        if amount >= 1 and round(amount, 3) == amount:
            return f"{amount:.10g} {unit}"
    return f"{ms:.10g} ms"


def clock_ms(text: object) -> float:
    """Milliseconds since midnight of a time of day such as "08:30"; "24:00" is the midnight that ends the day.

    Raises:
        ValueError: not a time of day.
    """
    match = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else -1
    if not match or int(match[2]) > 59 or not 0 <= minutes <= 24 * 60:
        raise ValueError('not a time of day; write hours and minutes, like "08:30", from "00:00" to "24:00"')
    return minutes * UNITS_MS["min"]


def shown_clock(ms: float) -> str:
    """The time of day, readable by `clock_ms` again."""
    hours, minutes = divmod(round(ms / UNITS_MS["min"]), 60)
    return f"{hours:02}:{minutes:02}"


DurationMs = Annotated[float, BeforeValidator(duration_ms), PlainSerializer(spoken)]
LastingMs = Annotated[DurationMs, Field(gt=0)]
ClockMs = Annotated[float, BeforeValidator(clock_ms), PlainSerializer(shown_clock)]
