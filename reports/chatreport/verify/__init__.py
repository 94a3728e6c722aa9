"""The guarantees and their checkers: pure functions of a run's record, each held, violated or unknown."""

from collections.abc import Iterable
from typing import Final

from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.verify.delivery import accepted_or_told, durable, effectively_once, no_phantom
from chatreport.verify.dialogs import history_grows, no_orphan, one_open_dialog
from chatreport.verify.finding import CannotTell, Finding, Guarantee, Tally
from chatreport.verify.order import ordered
from chatreport.verify.outbound import outbound
from chatreport.verify.ownership import no_leak, one_owner
from chatreport.verify.queue import fair_queue

GUARANTEES: Final = (
    Guarantee("G1", "durable", "acknowledged means stored, also after kill -9", "messages", durable),
    Guarantee(
        "G2", "no phantom", "nothing appears that nobody sent, nor what was refused", "texts", no_phantom,
        by_absence=True,
    ),
    Guarantee("G3", "effectively once", "a repeat takes no second place", "messages", effectively_once),
    Guarantee("G4", "ordered", "one order in a dialog, without gaps, the same for all", "entries", ordered),
    Guarantee("G5", "no leak", "a message reaches only whom it concerns", "views", no_leak),
    Guarantee("G6", "history", "complete, never shrinks, handed over whole", "reads", history_grows),
    Guarantee("G7", "one open dialog", "per contact, also in bursts", "dialogs", one_open_dialog),
    Guarantee(
        "G8", "one owner", "never two owners, never past the limit", "acceptances", one_owner,
        by_absence=True,
    ),
    Guarantee(
        "G9", "fair queue", "nobody overtaken, nobody left waiting", "offers", fair_queue, reads_history=False,
        by_absence=True,
    ),
    Guarantee(
        "G10", "no orphan", "every dialog is somewhere, with somebody who is there", "dialogs", no_orphan,
        needs_rest=True,
    ),
    Guarantee(
        "G11", "outbound", "every reply reaches the provider or ends visibly failed", "replies", outbound,
        needs_rest=True, by_absence=True,
    ),
    Guarantee(
        "G12", "accepted or told", "with nobody on duty: stored or refused, never dropped", "messages",
        accepted_or_told,
    ),
)  # fmt: skip

NOT_OBSERVABLE: Final = "not observable"
NOT_EXERCISED: Final = "not exercised"


def check_all(
    evidence: Evidence, floor: Floor, guarantees: Iterable[Guarantee] = GUARANTEES
) -> tuple[dict[str, Finding], dict[str, int]]:
    """The finding on every guarantee by its id, and the checkers' named counts together."""
    findings: dict[str, Finding] = {}
    counts: dict[str, int] = {}
    for guarantee in guarantees:
        tally = Tally(evidence, floor)
        findings[guarantee.id] = _find(guarantee, tally)
        counts |= tally.counts
    return findings, counts


def _find(guarantee: Guarantee, tally: Tally) -> Finding:
    """Run one checker; what keeps it from an answer makes the guarantee unknown, never held."""
    why = _why_not(guarantee, tally.evidence)
    if why:
        return Finding("unknown", 0, why=why)
    try:
        guarantee.check(tally)
    except CannotTell as error:
        return Finding("unknown", tally.count, why=str(error))
    except Exception as error:  # noqa: BLE001  a checker that crashes must not pass: its guarantee is unknown
        tally.counts.clear()
        return Finding("unknown", tally.count, why=f"checker crashed: {type(error).__name__}: {error}")
    lost = tally.evidence.workers_lost
    if tally.violations and guarantee.by_absence and lost:
        tally.counts.clear()
        return Finding("unknown", tally.count, why=f"the record of {', '.join(lost)} is missing")
    if tally.violations:
        return Finding("violated", tally.count, tally.violations, note=tally.note, examples=tally.examples)
    if not tally.count:
        return Finding("unknown", 0, why="no work seen")
    if guarantee.needs_rest and not tally.evidence.clean_drain:
        return Finding("unknown", tally.count, why="drain deadline passed")
    return Finding("held", tally.count, note=tally.note)


def _why_not(guarantee: Guarantee, evidence: Evidence) -> str:
    """Why a guarantee cannot be checked in this run; empty if it can."""
    manifest = evidence.manifest
    if guarantee.id not in manifest.get("target", {}).get("observes", []):
        return NOT_OBSERVABLE
    if not manifest.get("scheduled", {}).get(guarantee.id, False):
        return NOT_EXERCISED
    if guarantee.reads_history and not evidence.audited:
        reason = manifest.get("audit", {}).get("reason") or "the run did not get so far"
        return f"the final history was not read: {reason}"
    return ""
