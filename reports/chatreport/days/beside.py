"""A recorded run beside simulated days of the same scenario: whether it is one of them, figure by figure.

A figure of the run is compared with the prediction interval for one further day, by Student's t over the n days: their
mean ± t(n − 1) · s · √(1 + 1/n), s being the standard deviation between days (Hahn and Meeker, Statistical Intervals,
1991; ISO 16269-8). Together the intervals of all figures contain a further day 99 times of 100 (Bonferroni). It is
exact for figures that are normal over days, and near for those that are means over many dialogs.
"""

import math
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace
from scipy.special import stdtrit

from chatreport.days.figures import MOST, Figure
from chatreport.distortion import WITHHOLDS_ABOVE
from chatreport.judge import read_verdict
from chatreport.rundir import read_manifest
from chatreport.wording import number

LEVEL: Final = 0.01  # of a further day outside, of all figures together
FEWEST: Final = 10  # days; by fewer a further one may lie almost anywhere
COLUMNS: Final = ("label", "run", "own", "mean", "predicted", "word")
ALIKE: Final = "all days have the same, and the run another,"
CODES: Final = {"within": 0, "outside": 1, "not decidable": 3}

DECIDED: Final = frozenset(("within", "outside"))
SHOWN: Final = {"alike": "days are alike", "few": "too few days"}

Word = Literal["within", "outside", "not decidable"]


class Recorded(msgspec.Struct, frozen=True):
    """What a run brings to the comparison; `doubts`: why nothing can be decided by it; `own`: its plan, simulated."""

    run: str
    seed: int
    values: dict[str, float]
    distortion: float | None
    doubts: list[str]
    own: dict[str, float] = {}


class Predicted(msgspec.Struct, frozen=True):
    """A figure of the run and of its own plan simulated, and between which ends that of a further day lies.

    `word` is "alike" where days are, and the run is not: nobody can say how rare that is. It is "few" where hardly any
    day has the figure: a further one's would lie almost anywhere.
    """

    figure: Figure
    value: float
    own: float | None
    low: float
    high: float
    word: Literal["within", "outside", "alike", "few"]


class Beside(msgspec.Struct, frozen=True):
    """The comparison."""

    recorded: Recorded
    figures: list[Predicted]

    @property
    def word(self) -> Word:
        """Not decidable if the run proves nothing, days are few, no figure can be compared, or one never differed."""
        words = {each.word for each in self.figures}
        if self.recorded.doubts or not words & DECIDED:
            return "not decidable"
        return "outside" if "outside" in words else "not decidable" if "alike" in words else "within"

    @property
    def told(self) -> list[str]:
        """The comparison in a few sentences, the word first."""
        recorded = self.recorded
        bent = "unknown" if recorded.distortion is None else f"{100 * recorded.distortion:.2f} %"
        compared = sum(each.word in DECIDED for each in self.figures)
        why = recorded.doubts or [*self._those("outside", "outside are"), *self._those("alike", ALIKE)]
        told = [*why, *self._those("few", "too few days have")]
        return [f"{recorded.run} beside them: {self.word}; {compared} figures compared, distortion {bent}", *told]

    def _those(self, word: str, what: str) -> list[str]:
        labels = [each.figure.label for each in self.figures if each.word == word]
        return [f"{what} {', '.join(labels)}"] if labels else []


def recorded(run: Path) -> Recorded:
    """What the run directory `run` brings.

    Raises:
        UnreadableRun: it is none, or was not judged.
    """
    manifest, verdict = read_manifest(run), read_verdict(run)
    share = verdict.distortion.get("share")
    doubts = [f"the run is invalid: {verdict.reasons[0]}"] if verdict.verdict == "invalid" else []
    if share is not None and share > WITHHOLDS_ABOVE:
        doubts.append(f"its distortion is {100 * share:.1f} %, over {100 * WITHHOLDS_ABOVE:.0f} %")
    if manifest.get("finished") != "whole":
        doubts.append(f"it is partial: {manifest.get('finished')}")
    return Recorded(str(run), int(manifest["seed"]), values(verdict.kpi), share, doubts)


def values(kpi: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The key figures that have a value."""
    return {name: float(each["value"]) for name, each in kpi.items() if each.get("value") is not None}


def beside(found: list[Figure], manifest: dict[str, Any]) -> Beside | None:
    """The comparison that the days' manifest asks for; None if it asks for none."""
    if manifest.get("beside") is None:
        return None
    run, days = msgspec.convert(manifest["beside"], Recorded), max((each.days for each in found), default=0)
    if days < FEWEST:
        run = replace(run, doubts=[*run.doubts, f"{days} days are too few beside a run, {FEWEST} are needed"])
    both, fewest = [each for each in found if each.name in run.values and each.days > 1], min(FEWEST, days)
    compared = sum(each.days >= fewest for each in both)
    return Beside(run, [_predicted(each, run, max(compared, 1), few=each.days < fewest) for each in both])


def _predicted(each: Figure, run: Recorded, figures: int, *, few: bool) -> Predicted:
    value, own = run.values[each.name], run.own.get(each.name)
    deviates = each.deviates or 0.0
    reach = float(stdtrit(each.days - 1, 1 - LEVEL / figures / 2)) * deviates * math.sqrt(1 + 1 / each.days)
    low, high = max(0.0, each.mean - reach), min(MOST.get(each.unit, math.inf), each.mean + reach)
    if few:
        return Predicted(each, value, own, low, high, "few")
    if not deviates:
        return Predicted(each, value, own, low, high, "within" if value == each.mean else "alike")
    return Predicted(each, value, own, low, high, "within" if abs(value - each.mean) <= reach else "outside")


def cells(each: Predicted) -> dict[str, str]:
    """A figure as texts: the `COLUMNS`, and how the page shows the word."""
    return {
        "label": each.figure.label,
        "run": number(each.value, each.figure.unit),
        "own": "–" if each.own is None else number(each.own),
        "mean": number(each.figure.mean),
        "predicted": f"{number(each.low)} to {number(each.high)}",
        "word": SHOWN.get(each.word, each.word),
        "look": {"within": "held", "outside": "violated"}.get(each.word, "unknown"),
    }


def lines(found: Beside) -> list[str]:
    """The comparison for the terminal."""
    rows = [("", "the run", "its plan", "days: mean", "99 % of a further day", ""), *_columns(found)]
    table = (f"  {row[0]:44}{row[1]:>18}{row[2]:>12}{row[3]:>14}{row[4]:>26}  {row[5]}" for row in rows)
    return ["", *found.told, *table]


def markdown(found: Beside) -> list[str]:
    """The comparison as Markdown."""
    head = (
        "| figure | the run | its plan, simulated | days: mean | 99 % of a further day | |",
        f"|---|{4 * '---:|'}---|",
    )
    rows = (f"| {' | '.join(row)} |" for row in _columns(found))
    return ["", f"## {found.told[0]}", "", *(f"- {why}" for why in found.told[1:]), "", *head, *rows]


def _columns(found: Beside) -> list[tuple[str, ...]]:
    return [tuple(shown[name] for name in COLUMNS) for shown in map(cells, found.figures)]
