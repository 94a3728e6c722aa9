"""Who sends too much: contacts, messengers' accounts, client addresses. Nothing in it outlives the process."""

import time
from typing import Final

from chatcore.config import SenderLimits
from chatcore.edges.limits import Buckets

REMEMBERED: Final = 10_000


class Guard:
    """The installation's limits; each question counts as one use."""

    def __init__(self, limits: SenderLimits) -> None:
        self._trusted = frozenset(limits.trusted)
        self._contacts = Buckets(limits.contact.per_s, limits.contact.burst, REMEMBERED)
        self._accounts = Buckets(limits.account.per_s, limits.account.burst, REMEMBERED)
        self._addresses = Buckets(limits.address.per_s, limits.address.burst, REMEMBERED)

    def contact(self, key: str) -> bool:
        """Whether a contact may say something now."""
        return self._contacts.take(key, time.monotonic())

    def account(self, account: str) -> bool:
        """Whether a messenger's account may bring a genuine webhook now."""
        return self._accounts.take(account, time.monotonic())

    def address(self, address: str) -> bool:
        """Whether a client address may dial, call, or have a webhook refused now."""
        return address in self._trusted or self._addresses.take(address, time.monotonic())

    def spent(self, address: str) -> bool:
        """Whether a client address has used up what it may; asking is no use."""
        return address not in self._trusted and self._addresses.empty(address, time.monotonic())
