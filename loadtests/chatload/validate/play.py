"""The plays of a validation, one after the other, and what they amount to."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from chatload import scratch
from chatload.console import say, tell
from chatload.errors import GeneratorFailed, RunDirectoryTaken
from chatload.process import as_child
from chatload.targets.embedded import TEMPORARY
from chatload.validate.queue import queue_of, settings_of, usual_speed, warm_up_s
from chatreport.theory.compare import compare
from chatreport.theory.observed import Replication
from chatreport.theory.recorded import replication_of
from chatreport.theory.result import Result, write

LOADS: Final = (0.9, 1.0, 1.1)
MORE_LOADS: Final = (0.8, *LOADS, 1.2)
NARROW: Final = (1.1,) * 8  # of short plays these say the most: their intervals are narrow beside the figures
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
    return _plays(NARROW, 15, usual_speed()) if quick else _plays(LOADS * 3, 30, usual_speed())


def simulated(*, quick: bool) -> list[Play]:
    """What is played under a virtual clock."""
    return _plays(LOADS * 3, 30, 1.0) if quick else _plays(MORE_LOADS * 3, 60, 1.0)


def _plays(loads: Sequence[float], services: int, speed: float) -> list[Play]:
    """A play a load, each with a seed of its own and so many mean services long."""
    return [Play(load, seed, services * queue_of(load).service_s, speed) for seed, load in enumerate(loads, 1)]


def validate(virtual: Sequence[Play], wire: Sequence[Play], out: Path | None) -> int:
    """Play everything, `virtual` under a virtual clock, compare, write the result; the exit code.

    Interrupted, it ends what is being played and compares what was; unless nothing was.

    Raises:
        RunDirectoryTaken: `out` holds something.
        GeneratorFailed: a play left no record.
    """
    folder = _made(out)
    played: dict[str, list[Replication]] = {"simulated": [], "wire": []}
    try:
        for found in _simulated(virtual, folder / "simulated"):
            played["simulated"].append(found)
        for found in _on_the_wire(wire, folder / "wire"):
            played["wire"].append(found)
    except KeyboardInterrupt:
        if not any(played.values()):
            raise
        tell("interrupted: the plays that ended are compared")
    comparisons = {kind: compare(found) for kind, found in played.items() if found}
    result = Result(comparisons, sum(map(len, played.values())), len(virtual) + len(wire))
    for line in write(folder, result):
        say(line)
    return result.exit_code


def _simulated(planned: Sequence[Play], folder: Path) -> Iterator[Replication]:
    from chatload.simulate.run import settled, simulate

    for done, play in enumerate(planned):
        tell(f"simulated: play {done + 1} of {len(planned)}, load {play.load:g}")
        simulate(settled(settings_of(*play, folder / play.name)))
        yield _replication(play, folder, wire=False)


def _on_the_wire(planned: Sequence[Play], folder: Path) -> Iterator[Replication]:
    """Each play in a process of its own, and its record."""
    for done, play in enumerate(planned):
        left_s = sum(each.lasts_s for each in planned[done:])
        tell(f"wire: play {done + 1} of {len(planned)}, load {play.load:g}; about {left_s / 60:.0f} min left")
        _start(play, folder / play.name)
        yield _replication(play, folder, wire=True)


def _replication(play: Play, folder: Path, *, wire: bool) -> Replication:
    queue = queue_of(play.load)
    return replication_of(folder / play.name, queue, warm_up_s(queue), wire=wire)


def _start(play: Play, out: Path) -> None:
    """Play it to its end, whatever its exit code: its record is judged here."""
    out.parent.mkdir(exist_ok=True)
    log = out.with_name(f"{out.name}.log")
    command = [sys.executable, "-m", "chatload.validate.wire", *map(str, play), str(out)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            preexec_fn=as_child([]),  # noqa: PLW1509 - this process starts no threads
        )  # fmt: skip
        try:
            child.wait()
        finally:
            child.kill()  # and the kernel all that it started
            child.wait()
            scratch.clear(TEMPORARY)
    if not (out / "verdict.json").exists():
        last = (log.read_text("utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise GeneratorFailed(f"{play.name} left no record: {last} (see {log})")


def _made(out: Path | None) -> Path:
    """The directory of the result, new."""
    started = datetime.fromtimestamp(time.time(), UTC)
    folder = out or Path("runs") / f"{started:%Y%m%dT%H%M%SZ}-validate"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunDirectoryTaken(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
