"""A fleet that plays nothing: it speaks the pipe's protocol, and writes down what it was told.

`messages.jsonl` in the run directory holds every message in order, of one of several workers `messages-w1.jsonl`.
FLAW in the environment makes it misbehave: "dies" ends it at `go`, "deaf" never answers `armed`, "slow" never says
drained.
"""

import argparse
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from chatload.accounts import account
from chatreport.histogram import Histogram
from chatreport.rundir import ROW, What, write_part

FLAW = os.environ.get("FLAW", "")


class StubFleet:
    def __init__(self, down: int, up: int) -> None:
        self.down, self.up = down, up
        self.seats: set[int] = set()
        self.rundir, self.worker = Path(), "w0"
        self.index, self.count = 0, 1
        self.told: list[dict[str, Any]] = []
        self.reports = 0
        self.going = False

    def say(self, kind: str, **rest: Any) -> None:
        os.write(self.up, json.dumps({"is": kind, **rest}).encode() + b"\n")

    def run(self) -> None:
        self.say("hello", pid=os.getpid(), anchor={"wall_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()})
        pending = b""
        while True:
            ready, _, _ = select.select([self.down], [], [], 0.2)
            if not ready:
                if self.going:
                    self.report()
                continue
            data = os.read(self.down, 1 << 20)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if self.hear(json.loads(line)):
                    return

    def hear(self, message: dict[str, Any]) -> bool:
        """Whether this was the last message."""
        if message["do"] == "arm":
            config = message["config"]
            self.rundir, self.worker = Path(config["rundir"]), config["worker"]
            self.index, self.count = config["index"], config["count"]
            (self.rundir / "ledger").mkdir(exist_ok=True)
        with (self.rundir / (f"messages-{self.worker}.jsonl" if self.count > 1 else "messages.jsonl")).open(
            "a"
        ) as file:
            file.write(json.dumps(message) + "\n")
        {
            "arm": self.arm, "target": self.target, "seat": self.seat, "go": self.go, "drain": self.drain,
            "finish": self.finish,
        }[message["do"]](message)  # fmt: skip
        return bool(message["do"] == "finish")

    def arm(self, _: dict[str, Any]) -> None:
        if FLAW != "deaf":
            self.say("armed", dialogs=1, callbacks={account("telegram", self.index, self.count): "http://127.0.0.1:1"})

    def target(self, _: dict[str, Any]) -> None:
        self.say("targeted")

    def seat(self, message: dict[str, Any]) -> None:
        (self.seats.add if message["on"] else self.seats.discard)(message["n"])
        self.say("seated", n=message["n"], on=message["on"])

    def go(self, _: dict[str, Any]) -> None:
        if FLAW == "dies":
            sys.stderr.write("the stub was told to die\n")
            sys.stderr.flush()
            os._exit(7)
        self.going = True
        self.report()

    def drain(self, _: dict[str, Any]) -> None:
        if FLAW != "slow":
            self.say("drained", clean=True, unsent=0)

    def finish(self, _: dict[str, Any]) -> None:
        self.write_ledger()
        self.say("bye", rows=1)

    def report(self) -> None:
        self.reports += 1
        row = {
            "name": "deliver_in", "method": "WEB", "n": 3, "failures": 1,
            "total_ms": 30.0, "min_ms": 10.0, "max_ms": 20.0,
            "buckets": {"10": 1, "20": 1}, "errors": {"refused: too_long": 1},
        }  # fmt: skip
        gauges = {
            "open": 5,
            "waiting": 1,
            "messages": 10 * self.reports,
            "seats": len(self.seats),
        }
        histograms = {"delivery": Histogram([10_000_000, 20_000_000]).sparse(), "lag": Histogram().sparse()}
        self.say("report", epoch=1, t_ns=time.monotonic_ns(), stats=[row], gauges=gauges, histograms=histograms)

    def write_ledger(self) -> None:
        rows = np.zeros(1, dtype=ROW)
        rows["what"] = What.MIRROR
        write_part(self.rundir / "ledger", self.worker, 0, rows, [""])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--in", dest="down", type=int)
    parser.add_argument("--out", dest="up", type=int)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    StubFleet(arguments.down, arguments.up).run()


if __name__ == "__main__":
    main()
