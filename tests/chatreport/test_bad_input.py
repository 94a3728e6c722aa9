"""What a user can get wrong: one clear line and exit code 2, never a traceback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chatreport.__main__ import main
from tests.chatreport.worlds import play


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An honest run directory, not judged."""
    return play(dialogs=6).write(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(recorded, tmp_path / "run"))


def part(run: Path) -> Path:
    """The only part of the ledger."""
    return run / "ledger" / "w0-00000.parquet"


def no_ledger(run: Path) -> None:
    shutil.rmtree(run / "ledger")


def truncated(run: Path) -> None:
    part(run).write_bytes(part(run).read_bytes()[:-100])


def not_parquet(run: Path) -> None:
    part(run).write_text("what, who\n")


def empty(run: Path) -> None:
    part(run).write_bytes(b"")


def foreign_columns(run: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), part(run))


def foreign_types(run: Path) -> None:
    table = pq.ParquetFile(part(run)).read()
    pq.write_table(
        table.set_column(table.schema.get_field_index("seq"), "seq", pa.array(["1"] * len(table))), part(run)
    )


def no_manifest(run: Path) -> None:
    (run / "manifest.json").unlink()


def manifest_not_json(run: Path) -> None:
    (run / "manifest.json").write_text("{")


def manifest_not_an_object(run: Path) -> None:
    (run / "manifest.json").write_text("[]")


def manifest_not_text(run: Path) -> None:
    (run / "manifest.json").write_bytes(b"\xff\xfe\x00")


def foreign_schema(run: Path) -> None:
    change(run, schema=99)


def bad_objective(run: Path) -> None:
    change(run, objectives=["deliver p99 < 3 ms"])


def change(run: Path, **values: object) -> None:
    """Change the manifest."""
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | values))


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (no_ledger, "{run}: it has no ledger/*.parquet; name the directory that `chatload run` printed"),
    (truncated, "{run}/ledger/w0-00000.parquet: not a whole Parquet file ("),
    (not_parquet, "{run}/ledger/w0-00000.parquet: not a whole Parquet file ("),
    (empty, "{run}/ledger/w0-00000.parquet: not a whole Parquet file ("),
    (foreign_columns, "{run}/ledger/w0-00000.parquet: columns are missing: assignment, attempt, author,"),
    (foreign_types, "{run}/ledger/w0-00000.parquet: columns are of another type: seq is string;"),
    (no_manifest, "{run}: it has no manifest.json; name the directory that `chatload run` printed"),
    (manifest_not_json, "{run}/manifest.json: not JSON ("),
    (manifest_not_an_object, "{run}/manifest.json: not a JSON object; repeat the run"),
    (manifest_not_text, "{run}/manifest.json: not JSON ("),
    (foreign_schema, "{run}/manifest.json: schema 99, this version reads 1; judge it with the version that wrote it"),
    (bad_objective, 'objective "deliver p99 < 3 ms": there is no metric "deliver"; did you mean "deliver_'),
]


@pytest.mark.parametrize("damage, message", DAMAGES, ids=[damage[0].__name__ for damage in DAMAGES])
def test_a_damaged_run_is_refused_in_one_line(
    damage: Callable[[Path], None], message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line that says what, where and what to do, and nothing written."""
    damage(run)
    code = main(["judge", str(run)])
    out, error = capsys.readouterr()
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith("chatreport: " + message.format(run=run))
    assert not (run / "verdict.json").exists()


@pytest.mark.parametrize("command", ["judge", "verify", "report"])
def test_a_directory_that_is_not_there_is_refused_in_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for every command."""
    assert main([command, str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == (
        f"chatreport: {tmp_path}/nowhere: it has no manifest.json; name the directory that `chatload run` printed\n"
    )


def test_a_run_that_was_not_judged_cannot_be_drawn(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the command that is missing."""
    assert main(["report", str(run)]) == 2
    assert capsys.readouterr().err == f"chatreport: {run}: it has no verdict.json; run `chatload verify {run}` first\n"


def test_a_foreign_verdict_cannot_be_drawn(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict of another version is refused, not half read."""
    (run / "verdict.json").write_text('{"verdict": "pass"}')
    assert main(["report", str(run)]) == 2
    assert capsys.readouterr().err.startswith(f"chatreport: {run}/verdict.json: not a verdict of this version (")


@pytest.mark.parametrize("arguments", [[], ["judge"], ["guess", "x"], ["judge", "a", "b"]])
def test_a_wrong_command_line_shows_the_right_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the usage."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: python -m chatreport judge|verify|report DIR\n")


def test_a_run_without_a_time_series_is_judged_all_the_same(run: Path) -> None:
    """Gauges are for pictures; without them the shares of the processors are not known."""
    (run / "timeseries.parquet").write_bytes(b"")
    assert main(["verify", str(run)]) == 0
    generator = json.loads((run / "verdict.json").read_text())["generator"]
    assert (generator["cpu_share"], generator["core_cpu_share"]) == (None, None)
