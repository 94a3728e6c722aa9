"""The core under test as a pinned process of its own, and the peers that the core's benchmarks play against it."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import orjson
from benchmarks.sides import pinned
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from chatcore.tokens import sign

SECRET, HOOK_SECRET, BOT_TOKEN = "a secret for benchmarks", "a webhook secret", "42:token"
HOOK = "/webhooks/telegram/tg"
CORE_CPU, CLIENT_CPU = [0], [1]
HOUR_MS = 3_600_000
COUNTER_DIGITS = 10

_UPDATE = (
    b'{"update_id":%(id)d,"message":{"message_id":%(id)d,"date":1760000000,"chat":{"id":%(chat)d,"type":"private",'
    b'"first_name":"Anna"},"from":{"id":%(chat)d,"is_bot":false,"first_name":"Anna","language_code":"ru"},'
    b'"text":"%(id)010d could you tell me when my card arrives, please?"}}'
)
_POST = (
    b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"X-Telegram-Bot-Api-Secret-Token: %s\r\nContent-Length: %d\r\n\r\n%s"
)


def update(number: int, chat: int) -> bytes:
    """A whole request that posts a Telegram Update; `number` stands first in its text."""
    body = _UPDATE % {b"id": number, b"chat": chat}
    return _POST % (HOOK.encode(), HOOK_SECRET.encode(), len(body), body)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


NOWHERE = "http://127.0.0.1:9"
TELEGRAM = {"id": "tg", "channel": "telegram", "api": NOWHERE, "token": BOT_TOKEN, "webhook_secret": HOOK_SECRET}


class Core:
    """A core as shipped, over SQLite in `folder`; `operators` of `slots` slots, one messenger's account."""

    def __init__(self, folder: Path, operators: int, slots: int, account: Mapping[str, str] = TELEGRAM) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self._config = folder / "core.json"
        limits = {"rate_per_s": 1e6, "chat_rate_per_s": 1e6, "burst": 1_000_000}
        settings = {
            "secret": SECRET,
            "data": str(self.data),
            "port": self.port,
            "operators": [{"id": f"o{number}", "slots": slots} for number in range(operators)],
            "accounts": [{**account, **limits}],
            "timers_ms": {"offer": HOUR_MS, "grace": HOUR_MS, "inactivity": HOUR_MS},
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(json.dumps(settings))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None, "start it first"
        return self._process.pid

    def start(self) -> float:
        """Start the process on its CPU and wait until it is ready; how long that took, in seconds."""
        with pinned(CORE_CPU):
            started = time.perf_counter()
            command = [sys.executable, "-m", "chatcore", "--config", str(self._config)]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self._ready():
            if self._process.poll() is not None:
                raise SystemExit(f"the core ended with {self._process.returncode}")
            time.sleep(0.005)
        return time.perf_counter() - started

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """End the process as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """CPU seconds of the process and its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kb(self) -> float:
        """Resident memory of the process."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


class Floor:
    """What the desks have seen: who owns which dialog, and when each numbered message arrived (0: not yet)."""

    def __init__(self) -> None:
        self.desks: list[Desk] = []
        self.owned: dict[str, tuple[Desk, int]] = {}
        self.seen_s: dict[int, float] = {}
        self.acks = 0
        self.twice = 0
        self.told: Callable[[str, str], None] | None = None  # of a receipt: dialog and status

    def saw(self, text: str) -> None:
        """A customer's message is on its operator's screen."""
        number = int(text[:COUNTER_DIGITS])
        self.twice += number in self.seen_s
        self.seen_s[number] = time.perf_counter()

    async def open(self, core: Core, operators: int) -> None:
        """Connect all desks and say online."""
        for number in range(operators):
            _, desk = await ws_connect(lambda n=number: Desk(self, f"o{n}"), f"ws://127.0.0.1:{core.port}/v1/desk")
            assert isinstance(desk, Desk)
            self.desks.append(desk)


class Desk(WSListener):
    """An operator who accepts every offer."""

    def __init__(self, floor: Floor, operator: str) -> None:
        super().__init__()
        self.floor = floor
        self.operator = operator
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say hello and go on duty."""
        self.transport = transport
        self.send({"op": "hello", "token": sign(SECRET, "operator", self.operator, int(time.time()) + 86_400)})
        self.send({"op": "presence", "state": "online"})

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Accept offers, note what is seen."""
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            return
        if frame.msg_type != WSMsgType.TEXT:
            return
        view = orjson.loads(frame.get_payload_as_memoryview())
        match view["op"]:
            case "entry" if view.get("author") == "customer":
                self.floor.saw(view["text"])
            case "entry" if view["kind"] == "closed":
                self.floor.owned.pop(view["dialog"], None)
            case "offered":
                self.send({"op": "accept", "dialog": view["dialog"], "number": view["number"]})
            case "accepted":
                self.floor.owned[view["dialog"]] = (self, view["number"])
            case "ack":
                self.floor.acks += 1
            case "receipt" if self.floor.told is not None:
                self.floor.told(view["dialog"], view["status"])

    def send(self, view: dict[str, object]) -> None:
        """Send a frame."""
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, orjson.dumps(view))


class Poster(asyncio.Protocol):
    """A keep-alive connection that posts one request after the other, each when the last was answered."""

    def __init__(self, crew: "Crew") -> None:
        self._crew = crew
        self._transport: asyncio.Transport | None = None
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of its subclasses

    def data_received(self, data: bytes) -> None:
        """Count a whole answer, then post again."""
        self._answer += data
        if body_of(self._answer) is None:
            return
        if not self._answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a webhook was refused: {self._answer!r}")
        self._answer = b""
        self._crew.answered += 1
        self.post()

    def post(self) -> None:
        """Post the next request, if there is one left."""
        request = self._crew.next_request()
        assert self._transport is not None
        if request is not None:
            self._transport.write(request)
        else:
            self._crew.rest(self)

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()


def body_of(message: bytes) -> bytes | None:
    """The body of a request or an answer that states its length; None while it is not whole."""
    head, end, body = message.partition(b"\r\n\r\n")
    if not end:
        return None
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return body if len(body) >= length else None


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what callbacks of many sockets count."""
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - no single event marks the end
            await asyncio.sleep(0.001)


class Crew:
    """Connections that share one queue of requests."""

    def __init__(self) -> None:
        self.posters: list[Poster] = []
        self.requests: Iterator[bytes] = iter(())
        self.asked = self.answered = 0
        self.all_answered = asyncio.Event()

    def next_request(self) -> bytes | None:
        """What to post next; None if there is nothing."""
        return next(self.requests, None)

    def rest(self, poster: Poster) -> None:
        """A connection has nothing to post."""
        if self.answered == self.asked:
            self.all_answered.set()

    async def connect(self, port: int, connections: int) -> None:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, poster = await loop.create_connection(lambda: Poster(self), "127.0.0.1", port)
            self.posters.append(poster)

    async def post(self, requests: Iterator[bytes], count: int) -> float:
        """Post `count` requests over all connections as fast as they are answered; the seconds that took."""
        self.requests, self.asked, self.answered = requests, count, 0
        self.all_answered.clear()
        started = time.perf_counter()
        for poster in self.posters:
            poster.post()
        await self.all_answered.wait()
        return time.perf_counter() - started

    def close(self) -> None:
        """Hang up."""
        for poster in self.posters:
            poster.close()
