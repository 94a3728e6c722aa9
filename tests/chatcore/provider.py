"""A messenger's API that answers as a test tells it, and remembers what was asked."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from tests.chatcore.client import BOT_TOKEN

Answer = tuple[int, dict[str, Any]]


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


class Provider:
    """Takes every message, unless `answers` holds what is to be said to a chat next; `hold` keeps answers back.

    `hang_up` makes it end the next call's connection without an answer.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[int, str]] = []
        self.at_s: list[float] = []
        self.taken: list[tuple[int, str]] = []
        self.answers: defaultdict[int, list[Answer]] = defaultdict(list)
        self.most_in_flight: defaultdict[int, int] = defaultdict(int)
        self.api = ""
        self.in_flight: defaultdict[int, int] = defaultdict(int)
        self._hangs_up = False
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def hang_up(self) -> None:
        self._hangs_up = True
        self.hold()

    def release(self) -> None:
        self._open.set()

    async def handle(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        assert set(body) == {"chat_id", "text"}
        chat, text = body["chat_id"], body["text"]
        self.calls.append((chat, text))
        self.at_s.append(asyncio.get_running_loop().time())
        self.in_flight[chat] += 1
        self.most_in_flight[chat] = max(self.most_in_flight[chat], self.in_flight[chat])
        try:
            await self._open.wait()
        finally:
            self.in_flight[chat] -= 1
        if self._hangs_up:
            self._hangs_up = False
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        if self.answers[chat]:
            status, answer = self.answers[chat].pop(0)
            return web.json_response(answer, status=status)
        self.taken.append((chat, text))
        return web.json_response({"ok": True, "result": {"message_id": 1_000 + len(self.taken)}})


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Provider]:
    """A provider's API on a free loopback port."""
    provider = Provider()
    app = web.Application()
    app.add_routes([web.post(f"/bot{BOT_TOKEN}/sendMessage", provider.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        provider.api = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield provider
    finally:
        provider.release()
        await runner.cleanup()
