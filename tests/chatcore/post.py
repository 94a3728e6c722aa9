"""The other side of e-mail: a customer's mail server, and the bank's that passes replies on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any, cast

from aiosmtpd import smtp as server
from aiosmtpd.smtp import Envelope, Session
from aiosmtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException

OURS = "help@bank.example"
ANNA = "anna@example.org"
Reply = tuple[int, str]


class Relay:
    """Takes every mail, unless `answers` holds what is said next; `hangs_up` ends the next connection instead."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], Message]] = []
        self.answers: list[str] = []
        self.hangs_up = False
        self.url = ""

    async def handle_DATA(self, host: server.SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.original_content or b""
        mail = message_from_bytes(content, policy=default)
        self.mails.append((envelope.mail_from or "", list(envelope.rcpt_tos), mail))
        if self.hangs_up:
            self.hangs_up = False
            cast(asyncio.Transport, host.transport).abort()
        return self.answers.pop(0) if self.answers else "250 2.0.0 taken"

    @property
    def bodies(self) -> list[str]:
        return [mail.get_body(("plain",)).get_content().strip() for _, _, mail in self.mails]  # type: ignore[attr-defined]  # the policy makes EmailMessages


@asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    """A mail server on a free loopback port."""
    relay = Relay()
    open_: list[server.SMTP] = []

    def conversation() -> server.SMTP:
        open_.append(server.SMTP(relay, hostname="relay", loop=asyncio.get_running_loop()))
        return open_[-1]

    listener = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0)
    relay.url = f"smtp://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        listener.close()
        for each in open_:
            if each.transport is not None:
                cast(asyncio.Transport, each.transport).abort()


def account(api: str, **changes: Any) -> dict[str, Any]:
    """An e-mail account whose server is at `api`; its limits are out of the way."""
    found = {"id": "mail", "channel": "email", "api": api, "webhook_secret": "a secret", "sender": OURS}
    return found | {"rate_per_s": 10_000.0, "chat_rate_per_s": 1_000.0, "burst": 100} | changes


def mail(number: int, text: str = "Where is my card?", subject: str = "Card", **headers: str) -> EmailMessage:
    """A customer's mail; names of headers are written with underscores."""
    found = EmailMessage()
    wanted = {"From": f"Anna <{ANNA}>", "To": OURS, "Subject": subject, "Message-ID": f"<m{number}@example.org>"}
    for name, value in (wanted | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        found[name] = value
    found.set_content(text)
    return found


async def post(port: int, content: EmailMessage | bytes, to: str = OURS, sender: str = ANNA) -> Reply:
    """Hand a mail to the core as a mail server does; its last reply."""
    body = content.as_bytes() if isinstance(content, EmailMessage) else content
    client = SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="example.org", timeout=15)
    try:
        await client.connect()
        _, said = await client.sendmail(sender, [to], body)
    except SMTPRecipientsRefused as refused:
        return refused.recipients[0].code, refused.recipients[0].message
    except SMTPResponseException as refused:
        return refused.code, refused.message
    finally:
        client.close()
    return 250, said
