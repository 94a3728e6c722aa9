"""The core's configuration: one typed JSON file, an unknown key refused, secrets by reference only."""

import os
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from chatcore.errors import BadConfig

AtLeast0 = Annotated[float, msgspec.Meta(ge=0)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
SECRETS: Final = ("token", "webhook_secret", "verify_token")
AtLeast1 = Annotated[int, msgspec.Meta(ge=1)]


class OperatorSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator that an empty floor log is seeded with."""

    id: Annotated[str, msgspec.Meta(pattern=r"^(?!(customer|bot|system)$)[\w.@-]{1,64}$")]
    departments: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("general",)
    slots: AtLeast1 = 3


class Limits(NamedTuple):
    """How fast a messenger takes replies: of an account, and of one user after a burst; where that is said, and when.

    `receipts`: whether it tells what became of a message after it took it.
    """

    rate_per_s: float
    user_rate_per_s: float
    burst: int
    receipts: bool
    source: str
    as_of: str


LIMITS: Final = {
    "infobip": Limits(80, 1 / 6, 45, True, "assumed to be WhatsApp's own; Infobip throttles no sending", "2026-03"),
    "sms": Limits(100, 1, 10, True, "assumed; Infobip throttles no sending", "2026-03"),
    "telegram": Limits(30, 1, 3, False, "core.telegram.org/bots/faq; the burst is assumed", "2026-05"),
    "whatsapp": Limits(80, 1 / 6, 45, True, "Meta's pages on throughput and on the Cloud API (pair rate)", "2026-05"),
    "messenger": Limits(300, 300, 300, True, "Messenger Platform, rate limiting: a page's; no user's told", "2026-03"),
    "viber": Limits(50, 50, 50, True, "Bots API: 500 broadcasts in 10 s, assumed for replies to all or one", "2024-02"),
}
NEEDS: Final = {
    "infobip": ("api", "token", "webhook_secret", "sender"),
    "sms": ("api", "token", "webhook_secret", "sender"),
    "telegram": ("api", "token", "webhook_secret"),
    "whatsapp": ("api", "token", "webhook_secret", "sender", "verify_token"),
    "messenger": ("api", "token", "webhook_secret", "sender", "verify_token"),
    "viber": ("api", "token", "sender"),
}
"""What an account of a messenger must say; an account with sockets says none of it."""


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel account; all from `api` on concerns messengers only.

    `token` is shown to the provider, `webhook_secret` by it; `sender` is who writes there (a page, a number), and
    `verify_token` what a handshake asks for. A rate of 0 stands for the messenger's documented one.
    """

    id: str
    channel: str
    bot: bool = False
    department: str = "general"
    api: Annotated[str, msgspec.Meta(pattern=r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?)?$")] = ""
    token: str = ""
    webhook_secret: str = ""
    sender: str = ""
    verify_token: str = ""
    rate_per_s: AtLeast0 = 0.0
    chat_rate_per_s: AtLeast0 = 0.0
    burst: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def receipts(self) -> bool:
        """Whether its messenger tells what became of a message after it took it."""
        limits = LIMITS.get(self.channel)
        return limits is not None and limits.receipts


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


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. `secret`, `token`, `webhook_secret` and `verify_token` may be `env:NAME` or `file:PATH`.

    `public_url` is where providers reach this core to fetch attachments; without it, the address it listens at.
    """

    secret: Annotated[str, msgspec.Meta(min_length=1)]
    data: str = "chatcore-data"
    host: str = "127.0.0.1"
    public_url: Annotated[str, msgspec.Meta(pattern=r"^(https?://[!-~]+)?$")] = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8080
    journal: Literal["sqlite", "memory"] = "sqlite"
    partitions: AtLeast1 = 1
    operators: tuple[OperatorSeed, ...] = ()
    accounts: tuple[Account, ...] = ()
    bot: Bot = Bot()
    timers_ms: Timers = Timers()
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
        _check(path, account)
    accounts = tuple(
        msgspec.structs.replace(account, **{name: _secret(path, getattr(account, name)) for name in SECRETS})
        for account in config.accounts
    )
    return msgspec.structs.replace(config, secret=_secret(path, config.secret), accounts=accounts)


def _check(path: Path, account: Account) -> None:
    if account.channel not in ("web", "app", *NEEDS):
        raise BadConfig(path, f"account {account.id}: no channel is called {account.channel!r}")
    needs = NEEDS.get(account.channel, ())
    given = [name for name in ("api", "token", "webhook_secret", "sender", "verify_token") if getattr(account, name)]
    missing = [name for name in needs if name not in given]
    if missing:
        raise BadConfig(path, f"account {account.id}: {account.channel} needs {', '.join(missing)}")
    if given and not needs:
        raise BadConfig(
            path, f"account {account.id}: {', '.join(given)} belong to messengers, not to {account.channel}"
        )


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
