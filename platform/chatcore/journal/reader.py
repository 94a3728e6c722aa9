"""The thread that reads the file, over a connection of its own, beside the writer."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from chatcore.journal.schema import connect_reader, storage_errors

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]


class Reader:
    """Runs queries one after the other, each on one consistent view of the file; they raise JournalDamaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = connect_reader(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"reader {path}")

    def ask(self, query: Query[T]) -> asyncio.Future[T]:
        """The query's result, as a future of the running loop."""
        return asyncio.get_running_loop().run_in_executor(self._thread, self._run, query)

    def now(self, query: Query[T]) -> T:
        """The query's result; blocks."""
        return self._thread.submit(self._run, query).result()

    def close(self) -> None:
        """Finish what was asked, then release the file; blocks."""
        self._thread.shutdown()
        self._db.close()

    def _run(self, query: Query[T]) -> T:
        with storage_errors(self._path):
            self._db.execute("BEGIN")
            try:
                return query(self._db)
            finally:
                self._db.execute("ROLLBACK")
