"""An HTTP/1.1 server, of the simulated providers and the null target: it stamps and answers in the read callback."""

import asyncio
from collections.abc import Callable
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
    """A whole request; `open` is whether its sender is still there to get an answer."""

    method: str
    path: str
    body: bytes
    stamp_ns: int
    open: bool


def reply(status: int, body: bytes, headers: str = "") -> bytes:
    """A whole answer with a JSON body; `headers` are further lines, each with its end."""
    return b"%b%d\r\n%b\r\n%b" % (_HEADS[HTTPStatus(status)], len(body), headers.encode(), body)


Answering = Callable[[Request], bytes]


class Server:
    """Answers each request with what `answering` makes of it, in order per connection."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._listening: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self, host: str, port: int = 0) -> str:
        """Listen, on a free port unless one is given; returns the base URL."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: _Connection(self._answering, self._connections), host, port, backlog=1024
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
    def __init__(self, answering: Answering, connections: "set[_Connection]") -> None:
        self._answering = answering
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._stamp_ns = 0
        self._url = b""
        self._parts: list[bytes] = []
        self._whole: list[tuple[Request, bool]] = []  # and whether the connection stays
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
        path, body = unquote(urlsplit(self._url.decode("latin-1")).path), b"".join(self._parts)
        self._url = b""
        self._parts.clear()
        closing = self._transport is None or self._transport.is_closing()
        request = Request(self._parser.get_method().decode("latin-1"), path, body, self._stamp_ns, not closing)
        self._whole.append((request, self._parser.should_keep_alive()))

    def _answer(self, request: Request, keep: bool) -> None:
        answer = self._answering(request)
        if self._transport is not None:
            self._transport.write(answer)
            if not keep:
                self._transport.close()
