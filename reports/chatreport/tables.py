"""Tables of equally long columns: a dataclass of arrays, from which rows are taken as a table of the same kind."""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from chatreport.grouping import Ints, begins


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """These rows, by their indices or a mask."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))


Kind = TypeVar("Kind", bound=Table)


def parts(table: Kind, groups: Ints) -> dict[int, Kind]:
    """The rows of each group, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    edges = [*np.flatnonzero(begins(ordered)).tolist(), len(ordered)]
    return {int(ordered[low]): table.take(order[low:high]) for low, high in pairwise(edges)}
