"""Hands mails to the bank's mail server: SMTP, a connection a mail. Mails are few, so each may have a task."""

import asyncio
import logging
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Self
from urllib.parse import urlsplit

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from chatcore.channels.shapes import Answer, Call
from chatcore.edges.providers import Done

logger = logging.getLogger("chatcore")

TIMEOUT_S: Final = 60.0
"""Of one step of the conversation."""


class Mailer:
    """Carries calls to `smtp://`, `smtps://` and `smtp+starttls://` addresses; leaving the context drops them.

    Without TLS where the address asks for it, by a certificate that the system trusts, no mail and no password leaves.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def call(self, call: Call, done: Done) -> None:
        """Hand over the mail `call.body` from and to whom its headers say, which also say how to log in, if at all.

        `done` is called once, later: with the server's reply, or with None if there was none, as when the connection
        broke after the mail was written; then nobody knows whether it was taken.
        """
        task = asyncio.get_running_loop().create_task(self._carry(call, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, call: Call, done: Done) -> None:
        done(await _answer(call))


async def _answer(call: Call) -> Answer | None:
    where, envelope = urlsplit(call.url), dict(call.headers)
    client = SMTP(
        hostname=where.hostname,
        port=where.port,
        use_tls=where.scheme == "smtps",
        start_tls=where.scheme == "smtp+starttls",
        username=envelope.get("User"),
        password=envelope.get("Password"),
        local_hostname=envelope["From"].rpartition("@")[2],
        timeout=TIMEOUT_S,
    )
    mail = b"Date: %b\r\n%b" % (format_datetime(datetime.now(UTC)).encode(), call.body)
    try:
        await client.connect()
        _, said = await client.sendmail(envelope["From"], [envelope["To"]], mail)
    except SMTPRecipientsRefused as refused:
        return _reply(refused.recipients[0])
    except SMTPAuthenticationError as refused:  # not the mail's fault: it is tried again
        logger.warning("%s does not let us log in: status %s", where.hostname, refused.code)
        return None
    except SMTPResponseException as refused:
        return _reply(refused)
    except (SMTPException, OSError):
        return None
    finally:
        client.close()
    return Answer(250, {}, said.encode())


def _reply(refused: SMTPResponseException) -> Answer:
    return Answer(refused.code, {}, refused.message.encode(errors="replace"))
