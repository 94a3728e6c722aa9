"""The operators' floor as the desks saw it: who was offered and held what, who was free, who waited."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chatreport.evidence import Evidence
from chatreport.grouping import (
    NEVER,
    Ints,
    Mask,
    begins,
    contains,
    earliest,
    latest,
    lookup,
    order_by,
    position,
    running_max,
    running_sum,
    soonest,
    unique,
)
from chatreport.ledger import OPERATOR
from chatreport.rundir import Kind, Outcome, What


@dataclass(frozen=True, slots=True)
class Holdings:
    """One line per assignment number, in its order; times in ns, -1 is none."""

    assignment: Ints
    operator: Ints
    dialog: Ints
    offered_at: Ints  # when the desk first saw the offer, or asked to accept
    accepted_at: Ints
    accepted_seq: Ints
    ended_at: Ints  # withdrawn, refused, released, closed, or out of sight; NEVER while it lasts

    def __len__(self) -> int:
        return len(self.assignment)


@dataclass(frozen=True, slots=True)
class Waits:
    """One line per stay in the queue: from entering (or coming back) to the next offer, the closing or the end."""

    dialog: Ints
    begin: Ints
    end: Ints
    holding: Ints  # the line of `Holdings` whose offer ended it; -1 if none did
    first: Mask  # whether it is the dialog's first stay


class Floor:
    """The floor of one run."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    # ── offers and holdings ──────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def holdings(self) -> Holdings:
        """Every assignment that a desk saw."""
        ledger = self.evidence.ledger
        rows = ledger.of(What.OFFER, What.ACCEPT)
        rows = rows.where(rows["assignment"] >= 0)
        seen_at = np.where(rows["what"] == What.OFFER, rows["done"], rows["started"])
        order = order_by(rows["assignment"], seen_at)
        rows, seen_at = rows.at(order), seen_at[order]
        first = begins(rows["assignment"])
        assignments, operators, dialogs = (rows[name][first] for name in ("assignment", "who", "dialog"))
        accepts = rows.where((rows["what"] == What.ACCEPT) & (rows["outcome"] == Outcome.OK))
        assigned = self.evidence.operator_entries.is_("kind", Kind.ASSIGNED)
        own = assigned.where(lookup(assignments, operators, assigned["assignment"]) == assigned["who"])
        numbers = np.concatenate([accepts["assignment"], own["assignment"]])
        accepted_at = lookup(*earliest(numbers, np.concatenate([accepts["done"], own["done"]])), assignments)
        accepted_seq = lookup(*earliest(numbers, np.concatenate([accepts["seq"], own["seq"]])), assignments)
        return Holdings(
            assignment=assignments,
            operator=operators,
            dialog=dialogs,
            offered_at=seen_at[first],
            accepted_at=accepted_at,
            accepted_seq=accepted_seq,
            ended_at=self._ends(assignments, operators, dialogs, accepted_at, accepted_seq),
        )

    def _ends(self, assignments: Ints, operators: Ints, dialogs: Ints, accepted_at: Ints, accepted_seq: Ints) -> Ints:
        ledger = self.evidence.ledger
        lapsed = ledger.of(What.WITHDRAWN, What.ACCEPT)
        lapsed = lapsed.where((lapsed["what"] == What.WITHDRAWN) | (lapsed["outcome"] == Outcome.REJECTED))
        withdrawn = lookup(*earliest(lapsed["assignment"], lapsed["done"]), assignments, NEVER)
        held = accepted_at >= 0
        seats = ledger.seat(operators, dialogs)
        shown = self.evidence.operator_entries
        shown = shown.where(np.isin(shown["kind"], [Kind.RELEASED, Kind.CLOSED]))
        ending = soonest(shown["seat"], shown["seq"], seats, accepted_seq + 1)
        seen = np.where(ending >= 0, np.append(shown["done"], NEVER)[ending], NEVER)
        closes = ledger.of(What.CLOSE).is_("outcome", Outcome.OK)
        closing = soonest(closes["seat"], closes["done"], seats, accepted_at)
        asked = np.where(closing >= 0, np.append(closes["done"], NEVER)[closing], NEVER)
        finished = np.minimum(seen, asked)
        unseen = self._audited_end(dialogs, accepted_seq, self._out_of_sight(operators, accepted_at))
        return np.where(held, np.where(finished < NEVER, finished, unseen), withdrawn)

    def _audited_end(self, dialogs: Ints, accepted_seq: Ints, out_of_sight: Ints) -> Ints:
        """When an ownership ended that no desk saw end: out of sight, or by the final history if that was a fault's.

        A desk that comes back after a fault goes on with what it held, so the new connection alone ends nothing.
        """
        rows = self.evidence.history
        rows = rows.where(np.isin(rows["kind"], [Kind.ASSIGNED, Kind.RELEASED, Kind.CLOSED]))
        found = soonest(rows["dialog"], rows["seq"], dialogs, accepted_seq + 1)
        by_history = (found >= 0) & self.evidence.in_fault(out_of_sight, out_of_sight)
        return np.where(by_history, np.append(rows["done"], NEVER)[found], out_of_sight)

    def _out_of_sight(self, operators: Ints, accepted_at: Ints) -> Ints:
        """When a desk that never saw the end logged in again or off: what it holds is known no longer."""
        ledger = self.evidence.ledger
        breaks = ledger.of(What.CONNECT, What.RESUME, What.PRESENCE)
        offline = breaks["reason"] == ledger.number("offline")
        breaks = breaks.where((breaks["what"] != What.PRESENCE) | offline)
        found = soonest(breaks["who"], breaks["done"], operators, accepted_at)
        return np.where(found >= 0, np.append(breaks["done"], NEVER)[found], NEVER)

    # ── presence and free slots ──────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def presence(self) -> tuple[Ints, Ints, Ints]:
        """(operator, time, slots) at every change of presence; 0 slots while away, offline or lost.

        A connection that comes back ends "lost" without a word: the operator is there as before.
        """
        ledger = self.evidence.ledger
        rows = ledger.of(What.PRESENCE, What.RESUME)
        rows = rows.where((rows["done"] >= 0) & (ledger.role(rows["who"]) == OPERATOR))
        rows = rows.at(order_by(rows["who"], rows["done"]))
        resumed = rows["what"] == What.RESUME
        lost = np.append(False, rows["reason"][:-1] == ledger.number("lost")) & ~begins(rows["who"])
        kept = ~resumed | lost
        rows, resumed = rows.where(kept), resumed[kept]
        online = resumed | (rows["reason"] == ledger.number("online"))
        slots = running_max(rows["who"], np.maximum(rows["size"], 0))
        return rows["who"], rows["done"], np.where(online, np.where(resumed, slots, rows["size"]), 0)

    def slots(self, operators: Ints, at: Ints) -> Ints:
        """How many dialogs each operator may hold at a time, by its last log-in up to then; -1 if it was unknown."""
        people, times, slots = self.presence
        online = slots > 0
        row = latest(people[online], times[online], operators, at)
        return np.where(row >= 0, np.append(slots[online], -1)[row], -1)

    def free_changes(self, without: Ints | None = None) -> tuple[Ints, Ints, Ints, Ints]:
        """(operator, time, 1 or -1, holding) whenever an operator becomes free or stops being so, by operator.

        Free is: online with a slot neither offered nor taken. `holding` is the line of `Holdings` whose offer ended
        it, or -1.
        """
        people, times, slots = self.presence
        change = slots - np.where(begins(people), 0, np.append(0, slots[:-1])) if len(slots) else slots
        held = self.holdings
        over = held.ended_at < NEVER
        none = np.full(len(people), -1, np.int64)
        lines = np.arange(len(held), dtype=np.int64)
        who = np.concatenate([people, held.operator, held.operator[over]])
        when = np.concatenate([times, held.offered_at, held.ended_at[over]])
        step = np.concatenate([change, np.full(len(held), -1), np.full(int(over.sum()), 1)])
        line = np.concatenate([none, lines, np.full(int(over.sum()), -1)])
        keep = ~np.isin(who, without) if without is not None else np.ones(len(who), np.bool_)
        who, when, step, line = who[keep], when[keep], step[keep], line[keep]
        order = order_by(who, when)
        who, when, line = who[order], when[order], line[order]
        free = running_sum(who, step[order]) > 0
        was = np.where(begins(who), False, np.append(False, free[:-1])) if len(free) else free
        changed = free != was
        return who[changed], when[changed], np.where(free[changed], 1, -1), line[changed]

    def free_stretches(self, without: Ints | None = None) -> tuple[Ints, Ints]:
        """Begin and end of every time during which somebody was free; NEVER while it lasts."""
        _, when, step, _ = self.free_changes(without)
        order = order_by(when, -step)
        when, free = when[order], np.cumsum(step[order]) > 0
        edge = np.flatnonzero(free != np.append(False, free[:-1])) if len(free) else np.zeros(0, np.int64)
        bounds = when[edge]
        if len(bounds) % 2:
            bounds = np.append(bounds, NEVER)
        return bounds[::2], bounds[1::2]

    # ── the queue ────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def queued(self) -> tuple[Ints, Ints]:
        """(dialog, time) of every entry into the queue: as the customer saw it, else the acknowledged cause."""
        evidence = self.evidence
        seen = evidence.customer_entries.is_("kind", Kind.QUEUED)
        places, times = earliest(seen["spot"], seen["done"])
        entered = unique(np.concatenate([places, evidence.history.is_("kind", Kind.QUEUED)["spot"]]))
        at = lookup(places, times, entered)
        messages = evidence.messages
        stored = np.where(evidence.message_places >= 0, evidence.message_places, messages.acked_place)
        told = (messages.acked_at >= 0) & (stored >= 0)
        ledger = evidence.ledger
        cause = latest(ledger.dialog_of(stored[told]), stored[told], ledger.dialog_of(entered), entered)
        caused_at = np.append(messages.acked_at[told], -1)[cause]
        at = np.where(at >= 0, at, caused_at)
        known = at >= 0
        return ledger.dialog_of(entered[known]), at[known]

    @cached_property
    def closed(self) -> tuple[Ints, Ints]:
        """(dialog, time) of every closing that somebody saw, by dialog."""
        rows = self.evidence.entries.is_("kind", Kind.CLOSED)
        return earliest(rows["dialog"], rows["done"])

    @cached_property
    def horizon(self) -> int:
        """The end of what was recorded: the drain's end, or the last time stamp."""
        drained = int(self.evidence.manifest.get("drained_ns") or -1)
        return drained if drained > 0 else int(self.evidence.entries["done"].max(initial=0))

    @cached_property
    def waits(self) -> Waits:
        """Every stay in the queue.

        Which offer ended which stay follows from the order of assignment numbers, not from the clock: after a stall a
        desk may be told of an offer before another one is told that its own has lapsed.
        """
        held = self.holdings
        order = order_by(held.dialog, held.assignment)
        queue = held.dialog[order]
        follows = np.append(queue[1:] == queue[:-1], False) if len(queue) else np.zeros(0, np.bool_)
        following = np.where(follows, np.append(order[1:], -1), -1)
        begin = self._back_in_queue(follows[np.argsort(order)])[order]
        back = begin < NEVER
        entered, entered_at = earliest(*self.queued)
        at = position(queue, entered)
        dialog = np.concatenate([entered, queue[back]])
        begin = np.concatenate([entered_at, begin[back]])
        holding = np.concatenate([np.where(at >= 0, np.append(order, -1)[at], -1), following[back]])
        offer = np.append(held.offered_at, NEVER)[holding]
        end = np.maximum(np.where(holding >= 0, offer, self._left_queue(dialog)), begin)
        first = np.arange(len(dialog)) < len(entered)
        return Waits(dialog, begin, end, holding, first)

    def _back_in_queue(self, offered_again: Mask) -> Ints:
        """When each holding put its dialog back: it lapsed, or was released; NEVER if it did not."""
        held = self.holdings
        released = self.evidence.entries.is_("kind", Kind.RELEASED)
        told = lookup(*earliest(released["assignment"], released["done"]), held.assignment, NEVER)
        let_go = np.where(told < NEVER, told, np.where(offered_again, held.ended_at, NEVER))
        return np.where(held.accepted_at < 0, held.ended_at, let_go)

    def _left_queue(self, dialogs: Ints) -> Ints:
        """When dialogs that were offered no more left the queue: closed (0 if nobody saw when), or the end."""
        closed = lookup(*self.closed, dialogs, NEVER)
        unseen = (closed == NEVER) & contains(self.closed_in_history, dialogs)
        return np.where(unseen, 0, np.minimum(closed, self.horizon))

    @cached_property
    def closed_in_history(self) -> Ints:
        """The dialogs that the final history shows as closed, sorted."""
        return unique(self.evidence.history.is_("kind", Kind.CLOSED)["dialog"])
