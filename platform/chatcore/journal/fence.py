"""Who may append where: the part of a commit that all implementations decide alike."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from chatcore.journal.errors import JournalMisuse, StaleWriter
from chatcore.journal.port import Done

T = TypeVar("T")


class Append(NamedTuple):
    """One call of `Journal.append`, waiting for its commit since `since_s` on the journal's clock."""

    log: str
    expected_position: int
    epoch: int
    records: Sequence[bytes]
    done: Done
    since_s: float

    def stale(self, reason: str) -> StaleWriter:
        """The refusal of this append."""
        return StaleWriter(self.log, self.epoch, self.expected_position, reason)


def known(values: Mapping[str, T], log: str) -> T:
    """The log's value. Raises JournalMisuse for a log that was not opened."""
    try:
        return values[log]
    except KeyError:
        raise JournalMisuse(f"log {log!r} was not opened; opened are {sorted(values)}") from None


class Fence:
    """Admits the appends of the writer that holds a log, in sequence, and after a refusal none of them."""

    def __init__(self) -> None:
        self._epochs: dict[str, int] = {}
        self._heads: dict[str, int] = {}
        self._refused: dict[str, str] = {}

    def grant(self, log: str, epoch: int, position: int) -> None:
        """From here on this journal writes the log under `epoch`, after `position`."""
        self._epochs[log] = epoch
        self._heads[log] = position

    def head(self, log: str) -> int:
        """The position of the last record admitted. Raises JournalMisuse for a log that was not opened."""
        return known(self._heads, log)

    def epoch(self, log: str) -> int:
        """The epoch under which the log was opened."""
        return self._epochs[log]

    def revoke(self, log: str, position: int) -> None:
        """Another writer opened the log after `position`: admit nothing more."""
        self._refused.setdefault(log, "a newer writer opened the log")
        self._heads[log] = position

    def reason(self, log: str) -> str:
        """Why the log's appends are refused."""
        return self._refused[log]

    def admit(self, append: Append) -> StaleWriter | None:
        """Advance the head over the append's records, or say why not."""
        if append.epoch != self._epochs[append.log]:
            return append.stale(f"this journal opened it under epoch {self._epochs[append.log]}")
        head = self._heads[append.log]
        if append.log not in self._refused and append.expected_position != head:
            self._refused[append.log] = f"the last record is at position {head}"
        if append.log in self._refused:
            return append.stale(self._refused[append.log])
        self._heads[append.log] = head + len(append.records)
        return None

    def sort(self, appends: Iterable[Append]) -> tuple[dict[str, list[Append]], dict[int, StaleWriter]]:
        """The admitted appends by log, and the refusals by index."""
        admitted: dict[str, list[Append]] = {}
        refused: dict[int, StaleWriter] = {}
        for index, append in enumerate(appends):
            refusal = self.admit(append)
            if refusal is None:
                admitted.setdefault(append.log, []).append(append)
            else:
                refused[index] = refusal
        return admitted, refused
