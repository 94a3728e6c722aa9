"""One WebSocket as the core sees it: frames leave in batches, and what missed entries must precede waits for them.

A resume subscribes first and reads then, so nothing can fall between; what was read and pushed alike is dropped by
its position in the log. While a read is under way the session's gate is up, and live frames and answers wait in order
behind it: an acknowledgement that overtook an entry would advance the client's cursor past it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final, NamedTuple, Protocol

import orjson
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from chatcore.errors import BadFrame, Unauthorized

logger = logging.getLogger("chatcore")

MAX_FRAME = 64 * 1024
HELLO_WITHIN_S = 10.0
SLOW_READER_BYTES = 1 << 20
READ_AHEAD_BYTES = 1 << 18
CLOSES_WITHIN_S = 5.0
FENCED, SLOW, UNAUTHORIZED, BAD_FRAME, TOO_FAST = 4001, 4008, 4401, 4400, 4429
TOO_LONG, DEFECT = 1009, 1011

_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY
_CONTINUATION: Final = WSMsgType.CONTINUATION
_CLOSE: Final = WSMsgType.CLOSE


class Visitor(Protocol):
    """Who a socket turned out to belong to."""

    def come(self) -> None:
        """Join the audience, and be shown what was missed."""

    def take(self, frame: dict[str, object]) -> None:
        """Take a frame; one that could not be read is empty."""

    def left(self) -> None:
        """The socket is gone, or counts as gone from now on."""


Admit = Callable[["Session", dict[str, object]], Visitor]
"""Makes the visitor of a hello, or raises Unauthorized or BadFrame."""


class Waiting(NamedTuple):
    """A live frame held back by the gate, and the record it came from; an answer has none ("")."""

    log: str
    position: int
    frame: bytes


class Session(WSListener):
    """A connection that was upgraded: of nobody until its hello, then of a customer or an operator.

    It is in `sessions` from the upgrade until the socket is gone.
    """

    def __init__(self, sessions: "set[Session]", admit: Admit) -> None:
        self.closed = False
        self._sessions = sessions
        self._admit = admit
        self._visitor: Visitor | None = None
        self._loop = asyncio.get_running_loop()
        self._hello_due: asyncio.TimerHandle | None = None
        self._parts = b""
        self._frames: list[bytes] = []
        self._gates = 0
        self._behind: list[Waiting] = []
        self._errands: set[asyncio.Task[None]] = set()

    # --- the socket ------------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Wait for the hello."""
        self._socket = transport
        self._transport: asyncio.Transport = transport.underlying_transport
        self._sessions.add(self)
        self._hello_due = self._loop.call_later(HELLO_WITHIN_S, self.close, UNAUTHORIZED, "say hello with a token")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; none after a close, and a defect of ours ends this connection only."""
        try:
            self._on_frame(frame)
        except Exception:
            logger.exception("a frame could not be handled")
            self.close(DEFECT, "this should not have happened")

    def _on_frame(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == _CLOSE:
            self._socket.send_close(WSCloseCode.OK)  # goes nowhere if the close was ours
            self._gone()
            self._socket.disconnect()
        elif self.closed or kind not in {_TEXT, _BINARY, _CONTINUATION}:
            return
        elif frame.fin and not self._parts:
            self._hear(frame.get_payload_as_bytes(), readable=kind == _TEXT)
        else:
            self._collect(frame)

    def _collect(self, frame: WSFrame) -> None:
        """Put a message together that comes in fragments."""
        self._parts += frame.get_payload_as_bytes()
        if len(self._parts) > MAX_FRAME:
            self.close(TOO_LONG, f"at most {MAX_FRAME} bytes")
        elif frame.fin:
            whole, self._parts = self._parts, b""
            self._hear(whole, readable=True)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the session."""
        self._gone()
        self._sessions.discard(self)

    def _gone(self) -> None:
        """Nothing is shown and nothing is taken here any more."""
        self.closed = True
        self._behind.clear()
        self._cancel_hello()
        visitor, self._visitor = self._visitor, None
        if visitor is not None:
            visitor.left()

    def close(self, code: int, reason: str) -> None:
        """Close the socket; frames after this go nowhere. A peer that does not answer is cut off after a while."""
        if self._frames:
            self._flush()
        if not self.closed:
            self._gone()
            self._socket.send_close(code, reason)  # type: ignore[arg-type]  # a private code; the stub says enum
            self._loop.call_later(CLOSES_WITHIN_S, self._transport.abort)

    async def ended(self) -> None:
        """Wait until the socket is gone."""
        await self._socket.wait_disconnected()

    # --- what the peer says ----------------------------------------------------------------------------------------

    def _hear(self, message: bytes, *, readable: bool) -> None:
        try:
            frame = orjson.loads(message) if readable else {}
        except orjson.JSONDecodeError:
            frame = {}
        if not isinstance(frame, dict):
            frame = {}
        if self._visitor is None:
            self._greet(frame)
        else:
            self._visitor.take(frame)

    def _greet(self, hello: dict[str, object]) -> None:
        self._cancel_hello()
        try:
            if hello.get("op") != "hello":
                raise Unauthorized
            self._visitor = self._admit(self, hello)
        except Unauthorized:
            self.close(UNAUTHORIZED, "say hello with a token for this socket")
        except BadFrame as fault:
            self.close(BAD_FRAME, str(fault))
        else:
            self._visitor.come()

    def _cancel_hello(self) -> None:
        if self._hello_due is not None:
            self._hello_due.cancel()
            self._hello_due = None

    # --- what the peer is shown ------------------------------------------------------------------------------------

    def send(self, view: dict[str, object]) -> None:
        """Send an answer, behind the gate if that is up."""
        self.show("", 1, orjson.dumps(view))

    def show(self, log: str, position: int, frame: bytes) -> None:
        """Push a live frame, behind the gate if that is up."""
        if self._gates and not self.closed:
            self._behind.append(Waiting(log, position, frame))
        else:
            self.write(frame)

    def write(self, frame: bytes) -> None:
        """Send an encoded frame, whatever the gate; all frames of one turn of the loop leave in one write."""
        if self.closed:
            return
        if not self._frames:
            self._loop.call_soon(self._flush)
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

    def errand(self, work: Coroutine[object, object, None]) -> None:
        """Do something for the visitor that has to wait."""
        task = self._loop.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)

    def _errand_done(self, task: "asyncio.Task[None]") -> None:
        self._errands.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a session's errand failed", exc_info=task.exception())
            self.close(DEFECT, "this should not have happened")

    async def caught_up(self) -> None:
        """Wait until the peer has read most of what was sent; one that does not is a slow reader."""
        deadline_s = self._loop.time() + CLOSES_WITHIN_S
        await asyncio.sleep(0)
        while not self.closed and self._transport.get_write_buffer_size() > READ_AHEAD_BYTES:
            if self._transport.is_closing():
                return
            if self._loop.time() > deadline_s:
                self.close(SLOW, "slow reader: resume with your cursor")
            await asyncio.sleep(0.01)

    # --- the gate --------------------------------------------------------------------------------------------------

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


def _head(length: int) -> bytes:
    """The head of an unmasked, unfragmented text frame (RFC 6455, section 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")
