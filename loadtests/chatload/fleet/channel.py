"""What a customer needs of a channel; `Session` is the platform's own, the simulated messengers have theirs."""

from typing import Protocol

from chatload.fleet.ledger import Message, Rating


class Channel(Protocol):
    """A dialog's way to the platform."""

    shows_queue: bool

    def open(self, intended_ns: int) -> None:
        """Connect."""

    def send(self, message: Message) -> None:
        """Send, now or as soon as possible; then be away for `message.away_ns`, where the channel has that."""

    def end(self, intended_ns: int) -> None:
        """Ask for the end of the dialog."""

    def rate(self, rating: Rating) -> None:
        """Rate the dialog, which an operator has closed."""

    def leave(self) -> None:
        """Be gone."""
