"""A bank's own bot, and its service of hints, that are slow, broken or wrong on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

TOKEN = "the bank's token"


class BankBot:
    """Answers with `status` and `body`; `hold` keeps answers back until `release`."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Any] = []
        self.entries: list[Any] = []  # … and what was said before each
        self.tokens: set[str | None] = set()
        self.status = 200
        self.body: Any = {"kind": "answer", "rule": "r", "text": "It is 42."}
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

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
    app = web.Application()
    app.add_routes([web.post("/ask", bot.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bot.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ask"
        yield bot
    finally:
        bot.release()
        await runner.cleanup()
