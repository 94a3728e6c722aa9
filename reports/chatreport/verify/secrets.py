"""What the bank says of a person is for them alone, and only after they have shown who they are (G5)."""

from chatreport.grouping import NEVER, Ints, earliest, lookup, order_by, unique
from chatreport.rundir import What
from chatreport.verify.finding import Tally


def said(tally: Tally) -> Ints:
    """The identities of the bank's own words, sorted."""
    words = tally.evidence.ledger.of(What.BANK)["identity"]
    return unique(words[words >= 0])


def told_to_owners(tally: Tally) -> None:
    """The bank's words were shown to the contact of the person they are about, once it had typed the mailed code."""
    ledger = tally.evidence.ledger
    words = ledger.of(What.BANK)
    words = words.where(words["identity"] >= 0)
    words = words.at(order_by(words["identity"]))
    typed = ledger.of(What.CODE).is_("reason", ledger.number("typed"))
    proved = earliest(typed["contact"], typed["started"])
    for rows, moment in ((ledger.of(What.ENTRY), "done"), (ledger.of(What.ATTEMPT), "started")):
        owner = lookup(words["identity"], words["contact"], rows["identity"])
        shown, theirs = rows.where(owner >= 0), owner[owner >= 0]
        astray = shown.where((shown["contact"] >= 0) & (shown["contact"] != theirs))
        tally.wrong("the bank's words about somebody else", people=astray["contact"], keys=astray["identity"])
        early = shown.where(lookup(*proved, shown["contact"], NEVER) > shown[moment])
        tally.wrong("told before they had shown who they are", people=early["contact"], keys=early["identity"])
