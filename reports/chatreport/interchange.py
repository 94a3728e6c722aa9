"""The latencies as HdrHistogram's own tools read them: an interval log, and percentile distributions.

`latency.hlog` (format 1.3, V2 compressed): an interval a second from t0, `Tag=` is operation/channel, so that every
time stands in exactly one line. `latency/<operation>.hgrm`: all channels together. Values are response times in ns; as
the format has it, the log's Interval_Max alone is in ms, and its times are in seconds after BaseTime. What the
report and the verdict state comes from the record's exact values; these files are within 1 % of them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from hdrh.histogram import HdrHistogram

from chatreport.evidence import SECOND_NS
from chatreport.grouping import Ints, begins, order_by, unique
from chatreport.histogram import DIGITS, HIGHEST_NS, Histogram
from chatreport.latency import CHANNELS, MS, Samples

LOG: Final = "latency.hlog"
FOLDER: Final = "latency"
LEGEND: Final = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def write_interchange(run: Path, samples: dict[str, Samples], manifest: dict[str, Any]) -> None:
    """Write `latency.hlog` and `latency/*.hgrm`, the same bytes for the same record."""
    t0_ns = int(manifest.get("t0_ns") or 0)
    text = "\n".join([*_head(_wall_ns(manifest, t0_ns)), *_intervals(samples, t0_ns)])
    (run / LOG).write_text(text + "\n", encoding="ascii")
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    for name, found in samples.items():
        if len(found):
            with (folder / f"{name}.hgrm").open("wb") as file:
                _of_library(Histogram(_ns(found))).output_percentile_distribution(file, 1)


def _ns(samples: Samples) -> Ints:
    """The response times."""
    return np.rint(samples.response * MS).astype(np.int64)


def _wall_ns(manifest: dict[str, Any], monotonic_ns: int) -> int:
    """The wall clock at a moment of the monotonic one, by the first anchor; without any they count as the same."""
    for anchor in manifest.get("anchors") or []:
        return int(anchor["wall_ns"]) - int(anchor["monotonic_ns"]) + monotonic_ns
    return monotonic_ns


def _head(wall_ns: int) -> list[str]:
    seconds = wall_ns / SECOND_NS
    return [
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {seconds:.3f} (seconds since epoch), {datetime.fromtimestamp(seconds, UTC).isoformat()}]",
        f"#[BaseTime: {seconds:.3f} (seconds since epoch)]",
        LEGEND,
    ]


def _intervals(samples: dict[str, Samples], t0_ns: int) -> list[str]:
    """The log's lines, by second and then by tag."""
    lines = [
        (second, tag, values_ns)
        for name, found in samples.items()
        for channel in unique(found.channel).tolist()
        for tag in [f"{name}/{CHANNELS[channel]}"]
        for second, values_ns in _by_second(found.of(channel), t0_ns)
    ]
    return [_line(second, tag, Histogram(values_ns)) for second, tag, values_ns in sorted(lines, key=lambda it: it[:2])]


def _by_second(samples: Samples, t0_ns: int) -> Iterator[tuple[int, Ints]]:
    """What ended in each second after t0; nothing of the main part ends before."""
    seconds = np.maximum(samples.at - t0_ns, 0) // SECOND_NS
    order = order_by(seconds)
    seconds, values_ns = seconds[order], _ns(samples)[order]
    first = np.flatnonzero(begins(seconds))
    parts = np.split(values_ns, first[1:])
    yield from zip(seconds[first].tolist(), parts, strict=False)  # without samples there is one empty part


def _line(second: int, tag: str, histogram: Histogram) -> str:
    payload = _of_library(histogram).encode().decode("ascii")
    return f"Tag={tag},{second:.3f},1.000,{histogram.max_ns / MS:.6f},{payload}"


def _of_library(histogram: Histogram) -> Any:
    """The same counts in the library's own histogram, whose buckets are ours."""
    made = HdrHistogram(1, HIGHEST_NS, DIGITS)
    np.frombuffer(made.counts, np.int64)[:] = histogram.counts
    filled = np.flatnonzero(histogram.counts)
    if len(filled):
        made.set_internal_tacking_values(int(filled[0]), int(filled[-1]), len(histogram))
    return made
