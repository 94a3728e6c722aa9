"""The door: webhooks are answered alike however their bytes arrive, and whatever it does not know goes to aiohttp."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import orjson
import pytest

from chatcore.edges.door import MAX_HEAD, read_head
from chatcore.edges.gateway import MAX_WEBHOOK
from tests.chatcore.client import HOOK_SECRET, PATIENCE_S, Frame, update
from tests.chatcore.cores import Inside, inside, play, telegram

NOWHERE = telegram("http://127.0.0.1:9")
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: core\r\n\r\n"
PLAIN = {"Host": "core", "Content-Type": "application/json", "Content-Length": "7"}


def lines(first: str, headers: dict[str, str]) -> bytes:
    """A head without its last empty line."""
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in headers.items())]).encode()


def hook(number: int, secret: str = HOOK_SECRET, path: str = "/webhooks/telegram/tg", **more: str) -> bytes:
    """A whole webhook that brings message `number`."""
    body = orjson.dumps(update(number))
    headers = {"Host": "core", "X-Telegram-Bot-Api-Secret-Token": secret, "Content-Length": str(len(body))} | more
    return lines(f"POST {path} HTTP/1.1", headers) + b"\r\n\r\n" + body


class Peer:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, Frame]:
        """(status, body) of the next answer."""
        status, body = await self.raw_answer()
        return status, orjson.loads(body)

    async def raw_answer(self) -> tuple[int, bytes]:
        """The same with a body that need not be JSON."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)


@asynccontextmanager
async def peer(core: Inside) -> AsyncIterator[Peer]:
    address = urlsplit(core.client.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


async def messages(core: Inside) -> list[str]:
    """The ids of the messages that chat 77 has in its history."""
    return [entry["id"] for entry in await core.client.history("tg/77") if entry["kind"] == "message"]


def test_a_webhook_may_arrive_in_any_pieces() -> None:
    """Byte by byte, or several in one write: each is answered once, in order, and stored once."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core, peer(core) as found:
            found.writer.transport.set_write_buffer_limits(0)
            for byte in hook(1):
                found.writer.write(bytes((byte,)))
                await found.writer.drain()
                await asyncio.sleep(0)
            assert await found.answer() == (200, {})
            found.writer.write(hook(2) + hook(3, secret="wrong") + hook(4) + hook(5)[:-1])
            assert [await found.answer() for _ in range(3)] == [
                (200, {}),
                (401, {"error": "wrong_secret", "detail": ""}),
                (200, {}),
            ]
            found.writer.write(hook(5)[-1:])
            assert await found.answer() == (200, {})
            assert await messages(core) == ["1", "2", "4", "5"]

    play(acts)


def test_hundreds_of_refusals_in_one_write_are_answered() -> None:
    """Requests that are answered at once do not pile up on the stack."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core, peer(core) as found:
            bad = b"POST /webhooks/x/y HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            count = 2_000
            found.writer.write(bad * count)
            answers = [await found.answer() for _ in range(count)]
            assert answers == [(404, {"error": "unknown_account", "detail": ""})] * count

    play(acts)


def test_an_answer_waits_until_its_message_is_durable() -> None:
    """With commits held nothing is answered; the second of two requests is not even taken before."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core, peer(core) as found:
            partition = core.core.partitions[0]
            core.journal.hold()
            before = partition.position
            found.writer.write(hook(1) + hook(2))
            while partition.position == before:  # noqa: ASYNC110 - the core is in this process
                await asyncio.sleep(0)
            answer = asyncio.create_task(found.answer())
            for _ in range(50):
                await asyncio.sleep(0)
            assert (answer.done(), len(partition.state.by_key["tg/77"].seen)) == (False, 1)
            core.journal.release()
            assert await answer == (200, {})
            assert await found.answer() == (200, {})
            assert await messages(core) == ["1", "2"]

    play(acts)


def test_other_requests_go_on_to_aiohttp() -> None:
    """A chunked webhook and a question about health behind plain ones are answered, and the connection ends then.

    So the next request of its client, which may ask for a socket, begins at the door. A body may be too large.
    """

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core:
            body = orjson.dumps(update(2))
            chunked = lines(
                "POST /webhooks/telegram/tg HTTP/1.1",
                {"Host": "core", "X-Telegram-Bot-Api-Secret-Token": HOOK_SECRET, "Transfer-Encoding": "chunked"},
            ) + b"\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            for number, other in ((1, chunked), (3, HEALTH)):
                async with peer(core) as found:
                    found.writer.write(hook(number) + other)
                    assert [(await found.answer())[0] for _ in range(2)] == [200, 200]
                    assert await found.reader.read() == b""
            assert await messages(core) == ["1", "2", "3"]
            async with peer(core) as large:
                head = lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Content-Length": str(MAX_WEBHOOK + 1)})
                large.writer.write(head + b"\r\n\r\n" + b"x" * (MAX_WEBHOOK + 1))
                assert (await large.answer())[0] == 413
            async with peer(core) as endless:
                endless.writer.write(b"POST /webhooks/telegram/tg HTTP/1.1\r\nX: " + b"y" * (2 * MAX_HEAD))
                status, told = await endless.answer()
                assert (status, told["error"]) == (400, "head_too_long")

    play(acts)


def test_a_core_that_is_not_ready_takes_no_webhook() -> None:
    """Before recovery has ended a webhook is answered 503, and nothing is decided."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core, peer(core) as found:
            core.gateway.stopping = True
            found.writer.write(hook(1))
            status, answer = await found.answer()
            assert (status, answer["error"]) == (503, "not_stored")
            assert list(core.core.partitions[0].state.contacts) == []
            core.gateway.stopping = False

    play(acts)


def test_a_plain_head_is_read() -> None:
    """Names in lower case, values without the blanks around them."""
    head = read_head(lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X-Secret": " s e "}))
    assert head == (
        "telegram",
        "tg",
        {"host": "core", "content-type": "application/json", "content-length": "7", "x-secret": "s e"},
        7,
    )


@pytest.mark.parametrize("name", ["X-Hub-Signature-256", "x-viber-content-signature"])
def test_a_signed_head_is_read_like_any_other(name: str) -> None:
    """Wherever the signature stands, and whatever it is this time; the rest is what it is without one."""
    without = read_head(lines("POST /webhooks/viber/viber HTTP/1.1", PLAIN))
    assert without is not None
    for value, fields in [
        ("ab1", {name: "ab1", **PLAIN}),
        ("ab2", PLAIN | {name: "ab2"}),
        ("ab3", {"Host": "core", name: "ab3 \t", **PLAIN}),
    ]:
        found = read_head(lines("POST /webhooks/viber/viber HTTP/1.1", fields))
        assert found == without._replace(headers={**without.headers, name.lower(): value})


@pytest.mark.parametrize(
    "head",
    [
        lines("POST /webhooks/viber/vb HTTP/1.1", PLAIN | {"X-Signature": "a", "x-signature": "a"}),
        lines("POST /webhooks/viber/vb HTTP/1.1", PLAIN | {"X-Signature": "a\x00"}),
        lines("POST /webhooks/viber/vb HTTP/1.1", PLAIN | {"X Signature": "a"}),
        lines("POST /webhooks/viber/vb HTTP/1.1", PLAIN | {"X-Signature": "a", "Expect": "100-continue"}),
        lines("POST /webhooks/viber/vb HTTP/1.1", PLAIN | {"Connection": "Signature"}),
        lines("POST /webhooks/telegram/tg HTTP/1.0", PLAIN),
        lines("POST /webhooks/telegram/tg?x=1 HTTP/1.1", PLAIN),
        lines("POST /webhooks/telegram/%74g HTTP/1.1", PLAIN),
        lines("POST /webhooks/telegram HTTP/1.1", PLAIN),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Transfer-Encoding": "chunked"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Content-Encoding": "gzip"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Expect": "100-continue"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Connection": "close"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Upgrade": "websocket"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Content-Length": "+7"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Content-Length": "7, 7"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"Content-Length": str(MAX_WEBHOOK + 1)}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"content-length": "7"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X-Folded": "a\r\n b"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X-Bare": "a\nb"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X Blank": "a"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X-Signature": "a", "x-signature": "b"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X-Signature": "a\r\n b"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", PLAIN | {"X-Signature": "a\nb"}),
        lines("POST /webhooks/telegram/tg HTTP/1.0", PLAIN | {"X-Signature": "a"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", {"Host": "core"}),
        lines("POST /webhooks/telegram/tg HTTP/1.1", {"Content-Length": "7"}),
    ],
)
def test_any_other_head_is_left_alone(head: bytes) -> None:
    """A head that two parsers might read differently, or that asks for more, is not for the door."""
    assert read_head(head) is None
