"""Temporary directories: what a killed process left behind goes with the next one, and nothing else does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatload import scratch
from tests.chatload.processes import ENVIRONMENT

PREFIX = "chatload-core-"
DIES = f"import os; from chatload import scratch; print(scratch.make('{PREFIX}'), flush=True); os.kill(os.getpid(), 9)"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary directories that is ours alone, for this process and those it starts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left_behind(temporary: Path) -> Path:
    """The directory, with something in it, of a process that was killed."""
    environment = ENVIRONMENT | {"TMPDIR": str(temporary)}
    killed = subprocess.run([sys.executable, "-c", DIES], env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    folder = Path(killed.stdout.strip())
    (folder / "data").mkdir()
    (folder / "data" / "journal").write_text("what nobody needs any more")
    assert folder.parent == temporary
    return folder


def test_what_a_killed_process_left_is_removed_by_the_next_one(temporary: Path) -> None:
    """With everything in it."""
    left = left_behind(temporary)
    made = scratch.make(PREFIX)
    assert not left.exists()
    assert list(temporary.iterdir()) == [made]


def test_what_belongs_to_the_living_stays(temporary: Path) -> None:
    """Several runs on one machine do not take each other's core away."""
    first, second = scratch.make(PREFIX), scratch.make(PREFIX)
    assert sorted(temporary.iterdir()) == sorted([first, second])


def test_what_is_not_known_to_be_an_orphan_of_ours_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name, no owner's word yet, one that is none, another machine's numbering, a link, another user's."""
    left, other = left_behind(temporary), temporary / "chatload-plans"
    word = (left / scratch.OWNER).read_text()
    kept = {name: temporary / f"{PREFIX}{name}" for name in ("silent", "garbled", "elsewhere")}
    for folder in (other, *kept.values()):
        folder.mkdir()
    (other / scratch.OWNER).write_text(word)
    (kept["garbled"] / scratch.OWNER).write_bytes(b"\xff\xfe nobody")
    (kept["elsewhere"] / scratch.OWNER).write_text(f"{word.split()[0]} pid:[1]")
    link = temporary / f"{PREFIX}link"
    link.symlink_to(other)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 4_000_000)
        scratch.clear(PREFIX)
    assert left.exists()
    scratch.clear(PREFIX)
    assert not left.exists()
    assert sorted(temporary.iterdir()) == sorted([other, *kept.values(), link])
    assert (other / scratch.OWNER).exists()
