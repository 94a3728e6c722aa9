"""The pictures of many days: how far simulated figures are from published ones, and a run's from simulated ones."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from chatreport.days.beside import Predicted
from chatreport.days.figures import Figure
from chatreport.plots.canvas import COLOURS, NARROW_BELOW_PX, WIDE_PX, new_figure, stripe
from chatreport.plots.centre import deviations, reach_of
from chatreport.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

FURTHEST: Final = 8.0  # standard deviations; what is further off is drawn at the edge


def draw_days(compared: Sequence[Figure], run: Mapping[str, float], width_px: int = WIDE_PX) -> "Drawing":
    """One line a published figure: thin from the days' mean by two standard deviations, thick the mean's interval.

    A triangle is the value of `run`, where it has one.
    """
    narrow = width_px < NARROW_BELOW_PX
    apart = {each.name: run[each.name] / each.published - 1 for each in compared if each.name in run and each.published}
    reach = reach_of([*(_furthest(each) for each in compared), *map(abs, apart.values())])
    title = "Days against published, %" if narrow else "How far the simulated days are from the published figure, %"
    drawing, axis = deviations(len(compared), reach, title, width_px)
    for line, each in enumerate(compared):
        _line(axis, line, each, reach, narrow=narrow)
        if each.name in apart:
            at = 100 * float(np.clip(apart[each.name], -reach, reach))
            axis.plot([at], [line], marker="^", markersize=9, color=COLOURS["violet"], linestyle="none", clip_on=False)
    return drawing


def draw_beside(compared: Sequence[Predicted], width_px: int = WIDE_PX) -> "Drawing":
    """One line a figure: a bar from end to end of a further day's about the days' mean, the run, and its own plan."""
    narrow = width_px < NARROW_BELOW_PX
    left_px, right_px = (20, 20) if narrow else (340, 230)
    drawing = new_figure(width_px, 74 + (46 if narrow else 34) * len(compared), 46, left_px, right_px)
    axis = drawing.subplots()
    stripe(axis, "The run beside simulated days, in standard deviations between them")
    axis.axvline(0, color=COLOURS["muted"], linewidth=0.8)
    axis.set_ylim(len(compared) - 0.4, -0.75 if narrow else -0.6)
    axis.set_xlim(-FURTHEST, FURTHEST)
    axis.set_yticks([])
    for line, each in enumerate(compared):
        _beside(axis, line, each, narrow=narrow)
    return drawing


def _beside(axis: "Axes", line: int, each: Predicted, *, narrow: bool) -> None:
    figure, spread = each.figure, each.figure.deviates or 1.0
    low, high, at = (
        np.clip((end - figure.mean) / spread, -FURTHEST, FURTHEST) for end in (each.low, each.high, each.value)
    )
    axis.plot([low, high], [line, line], color=COLOURS["blue"], linewidth=3.0, solid_capstyle="butt")
    if each.own is not None:
        own = float(np.clip((each.own - figure.mean) / spread, -FURTHEST, FURTHEST))
        axis.plot([own], [line], marker="o", markersize=13, color=COLOURS["muted"], fillstyle="none", clip_on=False)
    colour, sign = (COLOURS["green"], "o") if each.word == "within" else (COLOURS["orange"], "D")
    axis.plot([at], [line], marker=sign, markersize=8, color=colour, linestyle="none", clip_on=False)
    words = f"{number(each.value, figure.unit)}, days {number(figure.mean)}"
    if narrow:
        axis.text(-FURTHEST, line - 0.26, f"{figure.label}: {words}", color=COLOURS["ink"], va="bottom", fontsize=11.5)
        return
    axis.text(-1.03 * FURTHEST, line, figure.label, color=COLOURS["ink"], ha="right", va="center", fontsize=12.5)
    axis.text(1.04 * FURTHEST, line, words, color=COLOURS["muted"], ha="left", va="center", fontsize=12)


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
