"""A run's record in a test: rows and a manifest, to be falsified, checked or written as a run directory."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.judge import Run
from chatreport.ledger import Ledger
from chatreport.rundir import (
    GAUGES,
    ROW,
    TEXT_COLUMNS,
    What,
    write_manifest,
    write_part,
)  # fmt: skip
from chatreport.verify import GUARANTEES, check_all
from chatreport.verify.finding import Finding

MS = 1_000_000
T0 = 10_000 * MS
Row = dict[str, Any]
CHANNELS = ("web", "app", "telegram")


@dataclass
class Record:
    """A run's rows and manifest, to be falsified, checked or written."""

    rows: list[Row]
    manifest: dict[str, Any]

    def copy(self) -> "Record":
        """An independent copy."""
        return deepcopy(self)

    def find(self, what: What, **wanted: Any) -> list[Row]:
        """The rows of a kind with these values, in order."""
        return [
            row for row in self.rows if row["what"] == what and all(row.get(key, -1) == wanted[key] for key in wanted)
        ]

    def one(self, what: What, **wanted: Any) -> Row:
        """The first of them."""
        return self.find(what, **wanted)[0]

    def drop(self, row: Row) -> None:
        """Take one row out."""
        self.rows = [each for each in self.rows if each is not row]

    def add(self, like: Row, **changed: Any) -> Row:
        """Append a row like another one, with some values changed."""
        row = {**like, **changed}
        self.rows.append(row)
        return row

    def packed(self) -> tuple[np.ndarray[Any, np.dtype[Any]], list[str]]:
        """The rows as `ROW`, and their texts."""
        texts: dict[str, int] = {}
        packed = np.zeros(len(self.rows), ROW)
        for name in ROW.names or ():
            default: Any = "" if name in TEXT_COLUMNS else 0 if ROW[name] == np.dtype("u1") else -1
            values = [row.get(name, default) for row in self.rows]
            if name in TEXT_COLUMNS:
                values = [texts.setdefault(value, len(texts)) if value else -1 for value in values]
            packed[name] = values
        return packed, list(texts)

    def write(self, path: Path) -> Path:
        """The record as a run directory."""
        (path / "ledger").mkdir(parents=True, exist_ok=True)
        manifest = {**self.manifest, "workers": [{"name": "w0", "rows": len(self.rows), "lost": False}]}
        write_manifest(path, manifest | {"workers": self.manifest.get("workers", manifest["workers"])})
        rows, texts = self.packed()
        write_part(path / "ledger", "w0", 0, rows, texts)
        pq.write_table(pa.table(_gauges(self.manifest)), path / "timeseries.parquet")
        return path

    def evidence(self) -> Evidence:
        """What the record says, without a directory."""
        rows, texts = self.packed()
        return Evidence(Ledger([{name: rows[name] for name in ROW.names or ()}], texts), self.manifest)

    def floor(self, evidence: Evidence) -> Floor:
        """The floor as the record has it."""
        return Floor(evidence)

    def checked(self) -> tuple[dict[str, Finding], dict[str, int]]:
        """What the checkers find, and what they count."""
        evidence = self.evidence()
        return check_all(evidence, Floor(evidence))

    def findings(self) -> dict[str, Finding]:
        """What the checkers find."""
        return self.checked()[0]

    def counts(self) -> dict[str, int]:
        """What the checkers count."""
        return self.checked()[1]

    def violated(self) -> set[str]:
        """The guarantees that do not hold."""
        return {name for name, finding in self.findings().items() if finding.status == "violated"}

    def judged(self, path: Path) -> Run:
        """The record, written and opened."""
        return Run(self.write(path))


def _gauges(manifest: dict[str, Any]) -> dict[str, Any]:
    seconds = range(3)
    columns: dict[str, Any] = {name: [1.0 for _ in seconds] for name in GAUGES}
    columns["t_ns"] = [manifest["t0_ns"] + second * 1000 * MS for second in seconds]
    columns["worker"] = ["w0" for _ in seconds]
    columns["fleet_cpu"] = [0.25 for _ in seconds]
    columns["core_cpu"] = [0.5 for _ in seconds]
    return columns


def alone(cpus: list[int]) -> dict[str, Any]:
    """A process that hardly had to wait for a CPU."""
    used = {"ran_s": 1.0, "waited_s": 0.01, "wait_share": 0.0099, "preempted": 3}
    return {"cpus": cpus, "policy": "normal", "niceness": 0, **used}


def manifest(drained_ns: int, dialogs: int, ramp: int, operators: int) -> dict[str, Any]:
    """The manifest of an honest run."""
    return {
        "run": "ab12cd", "command": ["chatload", "run", "tbank"], "started_at": "2026-01-05T09:00:00Z",
        "finished": "whole", "scenario": "tbank", "title": "T-Bank, peak hour", "part": "peak", "seed": 7, "load": 1.0,
        "speed": 2.0, "duration_s": 2.0, "ramp_s": 1.0, "drain_s": 0.2, "t0_ns": T0, "end_ns": T0 + 2000 * MS,
        "drained_ns": drained_ns, "versions": {"chatload": "0.1.0", "python": "3.11.4", "locust": "2.47.0"},
        "hardware": {"cpu": "Virtual CPU", "cores": 2, "memory_gb": 8, "kernel": "6.1", "disk": "nvme"},
        "isolation": {
            "processes": {"core": alone([0]), "w0": alone([1]), "locust": alone([0, 1])}, "siblings": [],
            "governor": None, "mhz": 2600.0, "load_average": 0.5, "steal_share": 0.0, "quota_cpus": None,
            "throttled": 0, "throttled_s": 0.0,
        },
        "labels": {"branch": "main"}, "published": {"service_level_20s": 80.0, "ratings": 120.0},
        "target": {"name": "embedded", "observes": [guarantee.id for guarantee in GUARANTEES], "restart": True},
        "channels": {"played": list(CHANNELS), "published": [*CHANNELS, "messenger", "viber", "vk"]},
        "planned": {
            "dialogs": dialogs, "ramp_dialogs": ramp, "messages": 200, "operators": operators, "mean_dialog_s": 600.0,
            "curve": {"step_s": 1, "starts": [dialogs / 4] * 4},
        },
        "scheduled": {guarantee.id: guarantee.id != "G12" for guarantee in GUARANTEES},
        "objectives": ["deliver_in p50 < 50 ms", "messages_acked >= 10"],
        "drain": {"clean": True, "deadline_s": 20, "unsent": 0}, "audit": {"read": True, "restarted": True},
        "notes": [],
    }  # fmt: skip


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Name and content of every text file that judging makes."""
    for name in ("verdict.json", "summary.md", "junit.xml", "report.html"):
        yield name, (path / name).read_text(encoding="utf-8")


def verdict_of(path: Path) -> dict[str, Any]:
    """`verdict.json`."""
    read: dict[str, Any] = json.loads((path / "verdict.json").read_text(encoding="utf-8"))
    return read
