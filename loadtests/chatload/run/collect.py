"""After the run, in a process of its own: read the final history, and write what the suite itself knows to the ledger.

`python -m chatload.run.collect` takes one JSON object on stdin: `rundir`, `run`, `auditor` (see `Target.auditor`; null
if it must not be read), `faults`, `gauges` and `shifts` (by how many ns whose clock runs ahead of ours); it answers
with one JSON line: `read`, `rows` (all that it wrote) and `reason`.
It is a process of its own because Locust has patched its own for gevent, which Arrow's threads do not survive.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chatload.console import say
from chatload.targets import audit
from chatload.targets.rest import Unanswered
from chatreport.rundir import GAUGES, Outcome, What, write_part


def main() -> None:
    """Do it; see the module."""
    task = json.load(sys.stdin)
    rundir = Path(task["rundir"])
    for worker, ahead_ns in task["shifts"].items():
        shift(rundir, worker, ahead_ns)
    faults = write_faults(rundir, task["faults"])
    write_gauges(rundir, task["gauges"])
    answer = write_audit(rundir, task["auditor"], task["run"])
    say(json.dumps(answer | {"rows": answer["rows"] + faults}))


def write_faults(rundir: Path, faults: list[list[Any]]) -> int:
    """One FAULT row each; how many."""
    if not faults:
        return 0
    rows = audit.Rows()
    packed = rows.pack(
        {
            "what": What.FAULT,
            "outcome": Outcome.OK,
            "who": "suite",
            "reason": verb,
            "started": started_ns,
            "done": done_ns,
        }
        for verb, started_ns, done_ns in faults
    )
    write_part(rundir / "ledger", "suite", 0, packed, rows.texts)
    return len(faults)


def shift(rundir: Path, worker: str, ahead_ns: int) -> None:
    """Put what a worker recorded by a clock that is `ahead_ns` of ours into our time."""
    for path in sorted((rundir / "ledger").glob(f"{worker}-*.parquet")):
        table = pq.ParquetFile(path).read()
        for name in ("intended", "started", "done"):
            times = table.column(name).to_numpy()
            ours = pa.array(np.where(times >= 0, times - ahead_ns, times))
            table = table.set_column(table.schema.get_field_index(name), name, ours)
        beside = path.with_suffix(".shifting")
        pq.write_table(table, beside, compression="zstd")
        beside.rename(path)


def write_gauges(rundir: Path, gauges: list[dict[str, Any]]) -> None:
    """`timeseries.parquet`, one row a second and worker; what nobody measured is 0."""
    columns: dict[str, pa.Array] = {}
    for name in GAUGES:
        if name == "worker":
            columns[name] = pa.array([row[name] for row in gauges], pa.string())
        else:
            kind = pa.int64() if name == "t_ns" else pa.float64()
            columns[name] = pa.array([row.get(name, 0) for row in gauges], kind)
    pq.write_table(pa.table(columns), rundir / "timeseries.parquet", compression="zstd")


def write_audit(rundir: Path, auditor: dict[str, Any] | None, run: str) -> dict[str, Any]:
    """The history and state as rows; a history that broke off is recorded as far as it came, and not as read."""
    if auditor is None:
        return {"read": False, "rows": 0, "reason": "the target could not be asked"}
    written = 0
    try:
        for number, part in enumerate(audit.in_parts(_claims(auditor, run))):
            rows = audit.Rows()
            write_part(rundir / "ledger", "audit", number, rows.pack(part), rows.texts)
            written += len(part)
    except Unanswered as error:
        return {"read": False, "rows": written, "reason": str(error)}
    except (KeyError, TypeError, ValueError) as error:
        return {"read": False, "rows": written, "reason": f"the target's answer is not understood: {error!r}"}
    return {"read": True, "rows": written, "reason": ""}


def _claims(auditor: dict[str, Any], run: str) -> Iterator[audit.Row]:
    """State first: a dialog that closes in between is then in both, and not in neither."""
    url, token = auditor["url"], auditor["token"]
    yield from audit.state(url, token)
    yield from audit.history(url, token, auditor["partitions"], run)
    yield from audit.bills(url, token)


if __name__ == "__main__":
    main()
