"""The history in SQLite: rows are collected on the event loop, written in bulk, and read in a thread of their own."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TypeVar

from chatcore.journal import rows as table
from chatcore.journal.fence import known
from chatcore.journal.port import Derived, Page, Row
from chatcore.journal.projector import Work
from chatcore.journal.reader import Query, Reader
from chatcore.journal.tail import Tail, number_rows, portions

T = TypeVar("T")
FLUSH_AFTER_S = 0.5
FLUSH_AT_ROWS = 2_000


class SqliteHistory:
    """See History. `logs` are the logs' numbers in the file; `submit` does work in the projector's thread.

    `analyst` reads the derived tables, so that a question over all dialogs keeps no reader of entries waiting.
    """

    def __init__(
        self,
        logs: dict[str, int],
        projected: dict[str, int],
        reader: Reader,
        analyst: Reader,
        submit: Callable[[Work], Future[None]],
        derived: Derived | None,
    ) -> None:
        self._logs = logs
        self._projected = projected
        self._handed = dict(projected)
        self._reader = reader
        self._analyst = analyst
        self._submit = submit
        self._derived = derived
        self._tail = Tail()
        self._timer: asyncio.TimerHandle | None = None

    def projected(self, log: str) -> int:
        """See History.projected."""
        self._id(log)
        return self._projected[log]

    def project(self, log: str, through: int, rows: Sequence[Row], contacts: Sequence[tuple[int, str]] = ()) -> None:
        """See History.project."""
        self._id(log)
        new = number_rows(row for row in rows if row.position > self._handed[log])
        self._handed[log] = max(self._handed[log], through)
        for last, portion in portions(new, self._handed[log], FLUSH_AT_ROWS):
            self._tail.add(log, last, portion, contacts)
            contacts = ()
            if self._tail.size >= FLUSH_AT_ROWS:
                self.flush()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER_S, self.flush)

    def flush(self) -> None:
        """Have what was handed in stored."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        generation = self._tail.rotate()
        if generation is not None:
            loop = asyncio.get_running_loop()
            ended = self._submit(partial(table.write, ids=self._logs, generation=generation, derived=self._derived))
            ended.add_done_callback(partial(self._ended, loop))

    def _ended(self, loop: asyncio.AbstractEventLoop, written: Future[None]) -> None:
        if written.exception() is None:
            with suppress(RuntimeError):  # the loop is closed: nobody reads the tail any more
                loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        for log, share in self._tail.settle().shares.items():
            self._projected[log] = share.through

    def rebuild(self, log: str) -> None:
        """See History.rebuild."""
        self._submit(partial(table.drop, log=self._id(log))).result()
        self._projected[log] = self._handed[log] = 0

    def entries(self, log: str, contact: int, after: tuple[int, int], limit: int) -> asyncio.Future[list[Row]]:
        """See History.entries."""
        unwritten = self._tail.of_contact(log, contact)
        query = partial(
            table.entries, log=self._id(log), contact=contact, after=after, limit=limit, unwritten=unwritten
        )
        return self._reader.ask(query)

    def audit(self, log: str, after: int, limit: int) -> asyncio.Future[Page]:
        """See History.audit."""
        unwritten = self._tail.of_log(log)
        query = partial(table.audit, log=self._id(log), after=after, limit=limit, unwritten=unwritten)
        return self._reader.ask(query)

    def keys(self, log: str, contacts: Collection[int]) -> asyncio.Future[dict[int, str]]:
        """See History.keys."""
        unwritten = self._tail.contacts(log)
        return self._reader.ask(partial(table.keys, log=self._id(log), contacts=contacts, unwritten=unwritten))

    def number(self, log: str, key: str) -> asyncio.Future[int | None]:
        """See History.number."""
        unwritten = self._tail.contacts(log)
        return self._reader.ask(partial(table.number, log=self._id(log), key=key, unwritten=unwritten))

    async def ask(self, query: Query[T]) -> T:
        """See History.ask."""
        self.flush()
        await asyncio.wrap_future(self._submit(lambda _: 0))
        return await self._analyst.ask(query)

    def _id(self, log: str) -> int:
        return known(self._logs, log)
