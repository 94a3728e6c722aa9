"""The fleet's live figures, which nobody watches in a simulation."""

from chatload.fleet.live import Live
from chatload.fleet.tally import Tally


class NoTally(Tally):
    """Counts only what scripts and seats count by themselves."""

    def add(self, name: str, method: str, elapsed_ns: int) -> None:
        """Nothing."""

    def fail(self, name: str, method: str, text: str) -> None:
        """Nothing."""

    def lag(self, late_ns: int) -> None:
        """Nothing."""


class NoLive(Live):
    """Follows no message."""

    def __init__(self) -> None:
        super().__init__(NoTally())

    def begin(self, index: int, channel: int) -> None:
        """Nothing."""

    def end(self, index: int) -> None:
        """Nothing."""

    def absent(self, index: int, until_ns: int) -> None:
        """Nothing."""

    def queued(self, index: int, stamp_ns: int) -> None:
        """Nothing."""

    def offered(self, index: int, stamp_ns: int, free_ns: int) -> None:
        """Nothing."""

    def sent(self, index: int, sender: str, counter: int, intended_ns: int) -> None:
        """Nothing."""

    def acknowledged(self, index: int, sender: str, counter: int) -> None:
        """Nothing."""

    def seen(self, index: int, sender: str, counter: int, stamp_ns: int) -> None:
        """Nothing."""

    def answered(self, index: int) -> None:
        """Nothing."""
