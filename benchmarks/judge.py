"""How long the judge takes for many rows, and how much memory it needs.

    python -m benchmarks.judge [RUN] [--rows N]

Takes one recorded run (without RUN it plays a short one), writes a run directory that repeats it until it has N rows,
and starts `python -m chatreport judge`, `verify` and `report` on it. The repetitions follow one another: same
operators, later times, other customers. Every guarantee must count as often as in the original, times the copies, so
that a judge that skips work shows.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from benchmarks.sides import tell

from chatreport.ledger import Ledger
from chatreport.rundir import ROW, TEXT_COLUMNS, Kind, Outcome, What, read_manifest, write_manifest, write_part

ROWS: Final = 10_000_000
AT_LEAST_S, AIM_S, AT_MOST_GB = 60, 15, 4
ROWS_PER_PART: Final = 65_536  # as the recorder has it
APART_NS: Final = 10_000_000_000  # between two copies; a fault's recovery takes half of it
TIMES: Final = ("intended", "started", "done")
NUMBERED: Final = ("assignment", "place", "epoch")  # further copies count on; a provider's ids are each chat's own
OWN_NAME: Final = re.compile(r"[cp]-?\d+")  # customers and probes are others in every copy

Packed = npt.NDArray[Any]


def main(argv: list[str]) -> int:
    """Measure and print; the last line is one JSON object. 1 if a copy is not judged as the original."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="a recorded run; without it, a short one is played")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many rows at least (default {ROWS:,})")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = options.run or record(folder / "recorded")
        rows = multiply(source, folder / "one", 1)
        copies = -(-options.rows // rows)
        rows = multiply(source, folder / "many", copies)
        print(f"{rows:,} rows, {copies} times {source}")
        chatreport("verify", folder / "one")
        spent = {command: chatreport(command, folder / "many") for command in ("verify", "report", "judge")}
        for command, (seconds, peak_gb) in spent.items():
            print(f"{command:8} {seconds:7.1f} s   {peak_gb:5.2f} GB   {rows / seconds:11,.0f} rows/s")
        wrong = compare(folder / "one", folder / "many", copies)
    for line in wrong:
        print(line)
    seconds, peak_gb = spent["judge"]
    held = peak_gb <= AT_MOST_GB and not wrong
    tell(
        "verify and report", at_least=AT_LEAST_S, aim=AIM_S, value=round(seconds, 2) if held else None, unit="s",
        details={"peak GB": round(peak_gb, 2), "rows": rows},
    )  # fmt: skip
    return int(bool(wrong))


def record(out: Path) -> Path:
    """Play a short run of T-Bank's peak."""
    command = [sys.executable, "-m", "chatload", "run", "tbank", "--duration", "20s", "--out", str(out)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # the verdict is not what is measured here
    return out


def chatreport(command: str, run: Path) -> tuple[float, float]:
    """(wall seconds, peak memory in GB) of one command on a run directory."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "chatreport", command, str(run)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"chatreport {command} ended with {process.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss * 1024 / 1e9


def compare(one: Path, many: Path, copies: int) -> list[str]:
    """Print every guarantee's finding on the copies; what is not as in the original, times the copies."""
    first, all_of_it = (json.loads((run / "verdict.json").read_text())["guarantees"] for run in (one, many))
    wrong = []
    for name, found in all_of_it.items():
        expected = first[name]
        print(f"{name:8} {found['status']:10} {found['count']:12,}")
        if (found["status"], found["count"]) != (expected["status"], expected["count"] * copies):
            wrong.append(f"{name} should be {expected['status']}, {copies} × {expected['count']:,}")
    return wrong


def multiply(source: Path, out: Path, copies: int) -> int:
    """Write a run directory that repeats a recorded run; how many rows it has.

    Dialogs still open in the end are closed, as inactivity would in time: nobody may wait while a later copy's
    operators are free.
    """
    rows, texts = _closed(*_packed(source))
    (out / "ledger").mkdir(parents=True)
    stamps = np.concatenate([rows[name] for name in TIMES])
    period_ns = int(stamps.max()) - int(stamps[stamps >= 0].min()) + APART_NS
    parts = 0
    for number in range(copies):
        copy, names = _copy(rows, texts, number, copies, period_ns)
        for begin in range(0, len(copy), ROWS_PER_PART):
            write_part(out / "ledger", "w0", parts, *_used(copy[begin : begin + ROWS_PER_PART], names))
            parts += 1
    write_manifest(out, _manifest(read_manifest(source), copies, len(rows), period_ns))
    pq.write_table(_gauges(source, copies, period_ns), out / "timeseries.parquet")
    return len(rows) * copies


def _packed(source: Path) -> tuple[Packed, list[str]]:
    """The ledger as `ROW`, and its texts."""
    ledger = Ledger.read(source, read_manifest(source))
    recorded = ledger.of(*What)
    rows = np.zeros(len(recorded), ROW)
    for name in ROW.names or ():
        rows[name] = recorded[name]
    return rows, ledger.texts


def _closed(rows: Packed, texts: list[str]) -> tuple[Packed, list[str]]:
    """The rows with a closing in the history for each dialog that the platform's final state lists, and no state."""
    history = rows[rows["what"] == What.AUDIT]
    closings = []
    for state in rows[rows["what"] == What.STATE]:
        mine = history[(history["contact"] == state["contact"]) & (history["number"] == state["number"])]
        if len(mine):
            closing = _empty(state)
            closing["seq"] = mine["seq"].max() + 1
            closings.append(closing)
    return np.concatenate([rows[rows["what"] != What.STATE], np.array(closings, ROW)]), texts


def _empty(state: Any) -> Any:
    """A closing of the dialog that a state names."""
    closing = state.copy()
    for name in ("author", "reason"):
        closing[name] = -1
    closing["what"], closing["kind"], closing["outcome"] = What.AUDIT, Kind.CLOSED, Outcome.OK
    return closing


def _copy(rows: Packed, texts: list[str], number: int, copies: int, period_ns: int) -> tuple[Packed, list[str]]:
    """The rows as the `number`-th repetition would have left them, and its texts."""
    copy = rows.copy()
    for name in (*TIMES, *NUMBERED):
        step = period_ns if name in TIMES else int(rows[name].max()) + 1
        copy[name] += np.where(rows[name] >= 0, number * step, 0).astype(ROW[name])
    contacts = set(rows["contact"].tolist())
    own = np.array([at in contacts or bool(OWN_NAME.fullmatch(text)) for at, text in enumerate([*texts, ""])])
    copy["counter"] += np.where((rows["counter"] >= 0) & ~own[rows["sender"]], number * (rows["counter"].max() + 1), 0)
    width = len(str(copies - 1))
    plan = rows["plan"].astype(np.int64)
    copy["plan"] = np.where(plan == -1, -1, plan * 10**width + np.where(plan < 0, -number, number))
    return copy, [f"{text}{number:0{width}}" if renamed else text for text, renamed in zip(texts, own, strict=False)]


def _used(rows: Packed, texts: list[str]) -> tuple[Packed, list[str]]:
    """The rows with the texts they use and no others, as the recorder writes a part."""
    used = np.unique(np.concatenate([rows[name] for name in TEXT_COLUMNS]))
    used = used[used >= 0]
    part = rows.copy()
    for name in TEXT_COLUMNS:
        part[name] = np.where(rows[name] < 0, -1, np.searchsorted(used, rows[name]))
    return part, [texts[text] for text in used]


def _manifest(manifest: dict[str, Any], copies: int, rows: int, period_ns: int) -> dict[str, Any]:
    later_ns = (copies - 1) * period_ns
    planned = dict(manifest["planned"])
    for name in ("dialogs", "ramp_dialogs", "messages", "contained"):
        planned[name] = planned.get(name, 0) * copies
    changed = {"planned": planned, "workers": [{"name": "w0", "rows": rows * copies, "lost": False}]}
    moments = {name: manifest[name] + later_ns for name in ("end_ns", "drained_ns")}
    return {name: value for name, value in {**manifest, **changed, **moments}.items() if name != "schema"}


def _gauges(source: Path, copies: int, period_ns: int) -> pa.Table:
    with pq.ParquetFile(source / "timeseries.parquet") as file:
        table = file.read()
    at = table.column_names.index("t_ns")
    return pa.concat_tables(_moved(table, at, copies, period_ns))


def _moved(table: pa.Table, at: int, copies: int, period_ns: int) -> Iterator[pa.Table]:
    for number in range(copies):
        yield table.set_column(at, "t_ns", pc.add(table.column(at), number * period_ns))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
