"""The picture of many days: how far simulated figures are from published ones, with their spread."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from chatreport.days.figures import Figure
from chatreport.kpi.published import TOLERANCE
from chatreport.plots.canvas import COLOURS, WIDE_PX, new_figure, stripe
from chatreport.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

FURTHEST: Final = 1.0
NARROW_BELOW_PX: Final = 600


def draw_days(compared: Sequence[Figure], width_px: int = WIDE_PX) -> "Drawing":
    """One line a published figure: thin from the days' mean by two standard deviations, thick the mean's interval."""
    narrow = width_px < NARROW_BELOW_PX
    left_px, right_px = (20, 20) if narrow else (260, 250)
    drawing = new_figure(width_px, 74 + (46 if narrow else 34) * len(compared), 46, left_px, right_px)
    axis = drawing.subplots()
    reach = min(FURTHEST, max(2.5 * TOLERANCE, *(1.15 * _furthest(each) for each in compared)))
    stripe(
        axis, "Days against published, %" if narrow else "How far the simulated days are from the published figure, %"
    )
    axis.axvspan(-100 * TOLERANCE, 100 * TOLERANCE, color=COLOURS["band"], linewidth=0)
    axis.axvline(0, color=COLOURS["muted"], linewidth=0.8)
    for line, each in enumerate(compared):
        _line(axis, line, each, reach, narrow=narrow)
    axis.set_ylim(len(compared) - 0.4, -0.75 if narrow else -0.6)
    axis.set_xlim(-100 * reach, 100 * reach)
    axis.set_yticks([])
    axis.xaxis.set_major_formatter(lambda tick, _: f"{tick:+,.0f}".replace("-", "−") if tick else "published")
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
