"""What all edges share: the core behind them, its configuration, and who may pass."""

import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from chatcore.analytics import mood
from chatcore.analytics.mood import Words
from chatcore.analytics.tables import Dialogs
from chatcore.answers import Answers, load
from chatcore.bot import Bot
from chatcore.config import MAX_TEXT, Account, Config
from chatcore.edges.files import Files
from chatcore.edges.guard import Guard
from chatcore.edges.hub import Hub
from chatcore.errors import Unauthorized
from chatcore.machines.commands import Refused
from chatcore.machines.events import Wish
from chatcore.runtime.core import Core
from chatcore.tokens import verify

MAX_BODY = 64 * 1024
MAX_WEBHOOK = 3 * 1024 * 1024  # what Meta documents for a batch
MAX_SAID = 4 * MAX_TEXT  # of a customer's text over a provider; the longest that one documents is VK's 9,000
MAX_ID = 512  # of a user or a message, as a provider names them


class Gateway:
    """The core, its configuration, the hub and the bot, as the edges use them; counts what it refuses.

    Raises:
        BadConfig: the bank's answers or its words for moods cannot be used.
    """

    def __init__(self, core: Core, config: Config, hub: Hub) -> None:
        self.core = core
        self.files = Files(Path(config.data) / "files" if config.journal == "sqlite" else None, config.secret)
        self.config = config
        self.hub = hub
        self.public_url = config.public_url  # where providers reach us; known once the port is bound
        self.bot = Bot(load(Path(config.answers)) if config.answers else Answers())
        words = config.quality.words
        self.dialogs = Dialogs(Words(mood.load(Path(words))) if words else Words())
        self.accounts: dict[str, Account] = {account.id: account for account in config.accounts}
        self.wishes = {each.id: Wish(each.skill, each.language, each.slots) for each in config.accounts}
        self.text_most = {each.id: each.text_most for each in config.accounts}
        self.guard = Guard(config.limits)
        self.counters: dict[str, int] = {}
        self.webhooks_taken = 0
        self.smtp_port = 0  # where mails are taken; 0 = nowhere
        self.stopping = False

    @property
    def ready(self) -> bool:
        """Whether commands may be decided: recovered, proven to store, and not stopping."""
        return self.core.ready and not self.stopping

    def check_ready(self) -> None:
        """Refuse before anything is decided.

        Raises:
            Refused: nothing can be stored now.
        """
        if not self.ready:
            raise Refused("not_stored")

    def count(self, what: str) -> None:
        """Add one to a counter that `/v1/state` shows."""
        self.counters[what] = self.counters.get(what, 0) + 1

    def subject(self, token: object, role: str) -> str:
        """The subject of a valid token of `role`.

        Raises:
            Unauthorized: anything else.
        """
        found, subject = verify(self.config.secret, token if isinstance(token, str) else "", time.time())
        if found != role:
            raise Unauthorized
        return subject

    def bearer(self, request: web.Request) -> tuple[str, str]:
        """(role, subject) of the request's bearer token.

        Raises:
            Unauthorized: none, or not valid.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized
        return verify(self.config.secret, token, time.time())


GATEWAY = web.AppKey("gateway", Gateway)


def error(status: int, code: str, detail: str = "", headers: Mapping[str, str] | None = None) -> web.Response:
    """An error answer: a stable code and a sentence."""
    return web.json_response({"error": code, "detail": detail}, status=status, headers=headers)
