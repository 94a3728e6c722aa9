"""The plays of a validation, one after the other, and what they amount to."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from chatload.console import say, tell
from chatload.errors import GeneratorFailed, RunDirectoryTaken
from chatload.process import as_child
from chatload.validate.queue import queue_of, usual_speed, warm_up_s
from chatreport.theory.compare import Comparison, compare
from chatreport.theory.observed import Replication
from chatreport.theory.recorded import replication_of
from chatreport.theory.result import EXIT_CODES, decided, write

LOADS: Final = (0.9, 1.0, 1.1)
LAUNCH_S: Final = 15.0  # what a play takes besides, on an idle machine: start, drain, the last kill, the judge


class Play(NamedTuple):
    """One play of the queue: its load, the seed of its plan, how long it lasts after the warm-up, and how fast."""

    load: float
    seed: int
    span_s: float  # of business time
    speed: float

    @property
    def name(self) -> str:
        """Its directory's name."""
        return f"load-{self.load:g}-seed-{self.seed}"

    @property
    def lasts_s(self) -> float:
        """About how long it takes, all in all."""
        return (warm_up_s(queue_of(self.load)) + self.span_s) / self.speed + LAUNCH_S


def on_the_wire(*, quick: bool) -> list[Play]:
    """What is played in real time."""
    service_s, speed = queue_of(1.0).service_s, usual_speed()
    loads, span_s = ((1.0,) * 4, 15 * service_s) if quick else (LOADS * 3, 30 * service_s)
    return [Play(load, seed, span_s, speed) for seed, load in enumerate(loads, 1)]


def validate(wire: Sequence[Play], out: Path | None) -> int:
    """Play everything, compare, write the result; the exit code.

    Raises:
        RunDirectoryTaken: `out` holds something.
        GeneratorFailed: a play left no record.
    """
    folder = _made(out)
    return _ended(folder, {"wire": compare(list(_played(wire, folder / "plays")))})


def _ended(folder: Path, comparisons: dict[str, Comparison]) -> int:
    for line in write(folder, comparisons):
        say(line)
    return EXIT_CODES[decided(comparisons)]


def _played(planned: Sequence[Play], folder: Path) -> Iterator[Replication]:
    """Each play in a process of its own, and its record."""
    for done, play in enumerate(planned):
        left_s = sum(each.lasts_s for each in planned[done:])
        tell(f"wire: play {done + 1} of {len(planned)}, load {play.load:g}; about {left_s / 60:.0f} min left")
        queue = queue_of(play.load)
        _start(play, folder / play.name)
        yield replication_of(folder / play.name, queue, warm_up_s(queue), wire=True)


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
