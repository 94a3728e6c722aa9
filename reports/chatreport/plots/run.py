"""Pictures of a run: what happened over time, and response times by percentile."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chatreport.plots.canvas import COLOURS, NARROW_BELOW_PX, WIDE_PX, legend, logarithmic, new_figure, stripe
from chatreport.series import SHORTEST_MS, Curve, Timeline

if TYPE_CHECKING:
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


def draw_timeline(timeline: Timeline, width_px: int = WIDE_PX, speed: float = 1.0) -> "Figure":
    """Four stripes over one time axis: dialogs, the queue, operators, deliveries."""
    narrow = width_px < NARROW_BELOW_PX
    figure = new_figure(width_px, 620 if not narrow else 640)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[1.2, 0.9, 0.9, 1.3])
    at = timeline.at_s
    for axis in axes:
        for begin, end in timeline.faults_s:
            axis.axvspan(begin, min(end, at[-1]), color=COLOURS["band"], linewidth=0)
        for edge in (0.0, timeline.end_s):
            axis.axvline(edge, color=COLOURS["muted"], linewidth=0.8, dashes=(2, 3))
    stripe(axes[0], "Dialogs a second" if narrow else "Dialogs a second: what the plan offers, what was completed")
    axes[0].fill_between(at, _calmed(timeline.offered), color=COLOURS["blue"], alpha=0.16, linewidth=0, label="offered")
    axes[0].plot(at, _calmed(timeline.completed), color=COLOURS["green"], linewidth=1.6, label="completed")
    stripe(axes[1], "Dialogs waiting for an operator")
    axes[1].fill_between(at, timeline.waiting, color=COLOURS["violet"], alpha=0.3, linewidth=0)
    axes[1].plot(at, timeline.waiting, color=COLOURS["violet"], linewidth=1.2)
    axes[1].set_ylim(0, max(1.0, float(timeline.waiting.max()) * 1.08))
    stripe(axes[2], "Operators")
    axes[2].plot(at, timeline.online, color=COLOURS["muted"], linewidth=1.2, dashes=(4, 2), label="online")
    axes[2].fill_between(at, timeline.busy, color=COLOURS["teal"], alpha=0.3, linewidth=0)
    axes[2].plot(at, timeline.busy, color=COLOURS["teal"], linewidth=1.4, label="with a dialog")
    stripe(axes[3], "Delivery, ms" if narrow else "Delivery to operators and customers, ms of wall time")
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
    logarithmic(axes[3])
    for axis in axes[:3]:
        axis.yaxis.get_major_locator().set_params(integer=True)
    for axis in (axes[0], axes[2], axes[3]):
        legend(axis)
    axes[3].set_xlim(at[0] - timeline.step_s / 2, at[-1] + timeline.step_s / 2)
    business = "" if speed == 1 or narrow else f"; one second is {speed:,.4g} s of business time"
    axes[3].set_xlabel(f"seconds since t0, wall time{business}", color=COLOURS["muted"])
    return figure


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
