"""A bank's platform of a few lines, over real HTTP, for any simulated messenger: it keeps what comes, serves files."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
from aiohttp import web

from chatload.accounts import ACCOUNTS, user_of
from chatload.fleet.clock import now_ns
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat
from chatload.fleet.world import MessengerAccount, Target
from chatload.targets.nullserver.dialects import DIALECTS, Said
from tests.chatload.fleet.messengers import Listener, Server
from tests.chatload.fleet.stage import Row, Stage, dialog, played

KEYS = MessengerAccount("token", "secret", "1001", "verify")


class Call(NamedTuple):
    """A request of the messenger."""

    at_ns: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.raw)


class Bank(Server):
    """Answers webhooks with the statuses in `answers`, one after the other, then as the messenger expects.

    `refuses`: whether a request's body gets a 500.
    """

    def __init__(self, channel: str, answers: list[int] | None = None) -> None:
        super().__init__(self._called)
        self.channel = channel
        self.answers = answers or []
        self.calls: list[Call] = []
        self.files: dict[str, bytes] = {}
        self.refuses: Callable[[bytes], bool] = lambda raw: False

    def said(self) -> list[Said]:
        """The customers' messages in all calls."""
        return [said for call in self.calls for said in DIALECTS[self.channel].heard(call.body)]

    def texts(self) -> list[str]:
        """Their texts."""
        return [text for _, _, text in self.said()]

    async def _called(self, request: web.Request) -> web.Response:
        if request.path.startswith("/files/"):
            found = self.files.get(request.path)
            return web.Response(status=404) if found is None else web.Response(body=found)
        raw = await request.read()
        called = Call(now_ns(), request.method, request.path, dict(request.query), dict(request.headers), raw)
        self.calls.append(called)
        if "hub.challenge" in request.query:
            return web.Response(text=request.query["hub.challenge"])
        if b'"confirmation"' in raw:
            return web.Response(text=KEYS.verify_token)
        status = self.answers.pop(0) if self.answers else 200
        if self.refuses(raw):
            status = 500
        thanks = DIALECTS[self.channel].thanks if self.channel in DIALECTS else b"{}"
        return web.Response(status=status, body=thanks)


class Person:
    """A customer without a script, in a chat of their own."""

    def __init__(self, stage: Stage, channel: str, index: int) -> None:
        self.user = user_of(index, channel)
        self.heard = Listener()
        self._actor = Actor(stage.world, f"c{index}")
        self._subject = Subject(stage.world, f"{ACCOUNTS[channel]}/{self.user}", index)
        self.chat: Chat = stage.provider.join(self._actor, self._subject, self.heard)

    def say(self, counter: int, file: str = "") -> None:
        """Send the n-th message, with a file of this kind if one is named."""
        message = self._actor.message(self._subject, counter, "Привет", now_ns())
        message.attachment = media.named(message.cid, 1000 + counter, file) if file else ""
        self.chat.send(message)


async def ask(
    stage: Stage, path: str, headers: dict[str, str] | None = None, body: Any = None, method: str = "POST"
) -> tuple[int, bytes]:
    """Call the messenger's API: status and body; anything but bytes is sent as JSON."""
    data = body if body is None or isinstance(body, bytes | aiohttp.FormData) else orjson.dumps(body)
    url = path if path.startswith("http") else f"{stage.provider.url}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=data) as response,
    ):
        return response.status, await response.read()


async def send(stage: Stage, user: str, text: str, keys: MessengerAccount = KEYS) -> tuple[int, Any]:
    """Send a text as a platform does: status, and body as JSON."""
    path, headers, body = DIALECTS[stage.provider.channel].send(keys, user, text)
    status, answer = await ask(stage, path, headers, body)
    return status, orjson.loads(answer)


def at_a_bank(
    folder: Path, bank: Bank, act: Callable[[Stage], Awaitable[None]], speed: float = 1.0, **settings: Any
) -> list[Row]:
    """The ledger after `act` on a stage whose messenger posts to `bank`."""

    async def aimed(stage: Stage) -> None:
        await bank.start()
        stage.world.target = Target(bank.url, "secret", {ACCOUNTS[bank.channel]: KEYS})
        stage.provider.begin()
        try:
            await act(stage)
        finally:
            await bank.stop()

    dialogs = [dialog(n, "handover", channel=bank.channel) for n in range(1, 6)]
    return played(folder, dialogs, aimed, speed=speed, channel=bank.channel, **settings)
