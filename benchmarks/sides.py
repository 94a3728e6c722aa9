"""What the benchmarks share: sides that take turns, processes on CPUs of their own, and the line that each prints."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chatload.process import as_child

WRK_SECONDS = 2


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each side measures, `rounds` times; who begins changes from round to round. One round before is left out."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for _ in range(rounds + 1):
        for name in order:
            found[name].append(sides[name]())
        order.reverse()
    return {name: values[1:] for name, values in found.items()}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """The median ratio of rounds side by side, and its spread."""
    found = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return {"ratio": round(statistics.median(found), 4), "low": round(min(found), 4), "high": round(max(found), 4)}


@contextmanager
def pinned(cpus: Sequence[int]) -> Iterator[None]:
    """Keep to these CPUs, with the threads and processes started meanwhile; to all if there are not so many."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cpus) & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wrk(url: str, body: bytes, connections: int) -> float | None:
    """Requests a second of wrk, posting `body`; None where wrk is not installed."""
    program = shutil.which("wrk")
    if program is None:
        return None
    script = f'wrk.method = "POST"\nwrk.body = [==[{body.decode()}]==]\n'
    command = [program, "--threads=1", f"--connections={connections}", f"--duration={WRK_SECONDS}s"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        said = subprocess.run(
            [*command, f"--script={file.name}", url], capture_output=True, text=True, check=True
        ).stdout
    rate = next(line for line in said.splitlines() if line.startswith("Requests/sec:"))
    return float(rate.partition(":")[2])


def chatload(*arguments: str) -> "subprocess.Popen[bytes]":
    """`chatload run tbank …`, whose words go to stderr; it is interrupted if we die."""
    return subprocess.Popen(
        [sys.executable, "-m", "chatload", "run", "tbank", *arguments],
        stdout=sys.stderr.fileno(),
        preexec_fn=as_child([], signal.SIGTERM),  # noqa: PLW1509 - a benchmark starts no threads
    )


def tell(line: str, *, at_least: float | None = None, aim: float | None = None, **measured: Any) -> None:
    """The last line on stdout: what `python -m benchmarks` makes a row of.

    `measured`: `ratio`, or `value` with its `unit`; `low` and `high`; `details` in names and figures.
    """
    print(json.dumps({"line": line, "at_least": at_least, "aim": aim, **measured}, ensure_ascii=False), flush=True)
