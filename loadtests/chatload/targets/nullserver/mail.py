"""Mails: the customers' are taken at once, and replies handed to their mail server."""

from email import message_from_bytes
from functools import partial
from typing import Final

from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.http import Answer, NoAnswer
from chatload.fleet.providers.email import read
from chatload.fleet.server import Request
from chatload.fleet.smtp import Smtp
from chatload.targets.nullserver.hall import Hall
from chatload.targets.nullserver.messenger import ANSWERS_WITHIN_S, Done, Line

LATER: Final = 450
LATER_NS: Final = 1_000_000_000


def take(hall: Hall, request: Request) -> bytes:
    """Take a mail for the account that its address begins with; an automatic one says nothing."""
    mail = message_from_bytes(request.body)
    if mail["Auto-Submitted"] is None:
        text = f"{mail['Subject']}\n\n{read(mail)[0]}"
        contact = hall.contact(f"{request.path.partition('@')[0]}/{request.query}")
        if hall.hear(contact, str(mail["Message-ID"]), text):
            hall.react(contact, text)
    return b"250 2.0.0 taken\r\n"


class Post:
    """Sends the replies of one account, again when the mail server says so."""

    def __init__(self, clock: Clock, line: Line) -> None:
        self._clock = clock
        self._sender = line.keys.sender
        self._smtp = Smtp(clock, line.url, ANSWERS_WITHIN_S)
        self._serial = 0
        self.close = self._smtp.close

    def send(self, user: str, text: str, done: Done) -> None:
        """Send a reply; `done` is called once."""
        self._serial += 1
        name = f"<{self._serial}@null.example>"
        head = f"Message-ID: {name}\r\nTo: {user}\r\nContent-Type: text/plain; charset=utf-8"
        self._hand_over(user, name, f"{head}\r\n\r\n{text}\r\n".encode(), done)

    def _hand_over(self, user: str, name: str, mail: bytes, done: Done) -> None:
        def answered(answer: Answer | NoAnswer) -> None:
            if isinstance(answer, NoAnswer):
                done("", answer.reason)
            elif answer.status == LATER:
                self._clock.at(now_ns() + LATER_NS, partial(self._hand_over, user, name, mail, done))
            else:
                done(name if answer.ok else "", "" if answer.ok else f"status {answer.status}")

        self._smtp.hand_over(self._sender, user, mail, answered)
