"""A WebSocket client without a reader: bytes stay in the kernel until a test takes them, as with a peer that hangs."""

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import orjson

from tests.chatcore.client import PATIENCE_S, Frame

SMALL_BUFFER = 4_096


class Raw:
    """A connected socket behind the opening handshake, and the bytes that were taken from it."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.taken = b""

    async def send(self, **frame: object) -> None:
        """Send a masked text frame."""
        data = orjson.dumps(frame)
        mask = os.urandom(4)
        short = len(data) < 126
        length = struct.pack(">B", 0x80 | len(data)) if short else struct.pack(">BH", 0x80 | 126, len(data))
        head = b"\x81" + length + mask
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        await asyncio.get_running_loop().sock_sendall(self.socket, head + masked)

    def take_now(self) -> list[Frame]:
        """Take what the kernel holds this moment; all text frames so far."""
        with suppress(BlockingIOError):
            while found := self.socket.recv(1 << 20):
                self.taken += found
        return self.texts()

    async def take_all(self) -> None:
        """Take everything until the core closes the connection."""
        async with asyncio.timeout(PATIENCE_S):
            while found := await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20):
                self.taken += found

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of the whole frames that were taken."""
        at = 0
        while at + 2 <= len(self.taken):
            opcode, length = self.taken[at] & 0x0F, self.taken[at + 1]
            size, form = {126: (2, ">H"), 127: (8, ">Q")}.get(length, (0, ""))
            if size:
                (length,) = struct.unpack_from(form, self.taken, at + 2)
            start = at + 2 + size
            if start + length > len(self.taken):
                return
            yield opcode, self.taken[start : start + length]
            at = start + length

    def texts(self) -> list[Frame]:
        """The text frames."""
        return [orjson.loads(payload) for opcode, payload in self.frames() if opcode == 1]

    def close_codes(self) -> list[int]:
        """The codes of the close frames."""
        return [struct.unpack_from(">H", payload)[0] for opcode, payload in self.frames() if opcode == 8]


async def raw(url: str, path: str, **hello: object) -> Raw:
    """Connect, shake hands and, if given one, say hello; nothing is read after the handshake."""
    loop = asyncio.get_running_loop()
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    connected.setblocking(False)
    address = urlsplit(url)
    await loop.sock_connect(connected, (address.hostname, address.port))
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(connected, request.encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += await loop.sock_recv(connected, 1)
    assert answer.startswith(b"HTTP/1.1 101 ")
    peer = Raw(connected)
    if hello:
        await peer.send(op="hello", **hello)
    return peer
