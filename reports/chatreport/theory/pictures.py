"""The points that were measured, on the curves that theory draws."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec.structs import replace

from chatreport.plots.canvas import COLOURS, legend, new_figure, stripe
from chatreport.theory.observed import Queue, Replication, theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS: Final = {
    "waiting": "Contacts that find no place free, P(W>0)",
    "abandonment": "Contacts that leave unserved, P(Ab)",
    "service_level": "Contacts served in time",
}
MARKS: Final = {"simulated": ("o", "green"), "wire": ("D", "orange")}
AROUND: Final = 0.15  # how far the curve goes on beyond the measured loads
POINTS: Final = 80


def draw_theory(plays: Mapping[str, Sequence[Replication]], width_px: int) -> "Figure":
    """P(W>0), P(Ab) and the service level over the offered load; a mark a replication, at the load that came."""
    figure = new_figure(width_px, 640)
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    everything = [each for some in plays.values() for each in some]
    loads = [_load(each) for each in everything] or [1.0]
    for axis, (name, title) in zip(axes, PANELS.items(), strict=True):
        stripe(axis, title)
        if everything:
            _curve(axis, name, everything[0].queue, min(loads) - AROUND, max(loads) + AROUND)
        for kind, some in plays.items():
            mark, colour = MARKS[kind]
            values = [getattr(each.figures, name) for each in some]
            at = [_load(each) for each in some]
            axis.plot(at, values, mark, color=COLOURS[colour], markersize=5, markerfacecolor="none", label=kind)
        axis.set_ylim(bottom=0)
    legend(axes[0])
    axes[-1].set_xlabel("offered load that came: arrivals × mean service ÷ places", color=COLOURS["muted"])
    return figure


def _load(each: Replication) -> float:
    return each.arrivals_per_s * each.service_s / each.queue.places


def _curve(axis: "Axes", name: str, queue: Queue, low: float, high: float) -> None:
    at = np.linspace(max(low, 0.05), high, POINTS)
    rates = at * queue.places / queue.service_s
    values = [getattr(theory(replace(queue, arrivals_per_s=rate), rate, queue.service_s, 0.0), name) for rate in rates]
    axis.plot(at, values, color=COLOURS["blue"], linewidth=1.6, label="Erlang A")
