"""Whatever arrives on a socket: an answer or a refusal, never the end of the core, never a change for somebody else."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chatcore.client import Client, Peer, token
from tests.chatcore.cores import inside, play

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DIALOGS = st.sampled_from(
    ["web/u1#1", "web/u2#1", "web/u2#0", "web/u2#-1", "#1", "web/u1", "web/u2#99999999999999999999", "x#٣"]
)
NUMBERS = st.sampled_from([0, 1, 2, -1, 2**53, True, 1.0, "1", None])
KNOWN = st.fixed_dictionaries(
    {"op": st.sampled_from(["send", "end", "hello", "accept", "close", "presence", "ping", "welcome"])},
    optional={
        "cid": st.sampled_from(["c1", "", "x" * 65, "\n", 7, None]) | TEXT,
        "text": TEXT | st.sampled_from(["operator", "x" * 4_097, "", None, 3]),
        "dialog": DIALOGS | TEXT,
        "number": NUMBERS,
        "state": st.sampled_from(["online", "away", "offline", "asleep", None]),
        "token": TEXT,
    },
)
FRAMES = st.lists(KNOWN | st.dictionaries(TEXT, VALUES, max_size=4) | VALUES, min_size=1, max_size=12)
FEW = settings(max_examples=40, suppress_health_check=list(HealthCheck))


async def throw(peer: Peer, frames: list[Any]) -> list[Any]:
    """Send the frames; what came back by the answer to a last ping."""
    for frame in frames:
        await peer.socket.send_str(orjson.dumps(frame).decode())
    return await peer.asked()


async def bystander(client: Client) -> Any:
    """The history of a contact in a dialog with o2."""
    desk = await client.desk("o2", presence="online")
    await (await client.customer("web/u2")).say("c1", "operator")
    await desk.accept(await desk.until(op="offered"))
    return await client.history("web/u2")


@FEW
@given(frames=FRAMES)
def test_a_customers_socket_takes_anything(frames: list[Any]) -> None:
    """Any JSON on a customer's socket is answered, refused or ignored; the next message is taken, others stay."""

    async def acts() -> None:
        async with inside() as core:
            before = await bystander(core.client)
            customer = await core.client.customer("web/u1")
            shown = await throw(customer, frames)
            assert {frame["op"] for frame in shown} <= {"ack", "entry", "refused", "pong"}
            assert (await customer.say("the last one", "balance"))["op"] == "ack"
            assert await core.client.history("web/u2") == before

    play(acts)


@FEW
@given(frames=FRAMES)
def test_a_desks_socket_takes_anything(frames: list[Any]) -> None:
    """Any JSON on a desk's socket is answered or refused; the desk goes on, and a dialog of another operator stays."""

    async def acts() -> None:
        async with inside() as core:
            before = await bystander(core.client)
            desk = await core.client.desk("o1")
            shown = await throw(desk, frames)
            assert {frame["op"] for frame in shown} <= {"presence", "refused", "pong"}
            await desk.presence("online")
            assert await core.client.history("web/u2") == before

    play(acts)


@FEW
@given(
    path=st.sampled_from(["/v1/chat", "/v1/desk"]),
    hello=KNOWN | VALUES,
    cursor=VALUES | st.sampled_from(["1.1", "-1.0", "9" * 30 + ".0", "1.٣"]),
    cursors=VALUES | st.dictionaries(DIALOGS, NUMBERS | st.integers(-(2**63), 2**64 - 1), max_size=2),
)
def test_any_hello_is_welcomed_or_told_off(path: str, hello: Any, cursor: Any, cursors: Any) -> None:
    """A hello that is none closes with 4401, an unreadable cursor with 4400; what is fine is welcomed."""

    async def acts() -> None:
        async with inside() as core:
            role, subject = ("customer", "web/u1") if path == "/v1/chat" else ("operator", "o1")
            peer = Peer(core.client, await core.client.socket(path))
            await peer.socket.send_str(orjson.dumps(hello).decode())
            assert await peer.ended() == 4401
            peer = Peer(core.client, await core.client.socket(path))
            frame = {
                "op": "hello",
                "token": token(role, subject),
                "session": cursor,
                "cursor": cursor,
                "cursors": cursors,
            }
            await peer.socket.send_str(orjson.dumps(frame).decode())
            await peer.send(op="ping")
            first = await peer.socket.receive(10)
            assert first.data == 4400 or orjson.loads(first.data)["op"] == "welcome"

    play(acts)


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/desk"])
def test_what_is_no_frame_at_all(path: str) -> None:
    """Broken JSON and binary frames are refused; a frame over 64 KiB closes with 1009; the core goes on."""

    async def acts() -> None:
        async with inside() as core:
            role, subject = ("customer", "web/u1") if path == "/v1/chat" else ("operator", "o1")
            peer = Peer(core.client, await core.client.socket(path))
            await peer.send(op="hello", token=token(role, subject))
            await peer.until(op="welcome")
            bad = {"op": "refused", "cid": None, "reason": "bad_frame"}
            for text in ("", "{", "[]", "null", '"x"', '"\\ud800"'):
                await peer.socket.send_str(text)
                assert await peer.next() == bad
            await peer.socket.send_bytes(b"{}")
            assert await peer.next() == bad
            await peer.socket.send_str('"' + "x" * 70_000 + '"')
            assert await peer.ended() == 1009
            assert (await core.client.rest("GET", "/healthz"))[0] == 200

    play(acts)


def test_wrong_tokens_close_the_socket() -> None:
    """No token, another role's, an expired one, an account without sockets, an unknown operator: closed with 4401."""

    async def acts() -> None:
        async with inside() as core:
            wrong = [
                ("/v1/chat", None), ("/v1/chat", 7), ("/v1/chat", token("operator", "o1")),
                ("/v1/chat", token("customer", "web/u1", ttl_s=-1)), ("/v1/chat", token("customer", "none/u1")),
                ("/v1/chat", token("customer", "web/")), ("/v1/chat", token("customer", "web")),
                ("/v1/desk", token("customer", "web/u1")), ("/v1/desk", token("operator", "o99")),
            ]  # fmt: skip
            for path, presented in wrong:
                peer = Peer(core.client, await core.client.socket(path))
                await peer.send(op="hello", token=presented)
                assert (await peer.ended(), peer.taken) == (4401, [])
            await asyncio.sleep(0)
            assert core.gateway.hub.customers_of == {}
            assert core.gateway.hub.desks == {}

    play(acts)
