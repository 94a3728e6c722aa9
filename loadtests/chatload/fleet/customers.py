"""Customers: a script for every planned dialog, started when the plan says so, however slow the platform is."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from chatload.fleet.clock import now_ns
from chatload.fleet.live import Live
from chatload.fleet.script import Join, Script
from chatload.fleet.session import Session
from chatload.fleet.world import World
from chatload.plan import Dialog

LATE_S: Final = 0.5  # a loop busier than this at the end of a run has left work undone


class Customers:
    """This worker's share of the plan, in order of start. Every due dialog ends as a DIALOG row or as an UNSENT row."""

    def __init__(self, world: World, live: Live, dialogs: tuple[Dialog, ...], joins: Mapping[str, Join]) -> None:
        self._world = world
        self._live = live
        self._dialogs = dialogs
        self._joins = joins
        self._next = 0
        self._playing: set[asyncio.Task[bool]] = set()
        self._stopped = False
        self.unsent = 0
        world.tally.planned = len(dialogs)

    def begin(self) -> None:
        """Start every dialog that is due, and come back for the next."""
        loop = asyncio.get_running_loop()
        for dialog in self._due():
            task = loop.create_task(self._script(dialog).play())
            self._playing.add(task)
            task.add_done_callback(self._done)
        if self._next < len(self._dialogs) and not self._stopped:
            self._world.clock.at(self._world.when(self._dialogs[self._next].start_ms), self.begin)

    async def drain(self, deadline_ns: int) -> bool:
        """Start nothing more and wait for open dialogs until `deadline_ns`; True if none had to be cut off.

        What is due by then may still start a moment late, as at any other time.
        """
        self._stop()
        self._world.silence_ns = deadline_ns
        if self._playing:
            await asyncio.wait(self._playing, timeout=max(0.0, (deadline_ns - now_ns()) / 1e9) + LATE_S)
        return await self.cut_off() == 0

    async def cut_off(self) -> int:
        """End what is still open, as in flight; returns how many."""
        self._stop()
        await asyncio.sleep(0)  # a script cancelled before its first step would leave no row
        left = list(self._playing)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    def _due(self) -> Iterator[Dialog]:
        """The dialogs that are due now and have not been started."""
        now = now_ns()
        while not self._stopped and self._next < len(self._dialogs):
            dialog = self._dialogs[self._next]
            if self._world.when(dialog.start_ms) > now:
                return
            self._next += 1
            yield dialog

    def _stop(self) -> None:
        if self._world.t0_ns:
            for dialog in self._due():
                self._script(dialog).unsent("dialog", self._world.when(dialog.start_ms))
                self.unsent += 1
        self._stopped = True

    def _script(self, dialog: Dialog) -> Script:
        return Script(self._world, self._live, dialog, self._joins.get(dialog.channel, Session))

    def _done(self, task: asyncio.Task[bool]) -> None:
        self._playing.discard(task)
        if not task.cancelled():
            self.unsent += task.result()
