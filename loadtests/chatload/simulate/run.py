"""One simulated run: its directory, its ledger and its manifest, as of any run."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from chatload import host
from chatload.draws import Draws
from chatload.fleet.recorder import Recorder
from chatload.plan import Plan
from chatload.plan.notices import Letter, letters
from chatload.run import directory
from chatload.run.settings import Settings
from chatload.scenario import Scenario
from chatload.simulate.day import Simulation
from chatreport.objectives import parse_all
from chatreport.rundir import write_manifest

NAME: Final = "simulated"
LEAVES_OUT: Final = "strangers ([hostile]) are not simulated: there is no door that they could try"


class Nobody:
    """In place of a target: no platform, so nothing of one is observed."""

    name: ClassVar[str] = "simulation"
    observes: ClassVar[tuple[str, ...]] = ()
    can_restart: ClassVar[bool] = False


def nothing_to_tell(share: float) -> None:
    """For whoever does not watch the progress."""


def simulate(settings: Settings, changes: Sequence[str] = (), told: Callable[[float], None] = nothing_to_tell) -> Path:
    """Play the settings' part under a virtual clock into a new run directory, which is not judged yet.

    Speed is 1 whatever the settings say, and times are business times. `changes` are noted in the manifest, `told` is
    called with the share of the part that is over. Of a directory, `Run(path).verdict.kpi` (`chatreport.judge`) are
    the key figures. The same settings give the same ledger.

    Raises:
        RunDirectoryTaken: the directory holds something.
        OSError: the ledger cannot be written.
    """
    started = datetime.now(UTC)
    rundir, run = directory.create(settings, started), f"{settings.seed & 0xFFFFFF:06x}"
    with _collected_later():
        plan = settings.plan().in_keywords()
        recorder = Recorder(rundir / "ledger", NAME)
        planned = _letters(settings, plan)
        simulation = Simulation(plan, recorder, run, 1000 * settings.ramp_s, 1000 * settings.drain_s, planned)
        simulation.play(told)
        recorder.close()
        known = directory.manifest(settings, plan, Nobody(), run, started)
        write_manifest(rundir, known | _played(settings, simulation, recorder.rows, changes))
    return rundir


def settled(settings: Settings) -> Settings:
    """Settings as a simulation takes them: without objectives that are asked of a platform."""
    asked = [each.text for each in parse_all(settings.objectives) if not each.is_latency]
    return replace(settings, speed=1.0, objectives=tuple(asked))


def notes(scenario: Scenario, changes: Sequence[str]) -> list[str]:
    """What a reader must know of a simulation: what was changed, and what of the scenario it leaves out."""
    left_out = [LEAVES_OUT] if scenario.hostile is not None else []
    return [*(f"set on the command line: {change}" for change in changes), *left_out]


def _letters(settings: Settings, plan: Plan) -> list[Letter]:
    draws = Draws(settings.seed)
    return letters(plan.scenario, draws, settings.part, settings.load, plan.horizon_ms, plan.dialogs)


def _played(settings: Settings, played: Simulation, rows: int, changes: Sequence[str]) -> dict[str, Any]:
    anchor = {"process": NAME, "wall_ns": time.time_ns(), "monotonic_ns": played.drained_ns}
    return {
        "simulated": True,
        "objectives": list(settings.objectives),
        "t0_ns": played.t0_ns,
        "end_ns": played.end_ns,
        "drained_ns": played.drained_ns,
        "drain": {"clean": True, "deadline_s": settings.drain_s, "unsent": played.unsent},
        "audit": {"read": True, "rows": 0, "reason": "", "restarted": False},
        "finished": "whole",
        "anchors": [anchor],
        "workers": [{"name": NAME, "rows": rows, "lost": False, "clock": host.clock()}],
        "notes": notes(settings.file.scenario, changes),
    }


@contextmanager
def _collected_later() -> Iterator[None]:
    """Spare the collector what does not go, the plan above all: it would look at all of it again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
