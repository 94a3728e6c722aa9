"""The other side of e-mail: a customer's mail server, and the bank's that passes replies on."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import Any, cast

from aiosmtpd import smtp as server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from aiosmtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException

OURS = "help@bank.example"
ANNA = "anna@example.org"
Reply = tuple[int, str]


class Relay:
    """Takes every mail, unless `answers` holds what is said next; `hangs_up` ends the next connection instead.

    With `login` it takes mails only of who shows that user and password; `shown` is what was.
    """

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.login = login
        self.shown: list[tuple[str, str]] = []
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

    def authenticate(
        self, host: server.SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        self.shown.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=self.shown[-1] == self.login, handled=False)

    @property
    def bodies(self) -> list[str]:
        return [mail.get_body(("plain",)).get_content().strip() for _, _, mail in self.mails]  # type: ignore[attr-defined]  # the policy makes EmailMessages


@asynccontextmanager
async def relaying(
    scheme: str = "smtp", certificate: Path | None = None, login: tuple[str, str] | None = None
) -> AsyncIterator[Relay]:
    """A mail server on a free loopback port, which offers what the scheme says."""
    relay = Relay(login)
    open_: list[server.SMTP] = []
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    safe: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if scheme == "smtp+starttls" else {}
    if login is not None:
        safe |= {"auth_required": True, "auth_require_tls": bool(safe), "authenticator": relay.authenticate}

    def conversation() -> server.SMTP:
        with warnings.catch_warnings():  # it knows nothing of TLS that was there before it
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            open_.append(server.SMTP(relay, hostname="relay", loop=asyncio.get_running_loop(), **safe))
        return open_[-1]

    of_tls = tls if scheme == "smtps" else None
    listener = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0, ssl=of_tls)
    host = "localhost" if tls else "127.0.0.1"
    relay.url = f"{scheme}://{host}:{listener.sockets[0].getsockname()[1]}"
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
    client = SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="example.org", timeout=60)
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
