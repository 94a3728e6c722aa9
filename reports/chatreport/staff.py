"""Who may take what: what dialogs ask of an operator, and what each operator is there for, as the record says it."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from chatreport.grouping import Ints, dense
from chatreport.ledger import Ledger, Rows
from chatreport.rundir import What

ALL_SLOTS = 0


class Wish(NamedTuple):
    """What a dialog asks for, texts by their numbers, -1 for anything; `operator`: the only one who may take it."""

    department: int
    skill: int
    language: int
    weight: int
    operator: int = -1


class Team(NamedTuple):
    """What an operator may take; no departments: the record does not say."""

    departments: frozenset[str]
    skills: frozenset[str]
    languages: frozenset[str]


class Staff:
    """The operators of a run."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @cached_property
    def teams(self) -> dict[int, Team]:
        """What each operator may take, as their latest PRESENCE row that names departments has it."""
        rows = self._ledger.of(What.PRESENCE)
        rows = rows.where(rows["sender"] >= 0)
        named = (rows[column].tolist() for column in ("who", "sender", "rule", "author"))
        return {who: Team(*map(self._names, texts)) for who, *texts in zip(*named, strict=True)}

    def fitting(self, wish: Wish, people: Ints, *, unknown: bool) -> Ints:
        """Those of `people` who may take dialogs that ask for this; `unknown`: whether those who may take who knows."""
        asked = [self._ledger.text(number) for number in (wish.department, wish.skill, wish.language)]
        return np.array([who for who in people.tolist() if self._fits(who, wish, asked, unknown)], np.int64)

    def _fits(self, who: int, wish: Wish, asked: list[str], unknown: bool) -> bool:
        if wish.operator not in (-1, who):
            return False
        team = self.teams.get(who)
        return (
            unknown if team is None else all(not name or name in have for name, have in zip(asked, team, strict=True))
        )

    def _names(self, number: int) -> frozenset[str]:
        return frozenset(filter(None, self._ledger.text(number).split(",")))


def wishes(*columns: Ints) -> tuple[Ints, list[Wish]]:
    """Number what some rows ask for: the number of each row's wish, and the wishes."""
    numbers = dense(*columns) if len(columns[0]) else columns[0]
    _, first = np.unique(numbers, return_index=True)
    return numbers, [Wish(*(int(column[line]) for column in columns)) for line in first]


def weight_of(offers: Rows) -> Ints:
    """The weight of offered dialogs; 1 where the offer did not say."""
    return np.where(offers["size"] < 0, 1, offers["size"])


def takes(weight: Ints, slots: Ints) -> Ints:
    """How many of its operator's slots a dialog takes; of an operator whose slots are not known, 1."""
    taken = np.where(weight == ALL_SLOTS, slots, np.minimum(weight, slots))
    return np.where(slots < 0, 1, taken)
