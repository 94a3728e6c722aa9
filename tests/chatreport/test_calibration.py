"""A run against a target that shows nothing: the generator's ceiling, and no word that reads like a platform's pass."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chatreport.calibration import ceiling
from chatreport.rundir import GAUGES
from chatreport.summary import lines, markdown
from tests.chatreport.worlds import play

MAIN = {"t0_ns": 100, "end_ns": 300}
NOTHING = {"name": "null", "observes": [], "restart": False}


def gauges(path: Path, *rows: tuple[int, str, float, float]) -> Path:
    """A time series of (t_ns, worker, fleet's share of a core, core's share)."""
    columns: dict[str, list[Any]] = {name: [0.0 for _ in rows] for name in GAUGES}
    for place, name in enumerate(("t_ns", "worker", "fleet_cpu", "core_cpu")):
        columns[name] = [row[place] for row in rows]
    pq.write_table(pa.table(columns), path / "timeseries.parquet")
    return path


def test_the_ceiling_is_the_busiest_workers_in_the_main_part(tmp_path: Path) -> None:
    """What was used before and after counts no more than an idle worker does."""
    before, after = (100, "w0", 0.9, 0.9), (301, "w0", 0.9, 0.9)
    run = gauges(tmp_path, before, (200, "w0", 0.2, 0.1), (300, "w0", 0.3, 0.1), (250, "w1", 0.1, 0.1), after)
    assert ceiling(run, MAIN, 100.0) == {
        "messages_per_s": 100.0, "cpu_share": 0.25, "target_cpu_share": 0.1, "estimate_messages_per_s": 400.0,
        "usable_messages_per_s": 200.0,
    }  # fmt: skip


def test_without_samples_there_is_no_ceiling(tmp_path: Path) -> None:
    """Unknown, not nothing and not endless."""
    known = {"messages_per_s": 100.0}
    unknown = ("cpu_share", "target_cpu_share", "estimate_messages_per_s", "usable_messages_per_s")
    assert ceiling(tmp_path, MAIN, 100.0) == known | dict.fromkeys(unknown)


@pytest.mark.parametrize("clean, word", [(True, "GENERATOR"), (False, "INVALID")])
def test_a_run_against_nothing_is_headed_by_what_it_is(tmp_path: Path, clean: bool, word: str) -> None:
    """A generator that kept its word is called that; one that did not is invalid, as with any target."""
    record = play()
    record.manifest |= {"target": NOTHING, "objectives": [], "drain": {**record.manifest["drain"], "clean": clean}}
    run = record.judged(tmp_path)
    shown = lines(run.verdict, run.manifest, None)
    assert shown[0].startswith(f"{word}  T-Bank")
    assert ("nothing is claimed about a platform" in shown[1]) == clean
    assert not any(line.startswith(("guarantees", "messages", "centre")) for line in shown)
    assert markdown(run.verdict, run.manifest).startswith(f"## {word}: ")
