"""The plays of a validation, one after the other, and what they amount to."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from chatload.console import say, tell
from chatload.errors import GeneratorFailed, RunDirectoryTaken
from chatload.process import as_child
from chatload.validate.queue import queue_of, warm_up_s
from chatreport.theory.compare import Comparison, compare
from chatreport.theory.observed import Replication
from chatreport.theory.recorded import replication_of
from chatreport.theory.result import EXIT_CODES, decided, write

LOADS: Final = (0.9, 1.0, 1.1)
LAUNCH_S: Final = 15.0  # what a play takes besides, on an idle machine: start, drain, the last kill, the judge


class Play(NamedTuple):
    """One play of the queue: its load, the seed of its plan, and how long it lasts after the warm-up."""

    load: float
    seed: int
    span_s: float

    @property
    def name(self) -> str:
        """Its directory's name."""
        return f"load-{self.load:g}-seed-{self.seed}"


def plays(quick: bool) -> list[Play]:
    """What is played on the wire."""
    service_s = queue_of(1.0).service_s
    loads, span_s = ((1.0,) * 4, 15 * service_s) if quick else (LOADS * 3, 30 * service_s)
    return [Play(load, seed, span_s) for seed, load in enumerate(loads, 1)]


def validate(quick: bool, out: Path | None) -> int:
    """Play everything, compare, write the result; the exit code.

    Raises:
        RunDirectoryTaken: `out` holds something.
        GeneratorFailed: a play left no record.
    """
    folder = _made(out)
    wire = compare(list(_on_the_wire(plays(quick), folder / "plays")))
    return _ended(folder, {"wire": wire})


def _ended(folder: Path, comparisons: dict[str, Comparison]) -> int:
    for line in write(folder, comparisons):
        say(line)
    return EXIT_CODES[decided(comparisons)]


def _on_the_wire(planned: list[Play], folder: Path) -> Iterator[Replication]:
    """Each play in a process of its own, and its record."""
    speed = _speed()
    for done, play in enumerate(planned):
        left_s = sum(_lasts_s(each, speed) for each in planned[done:])
        tell(f"wire: play {done + 1} of {len(planned)}, load {play.load:g}; about {left_s / 60:.0f} min left")
        queue = queue_of(play.load)
        _start(play, folder / play.name)
        yield replication_of(folder / play.name, queue, warm_up_s(queue), wire=True)


def _lasts_s(play: Play, speed: float) -> float:
    return (warm_up_s(queue_of(play.load)) + play.span_s) / speed + LAUNCH_S


def _speed() -> float:
    from chatload.scenario import load
    from chatload.validate.queue import FILE

    return load(str(FILE)).scenario.speed


def _start(play: Play, out: Path) -> None:
    """Play it to its end, whatever its exit code: its record is judged here."""
    log = out.with_suffix(".log")
    command = [sys.executable, "-m", "chatload.validate.wire", *map(str, play), str(out)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            preexec_fn=as_child([]),  # noqa: PLW1509 - this process starts no threads
        )  # fmt: skip
        try:
            child.wait()
        finally:
            child.kill()
            child.wait()
    if not (out / "verdict.json").exists():
        last = (log.read_text("utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise GeneratorFailed(f"{play.name} left no record: {last} (see {log})")


def _made(out: Path | None) -> Path:
    """The directory of the result, new."""
    started = datetime.fromtimestamp(time.time(), UTC)
    folder = out or Path("runs") / f"{started:%Y%m%dT%H%M%SZ}-validate"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunDirectoryTaken(folder)
    (folder / "plays").mkdir(parents=True)
    return folder
