"""The state diagram in ARCHITECTURE.md is the transition table's."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_diagram_is_generated_from_the_table() -> None:
    """`scripts/diagram --check` finds no difference."""
    checked = subprocess.run([sys.executable, "scripts/diagram", "--check"], cwd=ROOT, check=False)
    assert checked.returncode == 0, "run scripts/diagram"
