"""A bank's own bot, and its service of hints, that are slow, broken or wrong on demand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from tests.chatcore.service import Service, listening

TOKEN = "the bank's token"


class BankBot(Service):
    """Answers with `status` and `body`; `hold` keeps answers back until `release`."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.calls: list[Any] = []
        self.entries: list[Any] = []  # … and what was said before each
        self.tokens: set[str | None] = set()
        self.status = 200
        self.body: Any = {"kind": "answer", "rule": "r", "text": "It is 42."}

    async def handle(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        self.entries.append(asked.pop("entries", None))
        self.calls.append(asked)
        self.tokens.add(request.headers.get("Authorization"))
        await self._open.wait()
        body = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        return web.Response(body=body, status=self.status)


@asynccontextmanager
async def serving() -> AsyncIterator[BankBot]:
    """A bot on a free loopback port."""
    bot = BankBot()
    async with listening(bot, web.post("/ask", bot.handle)) as url:
        bot.url = f"{url}/ask"
        yield bot
