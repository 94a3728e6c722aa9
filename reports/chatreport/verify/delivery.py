"""G1, G2, G3, G12: what was acknowledged is there, what is there was sent, and it is there once."""

import numpy as np

from chatreport.evidence import SECOND_NS, Evidence, edit_keys
from chatreport.grouping import (
    NEVER,
    Ints,
    Mask,
    begins,
    contains,
    dense,
    earliest,
    latest,
    lookup,
    order_by,
    position,
    running_sum,
    unique,
)
from chatreport.ledger import CUSTOMER, Rows
from chatreport.rundir import Kind, Outcome, What
from chatreport.verify import calls, notices, ratings, secrets, strangers
from chatreport.verify.finding import Tally, distinct


def durable(tally: Tally) -> None:
    """G1: every acknowledged message is in the final history.

    Losses are told apart by what else of the same sender was read: nothing earlier (prefix), nothing later
    (postfix), or both (middle), the worst.
    """
    evidence = tally.evidence
    messages, lost = evidence.messages, evidence.lost
    tally.count = int(messages.acked.sum())
    tally.wrong(
        "acknowledged, not in the final history", places=messages.acked_place[lost], keys=messages.identity[lost]
    )
    found = evidence.message_places >= 0
    read = found.astype(np.int64)
    earlier = running_sum(messages.sender, read) > 0
    later = running_sum(messages.sender[::-1], read[::-1])[::-1] > 0
    tally.counts = {
        "messages_attempted": len(messages),
        "messages_acked": tally.count,
        "messages_rejected": int(messages.rejected.sum()),
        "messages_indeterminate": int((~messages.acked & ~messages.rejected).sum()),
        "messages_lost": int(lost.sum()),
        "messages_lost_prefix": int((lost & ~earlier & later).sum()),
        "messages_lost_middle": int((lost & earlier & later).sum()),
        "messages_lost_postfix": int((lost & ~later).sum()),
        "messages_recovered": int((~messages.acked & ~messages.rejected & found).sum()),
    }
    _edits_stored(tally)
    calls.kept(tally)
    ratings.kept(tally)
    notices.kept(tally)


def _edits_stored(tally: Tally) -> None:
    """New words of a stored message that were acknowledged, begun after the message was, are in the final history."""
    evidence = tally.evidence
    edits = evidence.edits.is_("outcome", Outcome.OK)
    stored = unique(edit_keys(evidence.history.is_("kind", Kind.EDITED)))
    row = position(evidence.messages.identity, edits["identity"])
    known_at = np.append(evidence.messages.acked_at, -1)[row]
    follows = (known_at >= 0) & (known_at <= edits["started"])
    missing = edits.where(follows & ~contains(stored, edit_keys(edits)))
    tally.wrong("an edit was acknowledged, and is not in the final history", keys=distinct(missing["identity"]))


def no_phantom(tally: Tally) -> None:
    """G2: nothing appears that nobody sent; what was refused never appears; automatic texts have one cause each."""
    evidence = tally.evidence
    sources = {
        "history": evidence.history_messages,
        "screens": evidence.entries.is_("kind", Kind.MESSAGE),
        "provider": evidence.ledger.of(What.ATTEMPT),
    }
    tally.count = sum(len(rows) for rows in sources.values())
    messages = evidence.messages
    refused = messages.identity[messages.rejected]
    shown = distinct(np.concatenate([rows["identity"] for rows in sources.values()]))
    unsent = shown[~contains(messages.identity, shown) & ~contains(secrets.said(tally), shown)]
    phantoms = tally.wrong("nobody sent it", keys=unsent)
    phantoms += tally.wrong("it was refused, and yet appears", keys=shown[contains(refused, shown)])
    for rows in (sources["history"], sources["screens"]):
        bare = rows.where((rows["identity"] < 0) & (rows["cause_seq"] < 0))
        phantoms += tally.wrong("a text without sender or cause", places=distinct(bare["spot"]))
    phantoms += _unsent_edits(tally)
    phantoms += _automatic(tally, sources["history"])
    phantoms += _unmapped(tally, sources["provider"])
    tally.counts = {"messages_phantom": phantoms}
    calls.made(tally)
    ratings.given(tally)
    notices.made(tally)
    strangers.kept_out(tally)


def _unsent_edits(tally: Tally) -> int:
    """New words that appear, and nobody sent them, or all who did were refused."""
    evidence = tally.evidence
    sent = unique(edit_keys(evidence.edits.where(evidence.edits["outcome"] != Outcome.REJECTED)))
    wrong = 0
    for rows in (evidence.history, evidence.entries):
        edited = rows.is_("kind", Kind.EDITED)
        wrong += tally.wrong(
            "an edit that nobody made", places=distinct(edited["spot"][~contains(sent, edit_keys(edited))])
        )
    return wrong


def _automatic(tally: Tally, rows: Rows) -> int:
    """Automatic texts of the history whose cause is missing, later, or already answered by the same rule."""
    evidence = tally.evidence
    texts = rows.where((rows["identity"] < 0) & (rows["cause_seq"] >= 0))
    causes = evidence.ledger.spot(texts["dialog"], texts["cause_seq"])
    known = contains(evidence.history["spot"], causes) | contains(evidence.lost_places, causes)
    wrong = tally.wrong("its cause is not an earlier entry", places=texts["spot"][~known | (causes >= texts["spot"])])
    order = order_by(causes, texts["rule"], texts["spot"])
    if len(order):
        again = ~begins(dense(causes, texts["rule"])[order])
        wrong += tally.wrong("a second answer of one rule to one cause", places=texts["spot"][order][again])
    return wrong


def _unmapped(tally: Tally, attempts: Rows) -> int:
    """Automatic texts that a provider took and that its ids do not lead back to the history."""
    evidence = tally.evidence
    taken = attempts.where((attempts["identity"] < 0) & (attempts["outcome"] == Outcome.OK))
    receipts = evidence.ledger.of(What.AUDIT_RECEIPT)
    both = dense(
        np.concatenate([receipts["contact"], taken["contact"]]),
        np.concatenate([receipts["provider_id"], taken["provider_id"]]),
    )
    unknown = ~contains(np.sort(both[: len(receipts)]), both[len(receipts) :])
    unknown &= ~cut_off(evidence, taken["done"])
    return tally.wrong("the provider took a text that no receipt leads back to", people=taken["contact"][unknown])


def cut_off(evidence: Evidence, times: Ints) -> Mask:
    """Whether a fault followed within a second: what happened then may not have been written down."""
    following = np.append(evidence.faults, NEVER)[np.searchsorted(evidence.faults, times)]
    return following - times <= SECOND_NS


def effectively_once(tally: Tally) -> None:
    """G3: an identity has one place in the history, one on every screen, and one in all its acknowledgements."""
    evidence = tally.evidence
    acked = evidence.attempts.where((evidence.attempts["outcome"] == Outcome.OK) & (evidence.attempts["seq"] > 0))
    tally.count = int(contains(evidence.messages.identity, distinct(evidence.history_messages["identity"])).sum())
    doubled: list[Ints] = []
    for note, rows in (
        ("more than one place in the final history", evidence.history_messages),
        ("more than one place on screens", evidence.entries.is_("kind", Kind.MESSAGE)),
        ("a repeat was acknowledged with another place", acked),
    ):
        keys, places = _second_places(rows.where(rows["identity"] >= 0))
        tally.wrong(note, places=places, keys=keys)
        doubled.append(keys)
    edited = evidence.history.is_("kind", Kind.EDITED)
    edited = edited.at(order_by(edit_keys(edited), edited["spot"]))
    again = edited.where(~begins(edit_keys(edited))) if len(edited) else edited
    tally.wrong("an edit has more than one place", places=again["spot"], keys=again["identity"])
    calls.once(tally)
    ratings.once(tally)
    notices.once(tally)
    repeated = int((evidence.messages.attempts > 1).sum())
    tally.counts = {"messages_duplicated": len(distinct(np.concatenate(doubled))), "messages_repeated": repeated}
    tally.note = f"{repeated:,} messages were sent more than once"


def _second_places(rows: Rows) -> tuple[Ints, Ints]:
    """(identity, place) of every place beyond an identity's first."""
    first = lookup(*earliest(rows["identity"], rows["spot"]), rows["identity"])
    rows = rows.where(rows["spot"] != first)
    rows = rows.at(order_by(rows["identity"], rows["spot"]))
    rows = rows.where(begins(rows["identity"]) | begins(rows["spot"]))
    return rows["identity"], rows["spot"]


def accepted_or_told(tally: Tally) -> None:
    """G12: what customers send while nobody is on duty is stored, or refused with a reason; never dropped."""
    evidence = tally.evidence
    messages = evidence.messages
    at_night = (evidence.ledger.role(messages.sender) == CUSTOMER) & ~_on_duty(tally, messages.started)
    tally.count = int(at_night.sum())
    missing = at_night & (evidence.message_places < 0)
    tally.wrong("stored, said the platform, and it is not", keys=messages.identity[missing & messages.acked])
    dropped = missing & ~messages.acked & ~messages.rejected
    dropped &= ~evidence.in_fault(messages.started, messages.started)
    tally.wrong("neither stored nor refused", keys=messages.identity[dropped])
    reason = evidence.attempts["reason"][position(evidence.attempts["identity"], messages.identity)]
    silent = at_night & messages.rejected & (reason < 0)
    tally.wrong("refused without a reason", keys=messages.identity[silent])


def _on_duty(tally: Tally, at: Ints) -> Mask:
    """Whether any operator was online at each time."""
    people, times, slots = tally.floor.presence
    if not len(times):
        return np.zeros(len(at), np.bool_)
    was = np.where(begins(people), 0, np.append(0, slots[:-1]))
    order = np.argsort(times, kind="stable")
    online = np.cumsum((np.sign(slots) - np.sign(was))[order])
    together = np.zeros(len(times), np.int64)
    row = latest(together, times[order], np.zeros(len(at), np.int64), at)
    on_duty: Mask = np.append(online, 0)[row] > 0
    return on_duty
