"""Calls by phone: what the exchange told of each, and what the final history says of it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from chatreport.grouping import Ints, dense, earliest, lookup
from chatreport.ledger import Ledger, Rows
from chatreport.rundir import Kind, Outcome, What

RANK: Final = {"ringing": 1, "answered": 2, "abandoned": 3, "finished": 3, "unreached": 3}
"""What is told of a call comes in any order; only what goes beyond what is known counts."""
ORDERS: Final = ("connecting", "dialling")
CALLERS: Final = ("ringing", "abandoned")
"""What the customer does before somebody answers."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The exchange's rows in the order of recording, and the entries that name a call by place, with numbers of calls.

    Ranks are those of `RANK`, 0 of an order.
    """

    told: Rows
    told_call: Ints
    told_rank: Ints
    told_place: Ints  # of the call's first entry; -1 without one
    told_dialog: Ints
    entries: Rows
    entry_call: Ints
    entry_rank: Ints

    @property
    def taken(self) -> tuple[Ints, Ints]:
        """(dialog, time) of every event that the platform said it has taken."""
        taken = (self.told["outcome"] == Outcome.OK) & (self.told_dialog >= 0)
        return self.told_dialog[taken], self.told["done"][taken]


def calls_of(ledger: Ledger, history: Rows) -> Calls:
    """The calls of a run."""
    told = ledger.of(What.CALL)
    entries = history.is_("kind", Kind.CALL)
    entries = entries.where(entries["provider_id"] >= 0)
    both = (np.concatenate([told[name], entries[name]]) for name in ("contact", "provider_id"))
    call = dense(*both)
    told_call, entry_call = call[: len(told)], call[len(told) :]
    place = lookup(*earliest(entry_call, entries["spot"]), told_call)
    return Calls(
        told=told,
        told_call=told_call,
        told_rank=_ranks(ledger, told),
        told_place=place,
        told_dialog=ledger.dialog_of(place),
        entries=entries,
        entry_call=entry_call,
        entry_rank=_ranks(ledger, entries),
    )


def _ranks(ledger: Ledger, rows: Rows) -> Ints:
    ranks, states = np.zeros(len(rows), np.int64), rows["reason"]
    for state, rank in RANK.items():
        ranks[states == ledger.number(state)] = rank
    return ranks
