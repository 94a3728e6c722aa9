"""G6, G7, G10: histories that only grow, one open dialog a contact, and no dialog that nobody has."""

from typing import Final

import numpy as np

from chatreport.evidence import SECOND_NS
from chatreport.grouping import (
    NEVER,
    Ints,
    Mask,
    between,
    contains,
    earliest,
    latest,
    lookup,
    order_by,
    position,
    running_max,
    unique,
)
from chatreport.ledger import OPERATOR, Ledger, Rows
from chatreport.rundir import Kind, Outcome, What
from chatreport.verify.finding import Tally, distinct

LATE: Final = (Kind.EDITED, Kind.RATED)  # what a customer may do in a closed dialog
FAILED: Final = ("slow", "broken", "wrong")  # what the bank's bot was
LISTED: Final = 10_000  # open dialogs that a platform's state lists at most


def history_grows(tally: Tally) -> None:
    """G6: a read holds what was read or acknowledged before; what was shown stays, also when it is edited; an
    acceptance shows all.
    """
    reads = _reads(tally)
    _edits_append(tally)
    handed = _handed_over(tally)
    tally.count = reads + handed
    tally.note = f"{reads:,} reads, {handed:,} dialogs handed to an operator with all before"
    evidence = tally.evidence
    shown = distinct(evidence.entries["spot"])
    gone = ~contains(evidence.history["spot"], shown) & ~contains(evidence.lost_places, shown)
    tally.wrong("shown, and not in the final history", places=shown[gone])


def _reads(tally: Tally) -> int:
    """Compare every read with the reads that had ended, and the messages acknowledged, before it began."""
    evidence = tally.evidence
    ledger = evidence.ledger
    reads = ledger.of(What.HISTORY).is_("outcome", Outcome.OK)
    highest = reads["spot"]
    messages = evidence.messages
    acked_place = np.where(evidence.message_places >= 0, evidence.message_places, messages.acked_place)
    acked = (messages.acked_at >= 0) & (acked_place >= 0) & ~evidence.lost
    for note, contact, done, place in (
        ("a read shows less than an earlier one", reads["contact"], reads["done"], highest),
        (
            "a read lacks what was acknowledged before",
            messages.contact[acked],
            messages.acked_at[acked],
            acked_place[acked],
        ),
    ):
        order = order_by(contact, done)
        most = running_max(contact[order], place[order])
        row = latest(contact[order], done[order], reads["contact"], reads["started"])
        short = np.append(most, -1)[row] > highest
        tally.wrong(note, places=np.append(most, -1)[row][short], people=reads["who"][short])
    _whole_reads(tally)
    return len(reads)


def _whole_reads(tally: Tally) -> None:
    """A read from the beginning has as many entries as the final history has up to its last."""
    evidence = tally.evidence
    reads = evidence.ledger.of(What.HISTORY).is_("outcome", Outcome.OK)
    reads = reads.where((reads["cursor"] <= 0) & (reads["size"] >= 0) & (reads["spot"] >= 0))
    internal = contains(evidence.ledger.contact_of(evidence.internal), reads["contact"])
    reads = reads.where(~internal | (evidence.ledger.role(reads["who"]) != OPERATOR))  # who may not see a part of it
    places = unique(np.concatenate([evidence.history["spot"], evidence.lost_places]))
    contacts = evidence.ledger.contact_of(evidence.ledger.dialog_of(places))
    first = np.searchsorted(contacts, reads["contact"])
    last = latest(contacts, places, reads["contact"], reads["spot"])
    expected = np.where(last >= 0, last - first + 1, 0)
    short = reads["size"] < expected
    tally.wrong("a read leaves out entries", places=reads["spot"][short], people=reads["who"][short])


def _edits_append(tally: Tally) -> None:
    """A message keeps its words, and new ones stand behind it."""
    evidence = tally.evidence
    messages = evidence.history_messages
    tally.wrong("a message's own words are gone", places=messages.where(messages["cursor"] > 0)["spot"])
    edited = evidence.history.is_("kind", Kind.EDITED)
    before = evidence.place_in_history(edited["identity"])
    tally.wrong("an edit stands before its message", places=edited["spot"][before > edited["spot"]])


def _handed_over(tally: Tally) -> int:
    """Every acceptance shows the dialog from its first entry to the assignment."""
    evidence = tally.evidence
    ledger = evidence.ledger
    accepts = ledger.of(What.ACCEPT).is_("outcome", Outcome.OK)
    accepts = accepts.where((accepts["seq"] > 0) & (accepts["dialog"] >= 0))
    sights = unique(np.concatenate([evidence.operator_entries["sight"], evidence.own_sights]))
    ones = np.ones(len(accepts), np.int64)
    first = ledger.sight(accepts["who"], ledger.spot(accepts["dialog"], ones))
    seen = between(sights, first, accepts["sight"])
    lost = between(evidence.lost_places, ledger.spot(accepts["dialog"], ones), accepts["spot"])
    torn = ~contains(sights, accepts["sight"]) & evidence.in_fault(accepts["done"], accepts["done"] + 1)
    short = (seen + lost < accepts["seq"]) & ~torn & ~_broken_off(tally, accepts)
    tally.wrong("accepted without all entries before", places=accepts["spot"][short], people=accepts["who"][short])
    return len(accepts)


def _broken_off(tally: Tally, accepts: Rows) -> Mask:
    """Acceptances after which nothing of the dialog was shown any more, in a record that ends in the middle."""
    evidence = tally.evidence
    if evidence.clean_drain and not evidence.workers_lost:
        return np.zeros(len(accepts), np.bool_)
    ledger, sights = evidence.ledger, unique(evidence.operator_entries["sight"])
    follows = np.append(sights, -1)[np.searchsorted(sights, accepts["sight"])]
    later: Mask = ledger.seat(ledger.viewer_of(follows), ledger.dialog_of(ledger.spot_of(follows))) == accepts["seat"]
    return (follows < 0) | ~later


def one_open_dialog(tally: Tally) -> None:
    """G7: a contact's next dialog begins after its last one closed, and nothing follows a closing but `LATE`."""
    evidence = tally.evidence
    ledger = evidence.ledger
    rows = evidence.claims
    tally.count = len(unique(rows["dialog"]))
    tally.wrong("opened while the one before was open", places=_head(tally, evidence.overlaps[0]))
    closings = rows.is_("kind", Kind.CLOSED)["spot"]
    after = (rows["spot"] > _closing_places(ledger, closings, rows["spot"])) & ~np.isin(rows["kind"], LATE)
    tally.wrong("stands after the closing of its dialog", places=distinct(rows["spot"][after]))
    state = ledger.of(What.STATE)
    state = state.where(state["dialog"] >= 0)
    both = np.sort(state["contact"])
    twice = unique(both[1:][both[1:] == both[:-1]])
    tally.wrong("more than one dialog is open in the end", people=twice)


def _closing_places(ledger: Ledger, closings: Ints, places: Ints) -> Ints:
    """The place of the first closing in each entry's dialog; the entry's own where there is none."""
    ordered = np.sort(closings)
    dialogs, mine = ledger.dialog_of(ordered), ledger.dialog_of(places)
    first = position(dialogs, mine)
    return np.where(first >= 0, np.append(ordered, -1)[first], places)


def no_orphan(tally: Tally) -> None:
    """G10: every dialog is closed, or with the bot, in the queue, or with an operator who is there."""
    evidence = tally.evidence
    dialogs = unique(evidence.history["dialog"])
    tally.count = len(dialogs)
    state = evidence.ledger.of(What.STATE)
    left = state.where(state["outcome"] == Outcome.REJECTED)
    if evidence.clean_drain:
        tally.wrong("with an operator who is not there", places=_head(tally, left["dialog"]), people=left["author"])
    closed = tally.floor.closed_in_history
    nowhere = dialogs[~contains(closed, dialogs) & ~np.isin(dialogs, state["dialog"])]
    nowhere = nowhere[~contains(evidence.overlapping, nowhere)]
    if len(state) < LISTED:
        tally.wrong("neither closed nor anywhere", places=_head(tally, nowhere))
    tally.wrong("the bank's bot failed, and no operator was asked for in time", places=_head(tally, _kept_back(tally)))
    undone = distinct(state["dialog"])
    undone = undone[contains(closed, undone) & ~contains(evidence.overlapping, undone)]
    tally.wrong("closed, and open in the platform's state", places=_head(tally, undone))
    tally.counts = {"dialogs_open_at_end": len(state)}


def _kept_back(tally: Tally) -> Ints:
    """Dialogs that were neither queued nor over within the stated time after the bank's bot had failed them."""
    evidence = tally.evidence
    within_s = evidence.manifest.get("bot_timeout_s")
    if within_s is None or evidence.clocks is not None:  # the platform stamps its history by one clock
        return np.zeros(0, np.int64)
    asked = evidence.ledger.of(What.ASKED)
    asked = asked.where(np.isin(asked["reason"], [evidence.ledger.number(kind) for kind in FAILED]))
    until = asked["started"] + int(within_s * SECOND_NS) + SECOND_NS
    asked, until = asked.where(calm := ~evidence.in_fault(asked["started"], until)), until[calm]
    led_on = evidence.history.where(np.isin(evidence.history["kind"], [Kind.QUEUED, Kind.CLOSED]))
    at = lookup(*earliest(led_on["dialog"], led_on["done"]), asked["dialog"], NEVER)
    return distinct(asked["dialog"][at > until])


def _head(tally: Tally, dialogs: Ints) -> Ints:
    return tally.evidence.ledger.spot(dialogs, np.zeros(len(dialogs), np.int64))
