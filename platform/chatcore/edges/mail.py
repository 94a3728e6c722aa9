"""The door for mail: SMTP, where the 250 after a mail says that it is durable, as a webhook's 200 does."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from chatcore.channels import email
from chatcore.channels.mime import LINES_MOST
from chatcore.channels.shapes import Event, File, Inbound
from chatcore.config import Account
from chatcore.edges.files import MAX_FILE
from chatcore.edges.gateway import MAX_SAID, Gateway
from chatcore.edges.messages import MAX_FILES
from chatcore.edges.webhooks import take_event
from chatcore.runtime.partition import PartitionOwner

MAX_MAIL: Final = MAX_FILE * 7 // 5  # base64 makes four bytes of three, and lines
MAX_LINE: Final = 64 * 1024
CONNECTIONS_MOST: Final = 100
RECIPIENTS_MOST: Final = 10
SILENT_S: Final = 120.0

OK: Final = "250 2.0.0 stored"
NOT_STORED: Final = "451 4.3.0 recovering or stopping: come back in a moment"
UNKNOWN: Final = "550 5.1.1 no such mailbox here"
TOO_MANY: Final = "452 4.5.3 too many recipients"
UNREADABLE: Final = "554 5.6.0 the mail cannot be read, or its sender not be answered"
TOO_BIG: Final = "552 5.3.4 too many or too large attachments"
BUSY: Final = b"421 4.3.2 too many connections: come back later\r\n"
CLOSING: Final = b"421 4.3.2 restarting: come back in a moment\r\n"

logger = logging.getLogger("chatcore")
logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's: it tells of addresses


class TooMuch(Exception):
    """A mail encloses more, or something larger, than a message may: its sender's fault."""


class Postmaster:
    """Takes mail for the addresses of the e-mail accounts. aiosmtpd calls the verbs that begin with `handle_`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._accounts = {each.sender.lower(): each for each in gateway.config.accounts if each.channel == "email"}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="mail")
        self.open: set[Conversation] = set()

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return Conversation(self) if len(self.open) < CONNECTIONS_MOST else _Busy()

    def close(self) -> None:
        """End all conversations."""
        for conversation in list(self.open):
            conversation.end()
        self._reader.shutdown(wait=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: "Conversation", session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        """Whose mail is taken."""
        if address.lower() not in self._accounts:
            self._gateway.count("mail_unknown_recipient")
            return UNKNOWN
        if len(envelope.rcpt_tos) >= RECIPIENTS_MOST:
            return TOO_MANY
        envelope.rcpt_tos.append(address)
        server.begin()
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail: the answer comes when all that it brings is durable."""
        if not self._gateway.ready:
            return NOT_STORED
        content = envelope.original_content or b""
        sender = (envelope.mail_from or "").strip("<>")  # the null sender comes as it was written
        body = b"Return-Path: <%b>\r\n%b" % (sender.encode(), content)
        accounts = {account.id: account for account in (self._accounts[to.lower()] for to in envelope.rcpt_tos)}
        try:
            taken = [await self._take(account, body) for account in accounts.values()]
        except ValueError:
            self._gateway.count("mail_unreadable")
            return UNREADABLE
        except TooMuch:
            return TOO_BIG
        except OSError:  # an attachment cannot be stored
            return NOT_STORED
        return OK if all(taken) else NOT_STORED

    async def handle_exception(self, error: Exception) -> str:
        """A defect of ours is not the mail's: it is to come again."""
        logger.error("a mail could not be handled", exc_info=error)
        return NOT_STORED

    async def _take(self, account: Account, body: bytes) -> bool:
        """Whether all that the mail tells is durable now; not if the core has begun to stop."""
        events = await asyncio.get_running_loop().run_in_executor(self._reader, email.parse, account, body)
        if not events:
            self._gateway.count("mail_ignored")
        whole = [await self._with_files(event) for event in events]
        if not self._gateway.ready:
            return False
        for partition in {take_event(self._gateway, account, event) for event in whole}:
            await _durable(partition)
        return True

    async def _with_files(self, event: Event) -> Event:
        """The event once the bytes that it brings are stored."""
        if not isinstance(event, Inbound):
            return event
        if len(event.text) > MAX_SAID:  # a message holds its beginning, and the whole is enclosed
            whole = event.text.encode()
            enclosed = File("document", "message.txt", "text/plain", "", len(whole), whole)
            event = event._replace(files=(enclosed, *event.files))
        if len(event.files) > MAX_FILES or any(file.size > MAX_FILE for file in event.files):
            raise TooMuch
        refs = [await self._gateway.files.keep(file.data) for file in event.files]
        files = zip(event.files, refs, strict=True)
        return event._replace(files=tuple(file._replace(data=b"", ref=ref) for file, ref in files))


async def _durable(partition: PartitionOwner) -> None:
    """Wait until all that the partition has decided is durable."""
    stored = asyncio.Event()
    partition.hold(stored.set)
    await stored.wait()


class Conversation(SMTP):
    """One connection; aiosmtpd's, but that it has an end."""

    def __init__(self, postmaster: Postmaster) -> None:
        super().__init__(
            postmaster,
            data_size_limit=MAX_MAIL,
            hostname="chatcore",
            ident="chatcore",
            timeout=SILENT_S,
            loop=asyncio.get_running_loop(),
        )
        self._all = postmaster.open
        self._line = self._lines = self._bytes = 0

    def begin(self) -> None:
        """A mail begins."""
        self._lines = self._bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A mail server is there."""
        self._all.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self._all.discard(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Hang up on who sends without an end, which aiosmtpd would read on, and keep if it is one line."""
        newline = data.rfind(b"\n")
        self._line = self._line + len(data) if newline < 0 else len(data) - newline - 1
        self._lines += data.count(b"\n")
        self._bytes += len(data)
        endless = self._line > MAX_LINE or self._lines > 2 * LINES_MOST or self._bytes > 2 * MAX_MAIL
        if endless:
            cast(asyncio.Transport, self.transport).abort()
        else:
            super().data_received(data)

    def end(self) -> None:
        """Say that the server goes."""
        transport = cast(asyncio.Transport, self.transport)
        transport.write(CLOSING)
        transport.close()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(BUSY)
        transport.close()
