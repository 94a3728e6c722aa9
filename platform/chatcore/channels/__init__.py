"""Messengers, one file each with the same verbs: `verify`, `parse`, `build`, `outcome`. Pure; edges do the I/O."""

from collections.abc import Mapping
from typing import Final, Protocol

from chatcore.channels import telegram
from chatcore.channels.shapes import Inbound, Outcome
from chatcore.config import Account

__all__ = ["CHANNELS", "Channel", "Inbound", "Outcome"]


class Channel(Protocol):
    """The verbs of a messenger channel."""

    def verify(self, account: Account, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the provider sent this webhook; header names are in lower case. Compared in constant time."""

    def parse(self, body: bytes) -> list[Inbound]:
        """The messages in a webhook's body; empty for kinds that are none. ValueError if it is unreadable."""

    def build(self, account: Account, user: str, text: str) -> tuple[str, bytes]:
        """(url, JSON body) of the provider's call that sends `text` to `user`."""

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What the provider's answer means; header names are in lower case."""


CHANNELS: Final[dict[str, Channel]] = {"telegram": telegram}
