"""Draws a judged run: one self-contained page, pictures, a summary, a JUnit file, and histograms for other tools."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chatreport.calibration import simulated
from chatreport.interchange import write_interchange
from chatreport.judge import Run, read_verdict
from chatreport.junit import write_junit
from chatreport.latency import STATS
from chatreport.plots.canvas import NARROW_PX, WIDE_PX, save, svg
from chatreport.plots.centre import draw_day, draw_published
from chatreport.plots.run import draw_curves, draw_timeline
from chatreport.report.figures import pairs
from chatreport.report.page import render
from chatreport.series import curves, starts, timeline
from chatreport.summary import markdown
from chatreport.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS: Final = {
    "timeline": "Dialogs, queue, operators and delivery times over the run",
    "percentiles": "Response times by percentile, for each operation",
    "published": "Measured key figures by how far they are from the published ones",
    "day": "Dialogs that started beside the planned curve, by business time",
}


def draw(path: Path) -> Path:
    """Draw a run that was judged, from its record and verdict; the path of its page.

    Raises:
        ReportError: the run cannot be read, or was not judged yet.
    """
    return draw_run(Run(path), read_verdict(path))


def draw_run(run: Run, verdict: Verdict) -> Path:
    """Write `report.html`, `summary.md`, `junit.xml`, plots and histograms of an opened run; the path of its page."""
    manifest = run.manifest
    (run.path / "summary.md").write_text(markdown(verdict, manifest), encoding="utf-8")
    write_junit(run.path, verdict, manifest)
    write_interchange(run.path, run.samples, manifest)
    page = run.path / "report.html"
    page.write_text(render(verdict, manifest, _pictures(run, verdict), starts(run.evidence)), encoding="utf-8")
    return page


def _pictures(run: Run, verdict: Verdict) -> dict[str, str]:
    """The pictures as SVG by name, wide and narrow; the wide ones are written as PNG, too."""
    plots = run.path / "plots"
    plots.mkdir(exist_ok=True)
    pictures: dict[str, str] = {}
    for name, drawn in _drawn(run, verdict).items():
        for size, width in (("wide", WIDE_PX), ("narrow", NARROW_PX)):
            figure = drawn(width)
            pictures[f"{name}_{size}"] = svg(figure, f"{name}-{size}", LABELS[name])
            if size == "wide":
                save(figure, plots / f"{name}.png")
    return pictures


def _drawn(run: Run, verdict: Verdict) -> "dict[str, Callable[[int], Figure]]":
    """What there is to draw, for any width."""
    time, lines = timeline(run.evidence, run.floor, run.samples), curves(run.evidence, run.samples)
    speed, beside, planned = float(run.manifest.get("speed") or 1), pairs(verdict), starts(run.evidence)
    virtual = simulated(run.manifest)
    marks = [
        (1 / (1 - STATS[objective.stat]), objective.threshold)
        for objective in verdict.objectives
        if objective.latency and objective.stat in STATS
    ]
    found: dict[str, Callable[[int], Figure]] = {}
    if not (virtual and planned is not None and planned.by_clock):  # the day's picture has all of it
        found["timeline"] = lambda width: draw_timeline(time, width, speed, wall=not virtual)
    if lines or not virtual:
        found["percentiles"] = lambda width: draw_curves(lines, width, marks)
    if beside:
        found["published"] = lambda width: draw_published(beside, width)
    if planned is not None:
        found["day"] = lambda width: draw_day(planned, time, speed, width)
    return found
