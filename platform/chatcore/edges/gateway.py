"""What all edges share: the core behind them, its configuration, and who may pass."""

import time
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from chatcore.bot import KeywordBot
from chatcore.config import Account, Config
from chatcore.edges.hub import Hub
from chatcore.edges.session import BAD_FRAME, UNAUTHORIZED, Session
from chatcore.errors import BadFrame, Unauthorized
from chatcore.machines.commands import Refused
from chatcore.runtime.core import Core
from chatcore.tokens import verify

MAX_BODY = 64 * 1024
MAX_TEXT = 4_096


class Gateway:
    """The core, its configuration, the hub and the bot, as the edges use them; counts what it refuses."""

    def __init__(self, core: Core, config: Config, hub: Hub) -> None:
        self.core = core
        self.config = config
        self.hub = hub
        self.bot = KeywordBot(config.bot)
        self.accounts: dict[str, Account] = {account.id: account for account in config.accounts}
        self.counters: dict[str, int] = {}
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


class Visitor(Protocol):
    """Who a socket turns out to belong to."""

    async def run(self) -> None:
        """Take frames until the socket ends."""


async def attend(
    request: web.Request, admit: Callable[[Gateway, Session, dict[str, object]], Visitor], whose: str
) -> web.WebSocketResponse:
    """Open the WebSocket that the request asks for, admit its visitor by their hello, and stay to the end.

    Raises:
        ConnectionResetError: the peer is gone already.
    """
    socket = web.WebSocketResponse(compress=False, heartbeat=30, max_msg_size=MAX_BODY)
    await socket.prepare(request)
    if request.transport is None:
        raise ConnectionResetError
    session = Session(socket, request.transport)
    gateway = request.app[GATEWAY]
    gateway.hub.sessions.add(session)
    try:
        visitor = admit(gateway, session, await session.hello())
    except Unauthorized:
        session.close(UNAUTHORIZED, f"say hello with {whose} token")
    except BadFrame as fault:
        session.close(BAD_FRAME, str(fault))
    else:
        await visitor.run()
    finally:
        gateway.hub.sessions.discard(session)
        await session.ended()
    return socket


def error(status: int, code: str, detail: str = "") -> web.Response:
    """An error answer: a stable code and a sentence."""
    return web.json_response({"error": code, "detail": detail}, status=status)
