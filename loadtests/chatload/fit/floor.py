"""Departments, as far as an export can say: which channel's dialogs go to which, and who takes them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from chatload.fit.export import Row

WORTH: Final = 0.05  # of an operator's dialogs: who takes fewer of a department helps out
MOST_TEAMS: Final = 12  # that a file lists; seats are dealt out to them in turn


class Sent(NamedTuple):
    """Where most of a channel's dialogs go; `share`: how many of the `rows` that tell."""

    department: str
    share: float
    rows: int


class Departments(NamedTuple):
    """`channels`: where the dialogs of each go. `teams`: departments of operators, as often as there are such.

    `operators`: of how many that is known.
    """

    channels: dict[str, Sent]
    teams: list[tuple[str, ...]]
    operators: int


def departments(rows: Sequence[Row], operators: int) -> Departments | None:
    """Of those that were taken, for a floor of so many operators; None where fewer than two departments are told."""
    taken = [row for row in rows if row.accepted_s is not None and row.department]
    if len({row.department for row in taken}) < 2:
        return None
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    by_operator: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in taken:
        told[row.channel][row.department or ""] += 1
        if row.operator:
            by_operator[row.operator][row.department or ""] += 1
    channels = {channel: _sent(counts) for channel, counts in told.items()}
    groups = Counter(map(_worth, by_operator.values()))
    needed = {sent.department for sent in channels.values()}
    everywhere = tuple(sorted(needed.union(*groups)))
    covered = needed <= set().union(*groups) if groups else False
    fits = covered and len(groups) <= min(operators, MOST_TEAMS)
    return Departments(channels, _dealt(groups, operators) if fits else [everywhere], len(by_operator))


def _sent(counts: Counter[str]) -> Sent:
    (department, most), total = counts.most_common(1)[0], counts.total()
    return Sent(department, most / total, total)


def _worth(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in counts.items() if count >= WORTH * counts.total()))


def _dealt(groups: Counter[tuple[str, ...]], operators: int) -> list[tuple[str, ...]]:
    """A list in which each group is as frequent as among the operators, and none is missing."""
    size, total = min(operators, MOST_TEAMS), groups.total()
    given = dict.fromkeys(groups, 1)
    while sum(given.values()) < size:
        given[max(groups, key=lambda group: groups[group] / total - given[group] / size)] += 1
    return [group for group, times in sorted(given.items()) for _ in range(times)]
