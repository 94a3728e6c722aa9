"""The key figures of each channel, department and half hour: the same computation over a part of the run."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from chatreport.episodes import departments
from chatreport.evidence import SECOND_NS, Evidence
from chatreport.grouping import Ints, contains, lookup
from chatreport.kpi.definition import Figure
from chatreport.kpi.sample import Sample
from chatreport.rundir import Channel

HALF_HOUR_S: Final = 1800
DAY: Final = 48  # half hours; a longer run is folded onto the hours of one day
MOST: Final = 40  # departments; those with the fewest dialogs are taken together
NOWHERE: Final = "none"  # a department of dialogs that were in none
OTHERS: Final = "others"


def breakdowns(evidence: Evidence, sample: Sample, figures: Mapping[str, Figure]) -> dict[str, Any]:
    """`kpi_by` of the verdict."""
    channels = {number: _values(part, figures) for number, part in sample.split(_by_channel(evidence)).items()}
    return {
        "channel": {Channel(number).name.lower(): values for number, values in channels.items() if number},
        "department": _departments(evidence, sample, figures),
        "half_hour": _half_hours(evidence, sample, figures),
    }


def _values(sample: Sample, figures: Mapping[str, Figure]) -> dict[str, float]:
    """The figures that have a value."""
    found = {name: figure.value(figure.compute(sample)) for name, figure in figures.items()}
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def _by_channel(evidence: Evidence) -> Callable[[Ints], Ints]:
    return lambda dialogs: evidence.channels[evidence.ledger.contact_of(dialogs)]


def _departments(evidence: Evidence, sample: Sample, figures: Mapping[str, Figure]) -> dict[str, dict[str, float]]:
    known, department = departments(evidence)
    numbers, counts = np.unique(lookup(known, department, sample.dialogs.dialog), return_counts=True)
    largest = np.sort(numbers[np.argsort(-counts, kind="stable")][:MOST])

    def group(dialogs: Ints) -> Ints:
        found = lookup(known, department, dialogs)
        return np.where(contains(largest, found), found, -2)

    names = {-1: NOWHERE, -2: OTHERS}
    parts = sample.split(group)
    return {
        names.get(number) or evidence.ledger.text(number): _values(part, figures)
        for number, part in parts.items()
        if len(part.dialogs)
    }


def _half_hours(evidence: Evidence, sample: Sample, figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Of dialogs by when the plan has them start, of operators' time by itself; counted from t0."""
    ((begin, end),) = sample.everybody.windows
    step = max(int(HALF_HOUR_S * SECOND_NS / sample.speed), 1)
    due = (sample.dialogs.due_at - begin) // step % DAY
    shown = min(-(-(end - begin) // step), DAY)
    parts = sample.split(lambda dialogs: lookup(sample.dialogs.dialog, due, dialogs), range(shown))
    found = []
    for number in range(shown):
        starts = range(begin + number * step, end, DAY * step)
        part = parts[number].during(tuple((start, min(start + step, end)) for start in starts))
        found.append({"from_s": number * HALF_HOUR_S, "figures": _values(part, figures)})
    return found
