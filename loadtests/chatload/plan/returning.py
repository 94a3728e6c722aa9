"""Customers who come back: which dialog is begun by whom of an earlier one."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Final

from chatload.draws import Draws, Purpose
from chatload.plan.arrivals import Rate, whole_layer
from chatload.plan.dialogs import Dialogs
from chatload.scenario import Channel, Scenario

LOOKED_AT: Final = 500  # earlier dialogs among which one is sought that the customer may have had


def returning(
    scenario: Scenario,
    details: Dialogs,
    draws: Draws,
    rate: Rate,
    layers: Iterable[tuple[int, float, float]],
    horizon_ms: float,
) -> dict[int, int]:
    """By the index of each dialog whose customer comes back: the index of that customer's first dialog.

    It follows on a dialog of the same channel and layer that is over by then, and each is followed by one at most. That
    is decided over whole layers in the order of starts, and a dialog follows only on one that every load keeps that
    keeps itself: so neither a larger load nor a longer run changes who anybody is. When dialogs
    start is decided before, and stays: with customers who come back, starts are the same Poisson process as without.
    """
    asked = scenario.returning
    if asked is None:
        return {}
    found: dict[int, int] = {}
    for layer, _, from_ms in layers:
        came = _Layer(details, draws, asked.after, scenario.dialog.duration, scenario.authentication is not None)
        for index, start_ms in whole_layer(draws, rate, layer, from_ms, horizon_ms):
            channel = details.channel(index)
            if channel == "phone":
                continue
            if draws.happens(asked.share, Purpose.RETURNS, index):
                before = came.before(index, start_ms, channel)
                if before is not None:
                    found[index] = found.get(before, before)
            came.add(index, start_ms, channel)
    return found


class _Layer:
    """The dialogs of one layer up to a moment, and which of them have been followed on."""

    def __init__(self, details: Dialogs, draws: Draws, after_ms: float, lasts_ms: float, authentication: bool) -> None:
        self._details = details
        self._draws = draws
        self._after_ms = after_ms
        self._lasts_ms = lasts_ms
        self._authentication = authentication
        self._dialogs: defaultdict[Channel, list[tuple[float, int]]] = defaultdict(list)
        self._followed: set[int] = set()

    def add(self, index: int, start_ms: float, channel: Channel) -> None:
        """The next to start."""
        self._dialogs[channel].append((start_ms, index))

    def before(self, index: int, start_ms: float, channel: Channel) -> int | None:
        """The dialog on which this one follows; None if there is none.

        Who shows who they are does so once: such a dialog follows on none, and none follows on it.
        """
        if self._authentication and self._details.whole(index, start_ms).proof is not None:
            return None
        dialogs = self._dialogs[channel]
        gap_ms = self._draws.exponential(self._after_ms, Purpose.RETURN_TIME, index)
        until = bisect_right(dialogs, (start_ms - gap_ms - self._lasts_ms, index))
        kept = self._draws.uniform(Purpose.KEPT, index)
        for began_ms, earlier in islice(reversed(dialogs[:until]), LOOKED_AT):
            if earlier in self._followed or self._draws.uniform(Purpose.KEPT, earlier) > kept:
                continue
            before = self._details.whole(earlier, began_ms)
            if before.proof is None and self._details.over_ms(before) < start_ms:
                self._followed.add(earlier)
                return earlier
        return None
