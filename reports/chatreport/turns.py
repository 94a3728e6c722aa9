"""Who wrote when in some dialogs, and what operators spent their attention on in between."""

from dataclasses import dataclass

import numpy as np

from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.grouping import Ints, Mask, begins, contains, last_before, latest, lookup, position
from chatreport.ledger import CUSTOMER, OPERATOR
from chatreport.rundir import Outcome, What
from chatreport.tables import Table


@dataclass(frozen=True, slots=True)
class Turns(Table):
    """Messages of customers and operators in the history's order; times in ns."""

    dialog: Ints
    place: Ints
    operator: Ints  # who wrote it; -1 of a customer's
    sent_at: Ints  # the first attempt
    known_at: Ints  # a customer's: acknowledged; an operator's: sent
    since: Ints  # from when on an operator may have been at it: the first of a customer's in a row, an operator's own
    hung_up: Mask  # its sender's socket closed right after it, by plan

    def opened_at(self, dialogs: Ints) -> Ints:
        """When each dialog's customer sent the first message; -1 without one."""
        theirs = self.operator < 0
        return lookup(self.dialog[theirs], self.sent_at[theirs], dialogs)

    def asked(self, dialogs: Ints, places: Ints) -> tuple[Ints, Mask]:
        """When each dialog's customer sent the last message before a place, -1 without one; if they then hung up."""
        theirs = np.flatnonzero(self.operator < 0)
        before = last_before(self.place[theirs], places)
        row = np.append(theirs, -1)[before]
        same = (before >= 0) & (np.append(self.dialog, -1)[row] == dialogs)
        return np.where(same, np.append(self.sent_at, -1)[row], -1), same & np.append(self.hung_up, False)[row]

    @property
    def answers(self) -> Mask:
        """Which are an operator's directly after a customer's, automatic texts aside."""
        after: Mask = np.append(False, (self.operator[:-1] < 0) & (self.dialog[1:] == self.dialog[:-1]))[: len(self)]
        return (self.operator >= 0) & after


@dataclass(frozen=True, slots=True)
class Acts(Table):
    """What operators did in dialogs they owned, and from when to when their attention was there; times in ns."""

    dialog: Ints
    operator: Ints
    begin: Ints
    end: Ints


@dataclass(frozen=True, slots=True)
class Answers(Table):
    """Operators' answers after their dialog's first, with the time from the customer's message to each, ns."""

    dialog: Ints
    took: Ints


def turns_of(evidence: Evidence, dialogs: Ints) -> Turns:
    """The messages of these dialogs, which are sorted."""
    ledger, messages = evidence.ledger, evidence.messages
    rows = evidence.history_messages
    role = ledger.role(rows["sender"])
    rows = rows.where(((role == CUSTOMER) | (role == OPERATOR)) & contains(dialogs, rows["dialog"]))
    line = position(messages.identity, rows["identity"])
    rows, line = rows.where(line >= 0), line[line >= 0]
    by_operator = ledger.role(rows["sender"]) == OPERATOR
    sent_at, acked_at, dialog = messages.started[line], messages.acked_at[line], rows["dialog"]
    known_at = np.where(by_operator | (acked_at < 0), sent_at, acked_at)
    return Turns(
        dialog=dialog,
        place=rows["spot"],
        operator=np.where(by_operator, rows["sender"], -1),
        sent_at=sent_at,
        known_at=known_at,
        since=_since(dialog, by_operator, known_at),
        hung_up=contains(evidence.hung_up[0], rows["identity"]),
    )


def _since(dialog: Ints, by_operator: Mask, known_at: Ints) -> Ints:
    """An operator's own time; of several messages of a customer's in a row the first one's."""
    new = begins(dialog) | by_operator | np.append(True, by_operator[:-1])[: len(dialog)]
    first = np.flatnonzero(new)
    return known_at[first][np.cumsum(new) - 1] if len(first) else known_at


def acts_of(evidence: Evidence, floor: Floor, turns: Turns) -> Acts:
    """Each message, closing and transfer of an operator with the time since what it followed.

    That is the customer's message (the first, if there are several), or the operator's own last; but not before they
    had accepted the dialog.
    """
    own = np.flatnonzero(turns.operator >= 0)
    before = np.where(begins(turns.dialog)[own], -1, own - 1) if len(own) else own
    closes = evidence.ledger.of(What.CLOSE)
    closes = closes.where((closes["outcome"] == Outcome.OK) & (evidence.ledger.role(closes["who"]) == OPERATOR))
    held, sent_on = floor.holdings, floor.transfers.sent_on & (floor.holdings.accepted_at >= 0)
    who = np.concatenate([closes["who"], held.operator[sent_on]])
    dialog = np.concatenate([closes["dialog"], held.dialog[sent_on]])
    end = np.concatenate([closes["started"], np.minimum(held.ended_at[sent_on], floor.horizon)])
    mine = contains(turns.dialog, dialog)
    who, dialog, end = who[mine], dialog[mine], end[mine]
    followed = np.concatenate([before, latest(turns.dialog, turns.known_at, dialog, end)])
    who = np.concatenate([turns.operator[own], who])
    dialog = np.concatenate([turns.dialog[own], dialog])
    end = np.concatenate([turns.sent_at[own], end])
    begin = np.maximum(np.append(turns.since, -1)[followed], _accepted_at(floor, who, dialog, end))
    known = begin >= 0
    return Acts(dialog[known], who[known], begin[known], np.maximum(end, begin)[known])


def _accepted_at(floor: Floor, who: Ints, dialog: Ints, at: Ints) -> Ints:
    """When each operator had last accepted the dialog; -1 if nobody saw that."""
    held, ledger = floor.holdings, floor.evidence.ledger
    mine = held.accepted_at >= 0
    seats, accepted_at = ledger.seat(held.operator[mine], held.dialog[mine]), held.accepted_at[mine]
    row = latest(seats, accepted_at, ledger.seat(who, dialog), at)
    return np.append(accepted_at, -1)[row]


def answers_of(turns: Turns) -> Answers:
    """The answers after each dialog's first message of an operator."""
    by_operator = turns.operator >= 0
    if not len(turns):
        return Answers(turns.dialog, turns.since)
    so_far: Ints = np.cumsum(by_operator, dtype=np.int64)
    first = np.flatnonzero(begins(turns.dialog))
    before = (so_far - by_operator)[first][np.cumsum(begins(turns.dialog)) - 1]
    later = np.flatnonzero(turns.answers & (so_far - before > 1))
    return Answers(turns.dialog[later], np.maximum(turns.sent_at[later] - turns.since[later - 1], 0))
