"""The points that were measured, on the curves that theory draws."""

import math
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec.structs import replace

from chatreport.plots.canvas import COLOURS, NARROW_BELOW_PX, legend, new_figure, stripe
from chatreport.theory.compare import Comparison, at_what_came
from chatreport.theory.observed import Queue, Replication, theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS: Final = {
    "waiting": ("P(W>0)", "contacts that find no place free"),
    "abandonment": ("P(Ab)", "contacts that leave unserved"),
    "service_level": ("Service level", "contacts served in time"),
}
MARKS: Final = {"simulated": ("o", "green"), "wire": ("D", "orange")}
AROUND: Final = 0.15  # how far the curve goes on beyond the measured loads
POINTS: Final = 80


def draw_theory(comparisons: Mapping[str, Comparison], width_px: int) -> "Figure":
    """P(W>0), P(Ab) and the service level over the offered load.

    A mark is a replication, at the load that came; a bar the interval of what was measured at one load.
    """
    plays = {kind: each.replications for kind, each in comparisons.items()}
    figure = new_figure(width_px, 640)
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    everything = [each for some in plays.values() for each in some]
    loads = [_load(each) for each in everything] or [1.0]
    for axis, (name, (short, meaning)) in zip(axes, PANELS.items(), strict=True):
        stripe(axis, short if width_px < NARROW_BELOW_PX else f"{short}: {meaning}")
        if everything:
            _curve(axis, name, everything[0].queue, min(loads) - AROUND, max(loads) + AROUND)
        for kind, some in plays.items():
            mark, colour = MARKS[kind]
            values = [getattr(each.figures, name) for each in some]
            at = [_load(each) for each in some]
            axis.plot(at, values, mark, color=COLOURS[colour], markersize=5, markerfacecolor="none", label=kind)
            _bars(axis, name, comparisons[kind], COLOURS[colour])
        axis.set_ylim(bottom=0)
    legend(axes[0])
    axes[-1].set_xlabel("offered load that came", color=COLOURS["muted"])
    return figure


def _bars(axis: "Axes", name: str, found: Comparison, colour: str) -> None:
    """Theory at the mean load that came, with the mean difference and its interval, by the load that was asked for."""
    half = found.differences[name].high - found.differences[name].mean
    for load in sorted({each.queue.load for each in found.replications}) if math.isfinite(half) else ():
        mine = [each for each in found.replications if each.queue.load == load]
        off = fmean(getattr(each.figures, name) - at_what_came(each)[name] for each in mine)
        at = fmean(map(_load, mine))
        rate = at * mine[0].queue.places / mine[0].queue.service_s
        told = getattr(theory(mine[0].queue, rate, mine[0].queue.service_s, 0.0), name)
        spread = half * math.sqrt(len(found.replications) / len(mine))
        axis.errorbar([at], [told + off], [spread], color=colour, linewidth=1.2, capsize=3, zorder=1)


def _load(each: Replication) -> float:
    return each.arrivals_per_s * each.service_s / each.queue.places


def _curve(axis: "Axes", name: str, queue: Queue, low: float, high: float) -> None:
    at = np.linspace(max(low, 0.05), high, POINTS)
    rates = at * queue.places / queue.service_s
    values = [getattr(theory(replace(queue, arrivals_per_s=rate), rate, queue.service_s, 0.0), name) for rate in rates]
    axis.plot(at, values, color=COLOURS["blue"], linewidth=1.6, label="Erlang A")
