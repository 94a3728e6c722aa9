"""The operators' floor as the desks saw it: who was offered and held what, who was free, who waited."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chatreport.evidence import SECOND_NS, Evidence
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
from chatreport.staff import ALL_SLOTS, Staff, Wish, takes, weight_of, wishes

SLOW = "bot_slow"  # why a dialog entered the queue: the bank's bot had not answered in time


@dataclass(frozen=True, slots=True)
class Holdings:
    """One line per assignment number, in its order; times in ns, -1 is none."""

    assignment: Ints
    operator: Ints
    dialog: Ints
    offered_at: Ints  # when the desk first saw the offer, or asked to accept
    accepted_at: Ints
    accepted_seq: Ints
    weight: Ints  # slots it takes, 0 = all
    asked: tuple[Ints, Ints, Ints]  # department, skill and language, -1 = any, or not known
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
    after: Ints  # the line of `Holdings` that put it back; -1 of the dialog's first stay


@dataclass(frozen=True, slots=True)
class Transfers:
    """For each line of `Holdings`, whether and whom its dialog was sent on to; texts by their numbers, -1 = none."""

    sent_on: Mask
    operator: Ints
    department: Ints
    skill: Ints
    line: Ints  # the line of the dialog's latest ownership up to then; -1 if there was none


class Floor:
    """The floor of one run."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.staff = Staff(evidence.ledger)

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
            **self._asked(assignments),
            ended_at=self._ends(assignments, operators, dialogs, accepted_at, accepted_seq),
        )

    def _asked(self, assignments: Ints) -> dict[str, Any]:
        """What was asked of the operator with each assignment; by the offer, which every desk was shown before."""
        offers = self.evidence.ledger.of(What.OFFER)
        offers = offers.where(offers["assignment"] >= 0)
        offers = offers.at(order_by(offers["assignment"]))
        row = position(offers["assignment"], assignments)
        names = (np.append(offers[name], -1)[row] for name in ("reason", "rule", "author"))
        return {"weight": np.append(weight_of(offers), 1)[row], "asked": tuple(names)}

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

    def taken(self, at: Ints) -> Ints:
        """How many slots each holding takes, by what its operator had at these times."""
        held = self.holdings
        if (held.weight == 1).all():
            return held.weight
        return takes(held.weight, self.slots(held.operator, at))

    def free_changes(self, people: Ints | None = None, weight: int = 1) -> tuple[Ints, Ints, Ints, Ints]:
        """(operator, time, 1 or -1, holding) whenever one of `people` becomes free or stops being so, by operator.

        Free is: online with slots for a dialog of this weight neither offered nor taken. `holding` is the line of
        `Holdings` whose offer ended it, or -1.
        """
        among = people
        people, times, slots = self.presence
        change = slots - np.where(begins(people), 0, np.append(0, slots[:-1])) if len(slots) else slots
        held = self.holdings
        over = held.ended_at < NEVER
        none = np.full(len(people), -1, np.int64)
        lines = np.arange(len(held), dtype=np.int64)
        who = np.concatenate([people, held.operator, held.operator[over]])
        when = np.concatenate([times, held.offered_at, held.ended_at[over]])
        taken = self.taken(held.offered_at)
        step = np.concatenate([change, -taken, taken[over]])
        line = np.concatenate([none, lines, np.full(int(over.sum()), -1)])
        there = np.concatenate([change, np.zeros(len(who) - len(change), np.int64)])
        if among is not None:
            keep = np.isin(who, among)
            who, when, step, line, there = who[keep], when[keep], step[keep], line[keep], there[keep]
        order = order_by(who, when)
        who, when, line = who[order], when[order], line[order]
        free = running_sum(who, step[order]) > 0
        if weight != 1:
            slots = running_sum(who, there[order])
            free &= running_sum(who, step[order]) >= takes(np.full(len(who), weight), slots)
        was = np.where(begins(who), False, np.append(False, free[:-1])) if len(free) else free
        changed = free != was
        return who[changed], when[changed], np.where(free[changed], 1, -1), line[changed]

    def free_stretches(self, people: Ints | None = None, weight: int = 1) -> tuple[Ints, Ints]:
        """Begin and end of every time during which one of `people` was free; NEVER while it lasts."""
        _, when, step, _ = self.free_changes(people, weight)
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
        """(dialog, time) of every entry into the queue: as the customer saw it, else the acknowledged cause or call.

        Whom the bank's bot did not answer entered when the platform's patience with it was over.
        """
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
        at = np.where((at >= 0) | (caused_at < 0), at, caused_at + self.patience_with_bot(entered))
        at = np.where(at >= 0, at, lookup(*earliest(*evidence.calls.taken), ledger.dialog_of(entered)))
        known = at >= 0
        return ledger.dialog_of(entered[known]), at[known]

    @cached_property
    def _slow_bots(self) -> Ints:
        """The places of entries into the queue because the bank's bot had not answered, sorted."""
        rows = self.evidence.history.is_("kind", Kind.QUEUED)
        return unique(rows["spot"][rows["sender"] == self.evidence.ledger.number(SLOW)])

    def patience_with_bot(self, entered: Ints) -> Ints:
        """How long the bank's bot had been waited for before each of these entries into the queue, ns; mostly not."""
        patience_ns = int(SECOND_NS * float(self.evidence.manifest.get("bot_timeout_s") or 0))
        return np.where(contains(self._slow_bots, entered), patience_ns, 0)

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
        after = np.concatenate([np.full(len(entered), -1, np.int64), order[back]])
        offer = np.append(held.offered_at, NEVER)[holding]
        end = np.maximum(np.where(holding >= 0, offer, self._left_queue(dialog)), begin)
        return Waits(dialog, begin, end, holding, after)

    def wishes(self, lines: Ints) -> tuple[Ints, list[Wish]]:
        """What the dialogs of these stays asked for: the number of each one's wish, and the wishes.

        The offer that ended the stay says it; without one, the ownership or the queue entry before. Who was sent on to
        an operator waits for nobody else, as far as is judged: for how long, no frame says.
        """
        waits, held, moved = self.waits, self.holdings, self.transfers
        offer, after = waits.holding[lines], waits.after[lines]
        known = np.where(offer >= 0, offer, after)
        asked = [np.append(column, -1)[known] for column in held.asked]
        weight = np.append(held.weight, -1)[known]
        sent_on = (offer < 0) & (after >= 0) & np.append(moved.sent_on, False)[after]
        department = np.append(moved.department, -1)[after]
        asked[0] = np.where(sent_on & (department >= 0), department, asked[0])
        asked[1] = np.where(sent_on, np.append(moved.skill, -1)[after], asked[1])
        first = known < 0
        queued = self.evidence.history.is_("kind", Kind.QUEUED) if first.any() else self.evidence.history.at(lines[:0])
        row = position(queued["dialog"], waits.dialog[lines])
        for column, name in zip(asked, ("reason", "rule"), strict=False):
            column[first] = np.append(queued[name], -1)[row][first]
        weight = np.where(first, self._weight_by_channel(waits.dialog[lines]), weight)
        operator = np.append(moved.operator, -1)[np.where(after >= 0, np.append(moved.line, -1)[after], -1)]
        return wishes(*asked, weight, operator)

    def _weight_by_channel(self, dialogs: Ints) -> Ints:
        """The weight of the channel's offers, the heaviest if they differ: who was never offered may need as much."""
        held, evidence = self.holdings, self.evidence
        heaviest = np.ones(256, np.int64)
        channels = evidence.channels[evidence.ledger.contact_of(held.dialog)]
        np.maximum.at(heaviest, channels, np.where(held.weight == ALL_SLOTS, NEVER, held.weight))
        found = heaviest[evidence.channels[evidence.ledger.contact_of(dialogs)]]
        return np.where(found == NEVER, ALL_SLOTS, found)

    @cached_property
    def transfers(self) -> Transfers:
        """What became of each holding by transfer, as a desk or the final history shows it."""
        held, evidence = self.holdings, self.evidence
        rows = [source.is_("kind", Kind.TRANSFERRED) for source in (evidence.operator_entries, evidence.history)]
        told = {
            name: np.concatenate([each[name] for each in rows]) for name in ("assignment", "sender", "reason", "rule")
        }
        order = order_by(told["assignment"])
        row = position(told["assignment"][order], held.assignment)
        to = {name: np.append(told[name][order], -1)[row] for name in ("sender", "reason", "rule")}
        by_dialog = order_by(held.dialog, held.assignment)
        owned = np.where(held.accepted_at[by_dialog] >= 0, np.arange(len(held)), -1)
        line = np.full(len(held), -1, np.int64)
        last = running_max(held.dialog[by_dialog], owned)
        line[by_dialog] = np.append(by_dialog, -1)[last]
        return Transfers(row >= 0, to["sender"], to["reason"], to["rule"], line)

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
