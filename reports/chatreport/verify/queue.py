"""G9: nobody in the queue is overtaken, and nobody waits while somebody is free."""

import numpy as np

from chatreport.evidence import SECOND_NS
from chatreport.grouping import NEVER, Ints, Mask, begins, contains, dense, merged, order_by, running_max, unique
from chatreport.ledger import Rows
from chatreport.rundir import What
from chatreport.verify.finding import Tally, rows_of

LIMIT_NS = SECOND_NS  # waiting and free may coexist so long
RECHECKED = 1_000  # waits that the same operator's lapses may explain are looked at one by one, at most so many


def fair_queue(tally: Tally) -> None:
    """G9: by place numbers for the order, by the desks' clock for the waiting."""
    offers = _first_offers(tally)
    tally.count = len(offers)
    overtaken = _overtaken(tally, offers)
    idle = _left_waiting(tally)
    tally.counts = {"dialogs_overtaken": overtaken, "dialogs_left_waiting": idle}


def _first_offers(tally: Tally) -> Rows:
    """Offers by assignment number, which the floor issues in the order of its decisions; each once."""
    rows = tally.evidence.ledger.of(What.OFFER)
    rows = rows.where((rows["assignment"] >= 0) & (rows["place"] >= 0) & (rows["dialog"] >= 0))
    rows = rows.at(order_by(rows["assignment"], rows["done"]))
    return rows.where(begins(rows["assignment"]))


def _overtaken(tally: Tally, offers: Rows) -> int:
    """Dialogs offered for the first time after one that stood behind them.

    A dialog stood in the queue at an offer if a later place had been offered by then: places are issued in the order
    of entering. Dialogs that came back to the queue are left out, because when they did is known by clocks only; so
    are those that waited through a fault, whose offers may have gone unseen.
    """
    evidence = tally.evidence
    department, dialog, place, priority = (offers[name] for name in ("reason", "dialog", "place", "priority"))
    order = order_by(department, offers["assignment"])
    department, dialog, place, priority = department[order], dialog[order], place[order], priority[order]
    passed = np.zeros(len(order), np.bool_)
    group = dense(department) if len(order) else department
    for level in unique(priority):
        mine = priority == level
        passed[mine] = running_max(group[mine], place[mine], before=True) > place[mine]
        passed |= (priority < level) & _offered_since_queued(group, place, mine)
    passed &= ~_offered_before(dialog)
    passed &= ~_waited_through_fault(tally, dialog)
    heads = evidence.ledger.spot(dialog[passed], np.zeros(int(passed.sum()), np.int64))
    return tally.wrong("offered after a dialog that stood behind it", places=heads, people=offers["who"][order][passed])


def _offered_since_queued(group: Ints, place: Ints, less_urgent: Mask) -> Mask:
    """Whether a less urgent dialog was offered after the row's dialog had surely entered the queue, and before it."""
    index = np.arange(len(place), dtype=np.int64)
    last = running_max(group, np.where(less_urgent, index, -1), before=True)
    highest = running_max(group, place)
    return (last >= 0) & (np.append(highest, -1)[last] > place)


def _offered_before(dialog: Ints) -> Mask:
    """Whether the dialog has an earlier row."""
    order = order_by(dialog)
    again = np.zeros(len(dialog), np.bool_)
    if len(dialog):
        again[order] = ~begins(dialog[order])
    return again


def _waited_through_fault(tally: Tally, dialogs: Ints) -> Mask:
    waits = tally.floor.waits
    struck = waits.dialog[tally.evidence.in_fault(waits.begin, waits.end)]
    return np.isin(dialogs, struck)


def _left_waiting(tally: Tally) -> int:
    """Dialogs that waited longer than the limit while an operator who had not let them lapse was free."""
    waits = tally.floor.waits
    begin, end = tally.floor.free_stretches()
    begin, end = _seen(tally, begin, end)
    long = end - begin > LIMIT_NS
    begin, end = begin[long], end[long]
    others = ~contains(tally.evidence.overlapping, waits.dialog)
    suspects = np.flatnonzero(others & (waits.end - waits.begin > LIMIT_NS))
    idle = [int(line) for line in suspects[_longest(waits.begin[suspects], waits.end[suspects], begin, end) > LIMIT_NS]]
    held = tally.floor.holdings
    lapsed = (held.accepted_at < 0) & (held.ended_at < NEVER)
    lapses: dict[int, list[int]] = {}
    for dialog, operator in rows_of(held.dialog[lapsed], held.operator[lapsed]):
        lapses.setdefault(dialog, []).append(operator)
    explained = {line for line in idle[:RECHECKED] if _lapses_explain(tally, line, lapses)}
    lines = np.array([line for line in idle if line not in explained], np.int64)
    heads = tally.evidence.ledger.spot(waits.dialog[lines], np.zeros(len(lines), np.int64))
    return tally.wrong("waited over 1 s while an operator was free", places=heads)


def _lapses_explain(tally: Tally, line: int, lapses: dict[int, list[int]]) -> bool:
    """Whether only operators who had let the dialog lapse were free while it waited."""
    waits = tally.floor.waits
    operators = lapses.get(int(waits.dialog[line]))
    if not operators:
        return False
    begin, end = _seen(tally, *tally.floor.free_stretches(np.array(operators, np.int64)))
    return bool(_longest(waits.begin[[line]], waits.end[[line]], begin, end)[0] <= LIMIT_NS)


def _seen(tally: Tally, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The stretches without faults and their recovery, and without what the generator was too late to see."""
    cuts = zip(tally.evidence.fault_windows, tally.evidence.stalls, strict=True)
    for start, stop in rows_of(*merged(*(np.concatenate(sides) for sides in cuts))):
        before, after = np.minimum(end, start), np.maximum(begin, stop)
        begin, end = np.concatenate([begin, after]), np.concatenate([before, end])
        begin, end = begin[end > begin], end[end > begin]
    return begin, end


def _longest(begin: Ints, end: Ints, free_begin: Ints, free_end: Ints) -> Ints:
    """The longest part of each [begin, end] that one free stretch covers.

    The stretches are disjoint and longer than a second: there are never more than the run has seconds.
    """
    longest = np.zeros(len(begin), np.int64)
    for start, stop in rows_of(free_begin, free_end):
        longest = np.maximum(longest, np.minimum(end, stop) - np.maximum(begin, start))
    return longest
