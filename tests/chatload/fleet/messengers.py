"""A real HTTP platform for the simulated Telegram, and customers of it without a script."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from chatload.fleet.clock import now_ns
from chatload.fleet.ledger import Actor, Message, Subject
from chatload.fleet.providers.chat import Chat
from chatload.fleet.session import Customer
from chatload.fleet.world import MessengerAccount, Target
from tests.chatload.fleet.stage import Row, Stage, dialog, played
from tests.chatload.fleet.stub_core import BOT_TOKEN, HOOK_SECRET

Answers = list[int | tuple[int, dict[str, str]] | None]


class Server:
    """Answers every request over real HTTP by `answer`."""

    def __init__(self, answer: Callable[[web.Request], Awaitable[web.Response]]) -> None:
        self._answer = answer
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()


class Platform(Server):
    """Answers webhooks with prepared statuses per chat (None breaks the connection), then 200; keeps what came."""

    def __init__(self, answers: dict[int, Answers] | None = None) -> None:
        super().__init__(self._called)
        self.answers = answers or {}
        self.calls: list[tuple[int, dict[str, Any], Any]] = []  # when, headers, update

    async def _called(self, request: web.Request) -> web.Response:
        assert (request.method, request.path) == ("POST", "/webhooks/telegram/tg")
        update = orjson.loads(await request.read())
        self.calls.append((now_ns(), dict(request.headers), update))
        message = update.get("message") or update.get("edited_message") or {"chat": {"id": 0}}
        prepared = self.answers.get(message["chat"]["id"], [])
        answer = prepared.pop(0) if prepared else 200
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
        status, headers = answer if isinstance(answer, tuple) else (answer or 200, {})
        error = {"error": "not_stored"} if status == 503 else {}
        return web.json_response(error, status=status, headers=headers)

    def messages(self, chat: int) -> list[int]:
        """The counters of the messages that came from a chat, in order."""
        texts = [update["message"]["text"] for _, _, update in self.calls if "message" in update]
        ids = [update["message"]["chat"]["id"] for _, _, update in self.calls if "message" in update]
        return [
            int(text.split("]")[0].rsplit(":", 1)[1]) for text, found in zip(texts, ids, strict=True) if found == chat
        ]


class Listener:
    """A customer without a script: remembers what it is told."""

    def __init__(self) -> None:
        self.acknowledged_counters: list[int] = []
        self.saw_texts: list[str] = []

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        self.acknowledged_counters.append(message.counter)

    def saw(self, entry: Any, identity: Any, stamp_ns: int) -> None:
        self.saw_texts.append(entry.text)

    def failed(self, reason: str) -> None:
        raise AssertionError(reason)


def join(stage: Stage, index: int, customer: Customer | None = None) -> tuple[Chat, Callable[[int], None]]:
    """A chat, and how its customer sends the n-th message."""
    actor = Actor(stage.world, f"c{index}")
    subject = Subject(stage.world, f"tg/{5_000_000_000 + index}", index)
    chat = stage.provider.join(actor, subject, customer or Listener())

    def send(counter: int) -> None:
        chat.send(actor.message(subject, counter, "words", now_ns()))

    return chat, send


def posted(folder: Path, platform: Platform, act: Callable[[Stage], Awaitable[None]], **settings: Any) -> list[Row]:
    """The ledger after `act` on a stage whose messenger posts to `platform`."""

    async def aimed(stage: Stage) -> None:
        await platform.start()
        stage.world.target = Target(platform.url, "secret", {"tg": MessengerAccount(BOT_TOKEN, HOOK_SECRET)})
        stage.provider.begin()
        try:
            await act(stage)
        finally:
            await platform.stop()

    return played(folder, [dialog(n, "handover", channel="telegram") for n in (1, 2)], aimed, speed=1.0, **settings)
