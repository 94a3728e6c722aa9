"""Pictures of the contact centre: published beside measured, and its day by business time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from chatreport.grouping import Floats
from chatreport.kpi.published import TOLERANCE
from chatreport.plots.canvas import COLOURS, NARROW_BELOW_PX, WIDE_PX, legend, new_figure, stripe
from chatreport.series import Starts, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FURTHEST: Final = 1.0  # a deviation beyond 100 % is drawn at the edge
CHANCE: Final = 2  # standard deviations of a Poisson count
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure with its published value, both in words, and `deviation` of the measured one as a share."""

    label: str
    measured: str
    published: str
    deviation: float
    within: bool


def draw_published(pairs: Sequence[Pair], width_px: int = WIDE_PX) -> "Figure":
    """One line a figure: the published value in the middle, the measured one as far off as it is."""
    narrow = width_px < NARROW_BELOW_PX
    reach = reach_of([abs(pair.deviation) for pair in pairs])
    title = "Measured against published, %" if narrow else "How far the measured figure is from the published one, %"
    figure, axis = deviations(len(pairs), reach, title, width_px)
    for line, pair in enumerate(pairs):
        _pair(axis, line, pair, reach, narrow=narrow)
    return figure


def reach_of(furthest: Sequence[float]) -> float:
    """How far an axis of deviations goes to either side, for these, all as shares."""
    return min(FURTHEST, max(2.5 * TOLERANCE, *(1.15 * each for each in furthest)))


def deviations(lines: int, reach: float, title: str, width_px: int) -> tuple["Figure", "Axes"]:
    """A panel of so many lines over deviations from what is published, in %, with the tolerance shaded."""
    narrow = width_px < NARROW_BELOW_PX
    left_px, right_px = (20, 20) if narrow else (260, 250)
    figure = new_figure(width_px, 74 + (46 if narrow else 34) * lines, 46, left_px, right_px)
    axis = figure.subplots()
    stripe(axis, title)
    axis.axvspan(-100 * TOLERANCE, 100 * TOLERANCE, color=COLOURS["band"], linewidth=0)
    axis.axvline(0, color=COLOURS["muted"], linewidth=0.8)
    axis.set_ylim(lines - 0.4, -0.75 if narrow else -0.6)
    axis.set_xlim(-100 * reach, 100 * reach)
    axis.locator_params(axis="x", nbins=4 if narrow else 8)
    axis.set_yticks([])
    axis.xaxis.set_major_formatter(lambda tick, _: f"{tick:+,.0f}".replace("-", "−") if tick else "published")
    return figure, axis


def _pair(axis: "Axes", line: int, pair: Pair, reach: float, *, narrow: bool) -> None:
    """The two dots of a figure, joined, with their names beside, or above where it is narrow."""
    at = 100 * float(np.clip(pair.deviation, -reach, reach))
    colour, sign = (COLOURS["green"], "o") if pair.within else (COLOURS["orange"], "D")
    axis.plot([0, at], [line, line], color=colour, linewidth=1.6, solid_capstyle="butt")
    axis.plot([0], [line], marker="o", markersize=8, markerfacecolor="white", color=COLOURS["blue"], linestyle="none")
    axis.plot([at], [line], marker=sign, markersize=7, color=colour, linestyle="none", clip_on=False)
    if narrow:
        words = f"{pair.label}: {pair.measured} ({pair.published})"
        axis.text(-100 * reach, line - 0.26, words, color=COLOURS["ink"], va="bottom", fontsize=11.5)
        return
    axis.text(-103 * reach, line, pair.label, color=COLOURS["ink"], ha="right", va="center", fontsize=12.5)
    words = f"{pair.measured}, published {pair.published}"
    axis.text(104 * reach, line, words, color=COLOURS["muted"], ha="left", va="center", fontsize=12)


def draw_day(starts: Starts, timeline: Timeline, speed: float, width_px: int = WIDE_PX) -> "Figure":
    """Dialogs that started beside the planned curve; of a day also who waited, and operators, by the time of day."""
    narrow = width_px < NARROW_BELOW_PX
    panels = 3 if starts.by_clock else 1
    figure = new_figure(width_px, 60 + (190 if panels == 3 else 220) * panels, right_px=22)
    axes = np.atleast_1d(figure.subplots(panels, 1, sharex=True))
    for axis in axes:
        axis.yaxis.get_major_locator().set_params(integer=True)
    _starts(axes[0], starts, narrow=narrow)
    if panels == 3:
        draw_floor(axes[1], axes[2], timeline, timeline.at_s * speed)
    _business_time(axes[-1], starts, narrow=narrow)
    return figure


def _starts(axis: "Axes", starts: Starts, *, narrow: bool) -> None:
    step = f"{starts.step_s / 60:.0f} min"
    stripe(axis, f"Starts in {step}" if narrow else f"Dialogs that start in {step} of business time")
    edges, spread = starts.edges_s, CHANCE * np.sqrt(starts.planned)
    low, high = (
        np.append(each, each[-1]) for each in (np.maximum(starts.planned - spread, 0), starts.planned + spread)
    )
    axis.fill_between(
        edges, low, high, step="post", color=COLOURS["blue"], alpha=0.14, linewidth=0, label="chance, 19 of 20"
    )
    axis.stairs(starts.planned, edges, baseline=None, color=COLOURS["blue"], linewidth=1.4, label="planned")
    axis.plot(
        (edges[1:] + edges[:-1]) / 2, starts.started, color=COLOURS["ink"], marker="o", markersize=4, linestyle="none",
        label="started", clip_on=False,
    )  # fmt: skip
    axis.set_ylim(0, 1.12 * float(max(high.max(), starts.started.max(initial=1.0))))
    legend(axis)


def draw_floor(queue: "Axes", operators: "Axes", timeline: Timeline, at_s: Floats) -> None:
    """Who waits, and operators, at these times of the axis."""
    stripe(queue, "Dialogs waiting for an operator")
    queue.fill_between(at_s, timeline.waiting, color=COLOURS["violet"], alpha=0.3, linewidth=0)
    queue.plot(at_s, timeline.waiting, color=COLOURS["violet"], linewidth=1.2)
    queue.set_ylim(0, max(1.0, float(timeline.waiting.max()) * 1.08))
    stripe(operators, "Operators")
    operators.plot(at_s, timeline.online, color=COLOURS["muted"], linewidth=1.2, dashes=(4, 2), label="on duty")
    operators.fill_between(at_s, timeline.busy, color=COLOURS["teal"], alpha=0.3, linewidth=0)
    operators.plot(at_s, timeline.busy, color=COLOURS["teal"], linewidth=1.4, label="with a dialog")
    operators.set_ylim(bottom=0)
    legend(operators)


def _business_time(axis: "Axes", starts: Starts, *, narrow: bool) -> None:
    """Hours of the day, or minutes since t0."""
    from matplotlib.ticker import MultipleLocator

    end = float(starts.edges_s[-1])
    axis.set_xlim(0, end)
    if starts.by_clock:
        axis.xaxis.set_major_locator(MultipleLocator((6 if narrow else 2) * _HOUR_S))
        axis.xaxis.set_major_formatter(lambda tick, _: f"{int(tick) // _HOUR_S:02}:{int(tick) // 60 % 60:02}")
        axis.set_xlabel("time of day", color=COLOURS["muted"])
    else:
        axis.xaxis.set_major_formatter(lambda tick, _: f"{tick / 60:,.4g}")
        axis.set_xlabel("minutes of business time since t0", color=COLOURS["muted"])
        axis.xaxis.set_major_locator(MultipleLocator(max(60.0, starts.step_s * max(1, len(starts.planned) // 6))))
