"""One commit for all that waits: the admitted appends of each log as one batch, all batches in one transaction."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain

from chatcore.journal import logs
from chatcore.journal.errors import StaleWriter
from chatcore.journal.fence import Append, Fence
from chatcore.journal.outcome import Outcome

Store = Callable[[sqlite3.Connection, Sequence[logs.Batch]], set[int]]
"""Commits batches and returns the logs whose batches were refused; see `logs.store`."""

PAGE_BYTES = 4_096


class GroupCommit:
    """Commits appends of the logs in `ids` with `store`, past `fence`."""

    def __init__(self, fence: Fence, ids: dict[str, int], store: Store) -> None:
        self._fence = fence
        self._ids = ids
        self._store = store

    def commit(self, db: sqlite3.Connection, appends: Sequence[Append]) -> tuple[list[Outcome], int]:
        """The outcome of each append, in order, and roughly how many pages were written."""
        admitted, refused = self._fence.sort(appends)
        batches = [self._batch(log, share) for log, share in admitted.items()]
        superseded = self._store(db, batches) if batches else set()
        for log in admitted:
            if self._ids[log] in superseded:
                refused |= self._supersede(log, appends)
        outcomes: list[Outcome] = [(append.done, refused.get(index)) for index, append in enumerate(appends)]
        return outcomes, sum(3 + len(batch.blob) // PAGE_BYTES for batch in batches)

    def _batch(self, log: str, share: Sequence[Append]) -> logs.Batch:
        records = list(chain.from_iterable(append.records for append in share))
        return logs.batch(self._ids[log], share[0].expected_position + 1, share[0].epoch, records)

    def _supersede(self, log: str, appends: Sequence[Append]) -> dict[int, StaleWriter]:
        """Refuse the log's appends after all, because the file knows a newer epoch."""
        own = [(index, append) for index, append in enumerate(appends) if append.log == log]
        self._fence.revoke(log, own[0][1].expected_position)
        return {index: append.stale(self._fence.reason(log)) for index, append in own}
