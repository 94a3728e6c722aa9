"""What the user asked for, checked and complete, before anything starts."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from chatload import targets
from chatload.draws import Draws
from chatload.errors import BadOption, TooFewFiles
from chatload.host import LOOPBACK
from chatload.plan import Plan, make_plan
from chatload.plan.arrivals import LAYER, Rate
from chatload.process import raise_file_limit
from chatload.run.claims import check_claims
from chatload.scenario import Part, ScenarioFile, duration_ms

DAY_MS = 86_400_000.0
FILES_BESIDES = 200  # sockets to the messengers, pipes, journal and ledger files


@dataclass(frozen=True)
class Settings:
    """One run. Times in wall seconds; `objectives` are the scenario's and the user's, the user's override.

    `workers` processes share the load; `host`: the address of ours that the target listens at, if we start it.
    `kills_s`: seconds after t0 at which the target is killed and restarted (used by tests).
    """

    file: ScenarioFile
    part: Part
    target: str
    load: float
    speed: float
    duration_s: float
    ramp_s: float
    operators: int
    seed: int
    objectives: tuple[str, ...]
    labels: dict[str, str]
    out: Path | None = None
    port: int | None = None
    workers: int = 1
    host: str = LOOPBACK
    command: tuple[str, ...] = ()
    kills_s: tuple[float, ...] = ()

    @property
    def drain_s(self) -> float:
        """How long open dialogs may go on after the last start: twice their mean duration, or a call's if longer."""
        scenario = self.file.scenario
        phone = scenario.channels.calls()
        call_ms = phone.patience + phone.talk if phone else 0.0
        return 2 * max(scenario.dialog.duration, call_ms) / self.speed / 1000

    def plan_arguments(self) -> dict[str, Any]:
        """The arguments of `make_plan` besides the scenario, as the fleet gets them."""
        return {
            "seed": self.seed, "part": self.part, "load": self.load, "speed": self.speed,
            "duration_s": self.duration_s, "ramp_s": self.ramp_s, "operators": self.operators,
        }  # fmt: skip

    def plan(self) -> Plan:
        """The plan of the run."""
        return make_plan(self.file.scenario, **self.plan_arguments())


def settle(  # noqa: PLR0913 - one parameter an option
    file: ScenarioFile,
    *,
    part: str = "peak",
    target: str = "embedded",
    load: float = 1.0,
    speed: float | None = None,
    duration: str | None = None,
    operators: int | None = None,
    seed: int | None = None,
    ramp: str | None = None,
    slos: Sequence[str] = (),
    labels: Sequence[str] = (),
    out: Path | None = None,
    port: int | None = None,
    workers: int = 1,
) -> Settings:
    """Settings from a scenario and options; what is None comes from the scenario.

    Raises:
        BadOption: an impossible value; names the option.
        BadObjective: an objective that cannot be read.
        BadScenario: the scenario's own objectives or published figures are none.
    """
    scenario = file.scenario
    check_claims(file)
    if part not in get_args(Part):
        raise BadOption("--part", part, "choose peak, day or surge")
    if part == "surge" and scenario.surge is None:
        raise BadOption("--part", part, f"{file.path} has no table [surge] that says what comes when; add one")
    _positive("--load", load)
    speed = scenario.speed if speed is None else speed
    _positive("--speed", speed)
    if operators is not None and operators < 1:
        raise BadOption("--operators", operators, "at least 1 is needed")
    if workers < 1:
        raise BadOption("--workers", workers, "at least 1 is needed")
    if seed is not None and not 0 <= seed < 1 << 62:
        raise BadOption("--seed", seed, "choose a whole number from 0 up")
    part_ms = DAY_MS if part == "day" else scenario.peak
    settings = Settings(
        file=file,
        part=cast("Part", part),
        target=targets.known(target),
        load=load,
        speed=speed,
        duration_s=_seconds("--duration", duration, part_ms / speed / 1000),
        ramp_s=_seconds("--ramp", ramp, scenario.ramp / speed / 1000),
        operators=operators or max(1, round(scenario.operators.count * load)),
        seed=scenario.seed if seed is None else seed,
        objectives=merged_objectives([objective.slo for objective in scenario.objectives], slos),
        labels=dict(_label(text) for text in labels),
        out=out,
        port=port,
        workers=workers,
        command=(_program(), *sys.argv[1:]),
    )
    if settings.duration_s <= 0:
        raise BadOption("--duration", duration, "must be longer than nothing")
    _check_layers(settings)
    return settings


def merged_objectives(own: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The scenario's objectives and the user's; of two on the same figure the later stands."""
    from chatreport.objectives import parse_all  # brings numpy: not for the help page

    return tuple(objective.text for objective in parse_all([*own, *asked]))


def files_needed(operators: int, dialogs: int) -> int:
    """Files that a process has open with so many seats, and at most so many dialogs at once; some last longer."""
    return operators + math.ceil(1.2 * dialogs) + FILES_BESIDES


def check_files(plan: Plan) -> None:
    """Raise the limit of open files as far as we may, and check that it carries the run.

    Raises:
        TooFewFiles: it does not.
    """
    dialogs = most_open(plan)
    operators = plan.operators + plan.staff.hired
    needed = files_needed(operators, dialogs)
    limit = raise_file_limit()
    if limit < needed:
        raise TooFewFiles(needed, limit, operators, dialogs)


def most_open(plan: Plan) -> int:
    """The most dialogs open at once if the platform takes no time, and whoever needs an operator waits for one."""
    changes = []
    for dialog in plan.dialogs:
        from_ms = max(0.0, dialog.start_ms)
        staffed_ms = from_ms if dialog.contained else plan.staff.staffed_again_ms(from_ms)
        waits_ms = min(dialog.patience_ms, staffed_ms - from_ms)
        until_ms = from_ms + waits_ms + plan.expected_ms(dialog) + dialog.hold_ms
        changes += [(dialog.start_ms, 1), (until_ms, -1)]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def _program() -> str:
    """What was called: a module's `__main__.py` goes by the module's name."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def _positive(option: str, value: float) -> None:
    if not (0 < value < math.inf):
        raise BadOption(option, f"{value:g}", "must be a number above 0")


def _seconds(option: str, text: str | None, otherwise: float) -> float:
    if text is None:
        return otherwise
    try:
        return duration_ms(text) / 1000
    except ValueError as error:
        raise BadOption(option, text, str(error)) from error


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadOption("--label", text, "write it as name=value")
    return name, value


def _check_layers(settings: Settings) -> None:
    """A layer of the plan holds so many dialogs and no more."""
    rate = Rate(settings.file.scenario, settings.part, Draws(settings.seed))
    expected = rate.expected(settings.duration_s * 1000 * settings.speed)
    if expected + 10 * math.sqrt(expected) > LAYER:
        what = f"makes {expected:,.0f} dialogs a layer, a plan holds {LAYER:,}"
        raise BadOption("--duration", f"{settings.duration_s:g} s", what)
