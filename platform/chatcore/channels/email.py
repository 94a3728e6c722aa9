"""E-mail: MIME in and out, threads by Message-ID, bounces as receipts. Mails come over SMTP, never as webhooks.

RFC 5322 (threads), 3464 (bounces), 8098 (read receipts), 3834 (no answer to automatic mails). The text of a mail is its
subject, then its body without the quotation at its end; `chatcore.channels.mime` reads both. A reply's Message-ID is
made of its place in the dialog and a keyed hash: the same in every attempt, and nobody else can name it.
"""

import hmac
import re
from collections.abc import Mapping
from email.message import EmailMessage, Message
from email.policy import SMTP
from hashlib import sha256
from typing import Final, Literal

from chatcore.channels import mime
from chatcore.channels.shapes import (
    Answer,
    Call,
    Event,
    Inbound,
    Outbound,
    Outcome,
    Receipt,
    Sending,
    fetch_url,
    no_handshake,
)
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = b""
ADDRESS: Final = re.compile(r"[a-z0-9.!$%&'*+=?^_`{|}~-]{1,64}@[a-z0-9.-]{1,189}")
MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{3,200}>")
AUTOMATIC: Final = {"bulk", "junk", "list"}
STATES: Final[dict[str, Literal["failed", "delivered", "read"]]] = {
    "failed": "failed",
    "delivered": "delivered",
    "displayed": "read",
}
REFERENCES_MOST: Final = 20
_POLICY: Final = SMTP.clone(cte_type="7bit")

fetch = fetch_url
handshake = no_handshake


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """No webhook is a mail."""
    return False


def parse(account: Account, body: bytes) -> list[Event]:
    """The customer's message, or what a bounce or read receipt tells; nothing of any other automatic mail.

    The mail begins with the Return-Path that its last server adds.

    Raises:
        ValueError: it cannot be read, or has no sender.
    """
    try:
        return _events(mime.read(body))
    except Exception as fault:
        raise ValueError("it cannot be read") from fault


def _events(mail: Message) -> list[Event]:
    if mail.get_content_type() == "multipart/report":
        return list(_receipts(mail))
    if _is_automatic(mail):
        return []
    found = mime.content(mail)
    said = "\n\n".join(piece for piece in (mime.header(mail, "Subject"), found.text) if piece)
    sender = _sender(mail)
    return [Inbound(sender, _id(mail, said), said, found.files)] if said or found.files else []


def _is_automatic(mail: Message) -> bool:
    submitted = mime.header(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    bounce = mime.header(mail, "Return-Path") == "<>"
    return bounce or submitted not in ("", "no") or mime.header(mail, "Precedence").lower() in AUTOMATIC


def _sender(mail: Message) -> str:
    address = mime.address(mail, "From")
    if ADDRESS.fullmatch(address) is None:
        raise ValueError("no sender whom an answer would reach")
    return address


def _id(mail: Message, said: str) -> str:
    """The Message-ID; of a mail without one, what stays the same in a repeat."""
    found = MESSAGE_ID.search(mime.header(mail, "Message-ID"))
    if found is not None:
        return found[0]
    content = "\0".join((mime.header(mail, "From"), mime.header(mail, "Date"), said))
    return f"<{sha256(content.encode()).hexdigest()[:32]}@no-id.invalid>"


def _receipts(mail: Message) -> list[Receipt]:
    """What a report says of a mail of ours: its recipients' blocks, and the head of that mail."""
    parts = list(mail.walk())[1:]
    original = mime.enclosed_head(parts) or mail
    found = []
    for part in parts:
        told = part["Action"] or (part["Disposition"] or "").rpartition(";")[2].partition("/")[0]
        state = STATES.get(str(told).strip().lower())
        named = MESSAGE_ID.search(mime.header(part, "Original-Message-ID") or mime.header(original, "Message-ID"))
        user = mime.address(original, "To") or mime.header(part, "Final-Recipient").rpartition(";")[2].strip().lower()
        if state is not None and named is not None:
            reason = mime.header(part, "Diagnostic-Code").partition(";")[2].strip() or mime.header(part, "Status")
            found.append(Receipt(user, state, named[0], reason=reason if state == "failed" else ""))
    return found


def send(account: Account, message: Outbound) -> Sending:
    """The mail, handed to the account's server. 4xx is tried again, 5xx has failed for good."""
    name = message_id(account, message.key)
    envelope = (("From", account.sender), ("To", message.user))
    login = (("User", account.user or account.sender), ("Password", account.token)) if account.token else ()
    return _outcome((yield Call(account.api, build(account, message), envelope + login)), name)


def _outcome(answer: Answer, name: str) -> Outcome:
    if answer.status // 100 == 2:
        return Outcome("taken", provider_id=name)
    if answer.status // 100 == 5:
        return Outcome("failed", reason=f"{answer.status} {answer.body.decode(errors='replace')}")
    return Outcome("again")


def message_id(account: Account, key: str) -> str:
    """The Message-ID of the reply of that key."""
    tag = hmac.new(account.webhook_secret.encode(), key.encode(), sha256).hexdigest()[:24]
    return f"<{key.rpartition('#')[2]}.{tag}@{account.sender.rpartition('@')[2]}>"


def build(account: Account, message: Outbound) -> bytes:
    """The mail, but for its Date."""
    mail = EmailMessage(_POLICY)
    mail["Message-ID"] = message_id(account, message.key)
    mail["From"], mail["To"] = account.sender, message.user
    mail["Subject"] = _subject(message)
    if message.thread is not None and message.thread.answers:
        ids = [each if each.startswith("<") else message_id(account, each) for each in message.thread.ids]
        mail["In-Reply-To"] = message.thread.answers
        mail["References"] = " ".join(ids[-REFERENCES_MOST:])
    if message.automatic:
        mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(message.text)
    if message.file is not None:
        mime.enclose(mail, message.file)
        mail.set_boundary(sha256(message.key.encode()).hexdigest()[:32])  # the same in every attempt
    return mail.as_bytes()


def _subject(message: Outbound) -> str:
    """Of a reply to a mail, whose text begins with its subject; what answers none has its first line as subject."""
    if message.thread is None or not message.thread.answers:
        return _first_line(message.text)
    subject = _first_line(message.thread.text)
    return subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()


def _first_line(text: str) -> str:
    return " ".join(text.partition("\n")[0].split())[:200]
