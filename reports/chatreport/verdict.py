"""The verdict: what a run may claim, in one of four words.

The rules, in the order in which they decide:

1. A violated guarantee is `fail`, whatever else happened. A message that was acknowledged and is gone stays gone, on
   a busy generator, in an interrupted run, and with every objective met.
2. An interrupted run is `inconclusive` at best. It is judged on what it recorded; that it did not send its load, or
   came to no rest, is what interrupting means, and no further reproach.
3. A run that cannot be trusted is `invalid`, and claims nothing: it sent under 99 % of its load, or left due work
   unsent; a guarantee that the target shows and the plan exercises could not be judged; the drain's deadline passed;
   a worker's record or rows of it are missing, the books do not balance, or the run failed before its end. Each
   reason says what to do. Those rules, and what only warns, are one table in `validity.py`.
4. A missed objective is `fail`; but a missed latency is `inconclusive` where the generator's own lag, or the mirror
   that measures its floor, is over a tenth of the tightest latency objective (and over 2 ms): the miss may be ours.
5. An objective without data, with too little of it, or on a figure that was withheld is `inconclusive`.
6. What is left is `pass`: every guarantee that was exercised held, with evidence counted, and every objective is met.
   Against a target that shows nothing it says that the generator kept its word, and is never worded as more; of a
   simulation it says that the books balance and the objectives that are no latencies are met, and names it as one.

What was rejected:

- *Two words, pass and fail.* Then a run whose generator was late, or whose drain ended early, must be called one of
  them, and in practice it is called pass, because nothing failed. A gate that is green because nothing was compared
  is worse than none. Exit codes keep the difference: 0, 1, and 3 for both kinds of not knowing.
- *Validity first, guarantees second.* It reads well (an invalid run proves nothing), and it hides the one finding
  that validity cannot take away: bad load makes latencies wrong, not losses.
- *A score.* Weights would let many fast messages buy one lost message.
- *Unknown as held* for guarantees that nobody exercised. They do not fail the run (a platform without messengers
  has no outbound side), but the first reason names them, so that a short list of promises is not read as a long one.
- *Judging while the load runs.* A message still on its way looks exactly like a lost one until everything is at
  rest; the live view therefore says "unconfirmed", and the verdict is made from the record, after it is complete.
- *Correcting latencies for the generator's lag*, instead of rule 4. The correction is a model of the very thing the
  run was made to measure.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from chatreport.calibration import generator_alone, simulated
from chatreport.objectives import Judged
from chatreport.validity import Seen, blur, blur_limit_ms, untrusted
from chatreport.verify import GUARANTEES, NOT_EXERCISED, NOT_OBSERVABLE
from chatreport.verify.finding import Finding

Word = Literal["pass", "fail", "inconclusive", "invalid"]

EXIT_CODES: Final[dict[Word, int]] = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 3}
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

ALONE: Final = "the generator kept its word; nothing is claimed about a platform, for nothing of one was observed"


class Verdict(msgspec.Struct, frozen=True):
    """`verdict.json`."""

    schema: int
    verdict: Word
    reasons: list[str]
    warnings: list[str]
    guarantees: dict[str, Finding]
    objectives: list[Judged]
    counts: dict[str, int]
    latency_ms: dict[str, dict[str, Any]]
    reading: dict[str, float | None]  # the traffic under which the latencies were read
    kpi: dict[str, dict[str, Any]]
    kpi_by: dict[str, Any]  # the values by channel and department, and of each half hour; empty if withheld
    generator: dict[str, Any]
    distortion: dict[str, Any]
    machine: dict[str, Any]
    labels: dict[str, str]
    finished: str

    @property
    def exit_code(self) -> int:
        """What a process that prints this verdict ends with."""
        return INTERRUPTED if self.finished == "interrupted" else EXIT_CODES[self.verdict]


def decide(
    findings: Mapping[str, Finding],
    objectives: Iterable[Judged],
    generator: Mapping[str, Any],
    manifest: Mapping[str, Any],
) -> tuple[Word, list[str]]:
    """The word and its reasons, the deciding ones first; the first line also names what was not judged."""
    objectives = list(objectives)
    violated = [_violation(name, finding) for name, finding in findings.items() if finding.status == "violated"]
    broken = [*untrusted(Seen(generator, manifest)), *_unjudged(findings)]
    missed, undecided = _objectives(objectives, generator)
    interrupted = manifest.get("finished") == "interrupted"
    if violated:
        word: Word = "fail"
        reasons = [*violated, *broken, *missed, *undecided]
    elif interrupted:
        word, reasons = "inconclusive", ["partial: interrupted", *_unjudged(findings), *missed, *undecided]
    elif broken:
        word, reasons = "invalid", [*broken, *missed, *undecided]
    elif missed:
        word, reasons = "fail", [*missed, *undecided]
    elif undecided:
        word, reasons = "inconclusive", undecided
    else:
        word, reasons = "pass", [_kept(findings, objectives, manifest)]
    if simulated(manifest):
        reasons[0] = f"simulated, no platform was tested: {reasons[0]}"
    else:
        reasons[0] += _left_out(findings)
    return word, reasons


def _violation(name: str, finding: Finding) -> str:
    guarantee = next(each for each in GUARANTEES if each.id == name)
    first = finding.examples[0] if finding.examples else {}
    where = ", ".join(f"{first[key]}" for key in ("dialog", "identity", "who") if key in first)
    note = f": {first['note']}" + (f" ({where})" if where else "") if "note" in first else ""
    return f"{name} {guarantee.name} is violated, {finding.violations:,} times in {finding.count:,}{note}"


def _left_out(findings: Mapping[str, Finding]) -> str:
    parts = []
    for why in (NOT_EXERCISED, NOT_OBSERVABLE):
        names = [name for name, finding in findings.items() if finding.why == why]
        if names:
            parts.append(f"{why}: {', '.join(names)}")
    return f" ({'; '.join(parts)})" if parts else ""


def _unjudged(findings: Mapping[str, Finding]) -> list[str]:
    """Why guarantees that were observable and exercised could not be judged; one line for each reason."""
    reasons: dict[str, list[str]] = {}
    for name, finding in findings.items():
        if finding.status == "unknown" and finding.why not in (NOT_EXERCISED, NOT_OBSERVABLE):
            reasons.setdefault(finding.why, []).append(name)
    return [f"{', '.join(names)} unknown: {why}" for why, names in reasons.items()]


def _objectives(objectives: list[Judged], generator: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(reasons to fail, reasons to be inconclusive)."""
    limit_ms = blur_limit_ms(objectives)
    missed: list[str] = []
    undecided: list[str] = []
    for objective in objectives:
        if objective.status == "inconclusive":
            undecided.append(f"{objective.objective}: {objective.why}")
        elif objective.status == "missed":
            told = f"{objective.objective} is missed: {objective.value:,.4g} {objective.unit}".rstrip()
            ours = blur(generator, limit_ms) if objective.latency and limit_ms is not None else ""
            (undecided if ours else missed).append(f"{told}; {ours}" if ours else told)
    return missed, undecided


def _kept(findings: Mapping[str, Finding], objectives: list[Judged], manifest: Mapping[str, Any]) -> str:
    """What a pass says."""
    if generator_alone(manifest):
        return ALONE
    if simulated(manifest):
        return f"the books balance, and {_met(objectives)}"
    held = sum(finding.status == "held" for finding in findings.values())
    return f"all {held} guarantees that were exercised held, and {_met(objectives)}"


def _met(objectives: list[Judged]) -> str:
    met = "no objective was set" if not objectives else "the objective is met"
    if len(objectives) > 1:
        met = f"all {len(objectives)} objectives are met"
    return met
