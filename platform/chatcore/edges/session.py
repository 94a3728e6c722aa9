"""One WebSocket as the core sees it: frames leave in batches, and what missed entries must precede waits for them.

A resume subscribes first and reads then, so nothing can fall between; what was read and pushed alike is dropped by
sequence number. While a read is under way the session's gate is up and live frames wait in order behind it.
"""

import asyncio
from typing import NamedTuple

import orjson
from aiohttp import WSMsgType, web

SLOW_READER_BYTES = 1 << 20
FENCED, SLOW, UNAUTHORIZED, BAD_FRAME = 4001, 4008, 4401, 4400


class Waiting(NamedTuple):
    """A live frame held back by the gate: where it came from, and its place in its dialog (seq 0 = none)."""

    log: str
    position: int
    dialog: str
    seq: int
    frame: bytes


class Session:
    """A connected customer or operator."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        assert request.transport is not None, "a session is made from an open connection"
        self.socket = socket
        self.closed = False
        self._transport = request.transport
        self._frames: list[bytes] = []
        self._gates = 0
        self._behind: list[Waiting] = []

    def send(self, view: dict[str, object]) -> None:
        """Send an answer, whatever the gate."""
        self.write(orjson.dumps(view))

    def write(self, frame: bytes) -> None:
        """Send an encoded frame; all frames of one turn of the loop leave in one write."""
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
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > SLOW_READER_BYTES:
            self.close(SLOW, "slow reader: resume with your cursor")

    def show(self, log: str, position: int, dialog: str, seq: int, frame: bytes) -> None:
        """Push a live frame, behind the gate if that is up."""
        if self._gates:
            self._behind.append(Waiting(log, position, dialog, seq, frame))
        else:
            self.write(frame)

    def gate(self) -> None:
        """Hold live frames back from now on, until `ungate`."""
        self._gates += 1

    def ungate(self, through: dict[str, int], shown: dict[str, int]) -> None:
        """Let live frames pass again, without those up to `through` a log or up to seq `shown` in a dialog."""
        self._behind = [
            waiting
            for waiting in self._behind
            if waiting.position > through.get(waiting.log, 0)
            and (not waiting.seq or waiting.seq > shown.get(waiting.dialog, 0))
        ]
        self._gates -= 1
        if not self._gates:
            behind, self._behind = self._behind, []
            for waiting in behind:
                self.write(waiting.frame)

    def close(self, code: int, reason: str) -> None:
        """Close the socket; frames after this go nowhere."""
        if not self.closed:
            if self._frames:
                self._flush()
            self.closed = True
            closing = asyncio.get_running_loop().create_task(
                self.socket.close(code=code, message=reason.encode(), drain=False)
            )
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[bool]] = set()  # the loop keeps no strong reference to its tasks


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
