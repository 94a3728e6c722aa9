"""Operators read a dialog's history over REST when they take it over."""

from functools import partial
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from chatload.fleet import codes
from chatload.fleet.clock import now_ns
from chatload.fleet.frames import history_page, split
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.tally import DESK
from chatload.fleet.world import World

PAGE: Final = 1000
CONNECTIONS: Final = 64
TIMEOUT_S: Final = 30.0


class Reads(Protocol):
    """Who reads histories for the operators."""

    def read(self, actor: Actor, subject: Subject, token: str, assignment: int) -> None:
        """Read the whole history of the subject's contact, as the operator `actor`, who has this token.

        `assignment`: the number under which they own its dialog.
        """


class Read:
    """One read of a contact's history, over all its pages."""

    def __init__(self, actor: Actor, subject: Subject, token: str, assignment: int) -> None:
        self.actor = actor
        self.subject = subject
        self.assignment = assignment
        self.token = token
        self.started_ns = now_ns()
        self.cursor: str | None = None
        self.more = True
        self.entries = 0
        self.last = (-1, -1)

    def take(self, body: bytes) -> None:
        """Add a page.

        Raises:
            msgspec.DecodeError: not a page of a history.
        """
        page = history_page.decode(body)
        entries = [entry for entry in page.entries if not entry.dialog.endswith("#0")]  # the others are in no dialog
        self.entries += len(entries)
        if entries:
            last = entries[-1]
            self.last = (split(last.dialog)[1], last.seq)
        self.more = page.more and page.cursor != self.cursor
        self.cursor = page.cursor


class HistoryReader:
    """Reads histories beside everything else; each read leaves one HISTORY row. After the target is known."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.http = Http(world.clock, world.target.url, CONNECTIONS, TIMEOUT_S)

    def read(self, actor: Actor, subject: Subject, token: str, assignment: int) -> None:
        """See `Reads`; there is a page after the other."""
        self._page(Read(actor, subject, token, assignment))

    async def close(self) -> None:
        """Give up what is under way."""
        await self.http.close()

    def _page(self, read: Read) -> None:
        after = f"&after={quote(read.cursor)}" if read.cursor else ""
        headers = {"Authorization": f"Bearer {read.token}"}
        head = self.http.head("GET", f"/v1/history/{quote(read.subject.contact)}?limit={PAGE}{after}", headers)
        self.http.ask(head, partial(self._answered, read))

    def _answered(self, read: Read, answer: Answer | NoAnswer) -> None:
        if isinstance(answer, NoAnswer):
            self._end(read, codes.INDETERMINATE, -1, answer.reason)
        elif not answer.ok:
            self._end(read, codes.REJECTED, answer.stamp_ns, f"http {answer.status}")
        else:
            try:
                read.take(answer.body)
            except msgspec.DecodeError:
                self._end(read, codes.INDETERMINATE, -1, "not understood")
                return
            if read.more:
                self._page(read)
            else:
                self._end(read, codes.OK, answer.stamp_ns)

    def _end(self, read: Read, outcome: int, done_ns: int, reason: str = "") -> None:
        read.actor.row(
            codes.HISTORY, outcome, read.subject, read.started_ns, intended=read.started_ns, started=read.started_ns,
            done=done_ns, number=read.last[0], seq=read.last[1], size=read.entries,
            assignment=read.assignment, reason=self._world.recorder.text(reason),
        )  # fmt: skip
        if outcome == codes.OK:
            self._world.tally.add("history", DESK, done_ns - read.started_ns)
        else:
            self._world.tally.fail("history", DESK, reason)
