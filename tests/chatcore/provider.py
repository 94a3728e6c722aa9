"""A messenger's API that answers as a test tells it, and remembers what was asked."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import orjson
from aiohttp import web

from tests.chatcore.client import BOT_TOKEN
from tests.chatcore.service import Service, listening

Answer = tuple[int, Any]
"""The HTTP status and a JSON value, or bytes that are sent as they are, as a PNG."""


class Asked(NamedTuple):
    """A request; names of headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's value."""
        return orjson.loads(self.body)


class Provider(Service):
    """Says to each request what `answer` makes of it; `hold` keeps answers back.

    `hang_up` makes it end the next request's connection without an answer.
    """

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[Asked] = []
        self.at_s: list[float] = []
        self.api = ""
        self._hangs_up = False

    def hang_up(self) -> None:
        self._hangs_up = True
        self.hold()

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path, dict(request.query), headers, await request.read())
        self.asked.append(asked)
        self.at_s.append(asyncio.get_running_loop().time())
        await self._open.wait()
        if self._hangs_up:
            self._hangs_up = False
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        status, content = self.answer(asked)
        if isinstance(content, bytes):
            return web.Response(body=content, status=status, content_type="image/png")
        return web.json_response(content, status=status)


P = TypeVar("P", bound=Provider)


@asynccontextmanager
async def serve(provider: P, port: int = 0) -> AsyncIterator[P]:
    """A provider's API on a free loopback port, for any method and path."""
    async with listening(provider, web.route("*", "/{path:.*}", provider.handle), port=port) as provider.api:
        yield provider


# --- Telegram --------------------------------------------------------------------------------------------------------


def blocked() -> Answer:
    """The user has blocked the bot."""
    return 403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}


def too_many(after_s: float) -> Answer:
    """The limit was passed."""
    return 429, {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests",
        "parameters": {"retry_after": after_s},
    }


class BotApi(Provider):
    """Telegram: takes every message, unless `answers` holds what is to be said to a chat next."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.taken: list[tuple[int, str]] = []
        self.answers: defaultdict[int, list[Answer]] = defaultdict(list)
        self.most_in_flight: defaultdict[int, int] = defaultdict(int)
        self.in_flight: defaultdict[int, int] = defaultdict(int)

    @property
    def calls(self) -> list[tuple[int, str]]:
        """Chats and texts, in the order of the requests."""
        return [self._read(asked.body) for asked in self.asked]

    async def handle(self, request: web.Request) -> web.Response:
        chat, _ = self._read(await request.read())
        self.in_flight[chat] += 1
        self.most_in_flight[chat] = max(self.most_in_flight[chat], self.in_flight[chat])
        try:
            return await super().handle(request)
        finally:
            self.in_flight[chat] -= 1

    def _say(self, asked: Asked) -> Answer:
        assert (asked.method, asked.path) == ("POST", f"/bot{BOT_TOKEN}/sendMessage")
        chat, text = self._read(asked.body)
        if self.answers[chat]:
            return self.answers[chat].pop(0)
        self.taken.append((chat, text))
        return 200, {"ok": True, "result": {"message_id": 1_000 + len(self.taken)}}

    @staticmethod
    def _read(body: bytes) -> tuple[int, str]:
        found = orjson.loads(body)
        assert set(found) == {"chat_id", "text"}
        return found["chat_id"], found["text"]


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[BotApi]:
    """Telegram's API on a free loopback port."""
    async with serve(BotApi(), port) as found:
        yield found
