"""What the embedded core is told of a scenario: its configuration, the bank's answers, and the secrets it shares."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from chatload.accounts import BANK, BANKS_BOT, MESSENGERS, RELAY, account, channel_of
from chatload.scenario import Scenario
from chatload.scenario.bot import Bot
from chatload.scenario.channels import Limits
from chatload.scenario.service import ON_HOLD, Hostile

OPERATION: Final = "balance"
PARTITIONS: Final = 1
WINDOW_MS: Final = 86_400_000  # so long after a customer's message messengers with a window take free texts
TRANSFER_MS: Final = 120_000
"""So long, in business time, a dialog waits for the operator it was sent on to: the core's default."""

Keys = Mapping[str, Mapping[str, str]]
"""By account: its secrets."""


def configuration(scenario: Scenario, speed: float, keys: Keys, callbacks: Mapping[str, str]) -> dict[str, Any]:
    """All but where the core listens and stores; `callbacks`: where each account's provider, and the bank, listen."""
    timers = scenario.timers
    bank = _bank(callbacks) if scenario.authentication is not None and BANK in callbacks else {}
    return {
        **bank,
        "journal": "sqlite",
        "partitions": PARTITIONS,
        "secret": "env:CHATCORE_SECRET",
        "operators": [],
        "accounts": _accounts(scenario, speed, keys, callbacks) + ([_codes(callbacks)] if bank else []),
        "bot": _bot(scenario.bot, callbacks),
        "timers_ms": {
            "offer": max(1, round(timers.offer / speed)),
            "grace": max(1, round(timers.grace)),
            "inactivity": max(1, round(timers.inactivity / speed)),
            "window": max(1, round(WINDOW_MS / speed)),
            "transfer": max(1, round(TRANSFER_MS / speed)),
        },
        "hold_text": ON_HOLD,
        "templates": [notice.model_dump(include={"name", "text", "broadcast"}) for notice in scenario.notices],
        **_limits_of_an_address(scenario.hostile),
        "departments": [{"id": name, "internal": True} for name in scenario.operators.internal],
    }


def answered(scenario: Scenario, speed: float) -> dict[str, Any]:
    """What the bank would say in the file of its answers."""
    bot, asked, said = scenario.bot, scenario.feedback, scenario.replies
    answers = [answer.model_dump() for answer in bot.answers]
    if scenario.authentication is not None:
        keywords = scenario.authentication.keywords
        answers.insert(0, {"rule": OPERATION, "keywords": keywords, "action": OPERATION})
    found: dict[str, Any] = {"answers": answers, "handover": bot.handover}
    if bot.menu is not None:
        lines = [line.model_dump(exclude={"department"}) for line in bot.menu.lines]
        found["menu"] = {"text": bot.menu.text, "items": lines}
    found["topics"] = bot.topics
    replies = said.by_event() if said is not None else {}
    if asked is not None:
        window_s = max(1, round(asked.window / 1000 / speed))
        found["feedback"] = {"scale": asked.scale, "window_s": window_s, "bad": [asked.bad], "good": [asked.good]}
        replies["feedback"] = asked.request
    return found | {"replies": [{"event": event, "text": text} for event, text in replies.items()]}


def _limits_of_an_address(hostile: Hostile | None) -> dict[str, Any]:
    """How much of one address the core refuses before it listens to it no more; our own is trusted by default."""
    if hostile is None:
        return {}
    return {"limits": {"address": {"per_s": hostile.allowed_per_s, "burst": hostile.allowed_burst}}}


def _bank(callbacks: Mapping[str, str]) -> dict[str, Any]:
    """Where the bank's own service is, and the account that mails its codes."""
    return {"bank": {"api": callbacks[BANK], "token": "env:CHATCORE_BANK", "mail_account": RELAY}}


def _codes(callbacks: Mapping[str, str]) -> dict[str, Any]:
    """The account that mails codes, where nobody writes to."""
    secret = {"webhook_secret": "env:CHATCORE_BANK", "sender": f"{RELAY}@bank.example"}
    return {"id": RELAY, "channel": "email", "api": callbacks[RELAY], **secret}


def new_keys(name: str) -> dict[str, str]:
    """The secrets of a messenger's account, as the messenger and its customer agree on them."""
    token = f"{secrets.randbelow(10**10)}:{secrets.token_urlsafe(24)}"
    found = {"token": token, "webhook_secret": secrets.token_hex(16)}
    messenger = MESSENGERS[channel_of(name)]
    sender = f"{10**9 + secrets.randbelow(10**9)}{messenger.host}"
    others = {"sender": sender, "verify_token": secrets.token_hex(16)}
    return found | {what: others[what] for what in messenger.keys}


def variable(name: str, what: str) -> str:
    """The environment variable that holds a secret of an account."""
    return f"{name}_{what}".replace("-", "_").upper()


def _bot(bot: Bot, callbacks: Mapping[str, str]) -> dict[str, Any]:
    """How often the bot may miss, and where the bank's own is, if somebody plays one."""
    if bot.service is None or BANKS_BOT not in callbacks:
        return {"misses": bot.misses}
    asked = {"url": callbacks[BANKS_BOT], "token": "env:CHATCORE_BOT", "timeout_ms": round(bot.service.timeout)}
    return {"misses": bot.misses, **asked}


def _kind(bot: Bot, callbacks: Mapping[str, str]) -> str:
    """Who answers first where there is a bot; keywords, where nobody plays the bank's own."""
    own = bot.service is not None and BANKS_BOT in callbacks
    return "http" if own else "menu" if bot.menu is not None else "keywords"


def _accounts(scenario: Scenario, speed: float, keys: Keys, callbacks: Mapping[str, str]) -> list[dict[str, Any]]:
    """One account a channel; of a messenger, those whose provider somebody plays."""
    found: list[dict[str, Any]] = []
    for channel, settings in scenario.channels.played().items():
        played = [name for name in callbacks if channel_of(name) == channel]
        bot = _kind(scenario.bot, callbacks) if settings.bot else "none"
        for name in played if channel in MESSENGERS else [account(channel)]:
            own: dict[str, Any] = {}
            if isinstance(settings, Limits):
                own = _provider(name, keys[name], callbacks[name]) | _limits(settings, speed, len(played))
            asks = settings.model_dump(include={"department", "skill", "language", "weight"})
            found.append({"id": name, "channel": channel, "bot": bot, **asks, **own})
    return found


def _provider(name: str, keys: Mapping[str, str], api: str) -> dict[str, Any]:
    """The provider's side of an account."""
    without = {"token"} if api.startswith("smtp://") else set()  # nobody logs in where there is no TLS
    said = {
        what: value if what == "sender" else f"env:{variable(name, what)}"  # who writes is no secret
        for what, value in keys.items()
        if what not in without
    }
    return {"api": api, **said}


def _limits(limits: Limits, speed: float, share: int) -> dict[str, Any]:
    """An account's part of the limits of the scenario's one."""
    return {
        "rate_per_s": limits.rate_per_s * speed / share,
        "chat_rate_per_s": limits.chat_rate_per_s * speed,
        "burst": limits.burst,
    }
