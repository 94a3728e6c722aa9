"""The contact centre's key figures: `FIGURES` is their one table, `key_figures` computes it over a run and its parts.

Times are business time: wall time × speed. A figure whose denominator is zero has no value, and is not zero: null
of the whole run, absent of its parts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from chatreport.episodes import Contacts
from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.kpi import bot, handling, queue, ratings
from chatreport.kpi.breakdown import breakdowns
from chatreport.kpi.definition import MAIN, RAMP, Amount, Definition, Figure, Ratio
from chatreport.kpi.published import beside
from chatreport.kpi.sample import Sample, sample_of

__all__ = [
    "FIGURES", "HEADLINES", "MAIN", "RAMP", "SUBJECTS", "Definition", "Figure", "is_variant", "key_figures", "named",
    "withhold",
]  # fmt: skip

SUBJECTS: Final = {
    "The queue": queue.FIGURES,
    "Handling": handling.FIGURES,
    "The bot": bot.FIGURES,
    "Ratings": ratings.FIGURES,
}
FIGURES: Final[dict[str, Figure]] = {name: figure for figures in SUBJECTS.values() for name, figure in figures.items()}
HEADLINES: Final = (
    "service_level_20s", "accepted_share", "asa_s", "handling_time_s", "occupancy", "bot_containment",
)  # fmt: skip
VARIANTS: Final = {
    *(name for name in queue.FIGURES if name.startswith(("service_level_", "abandonment_"))),
    "first_response_from_start_s", "bot_share",
} - {"service_level_20s", "abandonment_silent"}  # fmt: skip
RANKS: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def named(name: str) -> Figure | None:
    """The figure of this name, also a service level of any target; None if there is none."""
    return FIGURES.get(name) or queue.service_level(name)


def is_variant(name: str, figure: Mapping[str, Any]) -> bool:
    """Whether it says the same as another in another way, and nobody has published it."""
    return name in VARIANTS and "published" not in figure


def key_figures(
    evidence: Evidence, floor: Floor, contacts: Contacts, asked: Iterable[str] = ()
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """`kpi` and `kpi_by` of the verdict: by name, the whole run's; and the values of each part of it.

    `asked`: names of which some may be service levels of other targets; published ones are asked for anyway.
    """
    sample = sample_of(evidence, floor, contacts)
    told = evidence.manifest.get("published") or {}
    wanted = {name: figure for name in (*told, *asked) if (figure := named(name)) is not None}
    figures = FIGURES | wanted
    whole = {name: _entry(figure, sample) for name, figure in figures.items()}
    for name in told.keys() & whole.keys():
        whole[name] |= beside(told[name], whole[name]["value"])
    return whole, breakdowns(evidence, sample, figures)


def withhold(figures: dict[str, dict[str, Any]], reason: str) -> dict[str, dict[str, Any]]:
    """The figures without their values, and why."""
    return {
        name: {key: entry[key] for key in ("unit", "definition", "published") if key in entry}
        | {"value": None, "withheld": reason}
        for name, entry in figures.items()
    }


def _entry(figure: Figure, sample: Sample) -> dict[str, Any]:
    amount, definition = figure.compute(sample), figure.definition
    value = figure.value(amount)
    shown = {"value": None if value is None else round(value, 4)} | _made_of(amount)
    return {"unit": definition.unit, "definition": msgspec.to_builtins(definition)} | shown


def _made_of(amount: Amount) -> dict[str, Any]:
    """What a figure's value was made of."""
    if isinstance(amount, int):
        return {}
    if isinstance(amount, Ratio):
        return {"part": round(amount.part, 4), "whole": round(amount.whole, 4)}
    if not len(amount):
        return {}
    ranks = np.quantile(amount, list(RANKS.values()), method="inverted_cdf")
    percentiles = {name: round(float(rank), 4) for name, rank in zip(RANKS, ranks, strict=True)}
    return {"n": len(amount), "percentiles": percentiles}
