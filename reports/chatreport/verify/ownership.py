"""G5 and G8: who may see a dialog, who owns it, and how many one may own."""

import numpy as np

from chatreport.grouping import NEVER, Ints, begins, contains, dense, lookup, order_by, running_sum, soonest, unique
from chatreport.ledger import CUSTOMER, OPERATOR, PROBE, Rows
from chatreport.rundir import Kind, Outcome, What
from chatreport.verify import notices, secrets
from chatreport.verify.finding import Tally


def no_leak(tally: Tally) -> None:
    """G5: operators see and read only what they own, and not before they ask; customers, messenger users their own."""
    evidence = tally.evidence
    attempts = evidence.ledger.of(What.ATTEMPT)
    tally.count = len(evidence.entries) + len(attempts)
    _beyond_ownership(tally)
    _read_by_others(tally)
    _somebody_else(tally, evidence.entries.where(evidence.ledger.role(evidence.entries["who"]) != OPERATOR))
    messages = evidence.messages
    for note, rows in (("another contact's message", evidence.entries), ("sent to another contact", attempts)):
        home = lookup(messages.identity, messages.contact, rows["identity"])
        astray = rows.where((home >= 0) & (rows["contact"] >= 0) & (home != rows["contact"]))
        tally.wrong(note, places=astray["spot"], people=astray["who"], keys=astray["identity"])
    secrets.told_to_owners(tally)
    notices.to_who_may(tally)


def _beyond_ownership(tally: Tally) -> None:
    """Entries shown to an operator past the one that ended its ownership, without any, or before it asked for it."""
    ledger = tally.evidence.ledger
    rows = tally.evidence.operator_entries
    seats, last = _owned(tally)
    allowed = lookup(seats, last, rows["seat"])
    tally.wrong("shown to an operator who did not own it", **_where(rows.where(rows["seq"] > allowed)))
    asked = ledger.of(What.ACCEPT)
    order = order_by(asked["seat"], asked["started"])
    asked_at = lookup(asked["seat"][order], asked["started"][order], rows["seat"])
    early = (asked_at >= 0) & (rows["done"] < asked_at) & (rows["seq"] <= allowed)
    tally.wrong("shown to an operator before the acceptance", **_where(rows.where(early)))


def _read_by_others(tally: Tally) -> None:
    """Histories that an operator could read under an assignment of somebody else's, or one that it had seen end."""
    reads = tally.evidence.ledger.of(What.HISTORY).is_("outcome", Outcome.OK)
    reads = reads.where(reads["assignment"] >= 0)
    held = tally.floor.holdings
    holder = lookup(held.assignment, held.operator, reads["assignment"])
    ended = lookup(held.assignment, held.ended_at, reads["assignment"])
    wrong = (holder >= 0) & ((holder != reads["who"]) | (reads["started"] > ended))
    tally.wrong("read by an operator who did not own the dialog", **_where(reads.where(wrong)))


def _where(rows: Rows) -> dict[str, Ints]:
    return {"places": rows["spot"], "people": rows["who"], "keys": rows["identity"]}


def _owned(tally: Tally) -> tuple[Ints, Ints]:
    """(seat, the last seq it may see), by seat: up to the release or closing that ends its last ownership."""
    evidence = tally.evidence
    ledger = evidence.ledger
    history = evidence.history
    assigned = history.is_("kind", Kind.ASSIGNED)
    by_author = np.where(ledger.role(assigned["author"]) == OPERATOR, assigned["author"], -1)
    held = tally.floor.holdings
    owner = np.where(by_author >= 0, by_author, lookup(held.assignment, held.operator, assigned["assignment"]))
    endings = history.where(np.isin(history["kind"], [Kind.RELEASED, Kind.CLOSED]))
    ending = soonest(endings["dialog"], endings["spot"], assigned["dialog"], assigned["spot"])
    last = np.append(endings["seq"], NEVER)[ending]
    seats = ledger.seat(owner, assigned["dialog"])
    order = order_by(seats, -last)
    first = begins(seats[order]) if len(order) else np.zeros(0, np.bool_)
    return seats[order][first], last[order][first]


def _somebody_else(tally: Tally, rows: Rows) -> None:
    """Entries shown to a customer, or a probe, of a contact that is not its own."""
    ledger = tally.evidence.ledger
    known = ledger.of(What.SEND, What.CONNECT, What.RESUME, What.DIALOG, What.PROBE)
    known = known.where((known["contact"] >= 0) & np.isin(ledger.role(known["who"]), [CUSTOMER, PROBE]))
    pairs = dense(
        np.concatenate([known["who"], rows["who"]]),
        np.concatenate([known["contact"], rows["contact"]]),
    )
    own = contains(unique(pairs[: len(known)]), pairs[len(known) :])
    named = np.isin(rows["who"], known["who"])
    tally.wrong("shown to another customer", **_where(rows.where(named & ~own)))


def one_owner(tally: Tally) -> None:
    """G8: between acceptances of two seats lies a release; nobody holds more than the slots it has."""
    evidence = tally.evidence
    accepts = evidence.ledger.of(What.ACCEPT).is_("outcome", Outcome.OK)
    accepts = accepts.at(order_by(accepts["dialog"], accepts["seq"]))
    tally.count = len(accepts)
    if not len(accepts):
        return
    released = unique(
        np.concatenate([rows.is_("kind", Kind.RELEASED)["spot"] for rows in (evidence.history, evidence.entries)])
    )
    place = accepts["spot"]
    follows = ~begins(accepts["dialog"]) & (accepts["who"] != np.append(-1, accepts["who"][:-1]))
    release = np.searchsorted(released, np.append(-1, place[:-1]), side="right")
    between = np.append(released, NEVER)[release] < place
    second = accepts.where(follows & ~between)
    tally.wrong("accepted while another operator owned it", places=second["spot"], people=second["who"])
    _too_many(tally)


def _too_many(tally: Tally) -> None:
    """Acceptances that took an operator past its slots, by what its own desk had seen end before."""
    held = tally.floor.holdings
    lines = np.flatnonzero(held.accepted_at >= 0)
    over = lines[held.ended_at[lines] < NEVER]
    who = np.concatenate([held.operator[lines], held.operator[over]])
    when = np.concatenate([held.accepted_at[lines], held.ended_at[over]])
    taken = tally.floor.taken(held.accepted_at)
    step = np.concatenate([taken[lines], -taken[over]])
    line = np.concatenate([lines, over])
    order = order_by(who, when, step)
    holds = running_sum(who[order], step[order])
    accepting = step[order] > 0
    line, holds, who, when = line[order][accepting], holds[accepting], who[order][accepting], when[order][accepting]
    slots = tally.floor.slots(who, when)
    most = int(holds.max(initial=0))
    tally.note = f"at most {most} slots in use at once with one operator"
    past = (slots >= 0) & (holds > slots)
    ledger = tally.evidence.ledger
    place = ledger.spot(held.dialog[line[past]], held.accepted_seq[line[past]])
    tally.wrong("accepted past the operator's slots", places=place, people=who[past])
