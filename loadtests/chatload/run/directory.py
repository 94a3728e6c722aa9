"""The run directory's first files: the scenario, and the manifest that says what was run on what."""

import math
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psutil

from chatload import __version__
from chatload.accounts import MESSENGERS
from chatload.draws import Draws
from chatload.errors import RunDirectoryTaken
from chatload.plan import Plan
from chatload.plan.arrivals import Rate
from chatload.run.settings import Settings

MEASURED = 2_000  # dialogs, through the whole part, whose durations make the mean: to all of them is a second of a day
STEPS_S, MOST_STEPS = (60, 300, 1800), 48  # of the planned curve
VERSIONS_OF = ("locust", "gevent", "picows", "httptools", "aiohttp", "uvloop", "msgspec", "numpy", "pyarrow")


class Shown(Protocol):
    """What is tested, as far as a manifest says it: its name, the guarantees it shows, whether it can be restarted."""

    name: ClassVar[str]
    observes: ClassVar[tuple[str, ...]]
    can_restart: ClassVar[bool]


def check(settings: Settings) -> None:
    """Nothing, if the directory that the user named can be used.

    Raises:
        RunDirectoryTaken: it holds something already.
    """
    path = settings.out
    if path is not None and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunDirectoryTaken(path)


def create(settings: Settings, now: datetime) -> Path:
    """Make the directory with the scenario in it; `RunDirectoryTaken` as from `check`."""
    check(settings)
    path = settings.out or Path("runs") / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{settings.file.name}"
    (path / "ledger").mkdir(parents=True)
    (path / "scenario.toml").write_text(settings.file.text, "utf-8")
    return path.resolve()


def planned(plan: Plan, until_ms: float = math.inf) -> dict[str, Any]:
    """What the plan's dialogs up to `until_ms` of business time amount to, without the ramp's except where named."""
    dialogs = [dialog for dialog in plan.dialogs if dialog.start_ms < until_ms]
    main = [dialog for dialog in dialogs if dialog.phase == "main"]
    some = main[:: max(1, len(main) // MEASURED)]
    mean_ms = sum(map(plan.expected_ms, some)) / len(some) if some else 0.0
    return {
        "dialogs": len(main),
        "ramp_dialogs": len(dialogs) - len(main),
        "messages": sum(map(plan.expected_messages, dialogs)),
        "operators": plan.operators + plan.staff.hired,
        "mean_dialog_s": round(mean_ms / 1000, 3),
        "contained": sum(dialog.contained for dialog in main),
    }


def curve(settings: Settings) -> dict[str, Any]:
    """The starts that the plan expects in each step of business time from t0: half hours, or less of a short run."""
    rate = Rate(settings.file.scenario, settings.part, Draws(settings.seed))
    horizon_s = settings.duration_s * settings.speed
    step_s = next((step for step in STEPS_S if horizon_s <= MOST_STEPS * step), STEPS_S[-1])
    edges = [min(step * step_s, horizon_s) for step in range(math.ceil(horizon_s / step_s) + 1)]
    expected = [_starts(settings, rate, edge * 1000) for edge in edges]
    return {"step_s": step_s, "starts": [round(after - before, 3) for before, after in pairwise(expected)]}


def _starts(settings: Settings, rate: Rate, until_ms: float) -> float:
    surge = settings.file.scenario.surge if settings.part == "surge" else None
    more = (surge.load - 1) * (rate.expected(max(until_ms, surge.after)) - rate.expected(surge.after)) if surge else 0.0
    return settings.load * (rate.expected(until_ms) + more)


def manifest(settings: Settings, plan: Plan, target: Shown, run: str, started: datetime) -> dict[str, Any]:
    """Everything that is known before the run; the run adds what happened."""
    scenario = settings.file.scenario
    messengers = any(dialog.channel in MESSENGERS for dialog in plan.dialogs)
    scheduled = {f"G{number}": True for number in range(1, 13)} | {"G11": messengers, "G12": at_night(plan)}
    return {
        "run": run,
        "command": list(settings.command),
        "started_at": started.astimezone(UTC).isoformat(timespec="milliseconds"),
        "scenario": settings.file.name,
        "title": scenario.title,
        **{key: value for key, value in settings.plan_arguments().items() if key != "operators"},
        "drain_s": settings.drain_s,
        "versions": versions(),
        "hardware": hardware(),
        "labels": settings.labels,
        "target": {"name": target.name, "observes": list(target.observes), "restart": target.can_restart},
        "channels": {"played": list(scenario.channels.played()), "published": list(scenario.channels.published())},
        "internal": list(scenario.operators.internal),
        **({"bot_timeout_s": scenario.bot.service.timeout / 1000} if scenario.bot.service is not None else {}),
        "planned": planned(plan) | {"curve": curve(settings)},
        "scheduled": scheduled,
        "published": scenario.published,
        "objectives": list(settings.objectives) if target.observes else [],  # they are asked of a platform
    }


def at_night(plan: Plan) -> bool:
    """Whether somebody who needs an operator writes while nobody is on duty."""
    writing = (dialog for dialog in plan.dialogs if dialog.turns and not dialog.contained)
    moments_ms = (dialog.start_ms + dialog.turns[0].think_ms for dialog in writing)
    return any(plan.staff.staffed_again_ms(moment_ms) > moment_ms for moment_ms in moments_ms)


def versions() -> dict[str, str]:
    """Of the suite, the interpreter, and the libraries that make the load."""
    found = {"chatload": __version__, "python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def hardware() -> dict[str, Any]:
    """This machine, as far as it tells."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_gb = round(psutil.virtual_memory().total / 2**30, 1)
    disk, kernel = filesystem(Path.cwd()), platform.release()
    return {"cpu": cpu_model(), "cores": cpus, "memory_gb": memory_gb, "kernel": kernel, "disk": disk}


def cpu_model() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def filesystem(path: Path) -> str:
    """The file system that holds `path`, and its device."""
    resolved = str(path.resolve())
    within = [part for part in psutil.disk_partitions(all=True) if resolved.startswith(part.mountpoint)]
    if not within:
        return "unknown"
    nearest = max(within, key=lambda part: len(part.mountpoint))
    return f"{nearest.fstype} on {nearest.device}"
