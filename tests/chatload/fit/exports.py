"""Exports of dialogs that were planned, and what is estimated from them."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from chatload.fit import Estimates, estimate, read


def export(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write them as a bank would, a column for each name that occurs."""
    found = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in found for name in row)))
        writer.writeheader()
        writer.writerows(found)
    return path


def estimated(path: Path) -> Estimates:
    """What is estimated, of an export without bad rows."""
    found = read(path)
    assert found.bad == []
    return estimate(found)
