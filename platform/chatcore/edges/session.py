"""One WebSocket as the core sees it: frames leave in batches, and what missed entries must precede waits for them.

A resume subscribes first and reads then, so nothing can fall between; what was read and pushed alike is dropped by
its position in the log. While a read is under way the session's gate is up, and live frames and answers wait in order
behind it: an acknowledgement that overtook an entry would advance the client's cursor past it.
"""

import asyncio
from typing import NamedTuple

import orjson
from aiohttp import WSMsgType, web

from chatcore.errors import Unauthorized

HELLO_WITHIN_S = 10.0
SLOW_READER_BYTES = 1 << 20
READ_AHEAD_BYTES = 1 << 18
CLOSES_WITHIN_S = 5.0
FENCED, SLOW, UNAUTHORIZED, BAD_FRAME = 4001, 4008, 4401, 4400


class Waiting(NamedTuple):
    """A live frame held back by the gate, and the record it came from; an answer has none ("")."""

    log: str
    position: int
    frame: bytes


class Session:
    """A connected customer or operator."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.socket = socket
        self.closed = False
        self._transport = transport
        self._frames: list[bytes] = []
        self._gates = 0
        self._behind: list[Waiting] = []
        self._closing: asyncio.Task[bool] | None = None

    async def hello(self) -> dict[str, object]:
        """The first frame.

        Raises:
            Unauthorized: none came in time, or it is no hello.
        """
        try:
            frame = await asyncio.wait_for(next_frame(self.socket), HELLO_WITHIN_S)
        except TimeoutError as late:
            raise Unauthorized from late
        if frame is None or frame.get("op") != "hello":
            raise Unauthorized
        return frame

    def send(self, view: dict[str, object]) -> None:
        """Send an answer, behind the gate if that is up."""
        self.show("", 1, orjson.dumps(view))

    def write(self, frame: bytes) -> None:
        """Send an encoded frame, whatever the gate; all frames of one turn of the loop leave in one write."""
        if self.closed:
            return
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(frame)

    def _flush(self) -> None:
        data = b"".join([part for frame in self._frames for part in (_head(len(frame)), frame)])
        self._frames.clear()
        if self.closed or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > SLOW_READER_BYTES:
            self.close(SLOW, "slow reader: resume with your cursor")
        else:
            self._transport.write(data)

    async def caught_up(self) -> None:
        """Wait until the peer has read most of what was sent; one that does not is a slow reader."""
        deadline_s = asyncio.get_running_loop().time() + CLOSES_WITHIN_S
        await asyncio.sleep(0)
        while not self.closed and self._transport.get_write_buffer_size() > READ_AHEAD_BYTES:
            if self._transport.is_closing():
                return
            if asyncio.get_running_loop().time() > deadline_s:
                self.close(SLOW, "slow reader: resume with your cursor")
            await asyncio.sleep(0.01)

    def show(self, log: str, position: int, frame: bytes) -> None:
        """Push a live frame, behind the gate if that is up."""
        if self._gates and not self.closed:
            self._behind.append(Waiting(log, position, frame))
        else:
            self.write(frame)

    def gate(self) -> None:
        """Hold live frames back from now on, until `ungate`."""
        self._gates += 1

    def ungate(self, through: dict[str, int]) -> None:
        """Let live frames pass again, without those from records up to `through`, by log: they were read."""
        self._behind = [waiting for waiting in self._behind if waiting.position > through.get(waiting.log, 0)]
        self._gates -= 1
        if not self._gates:
            behind, self._behind = self._behind, []
            for waiting in behind:
                self.write(waiting.frame)

    def close(self, code: int, reason: str) -> None:
        """Close the socket; frames after this go nowhere. A peer that does not answer is cut off after a while."""
        if self._frames:
            self._flush()
        if not self.closed:
            self.closed = True
            self._behind.clear()
            loop = asyncio.get_running_loop()
            self._closing = loop.create_task(self.socket.close(code=code, message=reason.encode(), drain=False))
            loop.call_later(CLOSES_WITHIN_S, self._transport.abort)

    async def ended(self) -> None:
        """Wait until the peer has answered a close, or was cut off; a handler that returns before overtakes it."""
        if self._closing is not None:
            await self._closing


def _head(length: int) -> bytes:
    """The head of an unmasked, unfragmented text frame (RFC 6455, section 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


async def next_frame(socket: web.WebSocketResponse) -> dict[str, object] | None:
    """The next frame as an object; None when the peer is gone. An unreadable frame is an empty object."""
    message = await socket.receive()
    if message.type is not WSMsgType.TEXT:
        return None if message.type is not WSMsgType.BINARY else {}
    try:
        frame = orjson.loads(message.data)
    except orjson.JSONDecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}
