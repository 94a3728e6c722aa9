"""The sockets below their frames: upgrades, fragments, silence, and who is cut off."""

import asyncio
import gc
import os
import struct
import weakref
from contextlib import closing
from urllib.parse import urlsplit

import orjson
import pytest

from chatcore.edges import session
from tests.chatcore.client import PATIENCE_S, token, until
from tests.chatcore.cores import Inside, inside, play
from tests.chatcore.raw import Raw, raw

HELLO = {"token": token("customer", "web/u1"), "session": "s1"}
TEXT, CONTINUATION, CLOSE, PING = 1, 0, 8, 9


def frame(kind: int, payload: bytes, *, last: bool = True) -> bytes:
    """A masked frame with a length of 16 bits."""
    mask = os.urandom(4)
    head = struct.pack(">BB", kind | (0x80 if last else 0), 0x80 | (126 if len(payload) > 125 else len(payload)))
    length = struct.pack(">H", len(payload)) if len(payload) > 125 else b""
    return head + length + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def write(peer: Raw, *frames: bytes) -> None:
    """Send what fits into the kernel's buffer."""
    peer.socket.setblocking(True)
    peer.socket.sendall(b"".join(frames))
    peer.socket.setblocking(False)


async def upgraded(core: Inside, head: bytes) -> bytes:
    """The first line of the answer to a request that arrives byte by byte."""
    address = urlsplit(core.client.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    with closing(writer):
        for byte in head:
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.readline()


@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, Upgrade"])
@pytest.mark.parametrize("path", ["/v1/chat", "/v1/desk?from=here"])
def test_an_upgrade_may_arrive_in_any_pieces(path: str, connection: str) -> None:
    """A request byte by byte, as browsers word it, with or without a query, is answered 101."""

    async def acts() -> None:
        async with inside() as core:
            head = (
                f"GET {path} HTTP/1.1\r\nHost: core\r\nUpgrade: websocket\r\nConnection: {connection}\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert await upgraded(core, head.encode()) == b"HTTP/1.1 101 Switching Protocols\r\n"

    play(acts)


def test_a_message_may_come_in_fragments() -> None:
    """Fragments with a ping between them are one message; the ping is answered; too many bytes close with 1009."""

    async def acts() -> None:
        async with inside() as core:
            peer = await raw(core.client.url, "/v1/chat", **HELLO)
            await until(peer.take_now)
            said = orjson.dumps({"op": "send", "cid": "c1", "text": "operator"})
            first, second, third = said[:5], said[5:9], said[9:]
            write(
                peer,
                frame(TEXT, first, last=False),
                frame(CONTINUATION, second, last=False),
                frame(PING, b"there?"),
                frame(CONTINUATION, third),
            )
            await until(lambda: [shown for shown in peer.take_now() if shown["op"] == "ack"])
            assert [shown["cid"] for shown in peer.texts() if shown["op"] == "ack"] == ["c1"]
            assert (10, b"there?") in list(peer.frames())
            assert [entry["text"] for entry in await core.client.history("web/u1") if "id" in entry] == ["operator"]
            part = b"x" * 30_000
            write(peer, frame(TEXT, part, last=False), *[frame(CONTINUATION, part, last=False)] * 2)
            await until(lambda: peer.take_now() and peer.close_codes())
            assert peer.close_codes() == [1009]
            peer.socket.close()

    play(acts)


def test_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket without a hello is closed with 4401, and one that does not answer the close is cut off."""
    monkeypatch.setattr(session, "HELLO_WITHIN_S", 0.05)
    monkeypatch.setattr(session, "CLOSES_WITHIN_S", 0.05)

    async def acts() -> None:
        async with inside() as core:
            peer = await raw(core.client.url, "/v1/chat", **HELLO)
            await until(peer.take_now)
            silent = await raw(core.client.url, "/v1/chat")
            await silent.take_all()
            assert (silent.close_codes(), len(core.gateway.hub.sessions)) == ([4401], 1)
            silent.socket.close()
            peer.socket.close()

    play(acts)


@pytest.mark.parametrize("polite", [True, False])
def test_a_socket_that_ended_leaves_nothing_for_the_collector(*, polite: bool) -> None:
    """With or without a close frame, a session is gone with its socket: phones come and go all day."""

    async def acts() -> None:
        async with inside() as core:
            peer = await raw(core.client.url, "/v1/chat", **HELLO)
            await until(peer.take_now)
            sessions = core.gateway.hub.sessions
            (found,) = [weakref.ref(session) for session in sessions]
            gc.disable()
            try:
                if polite:
                    write(peer, frame(CLOSE, struct.pack(">H", 1000)))
                    await peer.take_all()
                peer.socket.close()
                await until(lambda: not sessions)
                await until(lambda: found() is None)
            finally:
                gc.enable()

    play(acts)
