"""Telling callers what became of their appends."""

import asyncio
from collections.abc import Iterable

from chatcore.journal.port import Done

Outcome = tuple[Done, Exception | None]


def deliver(outcomes: Iterable[Outcome]) -> None:
    """Call every `done`, on the event loop; one that raises is reported to the loop and keeps no other waiting."""
    for done, error in outcomes:
        try:
            done(error)
        except Exception as defect:  # noqa: BLE001 - whatever one caller's code raises, the others must hear
            context = {"message": "a journal's done callback raised", "exception": defect}
            asyncio.get_running_loop().call_exception_handler(context)
