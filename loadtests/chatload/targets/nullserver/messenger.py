"""Replies on their way to a messenger."""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import orjson

from chatload.accounts import channel_of
from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.world import MessengerAccount
from chatload.targets.nullserver.dialects import DIALECTS, sent_id

CONNECTIONS: Final = 64
ANSWERS_WITHIN_S: Final = 60.0

Done = Callable[[str, str], None]  # the messenger's id of the reply, and why it was not taken


class Line(msgspec.Struct, frozen=True):
    """Where a messenger's API is, and the account there."""

    url: str
    keys: MessengerAccount


class Sending(Protocol):
    """What takes the replies of one account to their customers."""

    def send(self, user: str, text: str, done: Done) -> None:
        """Send a reply; `done` is called once."""

    async def close(self) -> None:
        """Send nothing more."""


class Messenger:
    """Posts the replies of one account, again when the messenger says to wait."""

    def __init__(self, clock: Clock, account: str, line: Line) -> None:
        self._clock = clock
        self._keys = line.keys
        self._dialect = DIALECTS[channel_of(account)]
        self._http = Http(clock, line.url, CONNECTIONS, ANSWERS_WITHIN_S)

    def send(self, user: str, text: str, done: Done) -> None:
        """Send a reply; `done` is called once."""
        path, headers, body = self._dialect.send(self._keys, user, text)
        self._post(self._http.head("POST", path, headers), body, done)

    def _post(self, head: bytes, body: bytes, done: Done) -> None:
        def answered(answer: Answer | NoAnswer) -> None:
            if isinstance(answer, NoAnswer):
                done("", answer.reason)
            elif answer.status == 429:
                wait_s = float(answer.header("Retry-After") or 1)
                self._clock.at(now_ns() + int(wait_s * 1e9), lambda: self._post(head, body, done))
            else:
                found = sent_id(self._dialect, orjson.loads(answer.body))
                done(found, "" if found else f"status {answer.status}")

        self._http.ask(head, answered, body)

    async def close(self) -> None:
        """Send nothing more."""
        await self._http.close()
