"""What customers said of it: ratings, of two or of five."""

from typing import Final

import numpy as np

from chatreport.grouping import Mask
from chatreport.kpi.definition import PERCENT, RAMP, Definition, Figure, Ratio
from chatreport.kpi.handling import OPEN
from chatreport.kpi.sample import Sample

CONTENT_FROM: Final = 4  # of five; of two it is the better one
UNHAPPY_TO: Final = 2  # of five; of two it is the worse one
HANDLED: Final = "closed dialogs that an operator accepted"
GOOD: Final = "ratings of good, or of 4 and 5 where 5 is the best"


def rated(sample: Sample) -> Mask:
    """Which dialogs their customer rated."""
    found: Mask = sample.dialogs.rating > 0
    return found


def good(sample: Sample) -> Mask:
    """Which dialogs were rated well."""
    dialogs = sample.dialogs
    found: Mask = rated(sample) & (dialogs.rating >= np.minimum(dialogs.rating_best, CONTENT_FROM))
    return found


def bad(sample: Sample) -> Mask:
    """Which dialogs were rated badly."""
    dialogs = sample.dialogs
    found: Mask = rated(sample) & ~good(sample) & (dialogs.rating <= UNHAPPY_TO)
    return found


def _response(sample: Sample) -> Ratio:
    handled = (sample.dialogs.accepted_at >= 0) & sample.dialogs.closed
    return Ratio(int((handled & rated(sample)).sum()), int(handled.sum()))


FIGURES: Final[dict[str, Figure]] = {
    "dialogs_rated": Figure(
        Definition("Rated", "dialogs", "dialogs that their customer rated"), lambda s: int(rated(s).sum())
    ),
    "rated_share": Figure(
        Definition("Rated share", PERCENT, f"{HANDLED} and were rated", HANDLED, left_out=OPEN), _response
    ),
    "satisfaction": Figure(
        Definition("Satisfaction", PERCENT, GOOD, "ratings"),
        lambda s: Ratio(int(good(s).sum()), int(rated(s).sum())),
    ),
    "ratings_good_to_bad": Figure(
        Definition("Good ratings to bad", "to 1", GOOD, "ratings of bad, or of 1 and 2 where 5 is the best",
                   left_out=f"{RAMP}; ratings of 3"),
        lambda s: Ratio(int(good(s).sum()), int(bad(s).sum())),
    ),
}  # fmt: skip
