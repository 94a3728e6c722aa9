"""The client that calls messengers' providers: HTTP/1.1 over connections that are kept, on the protocols' callbacks.

A request is written once. If its connection breaks before the answer is whole, even before its first byte, it has no
answer: nobody knows whether it was carried out, and only the outbox may try again, because it logs that first. A
connection carries one request at a time and is dropped with it, so no answer ever finds a request that is not its own.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Final, NamedTuple, Self, cast
from urllib.parse import quote, urlsplit, urlunsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from chatcore.channels.shapes import Answer, Call
from chatcore.edges.files import MAX_FILE

TIMEOUT_S: Final = 20.0
IDLE_S: Final = 15.0  # a connection that was idle for longer is not used again: the provider may be closing it
MAX_ANSWER: Final = {"POST": 1024 * 1024, "GET": MAX_FILE}  # the latter fetch attachments
_SAFE = "!#$%&'()*+,/:;=?@[]~"  # what a path or query may hold as it is; quoted characters stay quoted


Done = Callable[[Answer | None], None]


def service_headers(token: str) -> tuple[tuple[str, str], ...]:
    """The headers of a request to a service of the bank."""
    return (("Content-Type", "application/json"), ("Authorization", f"Bearer {token}"))


class Origin(NamedTuple):
    """Where connections go."""

    host: str
    port: int
    tls: bool


@lru_cache(maxsize=256)
def target(url: str, method: str, headers: tuple[tuple[str, str], ...]) -> tuple[Origin, bytes]:
    """Where a request to `url` goes, and its head up to the length of its body.

    Raises:
        ValueError: `url` is none, or a header holds what could end it.
    """
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    path = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_SAFE)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    if fields.count("\n") > len(headers):
        raise ValueError("a line break in a header")
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: chatcore\r\nAccept: */*\r\n"
        f"Accept-Encoding: identity\r\n{fields}Content-Length: "
    )
    return Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls), head.encode("ascii")


class Exchange:
    """A request, and who waits for its answer."""

    __slots__ = ("cut", "data", "deadline_s", "done", "most", "over")

    def __init__(self, data: bytes, most: int, deadline_s: float, done: Done) -> None:
        self.data = data
        self.most = most
        self.deadline_s = deadline_s
        self.done = done
        self.over = False
        self.cut: Callable[[], object]  # ends the dial or the connection that carries it


class Providers:
    """Connections to providers, kept for further requests; leaving the context drops them and all they carry."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._idle: defaultdict[Origin, dict[Connection, float]] = defaultdict(dict)  # since when; the latest last
        self._under_way: dict[Exchange, None] = {}  # the oldest first
        self._dials: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for exchange in self._under_way:
            exchange.over = True
            exchange.cut()
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        await asyncio.gather(*self._dials, return_exceptions=True)
        await asyncio.sleep(0)  # transports let go of their sockets in the loop's next turn

    def call(self, call: Call, done: Done) -> None:
        """Make a request; `done` is called once, later: with the answer, or with None if none came within the time-out.

        Redirects are not followed. There is no answer either if it is malformed or larger than `MAX_ANSWER`. `done`
        must not raise; it is not called when the context was left before.

        Raises:
            ValueError: its address is none.
        """
        origin, head = target(call.url, call.method, call.headers)
        now_s = self._loop.time()
        data = b"%b%d\r\n\r\n%b" % (head, len(call.body), call.body)
        exchange = Exchange(data, MAX_ANSWER[call.method], now_s + self._timeout_s, done)
        self._under_way[exchange] = None
        if self._timer is None:
            self._timer = self._loop.call_at(exchange.deadline_s, self._expire)
        idle = self._idle[origin]
        while idle:
            connection, since_s = idle.popitem()
            if now_s - since_s < IDLE_S and not connection.closing:
                connection.send(exchange)
                return
            connection.abort()
        dial = self._loop.create_task(self._dial(origin, exchange))
        self._dials.add(dial)
        dial.add_done_callback(self._dials.discard)
        exchange.cut = dial.cancel

    def end(self, exchange: Exchange, answer: Answer | None) -> None:
        """Hand the answer over, unless the exchange is over."""
        if not exchange.over:
            exchange.over = True
            del self._under_way[exchange]
            exchange.done(answer)

    def keep(self, connection: "Connection") -> None:
        """Use a connection again."""
        self._idle[connection.origin][connection] = self._loop.time()

    async def _dial(self, origin: Origin, exchange: Exchange) -> None:
        try:
            await self._loop.create_connection(
                lambda: Connection(self, origin, exchange),
                origin.host,
                origin.port,
                ssl=self._tls if origin.tls else None,
            )
        except (OSError, UnicodeError):  # the latter: no name for a host
            self.end(exchange, None)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _expire(self) -> None:
        """Give up what has waited too long, and come back when the oldest of the others will have."""
        self._timer = None
        for exchange in list(self._under_way):
            if exchange.deadline_s > self._loop.time():
                self._timer = self._loop.call_at(exchange.deadline_s, self._expire)
                return
            exchange.cut()
            self.end(exchange, None)


class Connection(asyncio.Protocol):
    """One connection, made for an exchange and kept for others; what comes while it has none ends it."""

    def __init__(self, providers: Providers, origin: Origin, exchange: Exchange) -> None:
        self.origin = origin
        self._providers = providers
        self._exchange: Exchange | None = exchange
        self._answer: Answer | None = None
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._received = 0
        self._keep = self._until_end = False
        self._parser = HttpResponseParser(self)

    @property
    def closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        """Send a request."""
        self._exchange = exchange
        self._received = 0
        exchange.cut = self.abort
        self._transport.write(exchange.data)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request, unless it was given up meanwhile."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of its subclasses
        if self._exchange is None or self._exchange.over:
            self.abort()
        else:
            self.send(self._exchange)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._received += len(data)
        if self._exchange is not None and self._received <= self._exchange.most:
            try:
                self._parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade):
                self._keep = False
            else:
                if self._answer is None:
                    return
        self._end()

    def eof_received(self) -> None:
        """The end of the connection is the end of an answer that does not say how long it is."""
        if self._until_end:
            self.on_message_complete()
            self._end()

    def connection_lost(self, fault: Exception | None) -> None:
        """There will be no answer."""
        self._end()
        del self._parser  # it refers to this connection

    def _end(self) -> None:
        """The answer is whole, or none will come."""
        exchange, self._exchange = self._exchange, None
        answer, self._answer = self._answer, None
        self._until_end = False
        if answer is not None and self._keep:
            self._providers.keep(self)
        else:
            self.abort()
        if exchange is not None:
            self._providers.end(exchange, answer)

    # --- called by the parser --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; behind the whole answer nobody asked for it."""
        self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """See whether the answer says how long it is."""
        final = self._parser.get_status_code() >= 200
        self._until_end = final and not self._headers.keys() & {"content-length", "transfer-encoding"}

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it is an interim one."""
        if self._answer is None and self._parser.get_status_code() >= 200:
            self._answer = Answer(self._parser.get_status_code(), self._headers, b"".join(self._parts))
            self._keep = self._parser.should_keep_alive()
        self._headers, self._parts = {}, []
