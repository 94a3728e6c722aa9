"""Durations with units, as scenario files and the command line write them."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

UNITS_MS: Final = {"ms": 1.0, "s": 1_000.0, "min": 60_000.0, "m": 60_000.0, "h": 3_600_000.0}
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([^\s0-9.]+)\s*")
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


DurationMs = Annotated[float, BeforeValidator(duration_ms), PlainSerializer(spoken)]
