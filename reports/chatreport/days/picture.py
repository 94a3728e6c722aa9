"""The picture of many days: how far simulated figures are from published ones, with their spread."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chatreport.days.figures import Figure
from chatreport.plots.canvas import COLOURS, NARROW_BELOW_PX, WIDE_PX
from chatreport.plots.centre import deviations, reach_of
from chatreport.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def draw_days(compared: Sequence[Figure], width_px: int = WIDE_PX) -> "Drawing":
    """One line a published figure: thin from the days' mean by two standard deviations, thick the mean's interval."""
    narrow = width_px < NARROW_BELOW_PX
    reach = reach_of([_furthest(each) for each in compared])
    title = "Days against published, %" if narrow else "How far the simulated days are from the published figure, %"
    drawing, axis = deviations(len(compared), reach, title, width_px)
    for line, each in enumerate(compared):
        _line(axis, line, each, reach, narrow=narrow)
    return drawing


def _line(axis: "Axes", line: int, each: Figure, reach: float, *, narrow: bool) -> None:
    colour = COLOURS["green" if each.within else "orange"]
    for low, high, width in _spans(each):
        ends = np.clip([low, high], -reach, reach) * 100
        axis.plot(ends, [line, line], color=colour, linewidth=width, solid_capstyle="butt")
    at = 100 * float(np.clip(each.deviation or 0.0, -reach, reach))
    axis.plot([at], [line], marker="o" if each.within else "D", markersize=7, color=colour, clip_on=False)
    words = f"{number(each.mean, each.unit)}, published {number(each.published)}"
    if narrow:
        words = f"{each.label}: {words}"
        axis.text(-100 * reach, line - 0.26, words, color=COLOURS["ink"], va="bottom", fontsize=11.5)
        return
    axis.text(-103 * reach, line, each.label, color=COLOURS["ink"], ha="right", va="center", fontsize=12.5)
    axis.text(104 * reach, line, words, color=COLOURS["muted"], ha="left", va="center", fontsize=12)


def _spans(each: Figure) -> list[tuple[float, float, float]]:
    """From, to and width of the lines, as shares of the published value from it."""
    if each.deviates is None or each.low is None or each.high is None or not each.published:
        return []
    mean, spread = each.mean / each.published - 1, 2 * each.deviates / each.published
    return [(mean - spread, mean + spread, 1.2), (each.low / each.published - 1, each.high / each.published - 1, 5.0)]


def _furthest(each: Figure) -> float:
    return max([abs(each.deviation or 0.0), *(abs(end) for low, high, _ in _spans(each) for end in (low, high))])
