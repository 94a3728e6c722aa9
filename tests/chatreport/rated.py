"""Ratings in the made-up record, and ways to break them."""

from chatreport.rundir import Outcome, What
from tests.chatreport.ledgers import MS, Record


def rate(record: Record) -> None:
    """Who was with an operator in the end rates the dialog, and the platform keeps it."""
    for closed in record.find(What.CLOSE, outcome=Outcome.OK):
        where = {name: closed[name] for name in ("contact", "number", "channel", "phase")}
        score = {"size": 2 - closed["done"] % 2, "place": 2}
        times = {"intended": closed["done"], "started": closed["done"] + MS, "done": closed["done"] + 2 * MS}
        record.rows.append({"what": What.RATING, "outcome": Outcome.OK, "attempt": 1, **where, **score, **times})
        record.rows.append({"what": What.AUDIT_RATING, "outcome": Outcome.OK, "who": "auditor", **where, **score})


def rating_lost(record: Record) -> None:
    """A rating was acknowledged, and is not in the final history."""
    record.drop(record.one(What.AUDIT_RATING))


def rating_of_nobody(record: Record) -> None:
    """The final history has a rating that was refused."""
    record.one(What.RATING)["outcome"] = Outcome.REJECTED


def rating_twice(record: Record) -> None:
    """A dialog is rated twice."""
    record.add(record.one(What.AUDIT_RATING))
