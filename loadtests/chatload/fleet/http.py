"""The fleet's HTTP client: keep-alive HTTP/1.1 connections without a task, a future or a timer per request.

A request is a prebuilt head and a body, written at once; its answer is stamped on entering the read callback. Redirects
are not followed and nothing is ever sent twice: a request that was written and got no answer may have been carried out.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

from chatload.fleet.clock import Time, Timer, now_ns

IDLE_NS: Final = 15_000_000_000  # an older connection is not used again: the server may be about to close it
_LENGTHS: Final = {b"content-length", b"transfer-encoding"}


class Answer(NamedTuple):
    """An HTTP answer, and when its last bytes came."""

    status: int
    headers: Mapping[bytes, bytes]  # names as the server wrote them
    body: bytes
    stamp_ns: int

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status <= 299

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers.items() if key.lower() == wanted), None)


class NoAnswer(NamedTuple):
    """The server may or may not have done what was asked; `reason` says what broke."""

    reason: str


Done = Callable[[Answer | NoAnswer], None]


class _Exchange:
    """A request and who waits for its answer."""

    __slots__ = ("connection", "data", "deadline_ns", "done")

    def __init__(self, data: bytes, done: Done, deadline_ns: int) -> None:
        self.data = data
        self.done = done
        self.deadline_ns = deadline_ns
        self.connection: _Connection | None = None


class Http:
    """Connections to the server of `url`, at most `connections` at once; what finds none free waits in order.

    `done` of every request is called once, later: with the answer, or with NoAnswer when the connection broke or
    `timeout_s` after asking.
    """

    def __init__(self, clock: Time, url: str, connections: int, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._clock = clock
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._most = connections
        self._timeout_ns = int(timeout_s * 1e9)
        self._open = 0
        self._idle: list[_Connection] = []
        self._waiting: deque[_Exchange] = deque()
        self._asked: dict[_Exchange, None] = {}  # oldest first
        self._timer: Timer | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The first lines of requests to `path`, to be used again and again."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._netloc}", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode()

    def ask(self, head: bytes, done: Done, body: bytes | None = None) -> None:
        """Send a request; nothing is waited for here."""
        data = head + b"\r\n\r\n" if body is None else b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
        now = now_ns()
        exchange = _Exchange(data, done, now + self._timeout_ns)
        self._asked[exchange] = None
        if self._timer is None:
            self._timer = self._clock.at(exchange.deadline_ns, self._expire)
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(now):
                connection.send(exchange)
                return
            connection.abort()
        self._waiting.append(exchange)
        self._connect()

    async def close(self) -> None:
        """Close all connections; what is under way gets no answer."""
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        self._waiting.clear()
        for exchange in list(self._asked):
            self.settle(exchange, NoAnswer("left"))
            if exchange.connection is not None:
                exchange.connection.abort()
        for connection in self._idle:
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # transports let go of their sockets in the loop's next turn

    def settle(self, exchange: _Exchange, answer: "Answer | NoAnswer") -> None:
        """Hand an answer over, unless the request has been given up."""
        if exchange in self._asked:
            del self._asked[exchange]
            exchange.done(answer)

    def idle(self, connection: "_Connection") -> None:
        """A connection is free: for the next who waits, or for later."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: "_Connection") -> None:
        """A connection is gone."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect()

    def _connect(self) -> None:
        """Open a connection for those who wait, unless enough are open or being opened."""
        if self._open < self._most and len(self._connecting) < len(self._waiting):
            self._open += 1
            task = asyncio.get_running_loop().create_task(self._dial())
            self._connecting.add(task)
            task.add_done_callback(self._dialled)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        self._connect()

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self), self._host, self._port, ssl=self._tls or None
            )
        except OSError as error:
            self._open -= 1
            self._fail_first(type(error).__name__)
            return
        if connection.usable(now_ns()):
            self.idle(connection)
        else:
            self._fail_first("disconnected")

    def _fail_first(self, reason: str) -> None:
        if self._waiting:
            self.settle(self._waiting.popleft(), NoAnswer(reason))

    def _expire(self) -> None:
        """Give up what has waited too long, and come back when the oldest of the others will have."""
        self._timer = None
        now = now_ns()
        for exchange in list(self._asked):
            if exchange.deadline_ns > now:
                self._timer = self._clock.at(exchange.deadline_ns, self._expire)
                return
            self.settle(exchange, NoAnswer("timeout"))
            if exchange.connection is not None:
                exchange.connection.abort()
            else:
                self._waiting.remove(exchange)


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._transport: asyncio.Transport | None = None
        self._exchange: _Exchange | None = None
        self._stamp_ns = 0
        self._whole = self._keep = False
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self.on_header = self._headers.__setitem__
        self.on_body = self._parts.append
        self._parser = HttpResponseParser(self)

    def usable(self, now: int) -> bool:
        """Whether a request may still be sent."""
        return self._transport is not None and not self._transport.is_closing() and now - self._stamp_ns < IDLE_NS

    def send(self, exchange: _Exchange) -> None:
        """Send a request; its answer is told to the pool."""
        self._exchange = exchange
        exchange.connection = self
        if self._transport is not None:
            self._transport.write(exchange.data)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind
        self._stamp_ns = now_ns()

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._stamp_ns = now_ns()
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self._settle(NoAnswer("not understood"))
            self.abort()
            return
        if self._whole:
            self._finish()

    def on_message_complete(self) -> None:
        """The answer is whole (httptools calls this)."""
        self._whole = self._parser.get_status_code() >= 200
        self._keep = self._parser.should_keep_alive()
        if not self._whole:
            self._headers.clear()  # an interim answer

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection is the end of an answer that does not say how long it is."""
        if exc is None and self._headers and not _LENGTHS & {name.lower() for name in self._headers}:
            self._keep = False
            self._finish()
        self._settle(NoAnswer("disconnected"))
        self._transport = None
        self._http.lost(self)

    def _finish(self) -> None:
        answer = Answer(self._parser.get_status_code(), self._headers.copy(), b"".join(self._parts), self._stamp_ns)
        self._whole = False
        self._headers.clear()
        self._parts.clear()
        exchange, self._exchange = self._exchange, None
        if exchange is None or not self._keep:
            self.abort()  # nobody asked, or the server wants no more
        else:
            self._http.idle(self)
        if exchange is not None:
            self._http.settle(exchange, answer)

    def _settle(self, answer: NoAnswer) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._http.settle(exchange, answer)
