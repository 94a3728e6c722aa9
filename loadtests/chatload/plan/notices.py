"""What the bank writes of its own accord, to whom, and when: decided before anything runs."""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from chatload.accounts import user_of
from chatload.draws import Draws, Purpose
from chatload.plan.arrivals import Rate
from chatload.plan.model import Dialog
from chatload.scenario import Part, Scenario
from chatload.scenario.service import Notice

FIRST: Final = 500_000_000  # who gets one and has no dialog, as indices that no plan has
EACH: Final = 10_000_000  # … of one template


class Letter(msgspec.Struct, frozen=True):
    """A template for one contact, `at_ms` after t0 in business time; `agrees`: the customer says so before it goes.

    `may`: whether they may get it. `index`: of the dialog in which they answer it, or of nobody's.
    """

    index: int
    user: str
    at_ms: float
    notice: Notice
    agrees: bool
    may: bool


def letters(
    scenario: Scenario, draws: Draws, part: Part, load: float, horizon_ms: float, dialogs: Iterable[Dialog]
) -> list[Letter]:
    """All of them, in order; those for the customers of `dialogs` among them."""
    rate, written = Rate(scenario, part, draws), list(dialogs)
    found: list[Letter] = []
    for at, notice in enumerate(scenario.notices):
        share = load * notice.per_day / scenario.volume.dialogs_per_day
        found += _to_strangers(notice, FIRST + at * EACH, draws, rate, share, horizon_ms)
        found += _to_customers(notice, draws, written)
    return sorted(found, key=lambda letter: (letter.at_ms, letter.index))


def _to_strangers(
    notice: Notice, index: int, draws: Draws, rate: Rate, share: float, horizon_ms: float
) -> Iterable[Letter]:
    """To people who have no dialog, in the part's rhythm."""
    expected = 0.0
    while True:
        expected += draws.exponential(1 / share, Purpose.NOTICE_TIME, index)
        at_ms = rate.when(expected)
        if at_ms >= horizon_ms:
            return
        agrees = notice.broadcast and draws.happens(notice.consented, Purpose.CONSENTS, index)
        may = agrees or not notice.broadcast
        yield Letter(index, user_of(index, notice.channel), at_ms, notice, agrees, may)
        index += 1


def _to_customers(notice: Notice, draws: Draws, dialogs: list[Dialog]) -> Iterable[Letter]:
    """To those who answer; whose notice would have gone before t0 have had theirs."""
    for dialog in dialogs:
        if dialog.channel == notice.channel and draws.happens(notice.answered, Purpose.NOTICED, dialog.index):
            lead_ms = draws.exponential(notice.lead, Purpose.NOTICE_LEAD, dialog.index) if notice.lead else 0.0
            at_ms = dialog.start_ms - lead_ms
            if not at_ms < 0 and math.isfinite(at_ms):
                yield Letter(dialog.index, dialog.user, at_ms, notice, notice.broadcast, True)
