"""The client of the providers: every request goes out once, and has its own whole answer or none."""

import asyncio
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from chatcore.channels.shapes import Answer, Call
from chatcore.edges import providers
from chatcore.edges.providers import MAX_ANSWER, Connection, Exchange, Origin, Providers, target
from tests.chatcore.client import until
from tests.chatcore.cores import play

MOST = MAX_ANSWER["POST"]
JSON = Call("").headers
Act = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


def whole(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> bytes:
    """An answer with its length."""
    lines = [b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def says(*parts: bytes, hang_up: bool = False) -> Act:
    """Write the parts one by one."""

    async def act(writer: asyncio.StreamWriter, body: bytes) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if hang_up:
            writer.close()

    return act


def echoes(surplus: bytes = b"", *, hang_up: bool = False) -> Act:
    """Answer with the request's body, and write `surplus` behind it."""

    async def act(writer: asyncio.StreamWriter, body: bytes) -> None:
        await says(whole(body) + surplus, hang_up=hang_up)(writer, body)

    return act


async def resets(writer: asyncio.StreamWriter, body: bytes) -> None:
    """End the connection as a crashed host would."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def drips(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Begin an answer and go on with it for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.005)


async def keeps_silent(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Take the request and say nothing."""


ECHO = echoes()


class Stage:
    """A server that does with each request what the script says, and echoes what the script says nothing about."""

    def __init__(self, *script: Act) -> None:
        self.script = deque(script)
        self.url = ""
        self.heads: list[bytes] = []
        self.seen: list[tuple[int, bytes]] = []  # (number of the connection, body) of each request
        self.connections = self.left = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
                assert length is not None
                body = await reader.readexactly(int(length[1]))
                self.heads.append(head)
                self.seen.append((number, body))
                await (self.script.popleft() if self.script else ECHO)(writer, body)
        self.left += 1
        writer.close()


@asynccontextmanager
async def playing(*script: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Stage, Providers]]:
    """A stage on a free port, and a client."""
    stage = Stage(*script)
    server = await asyncio.start_server(stage.meet, "127.0.0.1", 0, ssl=tls)
    host = "https://localhost" if tls else "http://127.0.0.1"
    stage.url = f"{host}:{server.sockets[0].getsockname()[1]}/bot42:token/send"
    async with server, Providers() as client:
        yield stage, client


async def ask(client: Providers, url: str, body: bytes) -> Answer | None:
    """The answer to a post."""
    answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    client.call(Call(url, body), answer.set_result)
    assert not answer.done(), "the answer comes later, also when there will be none"
    return await answer


def echo(body: bytes) -> Answer:
    return Answer(200, {"content-length": str(len(body))}, body)


def test_connections_are_used_again() -> None:
    """One post after the other takes one connection; as many are opened as posts are under way at once."""

    async def acts() -> None:
        async with playing() as (stage, client):
            for number in range(3):
                body = b"%d" % number
                assert await ask(client, stage.url, body) == echo(body)
            assert stage.seen == [(1, b"0"), (1, b"1"), (1, b"2")]
            for _ in range(2):
                bodies = [b"a", b"b", b"c"]
                found = await asyncio.gather(*(ask(client, stage.url, body) for body in bodies))
                assert found == [echo(body) for body in bodies]
            assert (stage.connections, stage.left) == (3, 0)
            assert stage.heads[-1] == (
                b"POST /bot42:token/send HTTP/1.1\r\nHost: " + stage.url.split("/")[2].encode() + b"\r\n"
                b"User-Agent: chatcore\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
                b"Content-Type: application/json\r\nContent-Length: 1\r\n\r\n"
            )

    play(acts)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
CHUNKED_ANSWER = Answer(200, {"transfer-encoding": "chunked"}, b"abcdefg")
CLOSING = whole(b"abc", b"200 OK", b"Connection: Close")
CLOSING_ANSWER = Answer(200, {"connection": "Close", "content-length": "3"}, b"abc")
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
MOVED = Answer(307, {"location": "/elsewhere", "content-length": "0"}, b"")
ANSWERS: dict[str, tuple[Act, Answer, int]] = {
    "at once": (says(whole(b"abc")), echo(b"abc"), 1),
    "byte by byte": (says(*(bytes([byte]) for byte in whole(b"abc"))), echo(b"abc"), 1),
    "chunked": (says(CHUNKED), CHUNKED_ANSWER, 1),
    "chunked, byte by byte": (says(*(bytes([byte]) for byte in CHUNKED)), CHUNKED_ANSWER, 1),
    "without a body": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), Answer(204, {}, b""), 1),
    "after interim answers": (says(INTERIM, whole(b"abc")), echo(b"abc"), 1),
    "the largest": (says(whole(b"x" * (MOST - 100))), echo(b"x" * (MOST - 100)), 1),
    "a redirect": (says(whole(b"", b"307 Moved", b"Location: /elsewhere")), MOVED, 1),
    "the last of its connection": (says(CLOSING), CLOSING_ANSWER, 2),
    "in HTTP/1.0": (says(whole(b"abc").replace(b"1.1", b"1.0")), echo(b"abc"), 2),
    "up to the connection's end": (says(b"HTTP/1.1 200 OK\r\n\r\nab", b"c", hang_up=True), Answer(200, {}, b"abc"), 2),
}  # fmt: skip


@pytest.mark.parametrize("form", ANSWERS)
def test_an_answer_is_read_in_every_form(form: str) -> None:
    """Whatever its framing, the answer is whole, and the connection goes on only where the provider means it to."""
    act, answer, connections = ANSWERS[form]

    async def acts() -> None:
        async with playing(act) as (stage, client):
            assert await ask(client, stage.url, b"1") == answer
            assert await ask(client, stage.url, b"2") == echo(b"2")
            assert stage.seen == [(1, b"1"), (connections, b"2")]

    play(acts)


BREAKS: dict[str, Act] = {
    "hangs up before a byte": says(hang_up=True),
    "hangs up in the head": says(b"HTTP/1.1 200 OK\r\nContent-Le", hang_up=True),
    "hangs up in the body": says(whole(b"abc")[:-1], hang_up=True),
    "hangs up between chunks": says(CHUNKED[:-5], hang_up=True),
    "hangs up after an interim answer": says(INTERIM, hang_up=True),
    "resets": resets,
    "speaks another protocol": says(b"220 mail.example ESMTP\r\n"),
    "miscounts a chunk": says(CHUNKED.replace(b"3\r\n", b"2\r\n", 1)),
    "gives two lengths": says(whole(b"abc", b"200 OK", b"Content-Length: 2")),
    "changes the protocol": says(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    "sends too much": says(whole(b"x" * MOST)),
    "sends too many chunks": says(CHUNKED.replace(b"3\r\nabc\r\n", (b"40000\r\n" + b"x" * 0x40000 + b"\r\n") * 4)),
    "sends too many headers": says(whole(b"", b"200 OK", *(b"X: " + b"x" * 1000,) * 1100)),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_exchange_has_no_answer(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """There is none, the request went out once, also on a kept connection, and the next is not touched by it."""

    async def acts() -> None:
        async with playing(ECHO, BREAKS[how]) as (stage, client):
            assert await ask(client, stage.url, b"1") == echo(b"1")
            assert await ask(client, stage.url, b"2") is None
            assert stage.seen == [(1, b"1"), (1, b"2")]
            assert await ask(client, stage.url, b"3") == echo(b"3")
            assert stage.seen[2:] == [(2, b"3")]
        assert caplog.messages == []

    play(acts)


def test_the_bound_is_an_answers_own() -> None:
    """A kept connection may carry more than the bound in all."""

    async def acts() -> None:
        async with playing(*[says(whole(b"x" * (MOST // 2)))] * 3) as (stage, client):
            for _ in range(3):
                assert await ask(client, stage.url, b"1") == echo(b"x" * (MOST // 2))
            assert stage.connections == 1

    play(acts)


def test_nobody_there_is_no_answer() -> None:
    """A refused connection and a name without a host have none."""

    async def acts() -> None:
        async with Providers() as client:
            for url in ("http://127.0.0.1:9/", "http://nowhere.invalid/", "http://a..b/"):
                assert await ask(client, url, b"{}") is None

    play(acts)


def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    """The next request goes out on another connection, and none is lost or repeated."""

    async def acts() -> None:
        async with playing(echoes(hang_up=True)) as (stage, client):
            assert await ask(client, stage.url, b"1") == echo(b"1")
            await until(lambda: stage.left == 1)
            assert await ask(client, stage.url, b"2") == echo(b"2")
            assert stage.seen == [(1, b"1"), (2, b"2")]

    play(acts)


def test_an_old_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was idle for too long is dropped instead, for the provider may be closing it."""
    monkeypatch.setattr(providers, "IDLE_S", 0.0)

    async def acts() -> None:
        async with playing() as (stage, client):
            assert await ask(client, stage.url, b"1") == echo(b"1")
            assert await ask(client, stage.url, b"2") == echo(b"2")
            await until(lambda: stage.left == 1)
            assert stage.seen == [(1, b"1"), (2, b"2")]

    play(acts)


@pytest.mark.parametrize("surplus", [whole(b"forged"), b"HTTP/1.1 200", b"\x00"])
def test_what_nobody_asked_for_answers_nothing(surplus: bytes) -> None:
    """Bytes behind an answer, at once or later, end their connection and reach no other request."""

    async def acts() -> None:
        later = asyncio.Event()

        async def twice(writer: asyncio.StreamWriter, body: bytes) -> None:
            writer.write(whole(body))
            await later.wait()
            writer.write(surplus)

        async with playing(echoes(surplus), twice) as (stage, client):
            assert await ask(client, stage.url, b"1") == echo(b"1")
            await until(lambda: stage.left == 1)
            assert await ask(client, stage.url, b"2") == echo(b"2")
            later.set()
            await until(lambda: stage.left == 2)
            assert await ask(client, stage.url, b"3") == echo(b"3")
            assert stage.seen == [(1, b"1"), (2, b"2"), (3, b"3")]

    play(acts)


@pytest.mark.parametrize("act", [keeps_silent, drips])
def test_one_deadline_holds_for_the_whole_exchange(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence and a trickle end at the deadline as no answer, and with them their connection."""

    async def acts() -> None:
        async with playing(act) as (stage, client):
            with monkeypatch.context() as patch:
                patch.setattr(client, "_timeout_s", 0.3)
                slow = asyncio.create_task(ask(client, stage.url, b"1"))
                await until(lambda: stage.seen)
            other = asyncio.create_task(ask(client, stage.url, b"2"))
            assert await slow is None
            assert await other == echo(b"2")
            await until(lambda: stage.left == 1)
            assert stage.seen == [(1, b"1"), (2, b"2")]

    play(acts)


def test_a_late_answer_reaches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the provider says after the deadline is not taken for the answer to the next request."""

    async def acts() -> None:
        deadline = asyncio.Event()

        async def late(writer: asyncio.StreamWriter, body: bytes) -> None:
            await deadline.wait()
            writer.write(whole(b"late"))

        async with playing(late) as (stage, client):
            with monkeypatch.context() as patch:
                patch.setattr(client, "_timeout_s", 0.3)
                slow = asyncio.create_task(ask(client, stage.url, b"1"))
                await until(lambda: stage.seen)
            assert await slow is None
            deadline.set()
            assert await ask(client, stage.url, b"2") == echo(b"2")
            assert stage.seen == [(1, b"1"), (2, b"2")]

    play(acts)


def test_a_dial_that_hangs_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that accepts and never shakes hands gets no request, neither then nor later."""

    async def acts() -> None:
        async with playing() as (stage, client):
            monkeypatch.setattr(client, "_timeout_s", 0.3)
            assert await ask(client, stage.url.replace("http:", "https:"), b"1") is None
            await until(lambda: stage.left == 1)
            assert stage.seen == []

    play(acts)


def test_a_request_that_was_given_up_is_not_sent() -> None:
    """A connection that comes about after the deadline of its request is closed without it."""

    async def acts() -> None:
        async with playing() as (stage, client):
            origin, head = target(stage.url, "POST", ())
            late = Exchange(head + b"1\r\n\r\n1", MOST, 0.0, lambda answer: None)
            late.over = True
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: Connection(client, origin, late), origin.host, origin.port)
            await until(lambda: stage.left == 1)
            assert stage.seen == []

    play(acts)


def test_leaving_drops_what_is_under_way() -> None:
    """Nobody is told an answer any more, and every connection is closed, idle or not."""

    async def acts() -> None:
        told: list[Answer | None] = []
        async with playing(ECHO, keeps_silent) as (stage, _):
            async with Providers() as client:
                await asyncio.gather(ask(client, stage.url, b"1"), asyncio.sleep(0))
                client.call(Call(stage.url, b"2"), told.append)
                await until(lambda: len(stage.seen) == 2)
                assert await ask(client, stage.url, b"3") == echo(b"3")
                client.call(Call("http://127.0.0.1:9/", b"4"), told.append)
            await until(lambda: stage.left == 2)
            assert told == []

    play(acts)


@pytest.mark.parametrize("trusted", [True, False])
def test_https_is_checked(trusted: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is asked over TLS if the system trusts its certificate, on kept connections, too; else never."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def acts() -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        async with playing(tls=tls) as (stage, client):
            assert await ask(client, stage.url, b"1") == (echo(b"1") if trusted else None)
            assert await ask(client, stage.url, b"2") == (echo(b"2") if trusted else None)
            assert stage.seen == ([(1, b"1"), (1, b"2")] if trusted else [])

    play(acts)


@pytest.mark.parametrize(
    "url, origin, path, host",
    [
        ("http://a", Origin("a", 80, False), "/", "a"),
        ("https://a/", Origin("a", 443, True), "/", "a"),
        ("https://a:8443/b%20c/d e?f=g h&i=1:2#j", Origin("a", 8443, True), "/b%20c/d%20e?f=g%20h&i=1:2", "a:8443"),
        ("http://[::1]:81/ж", Origin("::1", 81, False), "/%D0%B6", "[::1]:81"),
    ],
)
def test_a_url_becomes_a_head(url: str, origin: Origin, path: str, host: str) -> None:
    """Host, port and path are the URL's; what may not stand in a request line is quoted."""
    found, head = target(url, "POST", JSON)
    assert (found, head.split(b"\r\n")[:2]) == (origin, [f"POST {path} HTTP/1.1".encode(), f"Host: {host}".encode()])
