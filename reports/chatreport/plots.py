"""The pictures, drawn once for the report (inline SVG whose colours follow the page) and once as PNG files.

Colours are told apart by the colour-blind, and every line has a second mark: its dash or its label.
"""

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chatreport.series import SHORTEST_MS, Curve, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the page's name of each colour, and what it is on paper
COLOURS: Final = {
    "ink": "#20262e",
    "muted": "#69727d",
    "rule": "#dfe3e8",
    "band": "#f0e6da",
    "blue": "#1668b8",
    "orange": "#c8641b",
    "green": "#0f8a6c",
    "violet": "#8a56a8",
    "teal": "#3d8fa6",
}
WIDE_PX: Final = 1100
NARROW_PX: Final = 360
_LINES: Final = {
    "deliver_in": ("to the operator", "blue", "-"),
    "deliver_out": ("to the customer", "orange", "-"),
    "accept": ("acknowledgement", "green", (0, (6, 2))),
    "bot": ("bot's answer", "violet", (0, (4, 2, 1, 2))),
    "assign": ("offer", "teal", (0, (2, 2))),
    "mirror": ("mirror: the measurement floor", "muted", (0, (1, 2))),
}
_PERCENTS: Final = {1: "0", 2: "50", 10: "90", 100: "99", 1000: "99.9", 10_000: "99.99", 100_000: "99.999"}


def draw_timeline(timeline: Timeline, width_px: int = WIDE_PX, speed: float = 1.0) -> "Figure":
    """Four stripes over one time axis: dialogs, the queue, operators, deliveries."""
    narrow = width_px < 600
    figure = _figure(width_px, 620 if not narrow else 640)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[1.2, 0.9, 0.9, 1.3])
    at = timeline.at_s
    for axis in axes:
        for begin, end in timeline.faults_s:
            axis.axvspan(begin, min(end, at[-1]), color=COLOURS["band"], linewidth=0)
        for edge in (0.0, timeline.end_s):
            axis.axvline(edge, color=COLOURS["muted"], linewidth=0.8, dashes=(2, 3))
    _stripe(axes[0], "Dialogs a second" if narrow else "Dialogs a second: what the plan offers, what was completed")
    axes[0].fill_between(at, _calmed(timeline.offered), color=COLOURS["blue"], alpha=0.16, linewidth=0, label="offered")
    axes[0].plot(at, _calmed(timeline.completed), color=COLOURS["green"], linewidth=1.6, label="completed")
    _stripe(axes[1], "Dialogs waiting for an operator")
    axes[1].fill_between(at, timeline.waiting, color=COLOURS["violet"], alpha=0.3, linewidth=0)
    axes[1].plot(at, timeline.waiting, color=COLOURS["violet"], linewidth=1.2)
    axes[1].set_ylim(0, max(1.0, float(timeline.waiting.max()) * 1.08))
    _stripe(axes[2], "Operators")
    axes[2].plot(at, timeline.online, color=COLOURS["muted"], linewidth=1.2, dashes=(4, 2), label="online")
    axes[2].fill_between(at, timeline.busy, color=COLOURS["teal"], alpha=0.3, linewidth=0)
    axes[2].plot(at, timeline.busy, color=COLOURS["teal"], linewidth=1.4, label="with a dialog")
    _stripe(axes[3], "Delivery, ms" if narrow else "Delivery to operators and customers, ms of wall time")
    axes[3].plot(
        at, np.maximum(timeline.delivery_p99_ms, SHORTEST_MS), color=COLOURS["orange"], linewidth=1.4, label="p99"
    )
    axes[3].plot(
        at,
        np.maximum(timeline.delivery_p50_ms, SHORTEST_MS),
        color=COLOURS["blue"],
        linewidth=1.4,
        dashes=(5, 2),
        label="p50",
    )
    _logarithmic(axes[3])
    for axis in axes[:3]:
        axis.yaxis.get_major_locator().set_params(integer=True)
    for axis in (axes[0], axes[2], axes[3]):
        _legend(axis)
    axes[3].set_xlim(at[0] - timeline.step_s / 2, at[-1] + timeline.step_s / 2)
    business = "" if speed == 1 or narrow else f"; one second is {speed:,.4g} s of business time"
    axes[3].set_xlabel(f"seconds since t0, wall time{business}", color=COLOURS["muted"])
    return figure


def draw_curves(
    curves: Iterable[Curve], width_px: int = WIDE_PX, marks: Iterable[tuple[float, float]] = ()
) -> "Figure":
    """Latency by percentile, on an axis that gives every further nine the same room; `marks` are objectives."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    narrow = width_px < 600
    figure = _figure(width_px, *((430, 46) if not narrow else (500, 170)))
    axis = figure.subplots()
    _stripe(axis, "Response time by percentile, ms")
    furthest = 10.0
    lines = list(curves)
    for curve in lines:
        label, colour, dash = _LINES[curve.name]
        axis.plot(curve.odds, curve.ms, color=COLOURS[colour], linestyle=dash, linewidth=1.8, label=label)
        furthest = max(furthest, float(curve.odds[-1]))
    for odds, ms in marks:
        axis.plot([odds], [ms], marker="v", markersize=7, color=COLOURS["ink"], linestyle="none", clip_on=False)
    axis.set_xscale("log")
    _logarithmic(axis)
    axis.set_xlim(1, furthest * 1.1)
    axis.xaxis.set_major_locator(FixedLocator([tick for tick in _PERCENTS if tick <= furthest * 1.1]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: _PERCENTS.get(round(tick), "")))
    axis.set_xlabel("percentile", color=COLOURS["muted"])
    if lines:
        axis.legend(
            loc="upper left", bbox_to_anchor=(-0.1, -0.16) if narrow else (0.0, 1.0), frameon=False, fontsize=12,
            labelcolor=COLOURS["ink"], handlelength=2.6,
        )  # fmt: skip
    return figure


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same picture."""
    figure.savefig(path, dpi=144, metadata={"Software": None})


def svg(figure: "Figure", name: str, label: str) -> str:
    """A figure as an SVG element for the page: its colours are the page's, its ids its own, its text is text."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )  # fmt: skip
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    frame = rf'<svg viewBox="\1" role="img" aria-label="{label}">'
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', frame, text, count=1)
    text = _renamed(text, name)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for colour, paper in COLOURS.items():
        text = text.replace(paper, f"var(--{colour})")
    return text


def _renamed(text: str, name: str) -> str:
    """The SVG with ids of its own that are the same in every process; those that nothing refers to go."""
    used = dict.fromkeys(re.findall(r'(?:href="|url\()#([^")]+)', text))
    names = {old: f"{name}-{n}" for n, old in enumerate(used)}
    text = re.sub(r'\s+id="([^"]+)"', lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", text)
    return re.sub(r'(?:xlink:)?(href="|url\()#([^")]+)', lambda found: f"{found[1]}#{names[found[2]]}", text)


def _figure(width_px: int, height_px: int, below_px: int = 46) -> "Figure":
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_px / 72, height_px / 72))
    figure.subplots_adjust(
        left=44 / width_px, right=1 - 8 / width_px, top=1 - 26 / height_px, bottom=below_px / height_px, hspace=0.42
    )
    return figure


def _stripe(axis: "Axes", title: str) -> None:
    """A quiet panel: its title above, values left, hairlines, no box."""
    axis.set_title(title, loc="left", fontsize=13, color=COLOURS["ink"], pad=7)
    axis.tick_params(labelsize=11.5, colors=COLOURS["muted"], length=0, pad=5)
    axis.grid(axis="y", color=COLOURS["rule"], linewidth=0.8)
    axis.set_axisbelow(True)
    axis.locator_params(axis="y", nbins=4)
    for side, spine in axis.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(COLOURS["rule"])
    axis.xaxis.label.set_fontsize(12)
    axis.margins(y=0.08)


def _logarithmic(axis: "Axes") -> None:
    """A logarithmic axis for times: 1, 10, 100, and 2 and 5 between where there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_yscale("log")
    low, high = axis.get_ylim()
    if high < 10 * low:  # less than a decade would get ticks at odd numbers
        low, high = axis.set_ylim(high / 12, high * 1.1)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.4g}"))


def _legend(axis: "Axes") -> None:
    axis.legend(
        loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=3, frameon=False, fontsize=12, labelcolor=COLOURS["ink"],
        borderaxespad=0.2, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip


def _calmed(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A mean over three bins, so that counts of a few a bin do not flicker."""
    if len(values) < 3:
        return values
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.convolve(padded, np.full(3, 1 / 3), mode="valid")
