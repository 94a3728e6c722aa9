"""The names of channel accounts and of their customers, and which secrets a messenger and its customer agree on."""

from functools import cache
from typing import Final, NamedTuple


class Messenger(NamedTuple):
    """How a messenger's account and people are named: `prefix`, numbers from `first_user` on, `suffix`.

    `keys`: what the account has besides its `token` and `webhook_secret`. `host`: what ends its `sender`.
    """

    account: str
    first_user: int = 5_000_000_000
    prefix: str = ""
    suffix: str = ""
    keys: tuple[str, ...] = ()
    host: str = ""


MESSENGERS: Final = {
    "telegram": Messenger("tg"),
    "messenger": Messenger("fb", keys=("sender", "verify_token")),
    "viber": Messenger("viber", suffix="+A==", keys=("sender",)),
    "vk": Messenger("vk", first_user=100_000_000, keys=("sender", "verify_token")),  # from two billion on, group chats
    "whatsapp": Messenger("wa", keys=("sender", "verify_token")),
    "infobip": Messenger("ib", keys=("sender",)),
    "sms": Messenger("sms", keys=("sender",)),
    "max": Messenger("max"),
    "email": Messenger("mail", suffix="@customers.example", keys=("sender",), host="@bank.example"),
    "phone": Messenger("ph", first_user=79_000_000_000, prefix="+"),
}
BANKS_BOT: Final = "bot"  # what the platform asks besides the messengers, by names that no account of theirs has
BANK: Final = "bank"
RELAY: Final = "codes"
_RAMP: Final = 1_000_000_000
ACCOUNTS: Final = {"web": "web", "app": "app"} | {name: messenger.account for name, messenger in MESSENGERS.items()}


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


def user_of(index: int, channel: str) -> str:
    """The customer of a dialog as the channel names them; those of the ramp, whose index is negative, apart."""
    messenger = MESSENGERS.get(channel)
    if messenger is None:
        return f"u{index}" if index >= 0 else f"r{-index}"
    number = messenger.first_user + index if index >= 0 else _first_of_ramp(messenger) - index
    return f"{messenger.prefix}{number}{messenger.suffix}"


def index_of(name: str, user: str) -> int | None:
    """The planned dialog of a contact: the inverse of `user_of`; None for a contact that no plan makes."""
    channel = channel_of(name)
    messenger = MESSENGERS.get(channel)
    if messenger is not None and user.startswith(messenger.prefix) and user.endswith(messenger.suffix):
        digits, ramp = user.removeprefix(messenger.prefix).removesuffix(messenger.suffix), _first_of_ramp(messenger)
        number = int(digits) if digits.isdecimal() else None
        return None if number is None else number - messenger.first_user if number < ramp else ramp - number
    if channel and messenger is None and user[:1] in {"u", "r"} and user[1:].isdigit():
        return int(user[1:]) if user[0] == "u" else -int(user[1:])
    return None


def _first_of_ramp(messenger: Messenger) -> int:
    return messenger.first_user + _RAMP
