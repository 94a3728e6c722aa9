"""Starting the suite's own commands, and finding every process that they started."""

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), *(str(ROOT / name) for name in ("loadtests", "reports", "platform"))]),
    "COLUMNS": "200",
}


def chatload(*arguments: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "chatload", *arguments],
        cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


class Command(subprocess.Popen[str]):
    """A Python command whose every descendant can be found, orphans included: by a mark in its environment."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        marked = ENVIRONMENT | environment | {"CHATLOAD_TEST": self.mark}
        super().__init__(
            [sys.executable, *command], cwd=cwd, env=marked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def line(self) -> str:
        """The next line of what it says."""
        assert self.stdout is not None, "it was started with a pipe"
        return self.stdout.readline()


@contextmanager
def running(command: list[str], cwd: Path, **environment: str) -> Iterator[Command]:
    """A command in the middle of its work; whatever of it is left in the end is killed."""
    process = Command(command, cwd, environment)
    try:
        yield process
    finally:
        for left in family(process):
            left.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def family(command: Command) -> list[psutil.Process]:
    """The command's living processes."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get("CHATLOAD_TEST") == command.mark
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """The condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value


def told(rundir: Path, worker: str = "") -> list[dict[str, Any]]:
    """What the stub fleet (of one of several workers) was told so far."""
    file = rundir / (f"messages-{worker}.jsonl" if worker else "messages.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def done(rundir: Path, what: str, worker: str = "") -> int:
    """How often the stub fleet was told this."""
    return sum(message["do"] == what for message in told(rundir, worker))


def seats_on(rundir: Path, worker: str = "") -> set[int]:
    """The seats that are logged on, as the stub fleet was told."""
    on: set[int] = set()
    for message in told(rundir, worker):
        if message["do"] == "seat":
            (on.add if message["on"] else on.discard)(message["n"])
    return on


def fetch(url: str, **form: Any) -> dict[str, Any]:
    """The JSON at `url`; posts the form, if there is one."""
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, data, timeout=30) as answer:
        body: dict[str, Any] = json.loads(answer.read())
    return body
