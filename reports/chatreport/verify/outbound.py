"""G11: every reply reaches the messenger's provider, once, or ends visibly failed."""

import numpy as np

from chatreport.calls import ORDERS
from chatreport.grouping import (
    NEVER,
    Ints,
    Mask,
    begins,
    contains,
    dense,
    earliest,
    lookup,
    order_by,
    position,
    running_max,
    unique,
)
from chatreport.ledger import Rows
from chatreport.rundir import MESSENGERS, Kind, Outcome, What
from chatreport.verify import notices
from chatreport.verify.delivery import cut_off
from chatreport.verify.finding import Tally

RETRY_LATER = "429"
HANDED_OVER = ("sent", "failed")  # what a receipt says of the way to the provider, not of what came after it


def outbound(tally: Tally) -> None:
    """G11: the provider's record against the core's, message by message."""
    evidence = tally.evidence
    ledger = evidence.ledger
    replies = _replies(tally)
    tally.count = len(replies)
    receipts = ledger.of(What.AUDIT_RECEIPT)
    handed_over = np.isin(receipts["reason"], [ledger.number(status) for status in HANDED_OVER])
    receipts = receipts.where((receipts["spot"] >= 0) & handed_over)
    receipts = receipts.at(order_by(receipts["spot"]))
    done = contains(receipts["spot"], replies["spot"])
    unsettled = replies.where(~done)
    if evidence.clean_drain:
        tally.wrong("neither sent nor failed", places=unsettled["spot"], keys=unsettled["identity"])
    status = lookup(receipts["spot"], receipts["reason"], replies["spot"])
    sent = replies.where(status == ledger.number("sent"))
    taken = ledger.of(What.ATTEMPT)
    taken = taken.where(taken["provider_id"] >= 0)  # an attempt that got no answer may have been taken all the same
    claimed = lookup(receipts["spot"], receipts["provider_id"], sent["spot"])
    never = sent.where(~_took(taken, sent, claimed))
    tally.wrong("called sent; the provider has no such message", places=never["spot"], keys=never["identity"])
    unknown = taken.where((taken["identity"] >= 0) & (evidence.place_in_history(taken["identity"]) < 0))
    known = contains(evidence.messages.identity, unknown["identity"]) & ~_among_lost(tally, unknown["identity"])
    tally.wrong("sent to the provider, not in the final history", keys=unknown["identity"][known])
    tally.counts = {"outbound": len(replies), "outbound_failed": len(replies) - len(sent) - len(unsettled)}
    _repeats(tally, receipts)
    _attachments(tally)
    notices.billed(tally)


def _attachments(tally: Tally) -> None:
    """What was sent by its address was there for the provider, and whole."""
    evidence = tally.evidence
    fetches = evidence.ledger.of(What.FETCH).is_("outcome", Outcome.REJECTED)
    fetches = fetches.where(~evidence.in_fault(fetches["started"], fetches["started"]))
    tally.wrong("an attachment that its provider could not get, or not whole", people=fetches["contact"])


def _replies(tally: Tally) -> Rows:
    """The final history's messages, orders and notices that somebody else's API has to get."""
    evidence = tally.evidence
    rows, orders = evidence.ledger.of(What.AUDIT), [evidence.ledger.number(order) for order in ORDERS]
    ordered = (rows["kind"] == Kind.CALL) & np.isin(rows["reason"], orders)
    rows = rows.where((rows["spot"] >= 0) & (np.isin(rows["kind"], [Kind.MESSAGE, Kind.NOTICE]) | ordered))
    rows = rows.at(order_by(rows["spot"]))
    contact = evidence.ledger.contact_of(rows["dialog"])
    channel = np.where(rows["channel"] > 0, rows["channel"], evidence.channels[contact])
    inbound = rows["author"] == evidence.ledger.number("customer")
    return rows.where(np.isin(channel, MESSENGERS) & ~inbound)


def _receipted(attempts: Rows, receipts: Rows) -> Mask:
    """Whether the history names each attempt's message; ids are the chat's own, so two chats may share one."""
    message = dense(
        np.concatenate([attempts["contact"], receipts["contact"]]),
        np.concatenate([attempts["provider_id"], receipts["provider_id"]]),
    )
    return contains(unique(message[len(attempts) :]), message[: len(attempts)])


def _took(taken: Rows, replies: Rows, claimed: Ints) -> Mask:
    """Whether the provider took each reply: the message of that id in that chat, with the reply's identity if any."""
    ids = len(claimed)
    message = dense(
        np.concatenate([replies["contact"], taken["contact"]]), np.concatenate([claimed, taken["provider_id"]])
    )
    order = order_by(message[ids:])
    at = position(message[ids:][order], message[:ids])
    identity = np.append(taken["identity"][order], -1)[at]
    taken_there: Mask = (at >= 0) & ((replies["identity"] < 0) | (identity == replies["identity"]))
    return taken_there


def _among_lost(tally: Tally, identities: Ints) -> Mask:
    return contains(tally.evidence.messages.identity[tally.evidence.lost], identities)


def _repeats(tally: Tally, receipts: Rows) -> None:
    """Count what went out again after the provider had taken it: excused if a fault kept the core from knowing.

    An attempt that was refused for now, or that got no answer, may be tried again.
    """
    evidence = tally.evidence
    rows = evidence.ledger.of(What.ATTEMPT)
    rows = rows.where(rows["identity"] >= 0)
    rows = rows.at(order_by(rows["identity"], rows["started"]))
    later = evidence.ledger.number(RETRY_LATER)
    refused = (rows["outcome"] == Outcome.REJECTED) & (rows["reason"] >= 0) & (rows["reason"] != later)
    taken = rows["outcome"] == Outcome.OK
    logged = taken & _receipted(rows, receipts)
    first_logged = earliest(rows["identity"][logged], rows["started"][logged])
    blamed = (taken | refused) & ~cut_off(evidence, rows["done"])
    again = _earlier(rows["identity"], taken | refused)
    known_before = lookup(*first_logged, rows["identity"], NEVER) < rows["started"]
    violation = again & (_earlier(rows["identity"], blamed) | known_before)
    wrong = rows.where(violation)
    tally.wrong("sent again after a definite answer", people=wrong["contact"], keys=wrong["identity"])
    unanswered = _earlier(rows["identity"], rows["outcome"] == Outcome.INDETERMINATE) & ~again
    tally.counts |= {
        "wire_repeats": int(violation.sum()),
        "wire_repeats_excused": int((again & ~violation).sum() + unanswered.sum()),
        "provider_attempts": len(rows),
        "provider_429": int(((rows["outcome"] == Outcome.REJECTED) & (rows["reason"] == later)).sum()),
    }
    if len(rows):
        tally.counts["provider_messages"] = int(begins(rows["identity"]).sum())


def _earlier(identities: Ints, mark: Mask) -> Mask:
    """Whether an earlier attempt of the same identity is marked."""
    return running_max(identities, mark.astype(np.int64), before=True) > 0
