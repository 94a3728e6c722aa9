"""One party's WebSocket, kept alive: dialled, greeted, and redialled after a break with back-off.

Everything a frame causes happens in the read callback, and its stamp is taken on entering it. There is no task per
message; a task exists only while a connection is being opened. Back-off keeps wall time at any speed.
"""

import asyncio
from collections.abc import Callable
from functools import cache
from logging import LoggerAdapter, getLogger
from typing import Any, Final, Protocol
from zlib import crc32

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSError,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # missing in its stubs
from picows.url import parse_url

from chatload.fleet import codes
from chatload.fleet.clock import Timer, now_ns
from chatload.fleet.frames import Frame, encode
from chatload.fleet.ledger import Actor, Subject, method_of

GREETING_NS: Final = 10_000_000_000  # the platform must answer a hello within this
BACKOFF_NS: Final = 50_000_000
BACKOFF_MOST_NS: Final = 1_600_000_000
FINAL_CODES: Final = {4001: "fenced", 4401: "unauthorized"}  # dialling again would only repeat it

PING_AFTER_S: Final = 10.0  # of silence; without an answer in as much time the connection counts as lost
LONGEST_FRAME: Final = 10 << 20

_logger: Final = LoggerAdapter(getLogger("picows.client"))  # of a plain Logger picows makes a child a connection
_address: Final = cache(parse_url)
_TEXT: Final = WSMsgType.TEXT
_CLOSE: Final = WSMsgType.CLOSE
_CONTINUATION: Final = WSMsgType.CONTINUATION


class Party(Protocol):
    """Who speaks over a link."""

    def hello(self) -> bytes:
        """The first frame of a new connection."""

    def heard(self, payload: bytes, stamp_ns: int) -> None:
        """A frame came."""

    def broken(self, reason: str) -> None:
        """The connection is gone, or a dial failed; the link redials by itself."""

    def refused(self, reason: str) -> None:
        """The platform will not have this party; the link has given up."""


class Wire(Protocol):
    """A party's connection; `Link` is the real one. What it promises is said there."""

    live: bool
    down: bool

    def open(self, intended_ns: int) -> None:
        """Connect."""

    def send(self, frame: Frame) -> None:
        """Write a frame."""

    def welcomed(self, stamp_ns: int) -> None:
        """The platform greeted back."""

    def record(self, outcome: int, done_ns: int = -1, reason: str = "", cursor: int = -1) -> None:
        """Leave a row of the present dial."""

    def shut(self) -> None:
        """Close for good."""


def backoff_ns(failures: int, who: str, epoch: int) -> int:
    """How long to wait before the next dial: doubling, with a jitter that depends on the party and the attempt only."""
    jitter = crc32(f"{who}:{epoch}".encode()) / 2**32
    return int(min(BACKOFF_NS << min(failures, 10), BACKOFF_MOST_NS) * (0.5 + jitter))


class Link(WSListener):
    """Connection of `who` to `path`; writes a CONNECT or RESUME row for every dial.

    `live` from `welcomed` until the socket breaks; `down` from a break or a failed dial until the next welcome. The
    actor's `epoch` counts the dials.
    """

    __slots__ = (
        "_actor", "_failures", "_greeted", "_intended_ns", "_method", "_parts", "_party", "_started_ns", "_subject",
        "_task", "_timer", "_transport", "_upgraded", "_url", "_wanted", "_world", "down", "live", "resuming",
    )  # fmt: skip

    def __init__(self, actor: Actor, party: Party, path: str, subject: Subject) -> None:
        self._actor = actor
        self._world = actor.world
        self._party = party
        self._url = actor.world.target.socket_url + path
        self._subject = subject
        self._method = method_of(subject.channel)
        self._transport: WSTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._parts = b""
        self._failures = 0
        self._upgraded = 0  # the last dial that got as far as a WebSocket
        self._wanted = False
        self._greeted = False
        self._intended_ns = -1
        self._started_ns = -1
        self.live = False
        self.down = False
        self.resuming = False

    def open(self, intended_ns: int) -> None:
        """Dial now, unless that is under way; `intended_ns` is when this should have happened."""
        if not self._wanted:
            self._wanted = True
            self._begin(intended_ns)

    def send(self, frame: Frame) -> None:
        """Write a frame; only while `live`."""
        if self._transport is not None:
            self._transport.send(_TEXT, encode(frame))

    def welcomed(self, stamp_ns: int) -> None:
        """The platform greeted back: frames may be sent."""
        self.live, self.down, self._greeted = True, False, True
        self._failures = 0
        self._stop_timer()
        self._world.tally.add("resume" if self.resuming else "connect", self._method, stamp_ns - self._intended_ns)

    def record(self, outcome: int, done_ns: int = -1, reason: str = "", cursor: int = -1) -> None:
        """The row of the present dial."""
        self._actor.row(
            codes.RESUME if self.resuming else codes.CONNECT, outcome, self._subject, self._started_ns,
            intended=self._intended_ns, started=self._started_ns, done=done_ns, cursor=cursor,
            reason=self._world.recorder.text(reason),
        )  # fmt: skip

    def drop(self, redial_ns: int) -> None:
        """Close the socket without a word and dial again at `redial_ns`."""
        self._let_go()
        self._redial(redial_ns)

    def shut(self) -> None:
        """Close for good."""
        self._wanted = self._greeted = self.down = self.resuming = False
        self._stop_timer()
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
        self._let_go()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done: say hello."""
        self._let_go()
        self._transport = transport
        self._upgraded = self._actor.epoch
        transport.send(_TEXT, self._party.hello())
        self._timer = self._world.clock.at(now_ns() + GREETING_NS, lambda: self._lost("no welcome"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Stamp a frame and hand it to the party; a frame of a connection already let go is dropped."""
        stamp_ns = now_ns()
        if transport is not self._transport:
            return
        kind = frame.msg_type
        if kind == _CLOSE:
            code = int(frame.get_close_code())  # type: ignore[call-overload]  # an int for private codes, the stub says enum
            transport.send_close(WSCloseCode.OK)
            self._lost(str(code), final=FINAL_CODES.get(code))
        elif kind == _TEXT and frame.fin:
            self._party.heard(frame.get_payload_as_bytes(), stamp_ns)
        elif kind in {_TEXT, _CONTINUATION}:
            self._parts += frame.get_payload_as_bytes()
            if frame.fin:
                whole, self._parts = self._parts, b""
                self._party.heard(whole, stamp_ns)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone."""
        if transport is self._transport:
            self._lost("broken")

    def pause_writing(self) -> None:
        """Frames are small and answered one by one: the transport's own buffer suffices."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    def _begin(self, intended_ns: int) -> None:
        self._intended_ns = intended_ns
        self._task = asyncio.get_running_loop().create_task(self._dial())
        self._task.add_done_callback(self._dialled)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None  # an open connection needs none

    async def _dial(self) -> None:
        self._actor.epoch += 1
        dial = self._actor.epoch
        self._started_ns = now_ns()
        self._parts = b""
        try:
            await _connect(self._url, lambda _request, _response: self if self._awaits(dial) else _Nobody())
        except WSInvalidStatusError as error:
            reason = f"http {error.response.status.value}" if error.response else "no upgrade"
        except (WSError, OSError) as error:
            reason = type(error).__name__
        else:
            if self._upgraded == dial:
                return
            reason = "broken"  # closed in the middle of the upgrade: nobody was told
        if self._awaits(dial):
            self._lost(reason)

    def _awaits(self, dial: int) -> bool:
        """Whether what becomes of a dial still matters: it goes on after `shut`, for nothing may end it halfway."""
        return self._wanted and dial == self._actor.epoch

    def _lost(self, reason: str, final: str | None = None) -> None:
        was_live, self.down = self.live, True
        self._let_go()
        if not was_live:
            self._world.tally.fail("resume" if self.resuming else "connect", self._method, final or reason)
            self.record(codes.INDETERMINATE if final is None else codes.REJECTED, reason=final or reason)
        if final is not None:
            self._wanted = False
            self._party.refused(final)
            return
        self._party.broken(reason)
        if self._wanted:
            self._redial(now_ns() + backoff_ns(self._failures, self._actor.name, self._actor.epoch))
            self._failures += 1

    def _let_go(self) -> None:
        self.live = False
        transport, self._transport = self._transport, None
        self._stop_timer()
        if transport is not None:
            transport.disconnect()

    def _redial(self, due_ns: int) -> None:
        self.resuming = self._greeted
        self._timer = self._world.clock.at(due_ns, lambda: self._due(due_ns))

    def _due(self, due_ns: int) -> None:
        self._timer = None
        if self._wanted:
            self._begin(due_ns)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _connect(url: str, listener: Callable[[Any, Any], WSListener]) -> None:
    """Connect to `url` with picows' protocol, and without its `ws_connect`, which makes a dial a quarter dearer.

    Raises:
        WSError: no WebSocket came of it.
        OSError: no connection, or no answer within the time of a greeting.
    """
    address = _address(url)
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: WSProtocol(
            host_port=address.netloc,
            ws_path=address.resource_name,
            is_client_side=True,
            ws_listener_factory=listener,
            logger=_logger,
            disconnect_on_exception=True,
            websocket_handshake_timeout=GREETING_NS / 1e9,
            enable_auto_ping=True,
            auto_ping_idle_timeout=PING_AFTER_S,
            auto_ping_reply_timeout=PING_AFTER_S,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=True,
            max_frame_size=LONGEST_FRAME,
            extra_headers=None,
            read_buffer_init_size=2048,
        ),
        address.host,
        address.port,
        ssl=address.is_secure or None,
    )
    await protocol.wait_until_handshake_complete()


class _Nobody(WSListener):
    """Who answers a dial that is not wanted any more."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Hang up."""
        transport.disconnect()
