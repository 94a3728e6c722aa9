"""A long run at a moderate rate, in which core and fleet take no more memory, CPU and files as it goes on.

    python -m benchmarks.endurance [DURATION] [--speed N] [--target NAME]

Plays T-Bank's peak hour for DURATION (default an hour), SPEED times as fast: 9,000 dialogs in an hour, three tenths
of the bank's day. Looks at both processes every ten seconds, and sets the run's first tenth beside its last. It fails
if one of them grew by more than GROWTH_MOST. The memory of a shorter run is also told as what an hour would make of it,
by the line through the run's second half; that is no bound.

What must still grow, for every dialog that was closed, is told in bytes: the core remembers the ids of its messages for
two days or more, and the contact for ever; the fleet, until the run ends, the names it writes into the ledger. The
first minute shows more: rows are collected until a part of the ledger is full, and allocators keep what they once had.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import psutil
import pyarrow.parquet as pq
from benchmarks.sides import chatload, tell

LINE = "endurance: growth from the first tenth to the last"
SAMPLED_EVERY_S = 10.0
GROWTH_MOST = 0.10
SPEED = 3.0  # some 37 messages a second, and 20 probes
HOUR_S = 3600.0
MODULES = {"chatload.fleet": "fleet", "chatcore": "core", "chatload.targets.nullserver": "core"}


class Sample(NamedTuple):
    """One look at one process."""

    t_ns: int
    rss_mb: float
    cpu_s: float
    files: int


def main(argv: Sequence[str]) -> int:
    """Play and print; the last line is the result as JSON. 1 if something grew."""
    parser = argparse.ArgumentParser(prog="benchmarks.endurance", description="A long run, watched.")
    parser.add_argument("duration", nargs="?", default="1h")
    parser.add_argument("--speed", type=float, default=SPEED, help=f"times faster than life (default {SPEED:g})")
    parser.add_argument("--target", default="embedded", help="as of chatload run")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        arguments = ["--duration", options.duration, "--out", str(out), "--speed", f"{options.speed:g}"]
        run = chatload(*arguments, "--target", options.target)
        samples = watch(run)
        manifest = orjson.loads((out / "manifest.json").read_bytes())
        gauges = pq.read_table(out / "timeseries.parquet").to_pydict()
    grown = {name: growth(seen, manifest, gauges) for name, seen in samples.items()}
    for name, found in grown.items():
        for what, (first, last) in found.items():
            print(f"{name:6} {what:18} {first:10.1f} → {last:10.1f}   {100 * (last / first - 1):+.1f} %")
    lasting = {name: growth_a_dialog(seen, manifest, gauges) for name, seen in samples.items()}
    for name, (bytes_a_dialog, percent_an_hour) in lasting.items():
        print(f"{name:6} {bytes_a_dialog:,.0f} bytes a closed dialog; an hour of it: {percent_an_hour:+.1f} % memory")
    worst = max(last / first - 1 for found in grown.values() for first, last in found.values())
    details: dict[str, Any] = {
        name: {what: [round(value, 1) for value in pair] for what, pair in found.items()}
        | {"bytes a closed dialog": round(lasting[name][0])}
        for name, found in grown.items()
    }
    minutes = round((manifest["end_ns"] - manifest["t0_ns"]) / 60e9, 1)
    tell(
        LINE, at_least=100 * GROWTH_MOST, value=round(100 * worst, 1), unit="%",
        details={"minutes": minutes, "speed": options.speed, **details},
    )  # fmt: skip
    return 1 if worst > GROWTH_MOST else 0


def watch(run: "subprocess.Popen[bytes]") -> dict[str, list[Sample]]:
    """Look at the run's fleet and core until it ends; the core that is started for the audit is another."""
    samples: dict[str, list[Sample]] = {}
    pids: dict[str, int] = {}
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            with suppress(psutil.Error):  # it may end while we look
                name = kind_of(process)
                if name is not None and pids.setdefault(name, process.pid) == process.pid:
                    samples.setdefault(name, []).append(look_at(process))
        time.sleep(SAMPLED_EVERY_S)
    return samples


def kind_of(process: psutil.Process) -> str | None:
    """Whether this is the fleet or the core; None for everything else."""
    command = process.cmdline()
    return MODULES.get(command[command.index("-m") + 1]) if "-m" in command else None


def look_at(process: psutil.Process) -> Sample:
    """Its memory, CPU time and open files now."""
    cpu = process.cpu_times()
    rss_mb = process.memory_info().rss / 2**20
    return Sample(time.monotonic_ns(), rss_mb, cpu.user + cpu.system, process.num_fds())


def growth(
    samples: Sequence[Sample], manifest: dict[str, Any], gauges: dict[str, list[Any]]
) -> dict[str, tuple[float, float]]:
    """Means of the main part's first tenth and last tenth: memory in MB, CPU in µs a message, open files."""
    main_part = [sample for sample in samples if manifest["t0_ns"] <= sample.t_ns <= manifest["end_ns"]]
    tenth = max(2, len(main_part) // 10)
    if len(main_part) < 2 * tenth:
        raise SystemExit("the run was too short to tell; play at least a minute")
    found: dict[str, tuple[float, float]] = {}
    ends = main_part[:tenth], main_part[-tenth:]
    for what, pick in (("memory, MB", 1), ("open files", 3)):
        first, last = (float(np.mean([sample[pick] for sample in end])) for end in ends)
        found[what] = first, last
    first, last = (cpu_us(end, gauges) for end in ends)
    return found | {"CPU, µs a message": (first, last)}


def growth_a_dialog(
    samples: Sequence[Sample], manifest: dict[str, Any], gauges: dict[str, list[Any]]
) -> tuple[float, float]:
    """By the second half of the main part: bytes a closed dialog, and per cent of the first tenth's memory an hour."""
    main_part = [sample for sample in samples if manifest["t0_ns"] <= sample.t_ns <= manifest["end_ns"]]
    half = main_part[len(main_part) // 2 :]
    closed = np.array(gauges["started"]) - np.array(gauges["open"])
    at = [sample.t_ns for sample in half]
    rss_mb = [sample.rss_mb for sample in half]
    mb_a_dialog = np.polyfit(np.interp(at, gauges["t_ns"], closed), rss_mb, 1)[0]
    mb_a_second = np.polyfit(np.array(at) / 1e9 - at[0] / 1e9, rss_mb, 1)[0]
    first_mb = np.mean([sample.rss_mb for sample in main_part[: max(2, len(main_part) // 10)]])
    return float(mb_a_dialog * 2**20), float(100 * 0.9 * HOUR_S * mb_a_second / first_mb)


def cpu_us(samples: Sequence[Sample], gauges: dict[str, list[Any]]) -> float:
    """CPU time a message that was acknowledged between the first sample and the last."""
    at = [sample.t_ns for sample in (samples[0], samples[-1])]
    before, after = np.interp(at, gauges["t_ns"], gauges["messages"])
    return float((samples[-1].cpu_s - samples[0].cpu_s) / (after - before) * 1e6)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
