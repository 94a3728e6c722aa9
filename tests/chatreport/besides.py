"""What customers and the bank's bot do besides, in the made-up record, and ways to break it."""

from chatreport.rundir import Channel, Kind, Outcome, What
from tests.chatreport.ledgers import MS, T0, Record


def rate(record: Record) -> None:
    """Who was with an operator in the end rates the dialog, and the platform keeps it."""
    for closed in record.find(What.CLOSE, outcome=Outcome.OK):
        where = {name: closed[name] for name in ("contact", "number", "channel", "phase")}
        score = {"size": 2 - closed["done"] % 2, "place": 2}
        times = {"intended": closed["done"], "started": closed["done"] + MS, "done": closed["done"] + 2 * MS}
        record.rows.append({"what": What.RATING, "outcome": Outcome.OK, "attempt": 1, **where, **score, **times})
        record.rows.append({"what": What.AUDIT_RATING, "outcome": Outcome.OK, "who": "auditor", **where, **score})


def fail_somebody(record: Record) -> None:
    """The bank's bot does not answer a customer, who is led on in time."""
    record.manifest["bot_timeout_s"] = 1.0
    led_on = record.one(What.AUDIT, kind=Kind.QUEUED)
    for row in record.find(What.AUDIT, contact=led_on["contact"], number=led_on["number"]):
        row["done"] = T0 + 1500 * MS
    where = {name: led_on[name] for name in ("contact", "number", "channel")}
    record.rows.append({"what": What.ASKED, "outcome": Outcome.OK, "reason": "slow", "started": T0, **where})


def announce(record: Record) -> None:
    """The bank writes to a customer of its own accord, in no dialog."""
    whom = {"contact": "tg/u2", "channel": Channel.TELEGRAM}
    stored = {"who": "auditor", "number": 0, "seq": 1, **whom}
    times = {"started": T0, "done": T0 + MS, **whom}
    record.rows += [
        {"what": What.NOTICE, "outcome": Outcome.OK, "who": "bank", "rule": "news", "size": 1, **times},
        {"what": What.ATTEMPT, "outcome": Outcome.OK, "who": "telegram", "provider_id": 6999, **times},
        {"what": What.AUDIT, "kind": Kind.NOTICE, "author": "system", "rule": "news", **stored},
        {"what": What.AUDIT_RECEIPT, "reason": "sent", "provider_id": 6999, **stored},
    ]


def kept_back(record: Record) -> None:
    """The bank's bot was slow, and the customer got no operator for longer than was stated."""
    record.one(What.ASKED)["started"] -= 1000 * MS


def rating_lost(record: Record) -> None:
    """A rating was acknowledged, and is not in the final history."""
    record.drop(record.one(What.AUDIT_RATING))


def rating_of_nobody(record: Record) -> None:
    """The final history has a rating that was refused."""
    record.one(What.RATING)["outcome"] = Outcome.REJECTED


def rating_twice(record: Record) -> None:
    """A dialog is rated twice."""
    record.add(record.one(What.AUDIT_RATING))
