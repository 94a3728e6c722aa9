"""The door: a connection's requests, sorted by their heads.

A provider's webhook in its plain form is taken and answered here, on the protocol's own callbacks, without a task;
aiohttp would spend several times more on it than the core itself (ARCHITECTURE.md, "What was measured"). Who asks for a
socket's path is handed over to picows. Whatever else comes, also a webhook in any other form, is handed over to
aiohttp, which answers and hangs up. Both get all bytes read so far. So this file may be strict: what it does not
recognise at once, it leaves to the general parser.
"""

import asyncio
import re
import socket
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, cast

from aiohttp import web

from chatcore import wire
from chatcore.edges import sockets
from chatcore.edges.gateway import MAX_BODY, Gateway
from chatcore.edges.webhooks import TOO_FAST, Refusal, content_type, take

MAX_HEAD = 8 * 1024
WHOLE_WITHIN_S = 10.0
HEAD_TOO_LONG = Refusal(400, "head_too_long", f"a request's head has at most {MAX_HEAD} bytes")
_SOCKETS = tuple(b"GET " + path + end for path in sockets.VISITORS for end in (b" ", b"?"))
_REQUEST = re.compile(r"POST /webhooks/([\w.~-]{1,64})/([\w.~-]{1,64}) HTTP/1\.1", re.ASCII)
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x1f\x7f]*)")
_SIGNATURE = re.compile(rb"\r\n([Xx]-[\w-]*?[Ss]ignature[\w-]*):[ \t]*([!-~]*)[ \t]*(?=\r\n|\Z)")
_NOT_PLAIN = frozenset(("transfer-encoding", "content-encoding", "expect", "upgrade"))


class Head(NamedTuple):
    """The head of a webhook in its plain form; names of headers are in lower case."""

    channel: str
    account: str
    headers: Mapping[str, str]
    length: int


def read_head(head: bytes) -> Head | None:
    """The head of a request, without its last empty line; None unless it is a webhook in its plain form."""
    signature = _SIGNATURE.search(head) if b"ignature" in head else None
    if signature is None:
        return _read_head(head)
    rest = _read_head(head[: signature.start()] + head[signature.end() :])
    name = signature[1].decode().lower()
    if rest is None or name in rest.headers:
        return None
    return Head(rest.channel, rest.account, {**rest.headers, name: signature[2].decode()}, rest.length)


@lru_cache(maxsize=1_024)  # but for a signature of the body, a provider's heads differ in little but the length
def _read_head(head: bytes) -> Head | None:
    first, *lines = head.decode(errors="surrogateescape").split("\r\n")
    request = _REQUEST.fullmatch(first)
    fields = [found.groups() for found in map(_HEADER.fullmatch, lines) if found is not None]
    headers = {name.lower(): value.rstrip(" \t") for name, value in fields}
    length = headers.get("content-length", "")
    if request is None or not len(headers) == len(fields) == len(lines) or not (length.isascii() and length.isdigit()):
        return None
    if int(length) > MAX_BODY or "host" not in headers or headers.keys() & _NOT_PLAIN:
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return Head(request[1], request[2], headers, int(length))


class Door:
    """Makes a protocol for each connection; `application` is aiohttp's server behind it."""

    def __init__(self, gateway: Gateway, application: web.Server) -> None:
        self.gateway = gateway
        self.application = application
        self.connections: set[Connection] = set()  # not those that were handed over

    def __call__(self) -> asyncio.Protocol:
        """A new connection's protocol."""
        return Connection(self)

    def close(self) -> None:
        """Hang up on everybody who was not handed over."""
        for connection in list(self.connections):
            connection.transport.close()


class Connection(asyncio.Protocol):
    """One connection: its plain webhooks are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, door: Door) -> None:
        self._door = door
        self._data = b""
        self._taking = False  # a request is not answered yet
        self._reading = False
        self._whole_due: asyncio.TimerHandle | None = None  # the first request, or one that came in part
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the connection."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._address = (self.transport.get_extra_info("peername") or ("",))[0]
        self._door.connections.add(self)
        self._await_whole()

    def connection_lost(self, fault: Exception | None) -> None:
        """Forget the connection; what was taken is taken."""
        self._leave()

    def pause_writing(self) -> None:
        """Cut off a peer that sends on and on without reading the answers."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect what belongs to a request, and take the request when it is whole."""
        self._data = self._data + data if self._data else data
        if len(self._data) > MAX_HEAD + 2 * MAX_BODY:
            self.transport.abort()
        elif not self._taking:
            self._read()

    def _read(self) -> None:
        if self._reading:
            return  # an answer that was given at once: the loop below goes on
        self._reading = True
        while self._data and not self._taking and self._next():
            pass
        self._reading = False
        if self._data and not self._taking and self._whole_due is None:
            self._await_whole()

    def _next(self) -> bool:
        """Take the next request; False if it is not whole yet, or not for here."""
        data = self._data
        if data.startswith(_SOCKETS):
            self._hand_over_to_sockets()
            return False
        end = data.find(b"\r\n\r\n")
        if (end if end >= 0 else len(data)) > MAX_HEAD:
            self._turn_away(HEAD_TOO_LONG)
            return False
        if end < 0:
            return False
        head = read_head(data[:end])
        if head is None:
            self._hand_over()
            return False
        start, stop = end + 4, end + 4 + head.length
        if len(data) < stop:
            return False
        self._data = data[stop:]
        self._taking = True
        if self._whole_due is not None:
            self._in_time()
        self._take(head, data[start:stop])
        return True

    def _take(self, head: Head, body: bytes) -> None:
        """Take a webhook; an address that had too many refused is not listened to any more for a while."""
        gateway = self._door.gateway
        if gateway.guard.spent(self._address):
            self._turn_away(TOO_FAST)
            return
        refusal = take(gateway, head.channel, head.account, head.headers, body, self._took)
        if refusal is not None:
            gateway.guard.address(self._address)
            self._answer(_refused(refusal))

    def _turn_away(self, refusal: Refusal) -> None:
        self._door.gateway.count(f"connection_{refusal.code}")
        self._leave()
        self._data = b""
        self.transport.write(_refused(refusal))
        self.transport.close()

    def _await_whole(self) -> None:
        self._whole_due = asyncio.get_running_loop().call_later(WHOLE_WITHIN_S, self._too_slow)

    def _too_slow(self) -> None:
        self._door.gateway.count("connection_too_slow")
        self.transport.abort()

    def _in_time(self) -> None:
        if self._whole_due is not None:
            self._whole_due.cancel()
            self._whole_due = None

    def _leave(self) -> None:
        """The connection is gone, or another protocol's."""
        self._in_time()
        self._door.connections.discard(self)

    def _took(self, body: bytes) -> None:
        self._answer(_taken(body, int(time.time())))

    def _answer(self, answer: bytes) -> None:
        self._taking = False
        if not self.transport.is_closing():
            self.transport.write(answer)
            self._read()

    def _hand_over(self) -> None:
        self._leave()
        if not self._door.gateway.guard.address(self._address):
            self._turn_away(TOO_FAST)
            return
        handler = self._door.application()
        self.transport.set_protocol(handler)
        handler.connection_made(self.transport)
        handler.data_received(self._data)
        self._data = b""

    def _hand_over_to_sockets(self) -> None:
        self._leave()
        if not self._door.gateway.guard.address(self._address):
            self._turn_away(TOO_FAST)
            return
        handler = sockets.protocol(self._door.gateway)
        self.transport.pause_reading()  # a protocol with a buffer of its own is noticed when reading starts
        self.transport.set_protocol(handler)
        handler.connection_made(self.transport)
        sockets.feed(handler, self._data)
        self.transport.resume_reading()
        self._data = b""


@lru_cache(maxsize=8)
def _taken(body: bytes, now_s: int) -> bytes:
    return _response(200, body, now_s)


def _refused(refusal: Refusal) -> bytes:
    body = wire.dumps({"error": refusal.code, "detail": refusal.detail})
    return _response(refusal.status, body, int(time.time()))


def _response(status: int, body: bytes, now_s: int) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type(body)}\r\n"
        f"Content-Length: {len(body)}\r\nDate: {formatdate(now_s, usegmt=True)}\r\n\r\n"
    )
    return head.encode() + body
