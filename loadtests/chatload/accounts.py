"""The names of the channel accounts: one a channel, and of a messenger one a worker, who plays the messenger for it."""

from functools import cache
from typing import Final

ACCOUNTS: Final = {"web": "web", "app": "app", "telegram": "tg"}
MESSENGERS: Final = frozenset({"telegram"})


def account(channel: str, worker: int = 0, workers: int = 1) -> str:
    """The account on which worker `worker` of `workers` plays `channel`: "tg" if it is alone, else "tg-0", "tg-1" …."""
    own = workers > 1 and channel in MESSENGERS
    return f"{ACCOUNTS[channel]}-{worker}" if own else ACCOUNTS[channel]


@cache
def channel_of(name: str) -> str:
    """The channel of an account; "" if no worker has one of this name."""
    plain, dash, worker = name.partition("-")
    channel = next((channel for channel, known in ACCOUNTS.items() if known == plain), "")
    return channel if not dash or (worker.isdecimal() and channel in MESSENGERS) else ""
