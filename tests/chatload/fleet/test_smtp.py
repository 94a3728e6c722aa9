"""SMTP without streams: what our client hands over our server takes, and what is no mail is refused."""

import asyncio

import pytest

from chatload.fleet.clock import Clock
from chatload.fleet.http import Answer, NoAnswer
from chatload.fleet.server import Request
from chatload.fleet.smtp import LINES_MOST, MailServer, Smtp


def through(mails: list[bytes]) -> tuple[list[Answer | NoAnswer], list[Request]]:
    """What becomes of mails on their way from our client to our server."""

    async def carry() -> tuple[list[Answer | NoAnswer], list[Request]]:
        requests: list[Request] = []

        def take(request: Request) -> bytes:
            requests.append(request)
            return b"250-2.0.0 a reply\r\n250 2.0.0 of two lines\r\n"

        clock, host = Clock(), MailServer(take)
        smtp = Smtp(clock, await host.start("127.0.0.1"), 15.0)
        answered = [asyncio.get_running_loop().create_future() for _ in mails]
        for mail, answer in zip(mails, answered, strict=True):
            smtp.hand_over("a@x.example", "B@y.example", mail, answer.set_result)
            await answer
        await smtp.close()
        await host.close()
        clock.close()
        return [answer.result() for answer in answered], requests

    return asyncio.run(carry())


def test_a_mail_arrives_byte_for_byte() -> None:
    """With dots at its lines' beginnings, a line that is one dot, and more bytes than a read takes."""
    mails = [b"A: b\r\n\r\n.\r\n..\r\n.a\r\n", b"A: b\r\n\r\n" + b"x" * 70 + b"\r\n" * 200_000]
    answers, requests = through(mails)
    assert [request.body for request in requests] == mails
    assert {(request.query, request.path, request.open) for request in requests} == {
        ("a@x.example", "b@y.example", True)
    }
    assert [(answer.status, answer.body) for answer in answers if isinstance(answer, Answer)] == [
        (250, b"2.0.0 of two lines")
    ] * 2


@pytest.mark.parametrize(
    "said, expected",
    [
        (b"DATA\r\nQUIT\r\n", b"503 5.5.1"),
        (b"RCPT TO:somebody\r\nQUIT\r\n", b"501 5.5.4"),
        (b"VRFY a\r\nQUIT\r\n", b"502 5.5.1"),
        (b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n", b"452 4.5.3"),
        (b"x" * (LINES_MOST + 1), b"552 5.3.4"),
        (b"QUIT\r\n", b"221 2.0.0"),
    ],
)
def test_what_is_no_mail_is_refused(said: bytes, expected: bytes) -> None:
    """Commands out of order, without an address, unknown, and a line without an end, after which it hangs up."""

    async def speak() -> bytes:
        host = MailServer(lambda request: b"250 2.0.0 OK\r\n")
        port = int((await host.start("127.0.0.1")).rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        heard = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await host.close()
        return heard

    assert expected in asyncio.run(speak())
