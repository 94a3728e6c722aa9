"""The core's configuration: one typed JSON file, an unknown key refused, secrets by reference only."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from chatcore.errors import BadConfig




class OperatorSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator that an empty floor log is seeded with."""

    id: str
    departments: tuple[str, ...] = ("general",)
    slots: int = 3


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel account; `api`, `token` and the rates concern messengers only."""

    id: str
    channel: Literal["web", "app", "telegram"]
    bot: bool = False
    department: str = "general"
    api: str = ""
    token: str = ""
    webhook_secret: str = ""
    rate_per_s: float = 30.0
    chat_rate_per_s: float = 1.0
    burst: int = 3


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of the bot, given when one of `keywords` occurs in the text."""

    rule: str
    keywords: tuple[str, ...]
    text: str


class Bot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keyword bot: answers, the words that ask for a person, and how many misses it is allowed."""

    answers: tuple[Answer, ...] = ()
    handover: tuple[str, ...] = ("operator",)
    misses: int = 2
    again: str = "I did not understand. Please say it in other words, or ask for an operator."


class Timers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Business timers in wall milliseconds."""

    offer: int = 20_000
    grace: int = 15_000
    inactivity: int = 600_000


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. `secret`, `token` and `webhook_secret` may be `env:NAME` or `file:PATH`."""

    secret: str
    data: str = "chatcore-data"
    host: str = "127.0.0.1"
    port: int = 8080
    journal: Literal["sqlite", "memory"] = "sqlite"
    partitions: int = 1
    operators: tuple[OperatorSeed, ...] = ()
    accounts: tuple[Account, ...] = ()
    bot: Bot = Bot()
    timers_ms: Timers = Timers()
    snapshot_every: int = 20_000
    commit_timeout_s: float = 10.0


def load(path: Path) -> Config:
    """Read the configuration and resolve its secrets.

    Raises:
        BadConfig: unreadable, not JSON, an unknown key, a wrong type, a missing secret, two accounts of one id.
    """
    try:
        config = msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise BadConfig(path, f"cannot be read ({error.strerror})") from error
    except msgspec.DecodeError as error:
        raise BadConfig(path, str(error)) from error
    ids = [account.id for account in config.accounts]
    if len(set(ids)) < len(ids) or any("/" in account or not account for account in ids):
        raise BadConfig(path, "accounts: each needs an id of its own, without a slash")
    if config.partitions < 1:
        raise BadConfig(path, f"partitions: {config.partitions} is below 1")
    accounts = tuple(
        msgspec.structs.replace(
            account, token=_secret(path, account.token), webhook_secret=_secret(path, account.webhook_secret)
        )
        for account in config.accounts
    )
    return msgspec.structs.replace(config, secret=_secret(path, config.secret), accounts=accounts)


def _secret(path: Path, reference: str) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if not value:
            raise BadConfig(path, f"the environment variable {name} is not set")
        return value
    if kind == "file":
        try:
            return Path(name).read_text().strip()
        except OSError as error:
            raise BadConfig(path, f"the secret file {name} cannot be read ({error.strerror})") from error
    return reference
