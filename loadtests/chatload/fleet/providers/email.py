"""The customers' mail server: SMTP both ways, threads, quotations, HTML now and then, and bounces.

Each mail's subject opens with its identity, as a ticket's number would: platforms show the subject first.
"""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import Header
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime
from html import escape
from typing import ClassVar, Final, NamedTuple

from chatload.fleet.http import Done
from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.limits import share_of
from chatload.fleet.providers.profiles import SMTP
from chatload.fleet.providers.provider import Listener, Provider, Refusal
from chatload.fleet.providers.webhooks import Carrier
from chatload.fleet.server import Pending, Request
from chatload.fleet.smtp import MailServer, Smtp

SUBJECT: Final = Header("Письмо", "utf-8").encode()
RE: Final = f"Re: {SUBJECT}"
NAME: Final = "Анна"
FROM: Final = Header(NAME, "utf-8").encode()
RETURN_PATH: Final = "Return-Path: <"
INTRO: Final = "Банк пишет:"
POLICY: Final = compat32.clone(linesep="\r\n")  # the newer ones take a millisecond a mail
HTML_SHARE: Final = 0.3  # of the mails, besides the plain text; a third of them have no plain text
SIGNED_SHARE: Final = 0.5
QUOTED_SHARE: Final = 0.7  # of the answers


class Thread(NamedTuple):
    """What an answer refers to: the first mail, the latest, and what the bank's latest said."""

    first: str
    latest: str
    said: str = ""


class _Route:
    """Carries mails to the bank's address; the first line of each is its Return-Path, which makes the envelope."""

    def __init__(self, smtp: Smtp, recipient: str) -> None:
        self._smtp = smtp
        self._recipient = recipient
        self.close = smtp.close

    def carry(self, body: bytes, attempt: int, done: Done) -> None:
        path, _, mail = body.partition(b"\r\n")
        self._smtp.hand_over(path.decode()[len(RETURN_PATH) : -1], self._recipient, mail, done)


class Email(Provider):
    """Mails in no order, each offered again by its Message-ID until it is taken or refused for good; bounces."""

    channel = "email"
    profile = SMTP
    statuses = ("failed",)
    refusals: ClassVar = {
        "token": Refusal(550, "5.7.1", "this sender may not send here"),
        "method": Refusal(502, "5.5.1", "no such command"),
        "bad": Refusal(554, "5.6.0", "the mail cannot be read"),
        "user": Refusal(550, "5.1.1", "no such mailbox here"),
        "empty": Refusal(554, "5.6.0", "the mail is empty"),
        "long": Refusal(552, "5.3.4", "the mail is too long"),
        "blocked": Refusal(550, "5.7.1", "the recipient wants no mail of this sender"),
        "many": Refusal(450, "4.7.1", "too many mails: come back later"),
    }

    def listener(self) -> Listener:
        """SMTP."""
        self._threads: dict[str, Thread] = {}
        return MailServer(self.answer)

    def carrier(self, connections: int, timeout_s: float) -> Carrier:
        """SMTP to where the target takes mails."""
        url = self._world.target.mail
        if not url:
            raise ValueError(f"{self._account}: the target does not say where it takes mails")
        return _Route(Smtp(self._world.clock, url, timeout_s), self.keys.sender)

    def new_id(self, chat: Chat) -> MessageId:
        """A Message-ID."""
        self._serial += 1
        return f"<{self._serial:x}.{self._account}@customers.example>"

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """A mail, in the thread of those before."""
        name = str(heard.id)
        thread = self._threads.get(chat.user)
        mark = heard.text.partition(" ")[0] if heard.text.startswith("[") else ""
        mail = _body(mark or name, heard.text, thread.said if thread else "")
        if heard.media:
            mail = _many("mixed", mail, _attached(heard.media))
        if thread is not None:
            mail["In-Reply-To"] = thread.latest
            mail["References"] = " ".join(dict.fromkeys((thread.first, thread.latest)))
        self._threads[chat.user] = Thread(thread.first if thread else name, name)
        return self._whole(mail, chat, name, f"{mark} {RE if thread else SUBJECT}".lstrip(), heard.at_ms)

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """A mail cannot be edited; now and then an automatic one follows."""
        if edit:
            return None
        mail = MIMEText("Я в отпуске.", "plain", "utf-8")
        mail["Auto-Submitted"] = "auto-replied"
        return self._whole(mail, chat, str(self.new_id(chat)), RE, heard.at_ms)

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """A bounce (RFC 3464)."""
        facts = {"bank": self.keys.sender, "user": chat.user, "name": covered[-1].id, "date": _date(at_ms)}
        return _enveloped("", BOUNCE.format_map(facts).replace("\n", "\r\n").encode())

    def called(self, request: Request) -> bytes | Pending:
        """A mail of the bank to one recipient."""
        if request.query.lower() != self.keys.sender:
            return self.refuse("token")
        mail = message_from_bytes(request.body)
        name = str(mail["Message-ID"] or "").strip()
        if not name:
            return self.refuse("bad")
        text, enclosed = read(mail)
        upload = self._files.upload(enclosed) if enclosed is not None else ""
        return self.take(Send(request.path, text, upload=upload, id=name), request)

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """250."""
        thread = self._threads.get(chat.user) or Thread(send.id, send.id)
        self._threads[chat.user] = Thread(thread.first, send.id, send.text)
        return b"250 2.0.0 queued\r\n"

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """One line."""
        return f"{refusal.status} {refusal.code} {refusal.text}\r\n".encode()

    def _whole(self, mail: Message, chat: Chat, name: str, subject: str, at_ms: int) -> bytes:
        """The mail with all its headers, and its envelope."""
        mail["From"] = f"{FROM} <{chat.user}>"
        mail["To"] = self.keys.sender
        mail["Subject"] = subject
        mail["Date"] = _date(at_ms)
        mail["Message-ID"] = name
        return _enveloped(chat.user, mail.as_bytes(policy=POLICY))


def _body(key: str, text: str, answered: str) -> Message:
    """The text, perhaps with a signature and what it answers below, perhaps also or only as HTML."""
    if share_of(f"signed:{key}") < SIGNED_SHARE:
        text += f"\n\n-- \n{NAME}"
    quoted = answered.split("\n") if answered and share_of(f"quoted:{key}") < QUOTED_SHARE else []
    below = ("", INTRO, *(f"> {line}" for line in quoted)) if quoted else ()
    plain = MIMEText("\n".join((text, *below)), "plain", "utf-8")
    point = share_of(f"html:{key}")
    if point >= HTML_SHARE:
        return plain
    quote = f"<div>{INTRO}</div><blockquote>{'<br>'.join(map(escape, quoted))}</blockquote>" if quoted else ""
    html = MIMEText(HTML.format(text=escape(text).replace("\n", "<br>"), quote=quote), "html", "utf-8")
    return html if point < HTML_SHARE / 3 else _many("alternative", plain, html)


def _many(kind: str, *parts: Message) -> Message:
    mail = MIMEMultipart(kind)
    for part in parts:
        mail.attach(part)
    return mail


def _attached(name: str) -> Message:
    kind = MIMEImage if media.is_image(name) else MIMEApplication
    part = kind(media.content(name), media.TYPES[name[-3:]].rpartition("/")[2])
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def read(mail: Message) -> tuple[str, bytes | None]:
    """The first text, which is the plain one if there are two, and the first file; None without one."""
    text, enclosed = "", None
    for part in mail.walk():
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes):
            continue
        if part.get_filename() is not None:
            enclosed = data if enclosed is None else enclosed
        elif part.get_content_maintype() == "text" and not text:
            text = data.decode(part.get_content_charset() or "us-ascii").replace("\r\n", "\n").removesuffix("\n")
    return text, enclosed


def _enveloped(sender: str, mail: bytes) -> bytes:
    return f"{RETURN_PATH}{sender}>\r\n".encode() + mail


def _date(at_ms: int) -> str:
    return format_datetime(datetime.fromtimestamp(at_ms / 1000, UTC))


HTML: Final = "<html><head><style>p {{ margin: 0 }}</style></head><body><p>{text}</p>{quote}</body></html>"
BOUNCE: Final = """\
From: Mail Delivery System <MAILER-DAEMON@customers.example>
To: {bank}
Subject: Undelivered Mail Returned to Sender
Date: {date}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="bounce"

--bounce
Content-Type: text/plain

Your message could not be delivered.
--bounce
Content-Type: message/delivery-status

Reporting-MTA: dns; customers.example

Final-Recipient: rfc822; {user}
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full

--bounce
Content-Type: text/rfc822-headers

Message-ID: {name}
From: {bank}
To: {user}

--bounce--
"""
