"""An HTTP/1.1 server, of the simulated providers and the null target: it stamps and answers in the read callback."""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from httptools import HttpParserError, HttpRequestParser

from chatload.fleet.clock import now_ns

_HEADS: Final = {
    status: b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: " % (status, status.phrase.encode())
    for status in HTTPStatus
}


class Request(NamedTuple):
    """A whole request; `open` is whether its sender is still there to get an answer.

    `headers`: names in lower case; empty unless the server was asked to keep them.
    """

    method: str
    path: str
    body: bytes
    stamp_ns: int
    open: bool
    query: str = ""
    headers: Mapping[bytes, bytes] = {}

    def bears(self, token: str) -> bool:
        """Whether it shows this token as a bearer's; takes as long whatever it shows."""
        return hmac.compare_digest(self.headers.get(b"authorization", b""), f"Bearer {token}".encode())


class Pending:
    """An answer that is still to come; whoever asks for it sends nothing more on its connection until then."""

    def __init__(self) -> None:
        self._write: Callable[[bytes], None] | None = None
        self._answer = b""

    def give(self, answer: bytes) -> None:
        """Answer now; a second answer is ignored."""
        if not self._answer:
            self._answer = answer
            if self._write is not None:
                self._write(answer)

    def to(self, write: Callable[[bytes], None]) -> None:
        """Where the answer goes; at once, if it is known."""
        self._write = write
        if self._answer:
            write(self._answer)


def plain(body: bytes, content_type: str) -> bytes:
    """A whole answer with 200 that is no JSON, such as a file."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        content_type.encode(),
        len(body),
        body,
    )


def reply(status: int, body: bytes, headers: str = "") -> bytes:
    """A whole answer with a JSON body; `headers` are further lines, each with its end."""
    return b"%b%d\r\n%b\r\n%b" % (_HEADS[HTTPStatus(status)], len(body), headers.encode(), body)


Answering = Callable[[Request], bytes | Pending]


class Server:
    """Answers each request with what `answering` makes of it, in order per connection.

    `headers`: whether requests carry theirs; reading them costs time.
    """

    def __init__(self, answering: Answering, headers: bool = False) -> None:
        self._answering = answering
        self._headers = headers
        self._listening: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self, host: str, port: int = 0) -> str:
        """Listen, on a free port unless one is given; returns the base URL."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: _Connection(self._answering, self._connections, self._headers), host, port, backlog=1024
        )
        return f"http://{host}:{self._listening.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Listen and answer no more."""
        if self._listening is not None:
            self._listening.close()
            for connection in list(self._connections):
                connection.close()
            await self._listening.wait_closed()


class _Connection(asyncio.Protocol):
    def __init__(self, answering: Answering, connections: "set[_Connection]", headers: bool) -> None:
        self._answering = answering
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._stamp_ns = 0
        self._url = b""
        self._parts: list[bytes] = []
        self._whole: list[tuple[Request, bool]] = []  # and whether the connection stays
        self._headers: dict[bytes, bytes] = {}
        if headers:
            self.on_header = self._header  # httptools calls what is there
        self.on_body = self._parts.append
        self._parser = HttpRequestParser(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._stamp_ns = now_ns()
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.close()
        whole, self._whole = self._whole, []
        for request, keep in whole:
            self._answer(request, keep)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        url, body = urlsplit(self._url.decode("latin-1")), b"".join(self._parts)
        headers, self._headers = self._headers, {}
        self._url = b""
        self._parts.clear()
        closing = self._transport is None or self._transport.is_closing()
        method, path = self._parser.get_method().decode("latin-1"), unquote(url.path)
        request = Request(method, path, body, self._stamp_ns, not closing, url.query, headers)
        self._whole.append((request, self._parser.should_keep_alive()))

    def _answer(self, request: Request, keep: bool) -> None:
        answer = self._answering(request)
        if isinstance(answer, Pending):
            answer.to(partial(self._write, keep))
        else:
            self._write(keep, answer)

    def _write(self, keep: bool, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)
            if not keep:
                self._transport.close()

    def _header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value
