"""Operators read a dialog's history over REST when they take it over."""

import asyncio
from typing import Final

import msgspec

from chatload.fleet import codes
from chatload.fleet.clock import now_ns
from chatload.fleet.frames import history_page, split
from chatload.fleet.http import Http, NoAnswer
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.tally import DESK
from chatload.fleet.world import World

PAGE: Final = 1000
CONNECTIONS: Final = 64


class Read:
    """One read of a contact's history, over all its pages."""

    def __init__(self) -> None:
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
        self.entries += len(page.entries)
        if page.entries:
            last = page.entries[-1]
            self.last = (split(last.dialog)[1], last.seq)
        self.more = page.more and page.cursor != self.cursor
        self.cursor = page.cursor


class HistoryReader:
    """Reads histories in the background; each read leaves one HISTORY row."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._http = Http(CONNECTIONS)
        self._reading: set[asyncio.Task[None]] = set()

    def read(self, actor: Actor, subject: Subject) -> None:
        """Read the whole history of the subject's contact, as the operator `actor`."""
        task = asyncio.get_running_loop().create_task(self._read(actor, subject))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in list(self._reading):
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        await self._http.close()

    async def _read(self, actor: Actor, subject: Subject) -> None:
        started_ns, read = now_ns(), Read()
        outcome, reason, done_ns = codes.OK, "", -1
        try:
            while read.more:
                outcome, reason, done_ns = await self._page(actor, subject, read)
        except NoAnswer as error:
            outcome, reason, done_ns = codes.INDETERMINATE, error.reason, -1
        except msgspec.DecodeError:
            outcome, reason = codes.INDETERMINATE, "not understood"
        actor.row(
            codes.HISTORY, outcome, subject, started_ns, intended=started_ns, started=started_ns, done=done_ns,
            number=read.last[0], seq=read.last[1], size=read.entries, reason=self._world.recorder.text(reason),
        )  # fmt: skip
        if outcome == codes.OK:
            self._world.tally.add("history", DESK, done_ns - started_ns)
        else:
            self._world.tally.fail("history", DESK, reason)

    async def _page(self, actor: Actor, subject: Subject, read: Read) -> tuple[int, str, int]:
        after = f"&after={read.cursor}" if read.cursor else ""
        url = f"{self._world.target.url}/v1/history/{subject.contact}?limit={PAGE}{after}"
        headers = {"Authorization": f"Bearer {self._world.token('operator', actor.name)}"}
        answer = await self._http.get(url, headers)
        if answer.ok:
            read.take(answer.body)
            return codes.OK, "", answer.stamp_ns
        read.more = False
        return codes.REJECTED, f"http {answer.status}", answer.stamp_ns
