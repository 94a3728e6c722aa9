"""What a key figure is: a definition in words, and one way to compute it over any sample of the run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from chatreport.grouping import Floats
from chatreport.kpi.sample import Sample

MAIN: Final = "dialogs that the plan starts between t0 and the end"
RAMP: Final = "the ramp's dialogs"
FLOOR: Final = "operators' time between t0 and the end"
PERCENT: Final = "%"


class Definition(msgspec.Struct, frozen=True):
    """What a figure says."""

    label: str
    unit: str
    numerator: str
    denominator: str = ""
    window: str = MAIN
    left_out: str = RAMP


@dataclass(frozen=True, slots=True)
class Ratio:
    """So much of something to so much of something else."""

    part: float
    whole: float


Amount = int | Ratio | Floats  # how many, a ratio, or the times whose mean is the figure


class Figure(NamedTuple):
    """A key figure; `compute` gives its amount in a sample."""

    definition: Definition
    compute: Callable[[Sample], Amount]

    def value(self, amount: Amount) -> float | None:
        """The figure as one number; None if its denominator is zero."""
        if isinstance(amount, int):
            return float(amount)
        if isinstance(amount, Ratio):
            scale = 100.0 if self.definition.unit == PERCENT else 1.0
            return scale * amount.part / amount.whole if amount.whole else None
        return float(amount.mean()) if len(amount) else None
