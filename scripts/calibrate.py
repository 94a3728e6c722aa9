"""The numbers that nobody publishes, found by simulation such that the published figures come out.

    python -m scripts.calibrate SCENARIO [--days N] [--rounds N]

Each number of a scenario that may be turned (`KNOBS`) has a published figure that it moves. In every round the same
simulated days are played, and each number is turned by what its figure misses; days are the same from round to round,
so that chance does not move the figures. The last lines are for the scenario's file.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.published import published

from chatload.scenario import ScenarioFile, load
from chatload.simulate.changes import changed
from chatreport.kpi.published import TOLERANCE

NEAR: Final = 0.01  # so near to what is published a number is left as it is
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
    "tbank": (
        Knob("dialog.messages", "messages_per_dialog", 1.1),
        Knob("dialog.duration", "duration_s", 1.0, "min"),
    ),
    "alfabank_kz": (Knob("dialog.duration", "duration_s", 1.0, "min"),),
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


def means(file: ScenarioFile, days: int) -> dict[str, float]:
    """The published figures' means over so many simulated days."""
    return {each.name: each.mean for each in published(file, days)}


def value_of(file: ScenarioFile, knob: Knob) -> float:
    """What stands in the scenario, in the knob's unit."""
    found: object = file.scenario
    for part in knob.key.split("."):
        found = getattr(found, part)
    assert isinstance(found, int | float), f"{knob.key} is no number"
    return found / {"": 1.0, "s": 1e3, "min": 6e4}[knob.unit]


class Turning:
    """A knob on its way: where it stands, and by value tried what its figure was, as a share of the published one."""

    def __init__(self, knob: Knob, value: float) -> None:
        self.knob, self.value = knob, value
        self.tried: dict[float, float] = {}

    def turn(self, reached: float) -> None:
        """On from a round in which the figure was this share of what is published.

        A number stays where its figure is near. A step behind which the figure would lie on the other side of the
        published one is half as long when it has been there; a whole number that has been tried is not tried again:
        of those the nearest stays.
        """
        last = next(reversed(self.tried.values()), reached)
        self.tried[self.value] = reached
        if not reached or abs(reached - 1) <= NEAR:
            return
        crossed = (last - 1) * (reached - 1) < 0
        factor = (1 / reached) ** ((0.5 if crossed else 1.0) / self.knob.moves)
        value = self.value * float(min(MOST_TURN, max(1 / MOST_TURN, factor)))
        self.value = value if not self.knob.whole else self._whole(max(1.0, float(round(value))))

    def _whole(self, value: float) -> float:
        return value if value not in self.tried else min(self.tried, key=lambda each: abs(self.tried[each] - 1))


Play = Callable[[ScenarioFile, int], dict[str, float]]


def calibrate(name: str, days: int, rounds: int, play: Play = means) -> int:
    """Turn, print, and say in the end what is to be written; 1 if a published figure is missed by more than 10 %."""
    file, told = load(name), load(name).scenario.published
    turning = [Turning(knob, value_of(file, knob)) for knob in KNOBS[name]]
    best: tuple[float, list[str]] | None = None
    for number in range(1, rounds + 1):
        asked = [f"{each.knob.key}={each.knob.written(each.value)}" for each in turning]
        found = play(changed(file, asked), days)
        reached = [found.get(each.knob.figure, 0.0) / told[each.knob.figure] for each in turning]
        missed = max(abs(share - 1) for share in reached)
        print(f"round {number}: {', '.join(asked)}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()), flush=True)
        if best is None or missed < best[0]:
            best = (
                missed,
                [
                    _line(each, share * told[each.knob.figure], told, days)
                    for each, share in zip(turning, reached, strict=True)
                ],
            )
        if missed <= NEAR:
            break
        for each, share in zip(turning, reached, strict=True):
            each.turn(share)
    assert best is not None, "there is at least one round"
    print(*best[1], sep="\n")
    return 0 if best[0] <= TOLERANCE else 1


def _line(each: Turning, figure: float, told: dict[str, float], days: int) -> str:
    """What is to be written into the scenario's file."""
    says = f"{each.knob.figure} {figure:.4g} of {told[each.knob.figure]:g}, {days} days"
    return f"{each.knob.key} = {each.knob.written(each.value)} # calibrated: {says}"


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
