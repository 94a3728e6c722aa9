"""Operators' time, cut at every change: who held how many dialogs, had how many slots, and was on shift."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chatreport.floor import Floor
from chatreport.grouping import Ints, Mask, begins, order_by, running_sum
from chatreport.ledger import OPERATOR
from chatreport.rundir import What
from chatreport.tables import Table

Windows = tuple[tuple[int, int], ...]  # begin and end of each, ns


@dataclass(frozen=True, slots=True)
class Owned(Table):
    """Ownerships; times in ns, `ended_at` is NEVER while it lasts."""

    dialog: Ints
    operator: Ints
    accepted_at: Ints
    ended_at: Ints
    slots: Ints  # that it takes
    first: Mask  # of its dialog


@dataclass(frozen=True, slots=True)
class Changes(Table):
    """What changes for an operator at a time, ns: slots offered, and whether they are on shift."""

    operator: Ints
    at: Ints
    offered: Ints
    on_shift: Ints


@dataclass(frozen=True, slots=True)
class Pieces(Table):
    """Stretches of an operator's time in which nothing changes; times in ns."""

    begin: Ints
    end: Ints
    held: Ints  # dialogs
    taken: Ints  # slots
    offered: Ints  # slots
    on_shift: Ints


class Desks:
    """The time of operators in some windows with some ownerships."""

    def __init__(self, owned: Owned, changes: Changes, windows: Windows) -> None:
        self.owned = owned
        self._changes = changes
        self.windows = windows

    def during(self, windows: Windows) -> "Desks":
        """The same ownerships in other windows."""
        found = Desks(self.owned, self._changes, windows)
        found.__dict__["pieces"] = self.pieces
        return found

    def holding(self, owned: Owned) -> "Desks":
        """The same windows with other ownerships."""
        return Desks(owned, self._changes, self.windows)

    @cached_property
    def pieces(self) -> Pieces:
        """The stretches, whatever the windows are; an operator's last one goes on to the end of the last window."""
        owned, changes = self.owned, self._changes
        none, one = np.zeros(len(changes), np.int64), np.ones(len(owned), np.int64)
        who = np.concatenate([changes.operator, owned.operator, owned.operator])
        when = np.concatenate([changes.at, owned.accepted_at, owned.ended_at])
        order = order_by(who, when)
        who, when = who[order], when[order]

        def level(change: Ints, at_begin: Ints) -> Ints:
            return running_sum(who, np.concatenate([change, at_begin, -at_begin])[order])

        last = np.append(who[1:] != who[:-1], True)[: len(who)]
        forever = max((end for _, end in self.windows), default=0)
        return Pieces(
            begin=when,
            end=np.where(last, np.maximum(when, forever), np.append(when[1:], 0)[: len(when)]),
            held=level(none, one),
            taken=level(none, owned.slots),
            offered=level(changes.offered, 0 * one),
            on_shift=level(changes.on_shift, 0 * one),
        )

    @cached_property
    def _durations(self) -> Ints:
        """How much of each piece lies in the windows, ns."""
        pieces = self.pieces
        found = np.zeros(len(pieces), np.int64)
        for begin, end in self.windows:
            found += np.clip(pieces.end, begin, end) - np.clip(pieces.begin, begin, end)
        return found

    def spent(self, amount: Ints | Mask) -> float:
        """Time × an amount of each piece, in the windows, ns."""
        return float((self._durations * amount).sum())

    @property
    def taken_up(self) -> int:
        """How many dialogs got their first operator in the windows."""
        first = self.owned.accepted_at[self.owned.first]
        return sum(int(((first >= begin) & (first < end)).sum()) for begin, end in self.windows)


def desks_of(floor: Floor, windows: Windows) -> Desks:
    """The whole floor in these windows."""
    held = floor.holdings
    mine = np.flatnonzero(held.accepted_at >= 0)
    order = mine[order_by(held.dialog[mine], held.accepted_at[mine])]
    owned = Owned(
        dialog=held.dialog[order],
        operator=held.operator[order],
        accepted_at=held.accepted_at[order],
        ended_at=np.maximum(held.ended_at, held.accepted_at)[order],
        slots=floor.taken(held.accepted_at)[order],
        first=begins(held.dialog[order]),
    )
    return Desks(owned, _changes(floor), windows)


def _changes(floor: Floor) -> Changes:
    """By the desks' presence: slots while online, and shifts, from coming online to going offline with their breaks."""
    people, times, slots = floor.presence
    offered = slots - np.where(begins(people), 0, np.append(0, slots[:-1])) if len(slots) else slots
    ledger = floor.evidence.ledger
    rows = ledger.of(What.PRESENCE)
    rows = rows.where((rows["done"] >= 0) & (ledger.role(rows["who"]) == OPERATOR))
    comes, goes = (rows["reason"] == ledger.number(state) for state in ("online", "offline"))
    rows, comes = rows.where(comes | goes), comes[comes | goes]
    order = order_by(rows["who"], rows["done"])
    who, at, here = rows["who"][order], rows["done"][order], comes[order].astype(np.int64)
    on_shift = here - np.where(begins(who), 0, np.append(0, here[:-1])) if len(here) else here
    return Changes(
        operator=np.concatenate([people, who]),
        at=np.concatenate([times, at]),
        offered=np.concatenate([offered, 0 * at]),
        on_shift=np.concatenate([0 * times, on_shift]),
    )
