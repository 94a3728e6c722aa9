"""G9: nobody in the queue is overtaken, and nobody waits while somebody is free."""

import numpy as np

from chatreport.evidence import SECOND_NS
from chatreport.grouping import NEVER, Ints, Mask, begins, contains, merged, order_by, running_max, unique
from chatreport.ledger import Rows
from chatreport.rundir import What
from chatreport.staff import ALL_SLOTS, Wish, weight_of, wishes
from chatreport.verify.finding import Tally, rows_of

LIMIT_NS = SECOND_NS  # waiting and free may coexist so long
RECHECKED = 1_000  # waits that the same operator's lapses may explain are looked at one by one, at most so many


def fair_queue(tally: Tally) -> None:
    """G9: by place numbers for the order, by the desks' clock for the waiting."""
    offers = _first_offers(tally)
    tally.count = len(offers)
    _not_theirs(tally, offers)
    overtaken = _overtaken(tally, offers)
    idle = _left_waiting(tally)
    tally.counts = {"dialogs_overtaken": overtaken, "dialogs_left_waiting": idle}


def _first_offers(tally: Tally) -> Rows:
    """Offers by assignment number, which the floor issues in the order of its decisions; each once."""
    rows = tally.evidence.ledger.of(What.OFFER)
    rows = rows.where((rows["assignment"] >= 0) & (rows["place"] >= 0) & (rows["dialog"] >= 0))
    rows = rows.at(order_by(rows["assignment"], rows["done"]))
    return rows.where(begins(rows["assignment"]))


def _not_theirs(tally: Tally, offers: Rows) -> None:
    """Offers to operators who are not of the department, or lack the skill or the language."""
    numbers, asked = _wishes(offers)
    who = offers["who"]
    for number, wish in enumerate(asked):
        mine = np.flatnonzero(numbers == number)
        fitting = tally.floor.staff.fitting(wish, unique(who[mine]), unknown=True)
        wrong = offers.at(mine[~np.isin(who[mine], fitting)])
        tally.wrong(
            "offered to an operator who may not take it", places=_heads(tally, wrong["dialog"]), people=wrong["who"]
        )


def _wishes(offers: Rows) -> tuple[Ints, list[Wish]]:
    return wishes(offers["reason"], offers["rule"], offers["author"], weight_of(offers))


def _heads(tally: Tally, dialogs: Ints) -> Ints:
    return tally.evidence.ledger.spot(dialogs, np.zeros(len(dialogs), np.int64))


def _overtaken(tally: Tally, offers: Rows) -> int:
    """Dialogs offered for the first time after one that stood behind them, to somebody who could have taken them.

    That is who was offered one that asked for the same; or for something else that takes as many slots at least, if
    the record says that they may take both. A lighter one may pass, for there may have been no room.

    A dialog stood in the queue at an offer if a later place had been offered by then: places are issued in the order
    of entering. Dialogs that came back to the queue are left out, because when they did is known by clocks only; so
    are those that waited through a fault, whose offers may have gone unseen.
    """
    numbers, asked = _wishes(offers)
    dialog, who = offers["dialog"], offers["who"]
    passed = np.zeros(len(offers), np.bool_)
    for number, wish in enumerate(asked):
        mine = numbers == number
        rivals = np.flatnonzero(mine | _could_take(tally, wish, who, numbers, asked))
        passed[rivals] |= mine[rivals] & _behind(offers["place"][rivals], offers["priority"][rivals])
    passed &= ~_offered_before(dialog)
    passed &= ~_waited_through_fault(tally, dialog)
    return tally.wrong(
        "offered after a dialog that stood behind it", places=_heads(tally, dialog[passed]), people=who[passed]
    )


def _could_take(tally: Tally, wish: Wish, who: Ints, numbers: Ints, asked: list[Wish]) -> Mask:
    """Which offers of other kinds went to an operator who may take this kind, and took as many slots as it would."""
    heavy = [each.weight == ALL_SLOTS or (wish.weight != ALL_SLOTS and each.weight >= wish.weight) for each in asked]
    others = np.array(heavy)[numbers]
    fitting = tally.floor.staff.fitting(wish, unique(who[others]), unknown=False) if len(asked) > 1 else who[:0]
    found: Mask = others & np.isin(who, fitting)
    return found


def _behind(place: Ints, priority: Ints) -> Mask:
    """Which of some offers, in their order, came after one that stood behind them."""
    group = np.zeros(len(place), np.int64)
    passed = np.zeros(len(place), np.bool_)
    for level in unique(priority):
        mine = priority == level
        passed[mine] |= running_max(group[mine], place[mine], before=True) > place[mine]
        passed |= (priority < level) & _offered_since_queued(group, place, mine)
    return passed


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
    others = ~contains(tally.evidence.overlapping, waits.dialog)
    suspects = np.flatnonzero(others & (waits.end - waits.begin > LIMIT_NS))
    numbers, asked = tally.floor.wishes(suspects)
    specialised = len(set(tally.floor.staff.teams.values())) > 1
    idle: list[tuple[int, Wish]] = []
    for number, wish in enumerate(asked):
        if specialised and wish.department < 0:  # who may take it is not known
            continue
        lines = suspects[numbers == number]
        idle += [(int(line), wish) for line in lines[_beside_free(tally, lines, wish) > LIMIT_NS]]
    refusers = _refusers(tally) if idle else {}
    explained = {line for line, wish in idle[:RECHECKED] if _lapses_explain(tally, line, wish, refusers)}
    left = np.array(sorted(line for line, _ in idle if line not in explained), np.int64)
    return tally.wrong("waited over 1 s while an operator was free", places=_heads(tally, waits.dialog[left]))


def _beside_free(tally: Tally, lines: Ints, wish: Wish, without: tuple[int, ...] = ()) -> Ints:
    """The longest part of each of these stays during which somebody who may take the dialog had room for it."""
    floor, waits = tally.floor, tally.floor.waits
    everybody = unique(floor.presence[0])
    people = floor.staff.fitting(wish, everybody[~np.isin(everybody, without)], unknown=True)
    among = None if len(people) == len(everybody) else people
    begin, end = _seen(tally, *floor.free_stretches(among, wish.weight))
    long = end - begin > LIMIT_NS
    return _longest(waits.begin[lines], waits.end[lines], begin[long], end[long])


def _refusers(tally: Tally) -> dict[int, tuple[int, ...]]:
    """By dialog: the operators who had let it lapse, or had sent it on."""
    held = tally.floor.holdings
    refused = ((held.accepted_at < 0) & (held.ended_at < NEVER)) | tally.floor.transfers.sent_on
    found: dict[int, tuple[int, ...]] = {}
    for dialog, operator in rows_of(held.dialog[refused], held.operator[refused]):
        found[dialog] = (*found.get(dialog, ()), operator)
    return found


def _lapses_explain(tally: Tally, line: int, wish: Wish, refusers: dict[int, tuple[int, ...]]) -> bool:
    """Whether only operators who had let the dialog lapse, or had sent it on, were free while it waited."""
    operators = refusers.get(int(tally.floor.waits.dialog[line]))
    if not operators:
        return False
    return bool(_beside_free(tally, np.array([line]), wish, operators)[0] <= LIMIT_NS)


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
