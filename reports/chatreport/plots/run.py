"""Pictures of a run: what happened over time, and response times by percentile."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chatreport.plots.canvas import COLOURS, NARROW_BELOW_PX, WIDE_PX, legend, logarithmic, new_figure, stripe
from chatreport.plots.centre import draw_floor
from chatreport.series import SHORTEST_MS, Curve, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES: Final = {
    "deliver_in": ("to the operator", "blue", "-"),
    "deliver_out": ("to the customer", "orange", "-"),
    "accept": ("acknowledgement", "green", (0, (6, 2))),
    "bot": ("bot's answer", "violet", (0, (4, 2, 1, 2))),
    "assign": ("offer", "teal", (0, (2, 2))),
    "mirror": ("mirror: the measurement floor", "muted", (0, (1, 2))),
}
_PERCENTS: Final = {1: "0", 2: "50", 10: "90", 100: "99", 1000: "99.9", 10_000: "99.99", 100_000: "99.999"}


def draw_timeline(timeline: Timeline, width_px: int = WIDE_PX, speed: float = 1.0, *, wall: bool = True) -> "Figure":
    """Stripes over one time axis: dialogs, the queue, operators; and deliveries, where times are of a wall's clock."""
    narrow = width_px < NARROW_BELOW_PX
    heights = [1.2, 0.9, 0.9, 1.3] if wall else [1.2, 0.9, 0.9]
    figure = new_figure(width_px, round((149 if narrow else 144) * sum(heights)))
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    for axis in axes:
        _edges(axis, timeline)
    _dialogs(axes[0], timeline, narrow=narrow)
    draw_floor(axes[1], axes[2], timeline, timeline.at_s)
    if wall:
        _deliveries(axes[3], timeline, narrow=narrow)
    for axis in axes[:3]:
        axis.yaxis.get_major_locator().set_params(integer=True)
    axes[-1].set_xlim(timeline.at_s[0] - timeline.step_s / 2, timeline.at_s[-1] + timeline.step_s / 2)
    _time(axes[-1], speed, wall=wall, narrow=narrow)
    return figure


def _edges(axis: "Axes", timeline: Timeline) -> None:
    """The main part's ends, and faults."""
    for begin, end in timeline.faults_s:
        axis.axvspan(begin, min(end, timeline.at_s[-1]), color=COLOURS["band"], linewidth=0)
    for edge in (0.0, timeline.end_s):
        axis.axvline(edge, color=COLOURS["muted"], linewidth=0.8, dashes=(2, 3))


def _dialogs(axis: "Axes", timeline: Timeline, *, narrow: bool) -> None:
    at, offered = timeline.at_s, _calmed(timeline.offered)
    stripe(axis, "Dialogs a second" if narrow else "Dialogs a second: what the plan offers, what was completed")
    axis.fill_between(at, offered, color=COLOURS["blue"], alpha=0.16, linewidth=0, label="offered")
    axis.plot(at, _calmed(timeline.completed), color=COLOURS["green"], linewidth=1.6, label="completed")
    legend(axis)


def _deliveries(axis: "Axes", timeline: Timeline, *, narrow: bool) -> None:
    stripe(axis, "Delivery, ms" if narrow else "Delivery to operators and customers, ms of wall time")
    for label, values, colour, dash in (
        ("p99", timeline.delivery_p99_ms, "orange", "-"),
        ("p50", timeline.delivery_p50_ms, "blue", (0, (5, 2))),
    ):
        shown = np.maximum(values, SHORTEST_MS)
        axis.plot(timeline.at_s, shown, color=COLOURS[colour], linewidth=1.4, linestyle=dash, label=label)
    logarithmic(axis)
    legend(axis)


def _time(axis: "Axes", speed: float, *, wall: bool, narrow: bool) -> None:
    if wall:
        business = "" if speed == 1 or narrow else f"; one second is {speed:,.4g} s of business time"
        axis.set_xlabel(f"seconds since t0, wall time{business}", color=COLOURS["muted"])
        return
    from matplotlib.ticker import MultipleLocator

    axis.xaxis.set_major_formatter(lambda tick, _: f"{tick / 60:,.4g}")
    axis.xaxis.set_major_locator(MultipleLocator(600))
    axis.set_xlabel("minutes of business time since t0", color=COLOURS["muted"])


def draw_curves(
    curves: Iterable[Curve], width_px: int = WIDE_PX, marks: Iterable[tuple[float, float]] = ()
) -> "Figure":
    """Latency by percentile, on an axis that gives every further nine the same room; `marks` are objectives."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    narrow = width_px < NARROW_BELOW_PX
    figure = new_figure(width_px, *((430, 46) if not narrow else (500, 170)))
    axis = figure.subplots()
    stripe(axis, "Response time by percentile, ms")
    furthest = 10.0
    lines = list(curves)
    for curve in lines:
        label, colour, dash = _LINES[curve.name]
        axis.plot(curve.odds, curve.ms, color=COLOURS[colour], linestyle=dash, linewidth=1.8, label=label)
        furthest = max(furthest, float(curve.odds[-1]))
    for odds, ms in marks:
        axis.plot([odds], [ms], marker="v", markersize=7, color=COLOURS["ink"], linestyle="none", clip_on=False)
    axis.set_xscale("log")
    logarithmic(axis)
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


def _calmed(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A mean over three bins, so that counts of a few a bin do not flicker."""
    if len(values) < 3:
        return values
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.convolve(padded, np.full(3, 1 / 3), mode="valid")
