"""The numbers that nobody publishes, found by simulation such that the published figures come out.

    python -m scripts.calibrate SCENARIO [--days N] [--rounds N]

Each number of a scenario that may be turned (`KNOBS`) has a published figure that it moves. In every round the same
simulated days are played, and each number is turned by what its figure misses; days are the same from round to round,
so that chance does not move the figures. The last lines are for the scenario's file.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from chatload.run.settings import settle
from chatload.scenario import ScenarioFile, load
from chatload.simulate.changes import changed
from chatload.simulate.run import settled, simulate
from chatreport.judge import Run

NEAR: Final = 0.01  # so near to what is published a number is left as it is
COARSE: Final = 2  # rounds in which whole numbers are turned; what they cannot reach is left to the others
MOST_TURN: Final = 1.6  # by this factor at most in a round


@dataclass(frozen=True)
class Knob:
    """A number of a scenario: by how many per cent its figure moves when it is turned by one, and its unit."""

    key: str
    figure: str
    moves: float
    unit: str = ""
    whole: bool = False

    def written(self, value: float) -> str:
        """As the scenario's file has it."""
        text = f"{round(value)}" if self.whole else f"{float(f'{value:.3g}'):g}"
        return f'"{text} {self.unit}"' if self.unit else text


KNOBS: Final = {
    "halyk": (
        Knob("dialog.duration", "handling_time_s", 1.2, "min"),
        Knob("bot.contained", "bot_containment", 1.0),
        Knob("feedback.share", "rated_share", 1.0),
        Knob("operators.count", "time_to_connect_s", -6.0, whole=True),
        Knob("patience.queue", "time_to_connect_s", 0.7, "min"),
    ),
    "cashu": (
        Knob("operators.thinking", "first_response_s", 0.8, "s"),
        Knob("channels.phone.patience", "accepted_share", 0.08, "min"),
        Knob("operators.count", "service_level_20s", 0.6, whole=True),
    ),
}


def figures(file: ScenarioFile, days: int) -> dict[str, float]:
    """The published figures' means over so many simulated days, which differ by their seed."""
    found: dict[str, list[float]] = {}
    folder = Path(tempfile.mkdtemp(prefix="chatload-calibrate-"))
    try:
        for seed in range(1, days + 1):
            out = folder / f"{seed}"
            settings = settled(settle(file, part="day", speed=1.0, seed=seed, out=out))
            kpi = Run(simulate(replace(settings, out=out))).verdict.kpi
            shutil.rmtree(out)
            for name in file.scenario.published:
                if kpi[name]["value"] is not None:
                    found.setdefault(name, []).append(kpi[name]["value"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {name: statistics.fmean(values) for name, values in found.items()}


def value_of(file: ScenarioFile, knob: Knob) -> float:
    """What stands in the scenario, in the knob's unit."""
    found: object = file.scenario
    for part in knob.key.split("."):
        found = getattr(found, part)
    assert isinstance(found, int | float), f"{knob.key} is no number"
    return found / {"": 1.0, "s": 1e3, "min": 6e4}[knob.unit]


def turned(value: float, knob: Knob, measured: float, published: float) -> float:
    """The number after a round; as it was, if its figure is near."""
    if not measured or abs(measured / published - 1) <= NEAR:
        return value
    factor = (published / measured) ** (1 / knob.moves)
    return value * float(min(MOST_TURN, max(1 / MOST_TURN, factor)))


Play = Callable[[ScenarioFile, int], dict[str, float]]


def calibrate(name: str, days: int, rounds: int, play: Play = figures) -> int:
    """Turn, print, and say in the end what is to be written; 1 if a published figure is missed by more than 10 %."""
    file, knobs = load(name), KNOBS[name]
    values = {knob: value_of(file, knob) for knob in knobs}
    best: tuple[float, dict[Knob, float], dict[str, float]] | None = None
    for number in range(1, rounds + 1):
        asked = [f"{knob.key}={knob.written(value)}" for knob, value in values.items()]
        found = play(changed(file, asked), days)
        published = file.scenario.published
        missed = max(abs(found[figure] / published[figure] - 1) for figure in {knob.figure for knob in knobs})
        print(f"round {number}: {', '.join(asked)}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()), flush=True)
        if best is None or missed < best[0]:
            best = (missed, dict(values), found)
        if missed <= NEAR:
            break
        values = {
            knob: turned(value, knob, found[knob.figure], published[knob.figure])
            if not knob.whole or number <= COARSE
            else value
            for knob, value in values.items()
        }
    assert best is not None, "there is at least one round"
    for knob, value in best[1].items():
        says = f"{knob.figure} {best[2][knob.figure]:.4g} of {file.scenario.published[knob.figure]:g}, {days} days"
        print(f"{knob.key} = {knob.written(value)} # calibrated: {says}")
    return 0 if best[0] <= 0.1 else 1


def main(argv: Sequence[str]) -> int:
    """Parse, and calibrate."""
    parser = argparse.ArgumentParser(prog="scripts/calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=sorted(KNOBS))
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args(argv)
    return calibrate(asked.scenario, asked.days, asked.rounds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
