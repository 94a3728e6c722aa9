"""What a customer does who calls: waits on the line, gives up, calls again or is called back, talks and hangs up."""

from collections.abc import Generator

from chatload.fleet import codes
from chatload.fleet.clock import NEVER
from chatload.fleet.frames import Entry
from chatload.fleet.identity import Identity
from chatload.fleet.providers.phone import Line
from chatload.fleet.script import End, Last, Script, Steps


class Caller(Script):
    """One customer playing one planned call, in which they write nothing. Who gives up at last is to be called back."""

    __slots__ = ()

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """Learn where in the call one is."""
        if entry.state == "answered":
            self._human(None, stamp_ns)
        elif entry.state == "unreached":
            self._over = End(codes.ABANDONED, "unreached")
        super().saw(entry, identity, stamp_ns)

    def _converse(self) -> Last:
        line, dialog, world = self._channel, self.dialog, self._world
        assert isinstance(line, Line), "who is planned to call has a line"
        assert dialog.call is not None, "and something to say"
        gave_up_ns = yield from self._ring(line, self._start_ns)
        if dialog.call.again_ms is not None:
            yield from self._ring(line, gave_up_ns + world.wall(dialog.call.again_ms))
        yield from self._on_the_line(NEVER)
        if self._over is not None:
            return self._over
        end_ns = self._human_ns + world.wall(dialog.call.talk_ms)
        if dialog.hold_ms:
            end_ns = max(end_ns, world.when(dialog.hold_ms))
        yield from self._come(end_ns)
        line.hang_up(end_ns)
        return End(codes.COMPLETED)

    def _ring(self, line: Line, due_ns: int) -> Generator[int, None, int]:
        """Call when due, unless the bank calls before, and wait; returns when patience ends, or would have."""
        self._due_ns = due_ns
        yield from self._on_the_line(due_ns)
        self._due_ns = NEVER
        patience_ends_ns = due_ns + self._world.wall(self.dialog.patience_ms)
        if self._waits() and not line.busy:
            line.ring(due_ns)
            yield from self._on_the_line(patience_ends_ns)
            if self._waits():
                line.hang_up(patience_ends_ns)
        return patience_ends_ns

    def _on_the_line(self, until_ns: int) -> Steps:
        """Wait to be connected, until then at most."""
        while self._waits() and self._world.clock.now_ns() < until_ns:
            yield until_ns

    def _waits(self) -> bool:
        return not self._human_ns and self._over is None
