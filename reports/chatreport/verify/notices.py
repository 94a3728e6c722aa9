"""What the bank sends of its own accord stands in no dialog: what guarantees promise of messages is checked here."""

import numpy as np

from chatreport.grouping import Ints, begins, contains, dense, order_by
from chatreport.ledger import Rows
from chatreport.rundir import Kind, Outcome, What
from chatreport.verify.finding import Tally, distinct

REACHED = ("delivered", "read")


def kept(tally: Tally) -> None:
    """G1: a notice that was accepted is in the final history."""
    asked, stored = _asked(tally), _stored(tally)
    wanted, there = _keys(asked, stored)
    lost = asked.where((asked["outcome"] == Outcome.OK) & ~contains(np.sort(there), wanted))
    tally.wrong("a notice was accepted, and is not in the final history", people=distinct(lost["contact"]))


def made(tally: Tally) -> None:
    """G2: a notice of the final history was asked for, and not only refused."""
    asked, stored = _asked(tally), _stored(tally)
    asked = asked.where(asked["outcome"] != Outcome.REJECTED)
    wanted, there = _keys(asked, stored)
    tally.wrong("a notice that nobody asked for", people=stored["contact"][~contains(np.sort(wanted), there)])


def once(tally: Tally) -> None:
    """G3: a template reaches a contact once, however often it was asked for."""
    stored = _stored(tally)
    keys, _ = _keys(stored, stored)
    order = order_by(keys)
    again = stored.at(order[~begins(keys[order])]) if len(stored) else stored
    tally.wrong("a notice has more than one place", people=distinct(again["contact"]))


def to_who_may(tally: Tally) -> None:
    """G5: who did not agree to a broadcast, and has nothing else to do with the bank, got nothing."""
    asked = _asked(tally)
    barred = distinct(asked["contact"][asked["size"] == 0])
    sent = tally.evidence.ledger.of(What.ATTEMPT)
    tally.wrong("a notice to somebody who did not agree", people=sent["contact"][contains(barred, sent["contact"])])


def billed(tally: Tally) -> None:
    """G11: an account is billed for as many notices as reached somebody, as far as the platform was told."""
    evidence = tally.evidence
    ledger = evidence.ledger
    bills = ledger.of(What.BILL)
    told = ledger.of(What.CALLBACK)
    told = told.where(np.isin(told["reason"], [ledger.number(state) for state in REACHED]))
    sent = ledger.of(What.AUDIT_RECEIPT)
    sent = sent.where((sent["number"] == 0) & (sent["provider_id"] >= 0))
    both = dense(*(np.concatenate([told[name], sent[name]]) for name in ("contact", "provider_id")))
    told = told.where(contains(np.sort(both[len(told) :]), both[: len(told)]))
    least, most = (_by_account(tally, rows) for rows in (told.is_("outcome", Outcome.OK), told))
    for account, paid in zip(bills["contact"].tolist(), bills["size"].tolist(), strict=True):
        name = ledger.text(account)
        if not least.get(name, 0) <= paid <= most.get(name, 0):
            note = f"billed for {paid} notices, {least.get(name, 0)} to {most.get(name, 0)} reached somebody"
            tally.wrong(note, people=np.array([account]))
    if len(_asked(tally)):
        tally.counts |= {"notices": len(_stored(tally)), "notices_delivered": sum(least.values())}


def _by_account(tally: Tally, told: Rows) -> dict[str, int]:
    """How many notices of each account these receipts are about."""
    found: dict[str, set[tuple[int, int]]] = {}
    for contact, message in zip(told["contact"].tolist(), told["provider_id"].tolist(), strict=True):
        found.setdefault(tally.evidence.ledger.text(contact).partition("/")[0], set()).add((contact, message))
    return {account: len(messages) for account, messages in found.items()}


def _asked(tally: Tally) -> Rows:
    return tally.evidence.ledger.of(What.NOTICE)


def _stored(tally: Tally) -> Rows:
    return tally.evidence.ledger.of(What.AUDIT).is_("kind", Kind.NOTICE)


def _keys(some: Rows, others: Rows) -> tuple[Ints, Ints]:
    """Contact and template of both in one numbering."""
    keys = dense(*(np.concatenate([some[name], others[name]]) for name in ("contact", "rule")))
    return keys[: len(some)], keys[len(some) :]
