"""Replies a second, from an operator's screen to the messenger and its two receipts back, beside a bare echo.

    python -m benchmarks.core_out [ROUNDS] [REPLIES]

The messenger is Viber, which signs every webhook and tells of each message that it was delivered and, after that, that
it was seen. A reply counts when the messenger has taken it and both receipts were acknowledged and shown on the desk
of its operator, who then writes the next. The echo gets the requests of `core_in`, from the same client on the same
CPU, in turns.
"""

import asyncio
import gc
import hmac
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, cast

import orjson
import uvloop
from benchmarks.core_in import CONNECTIONS, DIALOGS, FIRST_CHAT, OPERATORS, beside_an_echo, report
from benchmarks.core_side import (
    BOT_TOKEN,
    COUNTER_DIGITS,
    Core,
    Crew,
    Floor,
    Poster,
    body_of,
    free_port,
    until,
    update,
)

REPLIES = 5_000
REQUESTS_A_REPLY = 4  # of the echo, so that both sides take about as long
AT_LEAST, AIM = 0.1, 0.2
TOKENS_FROM: Final = 5_000_000_000_000_000_000
"""Viber's message tokens are 64-bit numbers; those of replies are made of their numbers."""

_POST: Final = (
    b"POST /webhooks/viber/viber HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"X-Viber-Content-Signature: %s\r\nContent-Length: %d\r\n\r\n%s"
)
_SAID: Final = (
    b'{"event":"message","timestamp":1760000000000,"message_token":%d,"sender":{"id":"u%d","name":"Anna"},'
    b'"message":{"type":"text","text":"%010d when does my card arrive?"}}'
)
_RECEIPT: Final = b'{"event":"%s","timestamp":1760000000000,"message_token":%d,"user_id":"%s"}'
_TAKEN: Final = b'{"status":0,"status_message":"ok","message_token":%d,"chat_hostname":"SN-CHAT-01_"}'


def signed(body: bytes) -> bytes:
    """A whole request with a callback of Viber's."""
    return _POST % (hmac.digest(BOT_TOKEN.encode(), body, "sha256").hex().encode(), len(body), body)


class Couriers(Crew):
    """Connections that post what they are handed as soon as one of them has nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[bytes] = deque()
        self._idle: list[Poster] = []

    async def connect(self, port: int, connections: int) -> None:
        """Open the connections."""
        await super().connect(port, connections)
        self._idle += self.posters

    def hand(self, request: bytes) -> None:
        """Have a request posted."""
        self.asked += 1
        self._waiting.append(request)
        if self._idle:
            self._idle.pop().post()

    def next_request(self) -> bytes | None:
        """The one that has waited for longest."""
        return self._waiting.popleft() if self._waiting else None

    def rest(self, poster: Poster) -> None:
        """Let the connection wait for the next one."""
        self._idle.append(poster)


class Api(asyncio.Protocol):
    """One connection to Viber, which takes every `send_message` at once."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of its subclasses

    def data_received(self, data: bytes) -> None:
        """Answer a whole request."""
        self._request += data
        body = body_of(self._request)
        if body is None:
            return
        self._request = b""
        answer = _TAKEN % self._bench.taken(orjson.loads(body)["text"])
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
        self._transport.write(head + answer)


class Bench:
    """Both sides, up and connected; each `…_round` gives its rate a second."""

    def __init__(self, core: Core, replies: int) -> None:
        self.core = core
        self.floor = Floor()
        self.floor.told = self._told
        self.to_echo, self.to_core = Crew(), Couriers()
        self.replies = replies
        self.number = 0
        self.users: dict[str, bytes] = {}  # dialog → who reads its replies
        self.tokens: dict[str, int] = {}  # dialog → the message token of its last reply
        self._left = self._read = 0

    async def prepare(self, echo_port: int, api_port: int) -> None:
        """Open all dialogs and have each owned by an operator."""
        await asyncio.get_running_loop().create_server(lambda: Api(self), "127.0.0.1", api_port)
        await self.floor.open(self.core, OPERATORS)
        await self.to_core.connect(self.core.port, CONNECTIONS)
        await self.to_echo.connect(echo_port, CONNECTIONS)
        for user in range(DIALOGS):
            self.to_core.hand(signed(_SAID % (user + 1, user, user)))
        await until(lambda: len(self.floor.owned) == DIALOGS)
        self.users = {dialog: dialog.partition("/")[2].partition("#")[0].encode() for dialog in self.floor.owned}

    def _requests(self) -> Iterator[bytes]:
        return (update(number, FIRST_CHAT + number % DIALOGS) for number in range(self.replies * REQUESTS_A_REPLY))

    async def echo_round(self) -> float:
        """Requests answered by the bare server."""
        count = self.replies * REQUESTS_A_REPLY
        return count / await self.to_echo.post(self._requests(), count)

    async def core_round(self) -> float:
        """Replies taken, delivered and read."""
        self._left, self._read = self.replies, 0
        started = time.perf_counter()
        for dialog in self.floor.owned:
            self._reply(dialog)
        await until(lambda: self._read == self.replies and self.to_core.answered == self.to_core.asked)
        return self.replies / (time.perf_counter() - started)

    def _reply(self, dialog: str) -> None:
        if not self._left:
            return
        self._left -= 1
        self.number += 1
        desk, number = self.floor.owned[dialog]
        text = f"{self.number:010} {dialog} your card arrives on Tuesday by courier."
        desk.send({"op": "send", "dialog": dialog, "number": number, "cid": str(self.number), "text": text})

    def taken(self, text: str) -> int:
        """The messenger has a reply: the token that it gives it."""
        token = self.tokens[text.split()[1]] = TOKENS_FROM + int(text[:COUNTER_DIGITS])
        return token

    def _told(self, dialog: str, status: str) -> None:
        """A desk was shown what became of the reply: then the messenger tells what became of it next."""
        match status:
            case "sent":
                self._receipt(b"delivered", dialog)
            case "delivered":
                self._receipt(b"seen", dialog)
            case "read":
                self._read += 1
                self._reply(dialog)
            case _:
                raise SystemExit(f"a reply to {dialog} ended as {status}")

    def _receipt(self, event: bytes, dialog: str) -> None:
        self.to_core.hand(signed(_RECEIPT % (event, self.tokens[dialog], self.users[dialog])))


async def measure(core: Core, echo_port: int, api_port: int, rounds: int, replies: int) -> dict[str, list[float]]:
    """The rates of `rounds` alternating rounds, after one that does not count, and the core's CPU time a reply."""
    bench = Bench(core, replies)
    await bench.prepare(echo_port, api_port)
    gc.disable()
    found: dict[str, list[float]] = {"core": [], "echo": [], "cpu_us": []}
    for _ in range(rounds + 1):
        found["echo"].append(await bench.echo_round())
        began_s = core.cpu_s()
        found["core"].append(await bench.core_round())
        found["cpu_us"].append((core.cpu_s() - began_s) / replies * 1e6)
        gc.collect()
    return {side: values[1:] for side, values in found.items()}


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    rounds, replies = (int(given) for given in [*argv, *("7", str(REPLIES))[len(argv) :]])
    api_port = free_port()
    account = {"id": "viber", "channel": "viber", "token": BOT_TOKEN, "sender": "Bank"}
    with beside_an_echo(account | {"api": f"http://127.0.0.1:{api_port}"}) as (core, echo_port):
        found = uvloop.run(measure(core, echo_port, api_port, rounds, replies))
    spent = {"core_cpu_us": round(statistics.median(found["cpu_us"]))}
    report("core, out: replies with two receipts each", found, spent, at_least=AT_LEAST, aim=AIM)


if __name__ == "__main__":
    main(sys.argv[1:])
