"""Strangers: forged, broken and endless requests, at planned moments, over raw connections from their own address.

Each leaves one HOSTILE row. Nobody waits for anybody: the next one comes when it is planned, whatever was answered.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Final, cast
from urllib.parse import urlsplit

from chatload.accounts import user_of
from chatload.fleet import codes
from chatload.fleet.frames import encode
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.providers.chat import Heard
from chatload.fleet.providers.limits import TokenBucket
from chatload.fleet.providers.provider import Provider, now_ms
from chatload.fleet.world import World
from chatload.plan.hostile import Attack

ADDRESS: Final = "127.0.0.66"
TIMEOUT_S: Final = 10.0
OVERSIZE: Final = 100 << 20
HEAD: Final = 20_000
UNSIGNED: Final = 401
NOT_WEBHOOKS: Final = frozenset({"email", "phone"})
FORGED: Final = "customer.eA.9999999999.0123456789abcdef"
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_UPGRADE: Final = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)
_CLOSING: Final = 0x88

Told = Callable[[int, str, int], None]  # outcome, reason, when


class Strangers:
    """Does what is planned, from `begin` on, for as long as the load lasts.

    Nobody comes where the target is not on loopback: they would have no address of their own there.
    """

    def __init__(self, world: World, planned: Iterable[Attack], providers: Iterable[Provider]) -> None:
        self._world = world
        self._actor = Actor(world, "stranger")
        self._planned = iter(planned)
        self._forged = [
            provider for provider in providers if provider.keys.token and provider.channel not in NOT_WEBHOOKS
        ]
        self._under_way: set[asyncio.Task[None]] = set()
        hostile = world.plan.scenario.hostile
        self._flood = hostile.flood if hostile is not None else 0
        self._stopped = not (urlsplit(world.target.url).hostname or "").startswith("127.")

    def begin(self) -> None:
        """Have the next one come when it is due."""
        attack = next(self._planned, None)
        if attack is not None and not self._stopped:
            due_ns = self._world.when(attack.at_ms)
            self._world.clock.at(due_ns, lambda: self._come(attack, due_ns))

    def stop(self) -> None:
        """Nobody comes any more."""
        self._stopped = True

    async def close(self) -> None:
        """Give up what is under way."""
        self.stop()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _come(self, attack: Attack, due_ns: int) -> None:
        self.begin()
        if not self._stopped:
            task = asyncio.get_running_loop().create_task(self._attack(attack, due_ns))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _attack(self, attack: Attack, due_ns: int) -> None:
        contact, request = self._request(attack)
        count = self._flood if attack.kind == "flood" else 1
        started_ns = self._world.clock.now_ns()
        outcome, reason, done_ns = await self._send(_Raid(request * count, count))
        text = self._world.recorder.text
        self._actor.row(
            codes.HOSTILE, outcome, Subject(self._world, contact), started_ns, intended=due_ns, started=started_ns,
            done=done_ns, size=count, rule=text(attack.kind), reason=text(reason),
        )  # fmt: skip

    async def _send(self, raid: "_Raid") -> tuple[int, str, int]:
        where = urlsplit(self._world.target.socket_url if raid.socket else self._world.target.url)
        host = where.hostname or ""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: raid, host, where.port or 80, local_addr=(ADDRESS, 0)
                )
                outcome, reason = await raid.over
        except (OSError, TimeoutError) as error:
            return codes.INDETERMINATE, type(error).__name__, -1
        finally:
            raid.leave()
        return outcome, reason, self._world.clock.now_ns() if outcome != codes.INDETERMINATE else -1

    def _request(self, attack: Attack) -> tuple[str, bytes]:
        """Whom it pretends to be, and the bytes."""
        match attack.kind:
            case "oversize":
                return "", _head("POST", "/v1/notices", f"Content-Length: {OVERSIZE}") + b"{"
            case "head":
                return "", _head("POST", "/webhooks/telegram/tg", f"X-Long: {'x' * HEAD}")
            case "rest":
                return "", _head("GET", "/v1/state", f"Authorization: Bearer {FORGED}")
            case "socket":
                return "", _head("GET", "/v1/chat", _UPGRADE)
            case "unknown":
                return "", _post("/webhooks/pigeon/loft", [], b"{}")
        if not self._forged:
            return "", _post("/webhooks/telegram/tg", [], b"{}")
        provider = self._forged[attack.index % len(self._forged)]
        path = f"/webhooks/{provider.channel}/{self._world.account(provider.channel)}"
        user = user_of(attack.index, provider.channel)
        contact = f"{self._world.account(provider.channel)}/{user}"
        if attack.kind == "malformed":
            return contact, _post(path, [], b"[" * 3_000)
        return contact, _post(path, *_forgery(provider, user))


class _Raid(asyncio.Protocol):
    """One connection: says what it has to say, and listens until it has as many answers, or none can follow."""

    def __init__(self, request: bytes, count: int) -> None:
        self.over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.socket = b"Upgrade: websocket" in request
        self._request = request
        self._count = count
        self._transport: asyncio.Transport | None = None
        self._heard = b""
        self._statuses: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the answers."""
        self._heard += data
        if self.socket and self._statuses == [101]:
            self._closed()
            return
        found = list(_STATUS.finditer(self._heard))
        self._statuses += [int(each[1]) for each in found]
        self._heard = self._heard[found[-1].end() :] if found else self._heard[-16:]
        if self._statuses == [101] and self._transport is not None:
            self._heard = self._heard.partition(b"\r\n\r\n")[2]
            self._transport.write(_frame(encode({"op": "hello", "token": FORGED, "session": "x"})))
        elif len(self._statuses) >= self._count:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever was cut off after an answer was refused, even if the last words were lost; without any, who knows."""
        if self._statuses:
            self._end("cut off")
        elif not self.over.done():
            self.over.set_result((codes.INDETERMINATE, "disconnected"))

    def leave(self) -> None:
        """Close."""
        if self._transport is not None:
            self._transport.abort()

    def _closed(self) -> None:
        """A socket said something: that it closes, or what nobody may be told who shows no token."""
        if len(self._heard) >= 4 and not self.over.done():
            closing = self._heard[0] == _CLOSING
            code = int.from_bytes(self._heard[2:4], "big")
            self.over.set_result((codes.REJECTED, f"closed {code}") if closing else (codes.OK, "welcomed"))

    def _end(self, otherwise: str = "") -> None:
        taken = [status for status in self._statuses if 200 <= status <= 299]
        outcome = codes.OK if taken else codes.REJECTED
        if not self.over.done():
            last = (taken or self._statuses)[-1]
            self.over.set_result((outcome, otherwise if last == UNSIGNED and otherwise else str(last)))


def _forgery(provider: Provider, user: str) -> tuple[list[str], bytes]:
    """Headers and body of a webhook as the messenger would post it, but for what shows that it is genuine."""
    chat = provider.chat(user, TokenBucket(1.0, 1.0))
    body = provider.envelope([provider.said(chat, Heard(provider.new_id(chat), "Give me the money", "", now_ms()))])
    body = body.replace(provider.keys.webhook_secret.encode(), b"wrong")
    signed = [line for line in provider.lines(body, 1).decode().split("\r\n") if line]
    return [*(f"{name}: wrong" for name in provider.headers()), *(line[:-4] + "0000" for line in signed)], body


def _post(path: str, lines: list[str], body: bytes) -> bytes:
    return _head("POST", path, *lines, "Content-Type: application/json", f"Content-Length: {len(body)}") + body


def _head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: bank", *lines, "", ""]).encode()


def _frame(payload: bytes) -> bytes:
    """A client's text frame of less than 126 bytes, masked with zeros."""
    return bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload
