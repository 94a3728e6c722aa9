"""What many simulated days come to, figure by figure; from `days.parquet`, which has a row a day and figure."""

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import stdtrit

from chatreport.errors import UnreadableRun
from chatreport.kpi.published import beside

FILE: Final = "days.parquet"
CONFIDENCE: Final = 0.95
MOST: Final = {"%": 100.0}
COLUMNS: Final = ("day", "seed", "figure", "value")


class Figure(msgspec.Struct, frozen=True):
    """A key figure over the days that have it.

    `low` and `high`: the 95 % interval of the mean, by Student's t over days, no further than the figure can go; None
    of one day. `deviation`: the mean's from the published value, a share of it, and `within` whether that is near.
    """

    name: str
    label: str
    unit: str
    days: int
    mean: float
    deviates: float | None  # standard deviation between days
    low: float | None
    high: float | None
    published: float | None = None
    deviation: float | None = None
    within: bool | None = None


def write_days(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write `days.parquet`; of each row the `COLUMNS`."""
    kinds = (pa.int32(), pa.int64(), pa.string(), pa.float64())
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in zip(COLUMNS, kinds, strict=True)}
    pq.write_table(pa.table(columns), folder / FILE, compression="zstd")


def read_days(folder: Path) -> dict[str, list[float]]:
    """The values of each figure, day by day.

    Raises:
        UnreadableRun: there are none, or they are broken.
    """
    try:
        with pq.ParquetFile(folder / FILE) as file:
            table = file.read()
        pairs = zip(table.column("figure").to_pylist(), table.column("value").to_pylist(), strict=True)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UnreadableRun(
            folder, f"it has no readable {FILE}", "name what `chatload simulate --days` made"
        ) from error
    found: dict[str, list[float]] = {}
    for figure, value in pairs:
        found.setdefault(figure, []).append(value)
    return found


def figures(values: dict[str, list[float]], manifest: dict[str, Any]) -> list[Figure]:
    """The figures in the manifest's order, those that somebody has published first."""
    published = manifest.get("published") or {}
    known = [each for each in manifest.get("figures") or [] if each["name"] in values]
    known.sort(key=lambda each: each["name"] not in published)
    return [_figure(each, np.array(values[each["name"]]), published.get(each["name"])) for each in known]


def unseen(values: dict[str, list[float]], manifest: dict[str, Any]) -> list[str]:
    """The published figures that no day has, by their labels."""
    known = [each for each in manifest.get("figures") or [] if each["name"] in (manifest.get("published") or {})]
    return [each["label"] for each in known if each["name"] not in values]


def _figure(named: dict[str, str], values: "np.ndarray[Any, Any]", published: float | None) -> Figure:
    name, label, unit = (named[key] for key in ("name", "label", "unit"))
    n, alike = len(values), bool(values.min() == values.max())
    mean = float(values[0] if alike else values.mean())  # of a hundred times 99.9 numpy's is a little beside it
    deviates = None if n == 1 else 0.0 if alike else float(values.std(ddof=1))
    half = None if deviates is None else float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * deviates / n**0.5
    low, high = (None, None) if half is None else (max(0.0, mean - half), min(MOST.get(unit, np.inf), mean + half))
    more = beside(published, mean) if published is not None else {}
    return Figure(name, label, unit, n, mean, deviates, low, high, **more)
