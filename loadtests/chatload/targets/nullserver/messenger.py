"""Replies on their way to a messenger."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import orjson

from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.http import Answer, Http, NoAnswer

CONNECTIONS: Final = 64
ANSWERS_WITHIN_S: Final = 60.0

Done = Callable[[str, str], None]  # the messenger's id of the reply, and why it was not taken


class Messenger:
    """Posts the replies of one account to `url`, again when the messenger says to wait."""

    def __init__(self, clock: Clock, url: str) -> None:
        self._clock = clock
        self._http = Http(clock, url, CONNECTIONS, ANSWERS_WITHIN_S)
        self._head = self._http.head("POST", urlsplit(url).path, {"Content-Type": "application/json"})

    def post(self, body: bytes, done: Done) -> None:
        """Send a reply; `done` is called once."""

        def answered(answer: Answer | NoAnswer) -> None:
            if isinstance(answer, NoAnswer):
                done("", answer.reason)
            elif answer.status == 429:
                wait_s = float(answer.header("Retry-After") or 1)
                self._clock.at(now_ns() + int(wait_s * 1e9), lambda: self.post(body, done))
            elif answer.ok:
                done(str(orjson.loads(answer.body)["result"]["message_id"]), "")
            else:
                done("", f"status {answer.status}")

        self._http.ask(self._head, answered, body)

    async def close(self) -> None:
        """Send nothing more."""
        await self._http.close()
