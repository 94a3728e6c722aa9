"""What all pictures share: colours, panels, legends, and how a figure becomes inline SVG or a PNG file.

Colours are told apart by the colour-blind, and every line has a second mark: its dash or its label. In the SVG they
are the page's, so that one picture serves light and dark.
"""

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
NARROW_BELOW_PX: Final = 600


def new_figure(width_px: int, height_px: int, below_px: int = 46, left_px: int = 44, right_px: int = 8) -> "Figure":
    """An empty figure; `below_px`, `left_px` and `right_px` are the room for labels."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_px / 72, height_px / 72))
    figure.subplots_adjust(
        left=left_px / width_px,
        right=1 - right_px / width_px,
        top=1 - 26 / height_px,
        bottom=below_px / height_px,
        hspace=0.42,
    )
    return figure


def stripe(axis: "Axes", title: str) -> None:
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


def logarithmic(axis: "Axes") -> None:
    """A logarithmic axis for times: 1, 10, 100, and 2 and 5 between where there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_yscale("log")
    low, high = axis.get_ylim()
    if high < 10 * low:  # less than a decade would get ticks at odd numbers
        low, high = axis.set_ylim(high / 12, high * 1.1)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.4g}"))


def legend(axis: "Axes") -> None:
    """A legend in one line above the panel, right."""
    axis.legend(
        loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=3, frameon=False, fontsize=12, labelcolor=COLOURS["ink"],
        borderaxespad=0.2, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip


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
