"""A test that hangs ends, whatever it hangs in."""

import subprocess
import sys
from pathlib import Path

from tests.repo.sources import ROOT

HANGS = """
import asyncio, uvloop

def test_it():
    uvloop.run(asyncio.Event().wait())
"""


def test_a_test_that_hangs_in_uvloop_ends(tmp_path: Path) -> None:
    """Its process says where it stood, and exits; a signal alone would not get through to it."""
    path = tmp_path / "test_it.py"
    path.write_text(HANGS)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--timeout", "1", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1
    assert "uvloop.run(asyncio.Event().wait())" in ended.stdout + ended.stderr
