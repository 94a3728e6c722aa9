"""What G1, G2 and G3 promise of messages, for what an exchange tells of calls: stored, not made up, said once."""

import numpy as np

from chatreport.grouping import contains, earliest, lookup, order_by, running_max, unique
from chatreport.rundir import Outcome
from chatreport.verify.finding import Tally


def kept(tally: Tally) -> None:
    """What was acknowledged of a call, or something later of it, is in the final history."""
    calls = tally.evidence.calls
    taken = calls.told["outcome"] == Outcome.OK
    stored = -lookup(*earliest(calls.entry_call, -calls.entry_rank), calls.told_call, 0)
    missing = calls.told.where(taken & (stored < calls.told_rank))
    tally.wrong("what was acknowledged of a call is not in the final history", people=missing["contact"])
    tally.count += int(taken.sum())


def made(tally: Tally) -> None:
    """An exchange told of each call, and not all that it told was refused."""
    calls = tally.evidence.calls
    told = unique(calls.told_call[calls.told["outcome"] != Outcome.REJECTED])
    tally.wrong("a call that nobody made", places=calls.entries["spot"][~contains(told, calls.entry_call)])


def once(tally: Tally) -> None:
    """What is told of a call takes a place only if it goes beyond what stands there, however late it comes."""
    calls = tally.evidence.calls
    told = np.flatnonzero(calls.entry_rank > 0)
    told = told[order_by(calls.entry_call[told])]
    again = running_max(calls.entry_call[told], calls.entry_rank[told], before=True) >= calls.entry_rank[told]
    tally.wrong("said again of a call", places=calls.entries["spot"][told[again]])
    tally.count += int((~again).sum())
