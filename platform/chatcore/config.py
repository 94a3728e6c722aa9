"""The core's configuration: one typed JSON file, an unknown key refused, secrets by reference only."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from chatcore.errors import BadConfig
from chatcore.machines.events import ALL_SLOTS, Hired

AtLeast0 = Annotated[float, msgspec.Meta(ge=0)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
SECRETS: Final = ("token", "webhook_secret", "verify_token")
MAX_TEXT: Final = 4_096  # characters of whatever is said here
PLACE: Final = re.compile(r"\{([1-9][0-9]?)\}")
HttpUrl = Annotated[str, msgspec.Meta(pattern=r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?)?$(?!\n)")]
ProviderUrl = Annotated[
    str, msgspec.Meta(pattern=r"^((https?|smtp(s|\+starttls)?)://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?)?$")
]
AtLeast1 = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Word = Annotated[str, msgspec.Meta(max_length=64)]


class OperatorSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator that an empty floor log is seeded with."""

    id: Annotated[str, msgspec.Meta(pattern=r"^(?!(customer|bot|system)$)[\w.@-]{1,64}$(?!\n)")]
    departments: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)] = ("general",)
    slots: AtLeast1 = 3
    skills: tuple[Name, ...] = ()
    languages: tuple[Name, ...] = ()

    def hired(self) -> Hired:
        """The operator as the floor's log has them."""
        return Hired(self.id, self.departments, self.slots, self.skills, self.languages)


class Department(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A department with a rule of its own; the others need no entry."""

    id: Name
    internal: bool = False
    """Its dialogs and their history are for its own operators only, as employees' questions to HR are."""


class Limits(NamedTuple):
    """How fast a messenger takes replies: of an account, and of one user after a burst; where that is said, and when.

    `receipts`: whether it tells what became of a message after it took it. `threads`: whether a reply names the
    messages that it follows. `window_h`: for so long after a customer's message it takes free texts; 0 = always.
    `text_most`: the longest reply, in characters.
    """

    rate_per_s: float
    user_rate_per_s: float
    burst: int
    receipts: bool
    source: str
    as_of: str
    threads: bool = False
    window_h: int = 0
    text_most: int = MAX_TEXT


LIMITS: Final = {
    "email": Limits(20, 1, 10, True, "assumed: a relay of the bank's own sets its own limits", "2026-11", threads=True),
    "max": Limits(30, 30, 30, False, "dev.max.ru: of a bot; a user's not documented", "2026-10", text_most=4_000),
    "infobip": Limits(
        80, 1 / 6, 45, True, "assumed to be WhatsApp's own; Infobip throttles no sending", "2026-03", window_h=24
    ),
    "sms": Limits(
        100, 1, 10, True, "assumed; Infobip throttles no sending; ten parts of GSM-7", "2026-03", text_most=1_530
    ),
    "phone": Limits(10, 1, 10, False, "assumed: an exchange of the bank's own sets its own limits", "2026-11"),
    "telegram": Limits(30, 1, 3, False, "core.telegram.org/bots/faq; the burst is assumed", "2026-05"),
    "whatsapp": Limits(
        80, 1 / 6, 45, True, "Meta's pages on throughput and on the Cloud API (pair rate)", "2026-05", window_h=24
    ),
    "messenger": Limits(
        300, 300, 300, True, "Messenger Platform: of a page; no user's told", "2026-03", window_h=24, text_most=2_000
    ),
    "viber": Limits(50, 50, 50, True, "Bots API: 500 broadcasts in 10 s, assumed for replies to all or one", "2024-02"),
    "vk": Limits(20, 20, 20, True, "dev.vk.com/api/api-requests: of a community; a user's not documented", "2026-10"),
}
NEEDS: Final = {
    "email": ("api", "webhook_secret", "sender"),
    "max": ("api", "token", "webhook_secret"),
    "infobip": ("api", "token", "webhook_secret", "sender"),
    "sms": ("api", "token", "webhook_secret", "sender"),
    "phone": ("api", "token", "webhook_secret"),
    "telegram": ("api", "token", "webhook_secret"),
    "whatsapp": ("api", "token", "webhook_secret", "sender", "verify_token"),
    "messenger": ("api", "token", "webhook_secret", "sender", "verify_token"),
    "viber": ("api", "token", "sender"),
    "vk": ("api", "token", "webhook_secret", "sender", "verify_token"),
}
"""What an account of a messenger must say; an account with sockets says none of it."""


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel account; all from `api` on concerns messengers only.

    `bot` is who answers first: the menu or the keywords of the answers' file, the bank's own bot over HTTP, or nobody.
    `token` is shown to the provider, `webhook_secret` by it; `sender` is who writes there (a page, a number), and
    `verify_token` what a handshake asks for. A rate of 0 stands for the messenger's documented one.
    """

    id: str
    channel: str
    bot: Literal["none", "menu", "keywords", "http"] = "none"
    department: Name = "general"
    priority: Annotated[int, msgspec.Meta(ge=-100, le=100)] = 0
    """Of its dialogs in the queue; the lower is served first."""
    skill: Word = ""
    language: Word = ""
    weight: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 1
    """Slots that a dialog takes of its operator; 0 = all, as a phone call does whatever stands here."""
    api: ProviderUrl = ""
    """Its provider. A mail server with TLS is `smtps://`, or `smtp+starttls://` where it begins in the conversation."""
    token: str = ""
    user: str = ""
    """Who logs in at a mail server with the token as password; "" = the sender."""
    webhook_secret: str = ""
    sender: str = ""
    verify_token: str = ""
    rate_per_s: AtLeast0 = 0.0
    chat_rate_per_s: AtLeast0 = 0.0
    burst: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def slots(self) -> int:
        """The weight of its dialogs."""
        return ALL_SLOTS if self.channel == "phone" else self.weight

    @property
    def receipts(self) -> bool:
        """Whether its messenger tells what became of a message after it took it."""
        limits = LIMITS.get(self.channel)
        return limits is not None and limits.receipts

    @property
    def text_most(self) -> int:
        """Characters of the longest text that its customers can be sent."""
        limits = LIMITS.get(self.channel)
        return MAX_TEXT if limits is None else limits.text_most

    @property
    def windowed(self) -> bool:
        """Whether its messenger takes free texts only for a while after the customer's last message."""
        limits = LIMITS.get(self.channel)
        return limits is not None and limits.window_h > 0


class Bot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bots: how many misses in a row they are allowed, and where the bank's own is, which is shown `token`.

    A customer whom it does not answer within `timeout_ms` gets an operator.
    """

    misses: AtLeast1 = 2
    url: HttpUrl = ""
    token: str = ""
    timeout_ms: AtLeast1 = 3_000


class Hints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bank's service that suggests answers to operators; it is shown `token`."""

    url: HttpUrl = ""
    token: str = ""
    timeout_ms: AtLeast1 = 5_000


class Bank(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bank's own service at `api`, which is shown `token`: whose an account is, and a person's routine operations.

    One-time codes leave through the e-mail account `mail_account`. Who waits for the service is told after `timeout_ms`
    that this is not possible now.
    """

    api: HttpUrl = ""
    token: str = ""
    mail_account: str = ""
    timeout_ms: AtLeast1 = 3_000


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the bank may write of its own accord: `text` with {1}, {2} … where its parameters go.

    A `broadcast` goes only to who agreed. `provider_name` (default: `name`) and `language` are what a provider that
    approves templates knows it by.
    """

    name: Name
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
    broadcast: bool = False
    provider_name: Word = ""
    language: Word = "en"

    @property
    def places(self) -> set[int]:
        """The numbers in its text."""
        return {int(number) for number in PLACE.findall(self.text)}

    def filled(self, parameters: Sequence[str]) -> str:
        """The text with its parameters.

        Raises:
            ValueError: there are more or fewer places than parameters.
        """
        if len(parameters) != len(self.places):
            raise ValueError(f"template {self.name} takes {len(self.places)} parameters")
        return PLACE.sub(lambda place: parameters[int(place[1]) - 1], self.text)


class Quality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Quality control: the share of closed dialogs, from 0 to 1, that are there to be read and scored.

    `words` is the file of good and bad words by which the mood of dialogs is told (`chatcore.analytics.mood`).
    """

    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    words: str = ""


class Timers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Business timers in wall milliseconds."""

    offer: AtLeast1 = 20_000
    grace: AtLeast1 = 15_000
    inactivity: AtLeast1 = 600_000
    transfer: AtLeast1 = 120_000
    """So long a dialog waits for the operator it was transferred to; then for anybody of the department."""
    window: AtLeast1 = 86_400_000
    """So long after a customer's message a messenger with a window takes free texts."""


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many a second on average, and so many at once."""

    per_s: Above0
    burst: AtLeast1


class SenderLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one sender may do; the defaults stand above what a load test at many times life's speed does.

    `contact`: messages of a contact. `account`: genuine webhooks of a messenger's account. `address`: dials, REST
    calls and refused webhooks of a client address; `trusted` ones (a load generator, a reverse proxy) have no limit.
    """

    contact: Rate = Rate(200.0, 2_000)
    account: Rate = Rate(20_000.0, 20_000)
    address: Rate = Rate(2_000.0, 10_000)
    trusted: tuple[str, ...] = ("127.0.0.1", "::1")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. `secret`, `token`, `webhook_secret` and `verify_token` may be `env:NAME` or `file:PATH`.

    `answers` is the file that the bank edits (`chatcore.answers`); "" stands for an empty one.
    `public_url` is where providers reach this core to fetch attachments; without it, the address it listens at.
    """

    secret: Annotated[str, msgspec.Meta(min_length=1)]
    data: str = "chatcore-data"
    host: str = "127.0.0.1"
    public_url: Annotated[str, msgspec.Meta(pattern=r"^(https?://[!-~]+)?$")] = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8080
    smtp_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8025
    journal: Literal["sqlite", "memory"] = "sqlite"
    partitions: AtLeast1 = 1
    operators: tuple[OperatorSeed, ...] = ()
    departments: tuple[Department, ...] = ()
    accounts: tuple[Account, ...] = ()
    hold_text: str = "One moment, please: I am looking into it."
    """What a customer is told when an operator puts the dialog on hold; "" = nothing."""
    answers: str = ""
    bot: Bot = Bot()
    hints: Hints = Hints()
    bank: Bank = Bank()
    templates: tuple[Template, ...] = ()
    quality: Quality = Quality()
    timers_ms: Timers = Timers()
    limits: SenderLimits = SenderLimits()
    snapshot_every: AtLeast1 = 20_000
    commit_timeout_s: Above0 = 10.0


def load(path: Path) -> Config:
    """Read the configuration and resolve its secrets.

    Raises:
        BadConfig: unreadable, not JSON, an unknown key, a wrong type, a missing secret, two accounts of one id, a bot
            over HTTP that is nowhere.
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
    addresses = [account.sender.lower() for account in config.accounts if account.channel == "email"]
    if len(set(addresses)) < len(addresses):
        raise BadConfig(path, "accounts: each e-mail account needs a sender of its own, for mail is told apart by it")
    _check_bank(path, config)
    _check_templates(path, config.templates)
    accounts = tuple(
        msgspec.structs.replace(account, **{name: _secret(path, getattr(account, name)) for name in SECRETS})
        for account in config.accounts
    )
    if not config.bot.url and any(account.bot == "http" for account in accounts):
        raise BadConfig(path, "bot.url: an account's bot is the bank's own, and this says where it is")
    services = {
        name: msgspec.structs.replace(service, token=_shown(path, f"{name}.token", service.token))
        for name, service in (("bot", config.bot), ("hints", config.hints), ("bank", config.bank))
    }
    return msgspec.structs.replace(config, secret=_secret(path, config.secret), accounts=accounts, **services)


def _check_bank(path: Path, config: Config) -> None:
    mail_accounts = [account.id for account in config.accounts if account.channel == "email"]
    if config.bank.api and config.bank.mail_account not in mail_accounts:
        raise BadConfig(path, "bank.mail_account: it needs an account of channel email, which sends one-time codes")


def _check_templates(path: Path, templates: Sequence[Template]) -> None:
    if len({template.name for template in templates}) < len(templates):
        raise BadConfig(path, "templates: each needs a name of its own")
    for template in templates:
        if template.places != set(range(1, len(template.places) + 1)):
            raise BadConfig(path, f"templates: the places of {template.name} are to be numbered {{1}}, {{2}} and so on")


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
    is_mail = account.channel == "email"
    if needs and (account.api.startswith("smtp") != is_mail or (is_mail and "@" not in account.sender)):
        raise BadConfig(
            path, f"account {account.id}: e-mail needs an smtp:// api and an address as sender, others http"
        )
    if (account.user and not account.token) or (account.token and account.api.startswith("smtp://")):
        raise BadConfig(path, f"account {account.id}: a mail server's user needs a token, and a token TLS (smtps://)")
    if account.user and not is_mail:
        raise BadConfig(path, f"account {account.id}: user belongs to e-mail")


def _shown(path: Path, name: str, reference: str) -> str:
    """A token that stands in a header."""
    value = _secret(path, reference)
    if not (value.isascii() and value.isprintable()):
        raise BadConfig(path, f"{name}: it is shown in a header, so it holds printable ASCII alone")
    return value


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
