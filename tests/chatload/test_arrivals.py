"""A ledger that travels in pieces: it arrives whole, or not at all."""

from pathlib import Path

import pytest

from chatload.errors import GeneratorFailed
from chatload.run.arrivals import PIECE_BYTES, Arrivals, pieces


def part(folder: Path, name: str, content: bytes) -> Path:
    """A part as a worker wrote it."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES - 7])
def test_a_part_arrives_as_it_was_written(tmp_path: Path, size: int) -> None:
    """In pieces of a megabyte; until the last one it is not there, under its name."""
    here = tmp_path / "here"
    here.mkdir()
    content = bytes(number % 251 for number in range(size))
    arrivals, sent = Arrivals(here, "w1"), pieces(part(tmp_path / "there", "w1-00000.parquet", content))
    for piece in sent[:-1]:
        arrivals.take(piece)
        assert names(here) == ["w1-00000.parquet.arriving"]
    arrivals.take(sent[-1])
    assert names(here) == ["w1-00000.parquet"]
    assert (here / "w1-00000.parquet").read_bytes() == content
    assert [len(piece["data"]) for piece in sent[:-1]] == [PIECE_BYTES] * (len(sent) - 1)


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    """With its name and its worker's, and nothing takes its place in the ledger."""
    [piece] = pieces(part(tmp_path / "there", "w1-00000.parquet", b"rows"))
    with pytest.raises(GeneratorFailed, match=r"w1-00000.parquet of w1 arrived damaged"):
        Arrivals(tmp_path, "w1").take(piece | {"data": b"sowr"})
    assert not (tmp_path / "w1-00000.parquet").exists()


@pytest.mark.parametrize("name", ["w2-00000.parquet", "../w1-00000.parquet", "/etc/passwd", "w1-00000.parquet\n"])
def test_a_worker_sends_parts_of_its_own_only(tmp_path: Path, name: str) -> None:
    """No other worker's, and nothing outside the ledger."""
    [piece] = pieces(part(tmp_path / "there", "w1-00000.parquet", b"rows"))
    with pytest.raises(GeneratorFailed, match="no part of its ledger"):
        Arrivals(tmp_path / "there", "w1").take(piece | {"name": name})
    assert names(tmp_path / "there") == ["w1-00000.parquet"]
