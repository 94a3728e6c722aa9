"""The result of a validation: `validate.json`, a page, a picture, and a summary for terminals."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from chatreport.plots.canvas import NARROW_PX, WIDE_PX, save, svg
from chatreport.report.frame import framed
from chatreport.theory.compare import IDENTITY, NAMES, WIDEST, Comparison, Word, at_what_came, too_wide
from chatreport.theory.observed import Figures, Replication
from chatreport.theory.pictures import draw_theory

SCHEMA: Final = 1
EXIT_CODES: Final[dict[Word, int]] = {"agree": 0, "disagree": 1, "undecidable": 3}
INTERRUPTED: Final = 130
ANSWERS: Final[dict[Word, str]] = {
    "agree": "What was measured is what theory says.",
    "disagree": "Something is not as theory has it.",
    "undecidable": "This cannot be decided.",
}
MARKS: Final = {
    "held": "✓ contains zero", "unknown": "? so wide that it says nothing", "violated": "✕ does not contain zero",
}  # fmt: skip
LOOKS: Final[dict[Word, str]] = {"agree": "pass", "disagree": "fail", "undecidable": "inconclusive"}
DEFINITIONS: Final = {
    "P(W>0)": "contacts that found as many others before them, waiting or served, as there are places ÷ contacts;"
    " not those with a wait above zero, for on the wire every dispatch takes milliseconds",
    "P(Ab)": "contacts whose customer left the queue before an operator accepted ÷ contacts",
    "E[W]": "time from entering the queue to the acceptance, or to leaving, of all contacts ÷ contacts; theory's has"
    " the dispatch of those who are served added, and P(Ab) those whom that makes leave",
    "service level": "contacts accepted within the target ÷ contacts; theory's target is shorter by the dispatch time",
    "occupancy": "time that places were taken ÷ places × time",
    "P(Ab) − θ·E[W]": "zero for exponential patience, whatever else: θ is one by the mean patience",
    "theory": "Erlang A (M/M/n+M) at the rates asked for, and its slopes times what really came beyond them: arrivals,"
    " and how long a place was taken, the dispatch that came before included",
    "interval": "of the mean difference over the replications, by Student's t from how far those of one load differ;"
    " together the six contain the truth 99 times of 100 (Bonferroni); where half of one is over"
    f" {100 * WIDEST:.0f} % of theory's value (for the identity, of P(Ab)), it says nothing, and nothing agrees",
    "dispatch": "the wait of those who found a place free, median; over 1 % of the mean service nothing agrees",
    "arrivals": "Kolmogorov-Smirnov test after Lewis's transformation, of the customers' first acts",
    "left out": "the warm-up: five times the longer of mean service and mean patience",
}


class Result(NamedTuple):
    """What was compared, by kind of play; and of how many plays, of those that were planned."""

    comparisons: Mapping[str, Comparison]
    played: int
    planned: int

    @property
    def word(self) -> Word:
        """One for all: a disagreement goes before a doubt, and what was interrupted does not agree."""
        words = [each.verdict for each in self.comparisons.values()]
        whole = self.played == self.planned > 0
        return "disagree" if "disagree" in words else "agree" if whole and set(words) == {"agree"} else "undecidable"

    @property
    def exit_code(self) -> int:
        """The word's, or what was interrupted."""
        return EXIT_CODES[self.word] if self.played == self.planned else INTERRUPTED

    @property
    def notes(self) -> list[str]:
        """What is not in it."""
        return [] if self.played == self.planned else [f"interrupted after {self.played} of {self.planned} plays"]


def write(folder: Path, result: Result) -> list[str]:
    """Write everything into `folder`; the summary's lines."""
    facts = {
        "schema": SCHEMA, "verdict": result.word, "exit_code": result.exit_code, "notes": result.notes,
        "definitions": DEFINITIONS, "kinds": {kind: _facts(each) for kind, each in result.comparisons.items()},
    }  # fmt: skip
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "validate.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.html").write_text(_page(folder, result), encoding="utf-8")
    lines = _summary(result)
    (folder / "summary.md").write_text("```\n" + "\n".join(lines) + "\n```\n", encoding="utf-8")
    return [*lines, f"report      {folder / 'report.html'}"]


def _facts(each: Comparison) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(each)
    for shown, replication in zip(found["replications"], each.replications, strict=True):
        shown["theory"] = at_what_came(replication)
    for difference in found["differences"].values():  # of an interval that nothing bounds, JSON has no ends
        difference |= {end: None for end in ("low", "high") if not math.isfinite(difference[end])}
    return found


def _summary(result: Result) -> list[str]:
    found = [f"{result.word.upper()}  {ANSWERS[result.word]}", *result.notes]
    for kind, each in result.comparisons.items():
        found.append(f"{kind}: {each.verdict}" + (f", which points to: {each.points_to}" if each.points_to else ""))
        found += [f"  {reason}" for reason in each.reasons]
        found.append(f"  {'':16}{'measured':>10}{'theory':>10}{'off by':>10}   interval")
        found += ["  " + f"{row[0]:16}{row[1]:>10}{row[2]:>10}{row[3]:>10}   {row[4]}" for row in _rows(each)]
        found.append(f"  {'dispatch':16}{_dispatch(each):>10}   of a mean service")
    return found


def _rows(each: Comparison) -> list[tuple[str, str, str, str, str]]:
    """Figure, mean measured, mean of theory, difference, interval."""
    expected = [at_what_came(replication) for replication in each.replications]
    count = max(len(expected), 1)
    rows = []
    for name, difference in each.differences.items():
        measured = sum(_measured(replication, name) for replication in each.replications) / count
        told = sum(some.get(name, 0.0) for some in expected) / count
        ends = (_spoken(difference.low, name), _spoken(difference.high, name))
        between = " to ".join(ends) if math.isfinite(difference.half) else "–"
        rows.append(
            (NAMES[name], _spoken(measured, name), _spoken(told, name), _spoken(difference.mean, name), between)
        )
    return rows


def _measured(each: Replication, name: str) -> float:
    return each.figures.identity(each.queue) if name == IDENTITY else float(getattr(each.figures, name))


def _spoken(value: float, name: str) -> str:
    return f"{value:.2f} s" if name.endswith("_s") else f"{100 * value:.2f} %"


def _dispatch(each: Comparison) -> str:
    shares = [some.dispatch_s / some.queue.service_s for some in each.replications]
    return f"{100 * sum(shares) / max(len(shares), 1):.2f} %"


def _page(folder: Path, result: Result) -> str:
    comparisons = result.comparisons
    (folder / "plots").mkdir(exist_ok=True)
    save(draw_theory(comparisons, WIDE_PX), folder / "plots" / "theory.png")
    label = "Measured points on the curves of Erlang A, over the offered load"
    sizes = {"wide": WIDE_PX, "narrow": NARROW_PX}
    return framed(
        "theory",
        word=result.word,
        look=LOOKS[result.word],
        title="Validation against queueing theory",
        answer=ANSWERS[result.word],
        notes=result.notes,
        kinds={kind: _shown(each) for kind, each in comparisons.items()},
        pictures={size: svg(draw_theory(comparisons, width), f"theory-{size}", label) for size, width in sizes.items()},
        marks=MARKS,
        definitions=DEFINITIONS,
    )


def _shown(each: Comparison) -> dict[str, Any]:
    return {
        "verdict": each.verdict,
        "look": {"agree": "held", "disagree": "violated", "undecidable": "unknown"}[each.verdict],
        "points_to": each.points_to,
        "reasons": each.reasons,
        "rows": list(zip(_rows(each), _marks(each), strict=True)),
        "dispatch": _dispatch(each),
        "plays": [_play(some) for some in sorted(each.replications, key=lambda some: some.queue.load)],
    }


def _marks(each: Comparison) -> list[str]:
    """How each figure's row ends: a class of the page."""
    wide = too_wide(each.differences, each.replications)
    return [
        "unknown" if name in wide and found.agrees else "held" if found.agrees else "violated"
        for name, found in each.differences.items()
    ]


def _play(each: Replication) -> dict[str, Any]:
    expected = at_what_came(each)
    pairs = [
        (_spoken(getattr(each.figures, name), name), _spoken(expected[name], name))
        for name in Figures.__struct_fields__
    ]
    came = each.arrivals_per_s * each.service_s / each.queue.places
    return {
        "name": each.name, "contacts": f"{each.contacts:,}", "asked": f"{each.queue.load:.2f}", "came": f"{came:.3f}",
        "pairs": pairs, "poisson": "–" if each.poisson_p is None else f"{each.poisson_p:.2g}",
    }  # fmt: skip
