"""One shortened run of the README's first command, which several tests look at."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORTER = ["--duration", "10s", "--ramp", "4s"]


@dataclass(frozen=True)
class Played:
    """A command that was run: how it ended, what it printed, and where it recorded."""

    command: list[str]
    code: int
    output: str
    errors: str
    rundir: Path


def readme_commands() -> list[str]:
    """The commands in the README's code blocks, one a line."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("scripts/")]


def play(command: str, out: Path) -> Played:
    """Run a `scripts/chatload …` of the README, recording into `out`; what takes wall time is shortened."""
    words = shlex.split(command)
    words += [*(SHORTER if words[1] == "run" else ()), "--out", str(out)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    return Played(words, ended.returncode, ended.stdout, ended.stderr, out)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The README's first command, shortened."""
    return play(readme_commands()[0], tmp_path_factory.mktemp("first") / "run")
