"""The upgrade: who asks for a WebSocket becomes a session of a customer or of an operator.

picows speaks the protocol, a tenth of what aiohttp's sockets cost. It would listen on a port of its own; here it gets
the connections of the one port from the door.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial

from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # the stub lacks it; its servers are made of it

from chatcore import wire
from chatcore.edges.chat import Customer
from chatcore.edges.desk import Seat
from chatcore.edges.gateway import Gateway
from chatcore.edges.session import MAX_FRAME, Session, Visitor
from chatcore.edges.webhooks import NOT_STORED, Refusal

UPGRADES_WITHIN_S = 5.0
PINGS_AFTER_S = 30.0
ANSWERS_PING_WITHIN_S = 15.0
READ_BUFFER = 2_048
NOT_ASKED = Refusal(400, "bad_request", "this is a WebSocket's path: ask for an upgrade")
VISITORS: Mapping[bytes, Callable[[Gateway, Session, dict[str, object]], Visitor]] = {
    b"/v1/chat": Customer,
    b"/v1/desk": Seat,
}

# A peer that breaks the protocol is closed, not logged; and an adapter keeps picows from making a logger a connection.
_SILENT = logging.LoggerAdapter(logging.Logger("chatcore.sockets", logging.CRITICAL))


def protocol(gateway: Gateway) -> asyncio.BufferedProtocol:
    """A new connection's protocol, before its request was read."""
    made: asyncio.BufferedProtocol = WSProtocol(
        None,  # host and path are for clients
        None,
        False,  # it is the server's side
        partial(_upgrade, gateway),
        _SILENT,
        True,  # disconnect when a callback raises
        UPGRADES_WITHIN_S,
        True,  # ping who is silent
        PINGS_AFTER_S,
        ANSWERS_PING_WITHIN_S,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        True,  # answer pings
        MAX_FRAME,
        None,  # extra headers
        READ_BUFFER,
    )
    return made


def feed(sockets: asyncio.BufferedProtocol, data: bytes) -> None:
    """Give the protocol what was read before it was there."""
    left = memoryview(data)
    while left:
        room = memoryview(sockets.get_buffer(len(left)))
        count = min(len(room), len(left))
        room[:count] = left[:count]
        sockets.buffer_updated(count)
        left = left[count:]


def _upgrade(gateway: Gateway, request: WSUpgradeRequest) -> Session | WSUpgradeResponseWithListener:
    """The session that answers a request."""
    if not gateway.ready:
        return _refused(NOT_STORED)
    wanted = [token.strip().lower() for token in request.headers.get("Connection", "").split(",")]
    if "upgrade" not in wanted:
        return _refused(NOT_ASKED)
    request.headers["Connection"] = "upgrade"  # picows takes no list here, and Firefox sends one
    visitor = VISITORS[request.path.partition(b"?")[0]]
    return Session(gateway.hub.sessions, partial(visitor, gateway))


def _refused(refusal: Refusal) -> WSUpgradeResponseWithListener:
    body = wire.dumps({"error": refusal.code, "detail": refusal.detail})
    headers = {"Content-Type": "application/json"}
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(refusal.status, body, headers), None)
