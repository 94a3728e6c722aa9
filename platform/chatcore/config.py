"""The core's configuration: one typed JSON file, an unknown key refused, secrets by reference only."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from chatcore.errors import BadConfig

Above0 = Annotated[float, msgspec.Meta(gt=0)]
AtLeast1 = Annotated[int, msgspec.Meta(ge=1)]


class OperatorSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator that an empty floor log is seeded with."""

    id: Annotated[str, msgspec.Meta(pattern=r"^(?!(customer|bot|system)$)[\w.@-]{1,64}$(?!\n)")]
    departments: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("general",)
    slots: AtLeast1 = 3


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel account; `api`, `token` and the rates concern messengers only."""

    id: str
    channel: Literal["web", "app", "telegram"]
    bot: bool = False
    department: str = "general"
    api: Annotated[str, msgspec.Meta(pattern=r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?)?$")] = ""
    token: str = ""
    webhook_secret: str = ""
    rate_per_s: Above0 = 30.0
    chat_rate_per_s: Above0 = 1.0
    burst: AtLeast1 = 3


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of the bot, given when one of `keywords` occurs in the text."""

    rule: str
    keywords: tuple[str, ...]
    text: str


class Bot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keyword bot: answers, the words that ask for a person, and how many misses it is allowed."""

    answers: tuple[Answer, ...] = ()
    handover: tuple[str, ...] = ("operator",)
    misses: AtLeast1 = 2
    again: str = "I did not understand. Please say it in other words, or ask for an operator."


class Timers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Business timers in wall milliseconds."""

    offer: AtLeast1 = 20_000
    grace: AtLeast1 = 15_000
    inactivity: AtLeast1 = 600_000


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many a second on average, and so many at once."""

    per_s: Above0
    burst: AtLeast1


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one sender may do; the defaults stand above what a load test at many times life's speed does.

    `contact`: messages of a contact. `account`: genuine webhooks of a messenger's account. `address`: dials, REST
    calls and refused webhooks of a client address; `trusted` ones (a load generator, a reverse proxy) have no limit.
    """

    contact: Rate = Rate(200.0, 2_000)
    account: Rate = Rate(20_000.0, 20_000)
    address: Rate = Rate(2_000.0, 10_000)
    trusted: tuple[str, ...] = ("127.0.0.1", "::1")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. `secret`, `token` and `webhook_secret` may be `env:NAME` or `file:PATH`."""

    secret: Annotated[str, msgspec.Meta(min_length=1)]
    data: str = "chatcore-data"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8080
    journal: Literal["sqlite", "memory"] = "sqlite"
    partitions: AtLeast1 = 1
    operators: tuple[OperatorSeed, ...] = ()
    accounts: tuple[Account, ...] = ()
    bot: Bot = Bot()
    timers_ms: Timers = Timers()
    limits: Limits = Limits()
    snapshot_every: AtLeast1 = 20_000
    commit_timeout_s: Above0 = 10.0


def load(path: Path) -> Config:
    """Read the configuration and resolve its secrets.

    Raises:
        BadConfig: unreadable, not JSON, an unknown key, a wrong type, a missing secret, two accounts of one id.
    """
    try:
        config = msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise BadConfig(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadConfig(path, str(error)) from error
    ids = [account.id for account in config.accounts]
    if len(set(ids)) < len(ids) or any("/" in account or not account for account in ids):
        raise BadConfig(path, "accounts: each needs an id of its own, without a slash")
    for account in config.accounts:
        given = bool(account.api) + bool(account.token) + bool(account.webhook_secret)
        if given != (3 if account.channel == "telegram" else 0):
            raise BadConfig(
                path, f"account {account.id}: api, token and webhook_secret belong to messengers, all three"
            )
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
            value = Path(name).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadConfig(path, f"the secret file {name} cannot be read ({error})") from error
        if not value:
            raise BadConfig(path, f"the secret file {name} is empty")
        return value
    return reference
