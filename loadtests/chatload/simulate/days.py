"""Many simulated days: one seed each, shared out among this machine's CPUs, each judged and then forgotten."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chatload.run import directory
from chatload.run.settings import Settings
from chatload.simulate.run import notes, simulate
from chatreport.days.beside import Recorded, values
from chatreport.days.figures import write_days
from chatreport.judge import Run
from chatreport.rundir import write_manifest


class Day(NamedTuple):
    """What became of a day: its verdict, and its key figures as the judge has them."""

    seed: int
    verdict: str
    kpi: dict[str, dict[str, Any]]


def simulate_days(
    settings: Settings,
    count: int,
    changes: Sequence[str] = (),
    told: Callable[[Day, int], None] = lambda day, done: None,
    run: Recorded | None = None,
) -> Path:
    """Simulate `count` days, of the seed and those after it; a directory with `days.parquet` and a manifest.

    `told` of each day as it is done, and how many are. `run` is what they are put beside; its own plan, that of
    its seed, is simulated, too, and is none of the days. Ledgers are not kept. Interrupted, it keeps the days that are
    done, and the manifest says so; without any it leaves nothing.

    Raises:
        RunDirectoryTaken: the directory holds something.
    """
    started = datetime.now(UTC)
    folder = directory.create(settings, started)
    (folder / "ledger").rmdir()
    days: list[Day] = []
    seeds = list(range(settings.seed, settings.seed + count))
    try:
        for day in _played(settings, seeds if run is None else [run.seed, *seeds], folder):
            if run is not None and day.seed == run.seed:
                run = msgspec.structs.replace(run, own=values(day.kpi))
                continue
            days.append(day)
            told(day, len(days))
    except KeyboardInterrupt:
        for unfinished in folder.glob("day-*") if days else [folder]:
            shutil.rmtree(unfinished)
        if not days:
            raise
    days.sort()
    rows = [
        {"day": day.seed - settings.seed, "seed": day.seed, "figure": name, "value": value}
        for day in days
        for name, value in values(day.kpi).items()
    ]
    write_days(folder, rows)
    known = {} if run is None else {"beside": msgspec.to_builtins(run)}
    missing = {"interrupted": count - len(days)} if len(days) < count else {}
    write_manifest(folder, _manifest(settings, days, changes, started) | known | missing)
    return folder


def _played(settings: Settings, seeds: Sequence[int], folder: Path) -> Iterator[Day]:
    processes = min(len(seeds), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(processes, get_context("spawn"), _not_to_be_interrupted) as pool:
        try:
            waiting = [pool.submit(_day, settings, seed, folder) for seed in seeds]
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in active_children():
                child.terminate()
                child.join()
            raise


def _not_to_be_interrupted() -> None:
    """A terminal interrupts all its processes; here only the one that started the others decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _day(settings: Settings, seed: int, folder: Path) -> Day:
    """Simulate and judge a day, and leave nothing of it behind."""
    rundir = folder / f"day-{seed}"
    simulate(replace(settings, seed=seed, out=rundir))
    verdict = Run(rundir).verdict
    shutil.rmtree(rundir)
    return Day(seed, verdict.verdict, verdict.kpi)


def _manifest(settings: Settings, days: list[Day], changes: Sequence[str], started: datetime) -> dict[str, Any]:
    shown = [
        {"name": name, "label": each["definition"]["label"], "unit": each["unit"]} for name, each in days[0].kpi.items()
    ]
    return {
        "simulated": True,
        "days": len(days),
        "started_at": started.isoformat(timespec="milliseconds"),
        "command": list(settings.command),
        "scenario": settings.file.name,
        "title": settings.file.scenario.title,
        "part": settings.part,
        "load": settings.load,
        "operators": settings.operators,
        "seed": settings.seed,
        "duration_s": settings.duration_s,
        "published": settings.file.scenario.published,
        "figures": shown,
        "verdicts": dict(Counter(day.verdict for day in days)),
        "versions": directory.versions(),
        "hardware": directory.hardware(),
        "notes": notes(settings.file.scenario, changes),
    }
