"""G4: one order in a dialog, dense, the same for every observer, and true to each sender's own."""

from functools import cached_property
from typing import Final

import numpy as np

from chatreport.evidence import Evidence
from chatreport.grouping import (
    Ints,
    Mask,
    begins,
    contains,
    dense,
    group_numbers,
    holes,
    latest,
    order_by,
    position,
    running_max,
    unique,
)
from chatreport.ledger import OPERATOR, Rows
from chatreport.rundir import IN_ORDER, Kind, Outcome, What
from chatreport.verify.finding import Tally, distinct

NO_SOCKET: Final = 0
"""The epoch of whom the platform hears of by webhooks alone."""


def ordered(tally: Tally) -> None:
    """G4: see the parts; a gap left by a message that G1 already reports as lost is not reported again."""
    evidence = tally.evidence
    tally.count = len(evidence.history)
    reordered = _same_for_all(tally) + _sender_order(tally) + _provider_order(tally)
    gaps = _dense(tally)
    streams = Streams(evidence)
    back = streams.going_back()
    reordered += tally.wrong("shown after a later entry", places=back["spot"], people=back["who"])
    gaps += tally.wrong(
        "skipped on a screen",
        places=evidence.ledger.spot_of(streams.skipped),
        people=evidence.ledger.viewer_of(streams.skipped),
    )
    tally.counts = {"messages_reordered": reordered, "gaps": gaps, "repeats_shown": streams.repeats}


def _same_for_all(tally: Tally) -> int:
    """Places that are one thing to one observer and another to the next, the final history included."""
    evidence = tally.evidence
    acked = evidence.attempts.where((evidence.attempts["outcome"] == Outcome.OK) & (evidence.attempts["seq"] > 0))
    sources = (evidence.history, evidence.entries, acked)
    place = np.concatenate([rows["spot"] for rows in sources])
    if not len(place):
        return 0
    content = np.concatenate([_content(rows, told) for rows, told in zip(sources, (False, False, True), strict=True)])
    places = unique(place)
    at = position(places, place)
    one = np.empty(len(places), np.int64)
    one[at] = content
    return tally.wrong("different entries at one place", places=unique(place[content != one[at]]))


def _content(rows: Rows, acknowledgement: bool) -> Ints:
    """One number for what stands at a place: the identity; or kind, and cause, or whose edit, and rule or skill."""
    kind = np.full(len(rows), int(Kind.MESSAGE), np.int64) if acknowledgement else rows["kind"]
    cause = np.where(kind == Kind.EDITED, rows["identity"], rows["cause_seq"])
    other = -2 - ((cause + 1) << 32 | (rows["rule"] + 1) << 4 | kind)
    return np.where((kind == Kind.MESSAGE) & (rows["identity"] >= 0), rows["identity"], other)


def _dense(tally: Tally) -> int:
    """Places missing from the final history, whose dialogs count from 1 without a gap."""
    evidence = tally.evidence
    ledger = evidence.ledger
    places = unique(evidence.history["spot"])
    dialogs = unique(evidence.history["dialog"])
    known = unique(np.concatenate([places, ledger.spot(dialogs, np.zeros(len(dialogs), np.int64))]))
    missing = ledger.spot(*holes(ledger.dialog_of(known), ledger.seq_of(known)))
    return tally.wrong("a gap in the final history", places=missing[~contains(evidence.lost_places, missing)])


def _sender_order(tally: Tally) -> int:
    """Messages that stand before one that their sender had sent, and seen acknowledged or sent in line, earlier."""
    evidence = tally.evidence
    rows = evidence.attempts
    place = evidence.place_in_history(rows["identity"])
    first = begins(rows["identity"])
    keep = (place >= 0) & (rows["outcome"] != Outcome.REJECTED)
    rows, place, first = rows.where(keep), place[keep], first[keep]
    after_ack = _before_acknowledged(rows, place, first)
    in_line = _before_in_line(evidence, rows, place, first)
    wrong = after_ack | in_line
    return tally.wrong("stands before what its sender sent earlier", places=place[wrong], keys=rows["identity"][wrong])


def _before_acknowledged(rows: Rows, place: Ints, first: Mask) -> Mask:
    """Which first attempts began after the acknowledgement of a message that stands later."""
    result = np.zeros(len(rows), np.bool_)
    if not len(rows):
        return result
    pair = dense(rows["sender"], rows["contact"])
    acked = rows["outcome"] == Outcome.OK
    order = order_by(pair[acked], rows["done"][acked])
    group, done = pair[acked][order], rows["done"][acked][order]
    highest = running_max(group, place[acked][order])
    row = latest(group, done, pair[first], rows["started"][first])
    result[first] = np.append(highest, -1)[row] > place[first]
    return result


def _before_in_line(evidence: Evidence, rows: Rows, place: Ints, first: Mask) -> Mask:
    """Which first attempts followed, in one socket session or in a chat with an order, a message that stands later."""
    result = np.zeros(len(rows), np.bool_)
    if not len(rows):
        return result
    channel = np.where(rows["channel"] > 0, rows["channel"], evidence.channels[rows["contact"]])
    by_chat = np.isin(channel, IN_ORDER) & (evidence.ledger.role(rows["sender"]) != OPERATOR)
    line = dense(np.where(by_chat, -1, rows["sender"]), rows["contact"], np.where(by_chat, 0, rows["epoch"]))
    order = order_by(line, rows["started"])
    result[order] = running_max(line[order], place[order], before=True) > place[order]
    result &= by_chat | (rows["epoch"] > NO_SOCKET)  # what a webhook brought has no order but its answers'
    return result & first


def _provider_order(tally: Tally) -> int:
    """Messages that a messenger's provider took in another order than the history has them."""
    evidence = tally.evidence
    taken = evidence.ledger.of(What.ATTEMPT)
    taken = taken.where(taken["provider_id"] >= 0)
    place = evidence.place_in_history(taken["identity"])
    rows, place = taken.where(place >= 0), place[place >= 0]
    order = order_by(place, rows["started"])
    first = begins(place[order]) if len(order) else np.zeros(0, np.bool_)
    rows, place = rows.at(order[first]), place[order[first]]
    order = order_by(rows["contact"], rows["started"])
    late = running_max(rows["contact"][order], place[order], before=True) > place[order]
    return tally.wrong("reached the messenger after a later one", places=place[order][late])


class Streams:
    """What each screen was shown, connection by connection; an operator's begins anew with every acceptance."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        rows = evidence.entries
        self._rows = rows
        self._holding, self._from_seq = self._acceptances(rows)
        self._stream = dense(rows["seat"], self._holding, rows["epoch"]) if len(rows) else rows["seat"]
        order = order_by(self._stream, rows["seq"])
        self._again = np.zeros(len(rows), np.bool_)
        if len(order):
            stream, seq = self._stream[order], rows["seq"][order]
            self._again[order] = ~begins(stream) & (seq == np.append(-1, seq[:-1]))

    @property
    def repeats(self) -> int:
        """How often a screen was shown an entry again within one connection."""
        return int(self._again.sum())

    def going_back(self) -> Rows:
        """Entries shown after a later one of the same dialog and connection, repeats aside."""
        rows = self._rows
        order = order_by(self._stream, rows["done"])
        seq = rows["seq"][order]
        back = (running_max(self._stream[order], seq, before=True) > seq) & ~self._again[order]
        return rows.at(order[back])

    @cached_property
    def skipped(self) -> Ints:
        """The sights that a screen was never shown, or not in turn, between others; its own messages aside."""
        evidence = self._evidence
        ledger = evidence.ledger
        counted = self._rows["seq"] >= self._from_seq
        rows, stream, holding = self._rows.where(counted), self._stream[counted], self._holding[counted]
        found: list[Ints] = []
        for group in (stream, dense(rows["seat"], holding) if len(rows) else stream):
            order = order_by(group, rows["seq"])
            at, seq = holes(group_numbers(group[order]), rows["seq"][order])
            firsts = np.flatnonzero(begins(group[order])) if len(order) else order
            head = rows.at(order[firsts])
            found.append(ledger.sight(head["who"][at], ledger.spot(head["dialog"][at], seq)))
        sights = distinct(np.concatenate(found))
        lost = contains(evidence.lost_places, ledger.spot_of(sights))
        return sights[~lost & ~contains(evidence.own_sights, sights)]

    def _acceptances(self, rows: Rows) -> tuple[Ints, Ints]:
        """For each row: which acceptance of its viewer it follows, and the seq from which it must be whole.

        What an acceptance shows of the time before it is G6's to judge.
        """
        accepts = self._evidence.ledger.of(What.ACCEPT).is_("outcome", Outcome.OK)
        row = latest(accepts["seat"], accepts["started"], rows["seat"], rows["done"])
        return row + 1, np.append(accepts["seq"], 0)[row]
