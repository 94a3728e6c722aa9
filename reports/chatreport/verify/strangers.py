"""What G2 promises of strangers: whatever they send takes no place, and is refused."""

from chatreport.grouping import contains
from chatreport.rundir import Outcome, What
from chatreport.verify.finding import Tally, distinct


def kept_out(tally: Tally) -> None:
    """No stranger was answered as if they had been let in, and nobody has a dialog whom only strangers pretended to be.

    What had no answer is counted; it is refused as well if it took no place.
    """
    ledger = tally.evidence.ledger
    tried = ledger.of(What.HOSTILE)
    if not len(tried):
        return
    taken = tried.is_("outcome", Outcome.OK)
    tally.wrong("a stranger was let in", people=taken["who"])
    stored = ledger.of(What.AUDIT)
    theirs = stored.where(contains(distinct(tried["contact"]), stored["contact"]))
    tally.wrong("what a stranger sent took a place", places=theirs["spot"], people=theirs["contact"])
    tally.counts |= {
        "hostile_requests": int(tried["size"].sum()),
        "hostile_refused": int(tried.is_("outcome", Outcome.REJECTED)["size"].sum()),
        "hostile_unanswered": int(tried.is_("outcome", Outcome.INDETERMINATE)["size"].sum()),
    }
