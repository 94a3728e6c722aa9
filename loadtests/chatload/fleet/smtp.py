"""SMTP without a task or a future a mail: kept connections to a mail server, and a server that stamps as it reads.

aiosmtpd reads through streams, a task a connection, and sees a mail turns of the loop after it came; the stamps of
the ledger are those of the read callback.
"""

import asyncio
import re
from collections import deque
from functools import partial
from typing import Final, cast
from urllib.parse import urlsplit

from chatload.fleet.clock import Time, Timer, now_ns
from chatload.fleet.http import Answer, Done, NoAnswer
from chatload.fleet.server import Answering, Pending, Request

IDLE_NS: Final = 60_000_000_000  # an older connection is not used again: the server may be about to close it
MAIL_MOST: Final = 32 * 1024 * 1024
LINES_MOST: Final = 64 * 1024  # of what is no mail
CONNECTIONS_MOST: Final = 200
GONE: Final = 421
END: Final = b"\r\n.\r\n"
_ADDRESS: Final = re.compile(rb"(?:MAIL FROM|RCPT TO): ?<([^>\s]{0,320})>", re.IGNORECASE)
_STUFFED: Final = re.compile(rb"^\.", re.MULTILINE)
_DOTS: Final = re.compile(rb"^\.\.", re.MULTILINE)


class _Exchange:
    """A mail on its way, and who waits for what the server says."""

    __slots__ = ("connection", "done", "steps", "timer")

    def __init__(self, steps: tuple[bytes, ...], done: Done) -> None:
        self.steps = steps
        self.done = done
        self.connection: _Sending | None = None
        self.timer: Timer | None = None


class Smtp:
    """Hands mails to the server of `url`, one after the other over each connection.

    `done` of every mail is called once, later: with the server's last reply as an answer, or with NoAnswer when the
    connection broke, when the server left after the mail was written, or `timeout_s` after asking. How many mails are
    on their way at once, and so how many connections there are, is for the caller to say.
    """

    def __init__(self, clock: Time, url: str, timeout_s: float) -> None:
        where = urlsplit(url)
        self._clock = clock
        self._host, self._port = where.hostname or "", where.port or 25
        self._timeout_ns = int(timeout_s * 1e9)
        self._idle: list[_Sending] = []
        self._asked: dict[_Exchange, None] = {}
        self._dialling: set[asyncio.Task[None]] = set()

    def hand_over(self, sender: str, recipient: str, mail: bytes, done: Done) -> None:
        """Send a mail."""
        envelope = f"MAIL FROM:<{sender}>\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode()
        body = _STUFFED.sub(b"..", mail).removesuffix(b"\r\n") + END
        exchange = _Exchange((*envelope, b"DATA\r\n", body), done)
        self._asked[exchange] = None
        exchange.timer = self._clock.at(now_ns() + self._timeout_ns, partial(self._expire, exchange))
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                connection.send(exchange)
                return
            connection.abort()
        task = asyncio.get_running_loop().create_task(self._dial(exchange))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def close(self) -> None:
        """Close all connections; what is under way gets no answer."""
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        for exchange in list(self._asked):
            self._give_up(exchange, "left")
        for connection in self._idle:
            connection.abort()
        await asyncio.sleep(0)  # transports let go of their sockets in the loop's next turn

    def settle(self, exchange: _Exchange, answer: Answer | NoAnswer) -> None:
        """Hand an answer over, unless the mail has been given up."""
        if exchange in self._asked:
            del self._asked[exchange]
            if exchange.timer is not None:
                exchange.timer.cancel()
            exchange.done(answer)

    def idle(self, connection: "_Sending") -> None:
        """A connection is free."""
        self._idle.append(connection)

    def lost(self, connection: "_Sending") -> None:
        """A connection is gone."""
        if connection in self._idle:
            self._idle.remove(connection)

    async def _dial(self, exchange: _Exchange) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Sending(self, exchange), self._host, self._port)
        except OSError as error:
            self.settle(exchange, NoAnswer(type(error).__name__))

    def _expire(self, exchange: _Exchange) -> None:
        self._give_up(exchange, "timeout")

    def _give_up(self, exchange: _Exchange, reason: str) -> None:
        self.settle(exchange, NoAnswer(reason))
        if exchange.connection is not None:
            exchange.connection.abort()


class _Sending(asyncio.Protocol):
    """One connection, with one mail at a time, begun with the first."""

    def __init__(self, smtp: Smtp, exchange: _Exchange) -> None:
        self._smtp = smtp
        self._transport: asyncio.Transport | None = None
        self._exchange: _Exchange | None = exchange
        self._steps = deque((b"EHLO customers.example\r\n", *exchange.steps))
        self._stamp_ns = 0
        self._buffer = b""
        exchange.connection = self

    def usable(self) -> bool:
        """Whether another mail may be sent."""
        open_ = self._transport is not None and not self._transport.is_closing()
        return open_ and now_ns() - self._stamp_ns < IDLE_NS

    def send(self, exchange: _Exchange) -> None:
        """Send another mail."""
        self._exchange = exchange
        exchange.connection = self
        self._steps.extend(exchange.steps)
        self._step()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server speaks first."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind

    def data_received(self, data: bytes) -> None:
        """Take what the server says; only the last line of a reply counts."""
        self._stamp_ns = now_ns()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line[3:4] != b"-":
                self._said(line)
        if len(self._buffer) > LINES_MOST:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """What had no reply has none."""
        self._end(NoAnswer("disconnected"))
        self._transport = None
        self._smtp.lost(self)

    def _step(self) -> None:
        if self._transport is not None:
            self._transport.write(self._steps.popleft())

    def _said(self, line: bytes) -> None:
        code = int(line[:3]) if line[:3].isdigit() else 0
        if code // 100 in (2, 3) and self._steps:
            self._step()
            return
        if not code or (code == GONE and not self._steps):
            self._end(NoAnswer(f"smtp {code}" if code else "not understood"))  # after the mail was written
        else:
            self._end(Answer(code, {}, line[4:].strip(), self._stamp_ns), keep=code == 250)

    def _end(self, answer: Answer | NoAnswer, keep: bool = False) -> None:
        """Hand the answer over; after a refusal, or when nobody asked, the connection is not used again."""
        exchange, self._exchange = self._exchange, None
        if keep and exchange is not None:
            self._smtp.idle(self)
        else:
            self._steps.clear()
            self.abort()
        if exchange is not None:
            self._smtp.settle(exchange, answer)


class MailServer:
    """Takes mails, each answered with the reply line that `answering` makes of it.

    A mail is a request: its body as it came, `path` the recipient's address, `query` the sender's.
    """

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.open: set[_Taking] = set()
        self._listening: asyncio.Server | None = None

    async def start(self, host: str, port: int = 0) -> str:
        """Listen, on a free port unless one is given; returns the base URL."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: _Taking(self), host, port, backlog=1024)
        return f"smtp://{host}:{self._listening.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Listen and answer no more."""
        if self._listening is not None:
            self._listening.close()
            for connection in list(self.open):
                connection.close()
            await self._listening.wait_closed()


class _Taking(asyncio.Protocol):
    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._stamp_ns = 0
        self._buffer = bytearray()
        self._searched = 0  # so much of the buffer holds no end of a mail
        self._sender = self._recipient = ""
        self._mail = False  # what comes is a mail, not commands
        self._held = False  # until its answer is there

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind
        full = len(self._server.open) >= CONNECTIONS_MOST
        self._server.open.add(self)
        self._write(b"421 4.3.2 too many connections\r\n" if full else b"220 customers.example ESMTP\r\n")
        if full:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._stamp_ns = now_ns()
        self._buffer += data
        while not self._held and (self._take_mail() if self._mail else self._take_line()):
            pass
        if len(self._buffer) > (MAIL_MOST if self._mail else LINES_MOST):
            self._write(b"552 5.3.4 too much\r\n")
            self.close()

    def _take_line(self) -> bool:
        """Carry out the next command; False if it is not whole."""
        line, newline, rest = self._buffer.partition(b"\n")
        if newline:
            self._buffer = rest
            self._command(bytes(line).strip())
        return bool(newline)

    def _take_mail(self) -> bool:
        """Take the mail; False if it is not whole."""
        end = self._buffer.find(END, max(0, self._searched - len(END)))
        if end < 0:
            self._searched = len(self._buffer)
            return False
        body = _DOTS.sub(b".", bytes(self._buffer[: end + 2]))
        del self._buffer[: end + len(END)]
        self._mail, self._searched = False, 0
        closing = self._transport is None or self._transport.is_closing()
        answer = self._server.answering(
            Request("MAIL", self._recipient, body, self._stamp_ns, not closing, self._sender)
        )
        if isinstance(answer, Pending):
            self._held = True
            answer.to(self._answered)
        else:
            self._write(answer)
        return True

    def _answered(self, answer: bytes) -> None:
        self._held = False
        self._write(answer)

    def _command(self, line: bytes) -> None:
        verb, address = line[:4].upper(), _ADDRESS.match(line)
        if verb in (b"MAIL", b"RCPT") and address is None:
            self._write(b"501 5.5.4 no address\r\n")
        elif verb == b"MAIL" and address is not None:
            self._sender, self._recipient = address[1].decode("latin-1"), ""
            self._write(_OK)
        elif verb == b"RCPT" and address is not None:
            known = self._recipient
            self._recipient = known or address[1].decode("latin-1").lower()
            self._write(b"452 4.5.3 one recipient at a time\r\n" if known else _OK)
        elif verb == b"DATA":
            self._mail = bool(self._recipient)
            self._write(b"354 go on\r\n" if self._mail else b"503 5.5.1 no recipient\r\n")
        else:
            self._write(_REPLIES.get(verb, b"502 5.5.1 no such command\r\n"))
            if verb == b"QUIT":
                self.close()

    def _write(self, reply: bytes) -> None:
        if self._transport is not None:
            self._transport.write(reply)


_OK: Final = b"250 2.0.0 OK\r\n"
_REPLIES: Final = {
    b"EHLO": b"250-customers.example\r\n250-8BITMIME\r\n250 SIZE %d\r\n" % MAIL_MOST,
    b"HELO": b"250 customers.example\r\n",
    b"NOOP": _OK,
    b"RSET": _OK,
    b"QUIT": b"221 2.0.0 bye\r\n",
}
