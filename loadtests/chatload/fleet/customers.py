"""Customers: a script for every planned dialog, started when the plan says so, however slow the platform is."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from chatload.accounts import user_of
from chatload.fleet.applicant import Applicant
from chatload.fleet.caller import Caller
from chatload.fleet.clock import NEVER
from chatload.fleet.live import Live
from chatload.fleet.script import Join, Script
from chatload.fleet.world import World
from chatload.plan import Dialog

LATE_S: Final = 0.5  # a loop busier than this at the end of a run has left work undone


class Customers:
    """This worker's share of the plan, in order of start. Every due dialog ends as a DIALOG row or as an UNSENT row.

    Who comes back while the platform may still have their earlier dialog open comes as somebody new, at the same time
    and with the same words: the load stays what was planned, and one dialog in the plan is one on the platform.
    """

    def __init__(self, world: World, live: Live, dialogs: tuple[Dialog, ...], joins: Mapping[str, Join]) -> None:
        self._world = world
        self._live = live
        self._dialogs = dialogs
        self._joins = joins
        self._next = 0
        self._playing: dict[Script, None] = {}  # in order of start
        self._staying: dict[Script, None] = {}  # their dialogs are over, and they will rate them once asked
        self._return = {dialog.person for dialog in dialogs if dialog.person is not None}
        self._closed_ns: dict[int, int] = {}  # of these: from when on their latest dialog is closed
        self._empty = asyncio.Event()
        self._stopped = False
        self.unsent = 0
        world.tally.planned = len(dialogs)

    def begin(self) -> None:
        """Start every dialog that is due, and come back for the next."""
        for dialog in self._due():
            script = self._script(self._as_they_come(dialog))
            self._playing[script] = None
            script.play()
        if self._next < len(self._dialogs) and not self._stopped:
            self._world.clock.at(self._world.when(self._dialogs[self._next].start_ms), self.begin)

    @property
    def busy(self) -> bool:
        """Whether anybody still plays, or waits to be asked for a rating."""
        return bool(self._playing or self._staying)

    @property
    def plays(self) -> bool:
        """Whether any dialog goes on."""
        return bool(self._playing)

    def fall_silent(self, deadline_ns: int) -> None:
        """Start nothing more; what is due up to `deadline_ns` still counts as due."""
        self._stop()
        self._world.silence_ns = deadline_ns

    async def drain(self, deadline_ns: int) -> bool:
        """Start nothing more and wait for open dialogs until `deadline_ns`; True if none had to be cut off.

        What is due by then may still start a moment late, as at any other time.
        """
        self.fall_silent(deadline_ns)
        self._empty.clear()
        if self._playing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._empty.wait(), max(0.0, (deadline_ns - self._world.clock.now_ns()) / 1e9) + LATE_S
                )
        return self.cut_off() == 0

    def cut_off(self) -> int:
        """End what is still open, as in flight; returns how many. Who has not been asked to rate will not be."""
        self._stop()
        left = list(self._playing)
        for script in [*left, *self._staying]:
            script.cut_off()
        return len(left)

    def _due(self) -> Iterator[Dialog]:
        """The dialogs that are due now and have not been started."""
        now = self._world.clock.now_ns()
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

    def _as_they_come(self, dialog: Dialog) -> Dialog:
        """As themselves, or as somebody new."""
        if dialog.person is None:
            return dialog
        if self._closed_ns.get(dialog.person, NEVER) <= self._world.clock.now_ns():
            del self._closed_ns[dialog.person]
            return dialog
        return replace(dialog, user=user_of(dialog.index, dialog.channel), person=None)

    def _script(self, dialog: Dialog) -> Script:
        script = Caller if dialog.call is not None else Applicant if dialog.proof is not None else Script
        return script(
            self._world,
            self._live,
            dialog,
            self._joins[dialog.channel],
            self._ended,
            self._gone,
        )

    def _ended(self, script: Script, unsent: bool) -> None:
        del self._playing[script]
        if script.stays:
            self._staying[script] = None
        else:
            self._gone(script)
        self.unsent += unsent
        if not self._playing:
            self._empty.set()

    def _gone(self, script: Script) -> None:
        """This customer may come back."""
        self._staying.pop(script, None)
        person = script.dialog.index if script.dialog.person is None else script.dialog.person
        if person in self._return:
            self._closed_ns[person] = script.closed_ns
