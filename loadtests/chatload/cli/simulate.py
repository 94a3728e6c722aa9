"""`chatload simulate`: a scenario under a virtual clock, judged and drawn like a run."""

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chatload.cli.again import again
from chatload.console import say, tell
from chatload.run import directory
from chatload.run.settings import Settings
from chatload.simulate.run import notes, simulate

EVERY_S = 2.0


def play(settings: Settings, changes: Sequence[str]) -> int:
    """Simulate one part, judge and draw it; the exit code is the verdict's."""
    directory.check(settings)
    announce(settings, changes)
    gc.disable()  # for good: the process ends with the judge's, and needs no collector for a day that it keeps whole
    began_s = time.monotonic()
    rundir = simulate(settings, changes, progress(settings.duration_s))
    tell(f"simulated in {time.monotonic() - began_s:.1f} s; judging")
    return again("judge", rundir)


def play_days(settings: Settings, count: int, changes: Sequence[str], run: Path | None = None) -> int:
    """Simulate many days, and put them together; the exit code is the worst of the days', and of `run` beside them."""
    from chatload.simulate.beside import as_recorded
    from chatload.simulate.days import Day, simulate_days  # brings the judge and scipy: not for a single day
    from chatreport.days.beside import recorded

    directory.check(settings)
    known = None if run is None else recorded(run)
    settings = settings if run is None else as_recorded(settings, count, run)
    announce(settings, changes)
    began_s = time.monotonic()

    def told(day: Day, done: int) -> None:
        left_s = (time.monotonic() - began_s) / done * (count - done)
        tell(f"  day {done} of {count}: seed {day.seed}, {day.verdict}; about {left_s:.0f} s to go")

    folder = simulate_days(settings, count, changes, told, known)
    return subprocess.run([sys.executable, "-m", "chatreport", "days", str(folder)], check=False).returncode


def announce(settings: Settings, changes: Sequence[str]) -> None:
    """Say what is going to be simulated."""
    scenario = settings.file.scenario
    say(
        f"{settings.file.name}: {scenario.title}: the {settings.part}, {settings.duration_s / 3600:g} h, simulated with"
        f" {settings.operators:,} operators at load {settings.load:g}, seed {settings.seed}"
    )
    for note in notes(scenario, changes):
        say(f"  {note}")


def progress(duration_s: float) -> Callable[[float], None]:
    """Tells a watching terminal every other second how far the clock is."""
    last_s = time.monotonic()

    def told(share: float) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= EVERY_S:
            last_s = time.monotonic()
            hours, minutes = divmod(int(share * duration_s) // 60, 60)
            tell(f"  {hours:02}:{minutes:02} of the simulated time, {100 * share:.0f} %")

    return told if sys.stderr.isatty() else lambda share: None
