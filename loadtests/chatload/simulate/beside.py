"""Days that are simulated beside a recorded run: of the same scenario, part, load, operators, and as long."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from chatload.errors import BadOption, BadScenario
from chatload.plan.schedule import hired
from chatload.run.settings import Settings
from chatload.scenario import Scenario
from chatload.scenario.load import parse
from chatreport.rundir import read_manifest

APART: Final = {"title", "source", "speed", "seed", "objectives", "published"}  # nothing of what is played


def as_recorded(settings: Settings, count: int, run: Path) -> Settings:
    """Settings of `count` days as long as `run`'s, with seeds none of which is the run's.

    Raises:
        UnreadableRun: it is no run directory.
        BadOption: it was played with something else.
    """
    manifest = read_manifest(run)
    if other := _unlike(settings, manifest, run):
        raise BadOption(
            "--beside", run, f"another day than the simulated one: {'; '.join(other)}; simulate what was played"
        )
    speed, seed = float(manifest["speed"]), int(manifest["seed"])
    return replace(
        settings,
        duration_s=float(manifest["duration_s"]) * speed,
        ramp_s=float(manifest["ramp_s"]) * speed,
        seed=seed + 1 if seed in range(settings.seed, settings.seed + count) else settings.seed,
    )


def _unlike(settings: Settings, manifest: dict[str, Any], run: Path) -> list[str]:
    """What was played otherwise, in words."""
    asked = {"part": settings.part, "load": settings.load}
    found = [f"{name} {manifest.get(name)}, here {here}" for name, here in asked.items() if manifest.get(name) != here]
    played = (manifest.get("planned") or {}).get("operators")
    wanted = settings.operators + hired(settings.file.scenario, settings.part, settings.operators)
    if played != wanted:
        found.append(f"{played} operators, here {wanted}")
    if what := _other_scenario(settings.file.scenario, run):
        found.append(what)
    return found


def _other_scenario(here: Scenario, run: Path) -> str:
    """Where the scenarios differ: the first table or key that does."""
    path = run / "scenario.toml"
    try:
        there = parse(path.read_text("utf-8"), path)
    except (OSError, BadScenario) as error:
        return f"its scenario cannot be read ({error})"
    differing = (
        name for name in type(here).model_fields if name not in APART and getattr(here, name) != getattr(there, name)
    )
    name = next(differing, "")
    return f"another scenario, which differs in {name}" if name else ""
