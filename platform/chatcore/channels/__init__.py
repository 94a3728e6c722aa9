"""Messengers, one file each with the same verbs. Pure: they say what to ask and what an answer means; edges ask."""

from collections.abc import Mapping
from typing import Final, Protocol

from chatcore.channels import email, infobip, messenger, sms, telegram, viber, vk, whatsapp
from chatcore.channels import max as max_messenger
from chatcore.channels.shapes import Event, Fetching, Outbound, Sending
from chatcore.config import Account

__all__ = ["CHANNELS", "Channel"]


class Channel(Protocol):
    """The verbs of a messenger channel. `OK` is the body of the answer to a webhook that was taken."""

    OK: bytes

    def verify(self, account: Account, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the provider sent this webhook; header names are in lower case. Compared in constant time."""

    def parse(self, account: Account, body: bytes) -> list[Event]:
        """Everything that a webhook's body tells, in its order; empty for kinds that tell nothing.

        Raises:
            ValueError, RecursionError: it is unreadable.
        """

    def handshake(self, account: Account, query: Mapping[str, str], body: bytes) -> bytes | None:
        """The answer to a request by which the provider makes sure of us: a GET with `query`, or a POST without events.

        None if it is no such request, or asks for another account.
        """

    def send(self, account: Account, message: Outbound) -> Sending:
        """The calls that send `message`, one after the other; a call without an answer ends it, to be tried again."""

    def fetch(self, account: Account, source: str) -> Fetching:
        """The calls that fetch an attachment's bytes."""


CHANNELS: Final[dict[str, Channel]] = {
    "email": email,
    "infobip": infobip,
    "max": max_messenger,
    "messenger": messenger,
    "sms": sms,
    "telegram": telegram,
    "viber": viber,
    "vk": vk,
    "whatsapp": whatsapp,
}
