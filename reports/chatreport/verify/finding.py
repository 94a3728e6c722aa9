"""What a checker finds, and how it says that it cannot tell."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from chatreport.evidence import Evidence
from chatreport.floor import Floor
from chatreport.grouping import Ints, unique

EXAMPLES: Final = 10

Status = Literal["held", "violated", "unknown"]


class CannotTell(Exception):
    """A checker lacks what it needs; the text says what."""


@dataclass(slots=True)
class Tally:
    """A checker's result while it works: how much evidence, what contradicts the promise, a few examples of it."""

    evidence: Evidence
    floor: Floor
    count: int = 0
    violations: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    note: str = ""

    def wrong(
        self, note: str, *, places: Ints | None = None, people: Ints | None = None, keys: Ints | None = None
    ) -> int:
        """Count one violation per line of the given columns, keep the first as examples, and return how many."""
        columns = [column for column in (places, people, keys) if column is not None]
        found = len(columns[0])
        self.violations += found
        for line in range(min(found, EXAMPLES - len(self.examples))):
            self.examples.append(
                self.evidence.shown_example(
                    place=-1 if places is None else int(places[line]),
                    who=-1 if people is None else int(people[line]),
                    key=-1 if keys is None else int(keys[line]),
                    note=note,
                )
            )
        return found


Check = Callable[[Tally], None]


class Guarantee(msgspec.Struct, frozen=True):
    """A promise, and the pure function of the record that checks it."""

    id: str
    name: str
    promise: str
    evidence: str  # what its count counts
    check: Check
    reads_history: bool = True  # cannot be judged without the final history
    needs_rest: bool = False  # cannot be held if the drain's deadline passed
    by_absence: bool = False  # what nobody recorded violates it, which proves nothing if a worker's record is missing


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a guarantee in a run."""

    status: Status
    count: int
    violations: int = 0
    why: str = ""
    note: str = ""
    examples: list[dict[str, Any]] = msgspec.field(default_factory=list)


def distinct(column: Ints) -> Ints:
    """The distinct values of a column that are not -1."""
    values = unique(column)
    return values[values >= 0]


def rows_of(*columns: Ints) -> Iterator[tuple[int, ...]]:
    """The lines of some columns; for the few lines that need a loop."""
    return zip(*(column.tolist() for column in columns), strict=True)
