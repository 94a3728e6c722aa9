"""`report.html`, `summary.md` and the picture of many simulated days, and the same for the terminal."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from chatreport.days.figures import Figure, figures, read_days
from chatreport.days.picture import draw_days
from chatreport.plots.canvas import NARROW_PX, WIDE_PX, save, svg
from chatreport.rundir import read_manifest
from chatreport.wording import number, printable

CODES: Final = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 3}
LABEL: Final = "Simulated days beside the published figures"


def draw_all(folder: Path) -> tuple[list[str], int]:
    """Draw the days of a folder; the terminal's lines, and the exit code: the worst of the days'.

    Raises:
        UnreadableRun: these are no simulated days.
    """
    manifest = read_manifest(folder)
    found = figures(read_days(folder), manifest)
    pictures = _pictures(folder, [each for each in found if each.deviation is not None])
    head, notes = _heading(manifest), [str(note) for note in manifest.get("notes") or []]
    (folder / "summary.md").write_text(_markdown(head, notes, found), encoding="utf-8")
    page = folder / "report.html"
    style = (files("chatreport.report") / "style.css").read_text(encoding="utf-8")
    rows = [_cells(each) for each in found]
    text = _template().render(head=head, notes=notes, rows=rows, pictures=pictures, style=style, title=_title(manifest))
    page.write_text(printable(text), encoding="utf-8")
    return [*_lines(head, notes, found), f"report      {page}"], _code(manifest)


def _code(manifest: dict[str, Any]) -> int:
    return max((CODES[word] for word in manifest.get("verdicts") or {}), default=3)


def _title(manifest: dict[str, Any]) -> str:
    return str(manifest.get("title") or manifest.get("scenario") or "days")


def _heading(manifest: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{count} {word}" for word, count in (manifest.get("verdicts") or {}).items())
    part = "" if manifest.get("part") == "day" else " (the peak hour)"
    return (
        f"{_title(manifest)}: {manifest.get('days')} simulated days{part}, {manifest.get('operators'):,} operators,"
        f" load {manifest.get('load'):g}, seeds from {manifest.get('seed')}; {verdicts}. No platform was tested."
    )


def _cells(each: Figure) -> dict[str, Any]:
    """A figure as texts."""
    interval = "–" if each.low is None else f"{number(each.low)} to {number(each.high)}"
    deviation = "" if each.deviation is None else f"{100 * each.deviation:+.1f} %".replace("-", "−")
    return {
        "label": each.label, "mean": number(each.mean, each.unit), "deviates": number(each.deviates),
        "interval": interval, "published": "" if each.published is None else number(each.published),
        "deviation": deviation, "within": each.within, "days": each.days,
    }  # fmt: skip


def _lines(head: str, notes: list[str], found: list[Figure]) -> list[str]:
    lines = [head, *(f"  {note}" for note in notes)]
    lines.append(f"  {'':44}{'mean':>18}{'between days':>14}{'95 % of the mean':>22}{'published':>12}{'off by':>9}")
    for cells in map(_cells, found):
        near = " ✓" if cells["within"] else ""
        told = f"{cells['published']:>12}{cells['deviation']:>9}{near}"
        spread = f"{cells['deviates']:>14}{cells['interval']:>22}"
        lines.append(f"  {cells['label']:44}{cells['mean']:>18}{spread}{told}".rstrip())
    return [printable(line) for line in lines]


def _markdown(head: str, notes: list[str], found: list[Figure]) -> str:
    rows = [f"## {head}", "", *(f"- {note}" for note in notes), ""]
    rows += [
        "| figure | mean | between days | 95 % of the mean | published | off by |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for cells in map(_cells, found):
        shown = (cells[name] for name in ("label", "mean", "deviates", "interval", "published", "deviation"))
        rows.append(f"| {' | '.join(shown)} |")
    return printable("\n".join(rows)) + "\n"


def _pictures(folder: Path, compared: list[Figure]) -> dict[str, str]:
    if not compared:
        return {}
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    save(draw_days(compared), plots / "days.png")
    widths = {"wide": WIDE_PX, "narrow": NARROW_PX}
    return {name: svg(draw_days(compared, width), f"days-{name}", LABEL) for name, width in widths.items()}


@cache
def _template() -> Template:
    text = (files(__package__) / "days.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)
