"""Draws a judged run: one self-contained page, pictures, a summary, a JUnit file, and histograms for other tools."""

from pathlib import Path
from typing import Final

from chatreport.interchange import write_interchange
from chatreport.judge import Run, read_verdict
from chatreport.junit import write_junit
from chatreport.latency import STATS
from chatreport.plots import NARROW_PX, WIDE_PX, draw_curves, draw_timeline, save, svg
from chatreport.report.page import render
from chatreport.series import curves, timeline
from chatreport.summary import markdown
from chatreport.verdict import Verdict

LABELS: Final = {
    "timeline": "Dialogs, queue, operators and delivery times over the run",
    "percentiles": "Response times by percentile, for each operation",
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
    page.write_text(render(verdict, manifest, _pictures(run, verdict)), encoding="utf-8")
    return page


def _pictures(run: Run, verdict: Verdict) -> dict[str, str]:
    """The pictures as SVG by name, wide and narrow; the wide ones are written as PNG, too."""
    plots = run.path / "plots"
    plots.mkdir(exist_ok=True)
    time, lines = timeline(run.evidence, run.floor, run.samples), curves(run.evidence, run.samples)
    speed = float(run.manifest.get("speed") or 1)
    marks = [
        (1 / (1 - STATS[objective.stat]), objective.threshold)
        for objective in verdict.objectives
        if objective.latency and objective.stat in STATS
    ]
    pictures: dict[str, str] = {}
    for size, width in (("wide", WIDE_PX), ("narrow", NARROW_PX)):
        drawn = {"timeline": draw_timeline(time, width, speed)}
        if lines:
            drawn["percentiles"] = draw_curves(lines, width, marks)
        for name, figure in drawn.items():
            pictures[f"{name}_{size}"] = svg(figure, f"{name}-{size}", LABELS[name])
            if size == "wide":
                save(figure, plots / f"{name}.png")
    return pictures
