"""The contact centre's part of the page: key figures with what they are made of, the run's parts, and its arrivals."""

from collections.abc import Iterable
from typing import Any, Final

from chatreport.kpi import FIGURES, HEADLINES, SUBJECTS, is_variant, queue
from chatreport.kpi import MAIN as USUAL_WINDOW
from chatreport.kpi import RAMP as USUALLY_LEFT_OUT
from chatreport.plots.centre import Pair
from chatreport.series import Starts
from chatreport.verdict import Verdict
from chatreport.wording import number

QUEUE: Final = queue.FIGURES
NOT_MEASURED: Final = {
    "numerator": "published; this version does not measure it",
    "denominator": "",
    "window": USUAL_WINDOW,
    "left_out": USUALLY_LEFT_OUT,
}
USUAL_LEVEL: Final = "service_level_20s"
PARTS: Final = {
    "channel": ("By channel, the worst service level first", "channel"),
    "department": ("By department, the worst service level first", "department"),
    "half_hour": ("By half hour of business time", "from"),
}
COLUMNS: Final = {
    "dialogs_opened": "dialogs",
    "dialogs_offered": "offered",
    USUAL_LEVEL: "service level",
    "accepted_share": "accepted",
    "abandonment": "abandoned",
    "asa_s": "answered after",
    "first_response_s": "first response",
    "handling_time_s": "handling",
    "bot_containment": "bot alone",
    "occupancy": "occupancy",
}
MOST_HEADLINES: Final = 5
OF_THE_FLOOR: Final = "occupancy"  # by channel it is a share of everybody's time: told by half hour only


def subjects(verdict: Verdict, *, variants: bool) -> list[dict[str, Any]]:
    """The figures by subject, as a table shows them: those that one asks for first, or the variants of these.

    What was published is asked for first; a service level of another target stands with the queue's.
    """
    named = {**dict.fromkeys(FIGURES), **dict.fromkeys(verdict.kpi)}
    found = []
    for subject, figures in SUBJECTS.items():
        own = [name for name in named if name in figures or (name not in FIGURES and figures is QUEUE)]
        shown = [verdict.kpi[name] for name in own if is_variant(name, verdict.kpi[name]) == variants]
        if shown:
            found.append({"name": subject, "figures": [_figure(figure) for figure in shown]})
    return found


def headlines(verdict: Verdict) -> list[dict[str, Any]]:
    """The few figures of the first screen: what was published, then what one asks for first."""
    known = {name: figure for name, figure in verdict.kpi.items() if figure["value"] is not None}
    first = [name for name in known if "published" in known[name]]
    chosen = dict.fromkeys([*first, *(name for name in HEADLINES if name in known)])
    return [
        _figure(known[name]) | {"value": number(known[name]["value"], known[name]["unit"])}
        for name in list(chosen)[:MOST_HEADLINES]
    ]


def unmeasured(verdict: Verdict, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Published figures that this version does not measure, as a subject of their own."""
    figures = [
        _figure({"value": None, "unit": "", "published": value, "definition": NOT_MEASURED | {"label": name}})
        for name, value in sorted((manifest.get("published") or {}).items())
        if name not in verdict.kpi
    ]
    return [{"name": "Published besides", "figures": figures}] if figures else []


def _figure(figure: dict[str, Any]) -> dict[str, Any]:
    deviation = figure.get("deviation")
    return {
        "label": figure["definition"]["label"],
        "value": _number(figure["value"], figure["unit"]),
        "withheld": figure.get("withheld", ""),
        "published": _published(figure),
        "deviation": "" if deviation is None else f"{100 * deviation:+.0f} %".replace("-", "−"),
        "within": figure.get("within"),
        "made_of": _made_of(figure),
        "counts": _counts(figure["definition"]),
    }


def _published(figure: dict[str, Any]) -> str:
    return _number(figure["published"], figure["unit"]) if "published" in figure else ""


def _number(value: float | None, unit: str) -> str:
    """A figure without the units that its label says."""
    return number(value, unit if unit in ("s", "%") else "")


def _made_of(figure: dict[str, Any]) -> str:
    """The numbers behind a figure: numerator and denominator, or how many there are and how they spread."""
    if "whole" in figure:
        between = " of " if figure["unit"] == "%" else " ÷ "
        return between.join(number(figure[side]) for side in ("part", "whole"))
    if "n" not in figure:
        return ""
    ranks = ", ".join(f"{rank} {number(value, figure['unit'])}" for rank, value in figure["percentiles"].items())
    return f"mean of {figure['n']:,}; {ranks}"


def _counts(definition: dict[str, str]) -> str:
    """A definition in one line; window and omissions only where they are not the usual ones."""
    parts = [definition["numerator"] + (f" ÷ {definition['denominator']}" if definition["denominator"] else "")]
    if definition["window"] != USUAL_WINDOW:
        parts.append(definition["window"])
    if definition["left_out"] != USUALLY_LEFT_OUT:
        parts.append(f"left out: {definition['left_out']}")
    return "; ".join(parts)


def pairs(verdict: Verdict) -> list[Pair]:
    """The figures that have both a measured and a published value."""
    return [
        Pair(
            label=figure["definition"]["label"],
            measured=_number(figure["value"], figure["unit"]),
            published=_published(figure),
            deviation=figure["deviation"],
            within=figure["within"],
        )
        for name in {**dict.fromkeys(FIGURES), **dict.fromkeys(verdict.kpi)}
        if "deviation" in (figure := verdict.kpi[name])
    ]


def parts(verdict: Verdict, *, by_clock: bool) -> list[dict[str, Any]]:
    """A table for each way in which the run falls into several parts; `by_clock`: t0 is midnight."""
    level = next((name for name in verdict.kpi if _is_level(name) and "published" in verdict.kpi[name]), USUAL_LEVEL)
    columns = {level if name == USUAL_LEVEL else name: label for name, label in COLUMNS.items()}
    found = []
    for kind, (title, first) in PARTS.items():
        shown = [name for name in columns if name != OF_THE_FLOOR or kind == "half_hour"]
        lines = list(_lines(verdict.kpi_by.get(kind) or {}, by_clock=by_clock))
        if len(lines) < 2:
            continue
        if kind != "half_hour":
            lines.sort(key=lambda line: line[1].get(level, float("inf")))
        heads = [first, *(columns[name] for name in shown)]
        rows = [(name, [_cell(verdict, each, values) for each in shown]) for name, values in lines]
        found.append({"title": title, "heads": heads, "rows": rows})
    return found


def arrivals(planned: Starts | None) -> list[dict[str, Any]]:
    """The planned curve and what started, as a table."""
    if planned is None:
        return []
    rows = [
        (_moment(edge, by_clock=planned.by_clock), [number(float(wanted)), number(float(found))])
        for edge, wanted, found in zip(planned.edges_s, planned.planned, planned.started, strict=False)
    ]
    return [{"title": "Arrivals by business time", "heads": ["from", "planned", "started"], "rows": rows}]


def _moment(at_s: float, *, by_clock: bool) -> str:
    hours, minutes = divmod(int(at_s) // 60, 60)
    return f"{hours:02}:{minutes:02}" if by_clock else f"+{hours}:{minutes:02}"


def _is_level(name: str) -> bool:
    return name.startswith("service_level_") and name.endswith("s") and queue.service_level(name) is not None


def _lines(table: Any, *, by_clock: bool) -> Iterable[tuple[str, dict[str, float]]]:
    if isinstance(table, dict):
        yield from ((name, values) for name, values in table.items() if values.get("dialogs_opened"))
        return
    for part in table:
        yield _moment(part["from_s"], by_clock=by_clock), part["figures"]


def _cell(verdict: Verdict, name: str, values: dict[str, float]) -> str:
    return _number(values.get(name), verdict.kpi[name]["unit"])
