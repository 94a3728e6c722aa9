"""The ledger's writer: what is put comes back whole, and a broken end leaves whole files only."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.fleet.recorder import Recorder
from chatreport.rundir import ROW, TEXT_COLUMNS, read_ledger

NUMBERS = {name: ROW[name] for name in ROW.names or () if name not in TEXT_COLUMNS and ROW[name].kind == "i"}
CODES = ("what", "outcome", "kind", "phase", "channel")
ROWS = st.fixed_dictionaries(
    {
        name: st.integers(-(2 ** (8 * dtype.itemsize - 1)), 2 ** (8 * dtype.itemsize - 1) - 1)
        for name, dtype in NUMBERS.items()
    }
    | {name: st.sampled_from(["", "c1", "web/ü", "o17", "p0"]) for name in TEXT_COLUMNS}
    | {name: st.integers(0, 255) for name in CODES}
)


@settings(max_examples=30)
@given(expected=st.lists(ROWS, max_size=40), per_part=st.integers(1, 50))
def test_rows_come_back_as_they_were_put(
    expected: list[dict[str, int | str]], per_part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every column of every row survives the buffers, the parts and Parquet, in order, whatever its value."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "ledger").mkdir()
    recorder = Recorder(folder / "ledger", "w0", per_part)
    for row in expected:
        ids = {name: recorder.text(str(row[name])) for name in TEXT_COLUMNS}
        numbers = {name: int(row[name]) for name in (*CODES, *NUMBERS)}
        recorder.put(**numbers, **ids)
    assert recorder.rows == len(expected)
    recorder.close()
    parts = sorted((folder / "ledger").iterdir())
    assert len(parts) == -(-len(expected) // per_part)
    if expected:
        assert read_ledger(folder).to_pylist() == [{name: row[name] for name in ROW.names or ()} for row in expected]


def test_a_row_that_says_nothing_holds_no_values(tmp_path: Path) -> None:
    """Columns left out are -1, empty or zero, each as its kind has it."""
    (tmp_path / "ledger").mkdir()
    recorder = Recorder(tmp_path / "ledger", "w0")
    recorder.put(4)
    recorder.close()
    (row,) = read_ledger(tmp_path).to_pylist()
    nothing = dict.fromkeys(NUMBERS, -1) | dict.fromkeys(TEXT_COLUMNS, "") | dict.fromkeys(CODES, 0)
    assert row == nothing | {"what": 4}


def test_a_part_carries_the_texts_it_uses_and_no_others(tmp_path: Path) -> None:
    """However many contacts a run has seen, a part's dictionary stays as small as the part."""
    recorder = Recorder(tmp_path, "w0", rows_per_part=2)
    for n in range(6):
        recorder.put(5, contact=recorder.text(f"web/u{n}"))
    recorder.close()
    dictionaries = [
        pq.read_table(path).column("contact").chunk(0).dictionary.to_pylist() for path in sorted(tmp_path.iterdir())
    ]
    assert dictionaries == [[f"web/u{n}", f"web/u{n + 1}", ""] for n in (0, 2, 4)]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """What the writer could not do surfaces, at the next look or at the end."""
    gone = tmp_path / "gone"
    recorder = Recorder(gone, "w0", rows_per_part=1)
    recorder.put(5)
    with pytest.raises(OSError, match="gone"):
        recorder.close()


WRITES_FOR_EVER = """
import sys
import time
from pathlib import Path
from chatload.fleet.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), "w0", rows_per_part=500)
while True:
    recorder.put(5, contact=recorder.text("web/u1"))
"""


def test_an_interrupted_flush_leaves_only_whole_files(tmp_path: Path) -> None:
    """A writer killed in the middle of its work leaves parts that are all readable and full."""
    with subprocess.Popen([sys.executable, "-c", WRITES_FOR_EVER, str(tmp_path)], env=os.environ) as writer:
        while len(list(tmp_path.glob("*.parquet"))) < 5:
            assert writer.poll() is None
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
    parts = sorted(tmp_path.glob("*.parquet"))
    assert {pq.read_table(path).num_rows for path in parts} == {500}
    assert [path.name for path in parts] == [f"w0-{n:05}.parquet" for n in range(len(parts))]


def test_a_days_simulation_loads_no_statistics(tmp_path: Path) -> None:
    """A single simulated day, and the ledger's writer of any fleet, bring neither pandas nor scipy."""
    code = (
        "import sys; from pathlib import Path; import chatload.cli.simulate;"
        "from chatload.fleet.recorder import Recorder;"
        f"Recorder(Path({str(tmp_path)!r}), 'w0').close(); print(sorted({{'pandas', 'scipy'}} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
