"""A play of a queue as a run's record has it, and whether the judge counted the same."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from chatreport.arrivals import poisson_test
from chatreport.evidence import SECOND_NS
from chatreport.floor import Floor
from chatreport.grouping import NEVER, Floats, Ints, earliest, lookup, position
from chatreport.judge import Run
from chatreport.rundir import Outcome, What
from chatreport.theory.observed import Observed, Queue, Replication, measure
from chatreport.verdict import Verdict

UNLIKE: Final = 0.001  # a probability of arrivals that calls for a reason
ROUNDED: Final = 1e-4  # as the judge prints shares of a hundred


def replication_of(run: Path, queue: Queue, warm_up_s: float, *, wire: bool) -> Replication:
    """The play that `run` recorded, with the judge's verdict on it; `warm_up_s`: of business time, left out.

    Raises:
        ReportError: the run cannot be read.
    """
    recorded = Run(run)
    verdict = recorded.verdict
    speed = float(recorded.manifest.get("speed") or 1.0)
    seen = observed(recorded, speed)
    faults = [*_flow(recorded, seen), *_disputed(verdict.kpi, seen, queue)]
    if verdict.verdict == "fail":
        faults.append(f"the run itself fails: {verdict.reasons[0]}")
    scripts = recorded.evidence.ledger.of(What.DIALOG)
    due_s = (scripts["intended"] - int(recorded.manifest.get("t0_ns") or 0)) / SECOND_NS * speed
    found = blaming(measure(seen, queue, warm_up_s, wire=wire), due_s, warm_up_s, seen.until_s)
    return replace(found, name=run.name, faults=faults, doubts=[*found.doubts, *_doubts(verdict)])


def blaming(found: Replication, due_s: Floats, from_s: float, until_s: float) -> Replication:
    """The replication, in doubt if its arrivals were random as planned, and not as they came: they were late."""
    planned = poisson_test(due_s, (from_s, until_s)).p
    if found.poisson_p is None or planned is None or not found.poisson_p < UNLIKE <= planned:
        return found
    late = "customers started so late that their arrivals were not random any more: the machine is too busy"
    return replace(found, poisson_p=planned, doubts=[*found.doubts, late])


def _doubts(verdict: Verdict) -> list[str]:
    """Why the record proves nothing."""
    found = []
    if verdict.verdict in ("invalid", "inconclusive"):
        found.append(f"the run is {verdict.verdict}: {verdict.reasons[0]}")
    withheld = next((str(each["withheld"]) for each in verdict.kpi.values() if each.get("withheld")), "")
    return [*found, *([f"the judge withholds its key figures: {withheld}"] if withheld else [])]


def observed(run: Run, speed: float) -> Observed:
    """Who came, waited, was served or left, and whose place they took, by the rows of customers and desks."""
    begin_ns = int(run.manifest.get("t0_ns") or 0)

    def since(ns: Ints) -> Floats:
        return (ns - begin_ns) / SECOND_NS * speed

    floor, scripts = run.floor, run.evidence.ledger.of(What.DIALOG)
    scripts = scripts.where((scripts["started"] >= 0) & (scripts["dialog"] >= 0))
    dialogs, queued_at = earliest(*floor.queued)
    held = floor.holdings
    taken = held.accepted_at >= 0
    line = position(held.dialog[taken], dialogs) if len(held) else np.full(len(dialogs), -1)
    accepted_at = np.append(held.accepted_at[taken], -1)[line]
    left = scripts.is_("outcome", Outcome.ABANDONED)
    left_at = lookup(left["dialog"], left["done"], dialogs)
    served = (accepted_at >= 0) & ((left_at < 0) | (accepted_at < left_at))
    until = np.where(served, accepted_at, np.where(left_at >= 0, left_at, floor.horizon))
    return Observed(
        came_s=since(scripts["started"]),
        queued_s=since(queued_at),
        waited_s=np.maximum(until - queued_at, 0) / SECOND_NS * speed,
        served=served,
        left=~served & (left_at >= 0),
        taking=np.where(served, line, -1),
        taken_s=since(held.accepted_at[taken]),
        freed_s=since(_ends(floor)[taken]),
        operator=np.unique(held.operator[taken], return_inverse=True)[1].astype(np.int64),
        until_s=float(since(np.array([int(run.manifest.get("end_ns") or floor.horizon)]))[0]),
    )


def _ends(floor: Floor) -> Ints:
    held = floor.holdings
    ends: Ints = np.where(held.ended_at == NEVER, floor.horizon, held.ended_at)
    return ends


def _flow(run: Run, seen: Observed) -> list[str]:
    """Exactly: who was planned came and came to an end, was queued, and was served or left."""
    scripts = run.evidence.ledger.of(What.DIALOG)
    books = {
        "planned": int((run.manifest.get("planned") or {}).get("dialogs", -1)),
        "came": int((scripts["started"] >= 0).sum()),
        "ended": int(np.isin(scripts["outcome"], [Outcome.COMPLETED, Outcome.ABANDONED]).sum()),
        "queued": len(seen.queued_s),
        "served or gone": int((seen.served | seen.left).sum()),
    }
    if len(set(books.values())) == 1:
        return []
    return ["flow is not conserved: " + ", ".join(f"{count:,} {what}" for what, count in books.items())]


def _disputed(kpi: dict[str, dict[str, Any]], seen: Observed, queue: Queue) -> list[str]:
    """The judge's key figures that are not what is counted here, over the whole run."""
    held_s = np.maximum(np.minimum(seen.freed_s, seen.until_s) - np.maximum(seen.taken_s, 0), 0).sum()
    in_time = seen.served & (seen.waited_s <= queue.target_s)
    counted = {
        f"service_level_{queue.target_s:g}s": 100 * float(in_time.mean()),
        "abandonment": 100 * float(seen.left.mean()),
        "slot_use": 100 * float(held_s) / (seen.until_s * queue.places),
    }
    values = {name: kpi[name]["value"] for name in counted if not kpi[name].get("withheld")}
    return [
        f"the judge has {name} {value} %, counted are {counted[name]:.4f} %"
        for name, value in values.items()
        if value is None or abs(value - counted[name]) > ROUNDED
    ]
