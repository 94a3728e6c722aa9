"""`report.html`, `summary.md` and the picture of many simulated days, and the same for the terminal."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chatreport.days.beside import CODES as BESIDE
from chatreport.days.beside import DECIDED, Beside, beside, cells, lines, markdown
from chatreport.days.figures import Figure, figures, read_days, unseen
from chatreport.days.picture import draw_beside, draw_days
from chatreport.plots.canvas import NARROW_PX, WIDE_PX, save, svg
from chatreport.report.frame import framed
from chatreport.rundir import read_manifest
from chatreport.wording import number, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

DAY_S: Final = 86_400.0
INTERRUPTED: Final = 130
CODES: Final = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 3}
LABEL: Final = "Simulated days beside the published figures"


def draw_all(folder: Path) -> tuple[list[str], int]:
    """Draw the days of a folder; the terminal's lines, and the worst exit code of the days and a run's.

    Raises:
        UnreadableRun: these are no simulated days.
    """
    manifest = read_manifest(folder)
    values = read_days(folder)
    found = figures(values, manifest)
    head, notes = _heading(manifest), [str(note) for note in manifest.get("notes") or []]
    notes += [f"published, and measured on none of the days: {label}" for label in unseen(values, manifest)]
    run = beside(found, manifest)
    theirs = {} if run is None else run.recorded.values
    pictures = _pictures(folder, [each for each in found if each.deviation is not None], theirs)
    more = [] if run is None else markdown(run)
    (folder / "summary.md").write_text(_markdown(head, notes, found, more), encoding="utf-8")
    page = folder / "report.html"
    rows, compared = [_cells(each) for each in found], None if run is None else _compared(folder, run)
    shown = {"head": head, "notes": notes, "rows": rows, "pictures": pictures, "beside": compared}
    text = framed("days", word="simulated days", look="simulated", title=_title(manifest), **shown)
    page.write_text(text, encoding="utf-8")
    more = [] if run is None else lines(run)
    return [*_lines(head, notes, found, more), f"report      {page}"], _code(manifest, run)


def _code(manifest: dict[str, Any], run: Beside | None) -> int:
    if manifest.get("interrupted"):
        return INTERRUPTED
    codes = [CODES[word] for word in manifest.get("verdicts") or {}] + ([] if run is None else [BESIDE[run.word]])
    return 1 if 1 in codes else max(codes, default=3)


def _compared(folder: Path, run: Beside) -> dict[str, Any]:
    """The comparison as the page shows it."""
    drawn = [each for each in run.figures if each.word in DECIDED]
    pictures = _drawn(folder, "beside", "A run beside simulated days", partial(draw_beside, drawn)) if drawn else {}
    return {"told": run.told, "rows": [cells(each) for each in run.figures], "pictures": pictures}


def _title(manifest: dict[str, Any]) -> str:
    return str(manifest.get("title") or manifest.get("scenario") or "days")


def _heading(manifest: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{count} {word}" for word, count in (manifest.get("verdicts") or {}).items())
    lasts_s = float(manifest.get("duration_s") or DAY_S)
    whole = manifest.get("part") == "day" and lasts_s == DAY_S
    part = "" if whole else f" (the {manifest.get('part')}, {lasts_s / 60:.4g} min)"
    missing = manifest.get("interrupted")
    verdicts += f"; interrupted, {missing} days are missing" if missing else ""
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


def _lines(head: str, notes: list[str], found: list[Figure], more: list[str]) -> list[str]:
    shown, most = [head, *(f"  {note}" for note in notes)], max((each.days for each in found), default=0)
    shown.append(f"  {'':44}{'mean':>18}{'between days':>14}{'95 % of the mean':>22}{'published':>12}{'off by':>9}")
    for each in map(_cells, found):
        near = " ✓" if each["within"] else ""
        near += f"  of {each['days']} day{'s' * (each['days'] != 1)}" if each["days"] < most else ""
        told = f"{each['published']:>12}{each['deviation']:>9}{near}"
        spread = f"{each['deviates']:>14}{each['interval']:>22}"
        shown.append(f"  {each['label']:44}{each['mean']:>18}{spread}{told}".rstrip())
    return [printable(line) for line in (*shown, *more)]


def _markdown(head: str, notes: list[str], found: list[Figure], more: list[str]) -> str:
    rows = [f"## {head}", "", *(f"- {note}" for note in notes), ""]
    rows += [
        "| figure | days | mean | between days | 95 % of the mean | published | off by |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in map(_cells, found):
        shown = (
            str(each[name]) for name in ("label", "days", "mean", "deviates", "interval", "published", "deviation")
        )
        rows.append(f"| {' | '.join(shown)} |")
    return printable("\n".join([*rows, *more])) + "\n"


def _pictures(folder: Path, compared: list[Figure], run: dict[str, float]) -> dict[str, str]:
    return _drawn(folder, "days", LABEL, partial(draw_days, compared, run)) if compared else {}


def _drawn(folder: Path, name: str, label: str, draw: Callable[[int], "Drawing"]) -> dict[str, str]:
    """A picture as a file, and as SVG by width."""
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    save(draw(WIDE_PX), plots / f"{name}.png")
    widths = {"wide": WIDE_PX, "narrow": NARROW_PX}
    return {size: svg(draw(width), f"{name}-{size}", label) for size, width in widths.items()}
