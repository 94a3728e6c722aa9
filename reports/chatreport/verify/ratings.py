"""Ratings take no place in a dialog: what G1, G2 and G3 promise of messages is checked for them here."""

from chatreport.grouping import Ints, begins, contains, unique
from chatreport.ledger import Rows
from chatreport.rundir import Outcome, What
from chatreport.verify.finding import Tally, distinct


def kept(tally: Tally) -> None:
    """A rating that was acknowledged is in the final history."""
    given = tally.evidence.ledger.of(What.RATING).is_("outcome", Outcome.OK)
    lost = ~contains(unique(_keys(_stored(tally))), _keys(given))
    tally.wrong("a rating was acknowledged, and is not in the final history", people=distinct(given["contact"][lost]))


def given(tally: Tally) -> None:
    """A rating of the final history was given, and not refused."""
    sent = tally.evidence.ledger.of(What.RATING)
    stored = _stored(tally)
    foreign = ~contains(unique(_keys(sent.where(sent["outcome"] != Outcome.REJECTED))), _keys(stored))
    tally.wrong("a rating that nobody gave", people=distinct(stored["contact"][foreign]))


def once(tally: Tally) -> None:
    """A dialog is rated once."""
    stored = _stored(tally)
    stored = stored.at(stored["dialog"].argsort(kind="stable"))
    again = stored.where(~begins(stored["dialog"])) if len(stored) else stored
    tally.wrong("a dialog has more than one rating", people=distinct(again["contact"]))


def _stored(tally: Tally) -> Rows:
    return tally.evidence.ledger.of(What.AUDIT_RATING)


def _keys(rows: Rows) -> Ints:
    """Whose score it is: a customer rates once."""
    return rows["contact"] << 8 | rows["size"] & 0xFF
