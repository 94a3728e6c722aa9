"""Every published figure of scenarios beside the mean over many simulated days.

    python -m scripts.published [SCENARIO ...] [--days N]

The days are those of `chatload simulate SCENARIO --part day --days N`. A line a figure: what was published, the mean,
its standard error, and how far it is off; the exit code is 1 if one is off by more than 10 %.
"""

import argparse
import math
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chatload.run.settings import settle
from chatload.scenario import ScenarioFile, load, shipped
from chatload.simulate.days import simulate_days
from chatload.simulate.run import settled
from chatreport.days.figures import Figure, figures, read_days
from chatreport.rundir import read_manifest

HEAD = (
    "| bank | figure | published | simulated, mean | standard error | off by | within 10 % | days |\n"
    "|---|---|--:|--:|--:|--:|---|--:|"
)


def published(file: ScenarioFile, days: int) -> list[Figure]:
    """The published figures over so many simulated days; those that never have a value are missing."""
    folder = Path(tempfile.mkdtemp(prefix="chatload-published-"))
    try:
        settings = settled(settle(file, part="day", speed=1.0, out=folder / "days"))
        made = simulate_days(settings, days, told=lambda day, done: progress(file.name, done, days))
        return [each for each in figures(read_days(made), read_manifest(made)) if each.published is not None]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def progress(bank: str, done: int, days: int) -> None:
    """How many days are over, where somebody looks on."""
    if sys.stderr.isatty():
        print(f"\r{bank}: {done} of {days} days", end="\n" if done == days else "", file=sys.stderr, flush=True)


def line(bank: str, each: Figure) -> str:
    """A figure's line of the table."""
    error = "–" if each.deviates is None else f"{each.deviates / math.sqrt(each.days):.2g}"
    off = "–" if each.deviation is None else f"{100 * each.deviation:+.1f} %".replace("-", "−")
    told = f"{each.label}, {each.unit}"
    within = "yes" if each.within else "no"
    return f"| `{bank}` | {told} | {each.published:g} | {each.mean:.4g} | {error} | {off} | {within} | {each.days} |"


def main(argv: Sequence[str]) -> int:
    """Simulate, print the table, and judge."""
    parser = argparse.ArgumentParser(prog="scripts/published", description=__doc__.splitlines()[0])
    banks = sorted(name for name in shipped() if load(name).scenario.published)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(banks)}; without any, all")
    parser.add_argument("--days", type=int, default=200)
    asked = parser.parse_args(argv)
    print(HEAD)
    missed = False
    for name in asked.scenarios or banks:
        file = load(name)
        found = published(file, asked.days)
        print(*(line(name, each) for each in found), sep="\n", flush=True)
        missed |= len(found) < len(file.scenario.published) or not all(each.within for each in found)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
