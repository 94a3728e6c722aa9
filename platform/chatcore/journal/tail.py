"""The rows handed to the history that are not stored yet, kept readable until they are."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chatcore.journal.port import Page, Row

INDEX_BITS = 20

NumberedRow = tuple[int, Row]


def number_rows(rows: Iterable[Row]) -> list[NumberedRow]:
    """The rows with their row numbers: the record's position, then the index among the record's rows."""
    numbered: list[NumberedRow] = []
    last = index = 0
    for row in rows:
        index = index + 1 if row.position == last else 0
        last = row.position
        numbered.append((last << INDEX_BITS | index, row))
    return numbered


def portions(rows: list[NumberedRow], through: int, size: int) -> Iterator[tuple[int, list[NumberedRow]]]:
    """The rows in portions of about `size` that part no record, each with the position it is complete through."""
    start = 0
    while len(rows) - start > size:
        end = start + size
        while end < len(rows) and rows[end][1].position == rows[end - 1][1].position:
            end += 1
        yield (rows[end - 1][1].position if end < len(rows) else through), rows[start:end]
        start = end
    if start < len(rows) or not rows:
        yield through, rows[start:]


def page(rows: Sequence[NumberedRow], limit: int) -> Page:
    """The first `limit` of these rows, of which there must be one more where the log goes on."""
    return Page([row for _, row in rows[:limit]], rows[limit - 1][0] if len(rows) > limit else None)


@dataclass(slots=True)
class Share:
    """What one generation holds of one log."""

    through: int = 0
    rows: list[NumberedRow] = field(default_factory=list)
    contacts: dict[int, str] = field(default_factory=dict)
    by_contact: dict[int, list[Row]] = field(default_factory=dict)

    def add(self, through: int, rows: list[NumberedRow], contacts: Sequence[tuple[int, str]]) -> None:
        """Append what one call of `project` brought."""
        self.through = through
        self.rows += rows
        self.contacts.update(contacts)
        for _, row in rows:
            self.by_contact.setdefault(row.contact, []).append(row)


@dataclass(slots=True)
class Generation:
    """What is written to the history in one transaction."""

    shares: dict[str, Share] = field(default_factory=dict)
    size: int = 0


class Tail:
    """Generations in the order they are written: the last one is being filled, those before are on their way."""

    def __init__(self) -> None:
        self._filling = Generation()
        self._leaving: deque[Generation] = deque()

    @property
    def size(self) -> int:
        """Rows in the generation being filled."""
        return self._filling.size

    def add(self, log: str, through: int, rows: list[NumberedRow], contacts: Sequence[tuple[int, str]]) -> None:
        """Keep the rows and contacts of the log's records up to `through`."""
        self._filling.shares.setdefault(log, Share()).add(through, rows, contacts)
        self._filling.size += len(rows)

    def rotate(self) -> Generation | None:
        """The filled generation, to be written, if there is anything in it."""
        if not self._filling.shares:
            return None
        leaving, self._filling = self._filling, Generation()
        self._leaving.append(leaving)
        return leaving

    def settle(self) -> Generation:
        """The oldest generation on its way is stored: forget it."""
        return self._leaving.popleft()

    def _shares(self, log: str) -> list[Share]:
        generations = (*self._leaving, self._filling)
        return [generation.shares[log] for generation in generations if log in generation.shares]

    def of_contact(self, log: str, contact: int) -> list[Row]:
        """The contact's rows, in log order."""
        return [row for share in self._shares(log) for row in share.by_contact.get(contact, ())]

    def of_log(self, log: str) -> list[NumberedRow]:
        """All rows of the log, in log order."""
        return [row for share in self._shares(log) for row in share.rows]

    def contacts(self, log: str) -> dict[int, str]:
        """The contacts' key texts by number."""
        return {number: key for share in self._shares(log) for number, key in share.contacts.items()}
