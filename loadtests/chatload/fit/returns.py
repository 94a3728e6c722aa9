"""Customers who come back, as far as an export can say: it does not show who was there before it began."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from chatload.fit.export import Row

DAY_S: Final = 86_400.0  # a run plays one day: who comes back later than that counts as somebody new
MINUTE_S: Final = 60.0
_ENOUGH: Final = 1e-7
_ROUNDS: Final = 5_000


class Returns(NamedTuple):
    """The `share` of dialogs begun by who has had one on that channel, `after_s` after it ended, on average.

    `rows`: how many such were seen.
    """

    share: float
    after_s: float
    rows: int


def returns(rows: Sequence[Row]) -> Returns | None:
    """Of dialogs in which people write; None where nobody came back within a day."""
    ended: dict[tuple[str, str], float] = {}
    gaps: list[float] = []
    seen_s: list[float] = []
    first = min(row.started for row in rows)
    for row in sorted((row for row in rows if row.channel != "phone"), key=lambda row: row.started):
        started = (row.started - first).total_seconds()
        gap = started - ended.get((row.contact, row.channel), -np.inf)
        if gap <= DAY_S:
            gaps.append(max(gap, 0.0))
        else:
            seen_s.append(min(started, DAY_S))
        known = ended.get((row.contact, row.channel), started)
        ended[row.contact, row.channel] = max(known, started + (row.closed_s or 0.0))
    return likeliest(gaps, seen_s) if gaps else None


def likeliest(gaps: Sequence[float], seen_s: Sequence[float]) -> Returns:
    """The share and the mean of exponential gaps, by maximum likelihood.

    `gaps`: of those who came back. `seen_s`: of each other dialog, how far back the export can be looked at before it;
    some of these come back, too, after longer than that.
    """
    back, others = np.unique(np.round(np.asarray(seen_s, np.float64) / MINUTE_S) * MINUTE_S, return_counts=True)
    dialogs, seen, total = len(gaps) + len(seen_s), len(gaps), float(np.sum(gaps))
    share, after = seen / dialogs, max(total / seen, 1.0)
    for _ in range(_ROUNDS):
        later = share * np.exp(-back / after)
        hidden = others * later / (1 - share + later) if share < 1 else others
        known = seen + float(hidden.sum())
        mean = min(max((total + float((hidden * (back + after)).sum())) / known, 1.0), DAY_S)
        change = abs(mean - after) / after
        share, after = known / dialogs, mean
        if change < _ENOUGH:
            break
    return Returns(min(share, 1.0), after, seen)
