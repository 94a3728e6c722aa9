"""Messages on their way over a socket: written, answered, and written again under the same id after a break."""

from collections.abc import Callable
from typing import Final

from chatload.fleet import codes
from chatload.fleet.ledger import Actor, Message, method_of
from chatload.fleet.link import Wire, backoff_ns

NOT_YET: Final = "not_stored"  # refused before deciding: the one refusal after which the same message is sent again


def _nothing(_message: Message) -> None:
    pass


class Outbox:
    """What one actor has sent and nobody has answered; every attempt leaves one SEND row when it is settled.

    `written` is told of every message that went out.
    """

    __slots__ = ("_actor", "_link", "_open", "_world", "_written")

    def __init__(self, actor: Actor, link: Wire, written: Callable[[Message], None] = _nothing) -> None:
        self._actor = actor
        self._world = actor.world
        self._link = link
        self._written = written
        self._open: dict[str, Message] = {}

    def send(self, message: Message, **where: object) -> None:
        """Send `message`, now or as soon as there is a connection; `where` is what its frame says besides."""
        message.frame = {"op": "send", **where, "cid": message.cid, "text": message.text}
        self._open[message.cid] = message
        if self._link.down:
            self._first_attempt_failed(message, "not connected")
        self._write(message)

    def resume(self) -> None:
        """There is a connection again: send what has no answer."""
        for message in list(self._open.values()):
            self._write(message)

    def acknowledged(self, cid: str, stamp_ns: int, seq: int) -> Message | None:
        """The message of this id is stored; None if none was waiting."""
        message = self._open.pop(cid, None)
        if message is None:
            return None
        self._actor.sent(message, codes.OK, stamp_ns, seq=seq)
        self._world.tally.add("accept", self._method(message), stamp_ns - message.intended_ns)
        self._world.tally.messages += 1
        return message

    def refused(self, cid: str, stamp_ns: int, reason: str) -> Message | None:
        """The message of this id was refused; returns it if that was its end."""
        message = self._open.get(cid)
        if message is None:
            return None
        self._actor.sent(message, codes.REJECTED, stamp_ns, reason)
        self._world.tally.fail("accept", self._method(message), reason)
        message.started_ns = -1
        if reason != NOT_YET:
            return self._open.pop(cid)
        wait_ns = backoff_ns(message.attempt - 1, cid, message.attempt)
        self._world.clock.at(stamp_ns + wait_ns, lambda: self._again(message))
        return None

    def unsettled(self, reason: str) -> None:
        """The connection is gone: what was written and not answered may or may not have arrived."""
        for message in self._open.values():
            if message.attempt == 0:
                self._first_attempt_failed(message, reason)
            self._indeterminate(message, reason)

    def give_up(self, message: Message, reason: str) -> None:
        """Expect no answer to `message` any more."""
        if self._open.pop(message.cid, None) is not None:
            self._indeterminate(message, reason)

    def clear(self, reason: str) -> None:
        """Expect no answers any more."""
        self.unsettled(reason)
        self._open.clear()

    def _again(self, message: Message) -> None:
        if message.cid in self._open and message.started_ns < 0:
            self._write(message)

    def _write(self, message: Message) -> None:
        if not self._link.live:
            return
        message.attempt += 1
        message.started_ns = self._world.clock.now_ns()
        if message.attempt == 1:
            self._world.tally.lag(message.started_ns - message.intended_ns)
        self._link.send(message.frame)
        self._written(message)

    def _first_attempt_failed(self, message: Message, reason: str) -> None:
        """A step was due while there was no connection: its sender tried, and nothing went out."""
        message.attempt, message.started_ns = 1, message.begun_ns
        self._world.tally.lag(message.begun_ns - message.intended_ns)
        self._indeterminate(message, reason)

    def _indeterminate(self, message: Message, reason: str) -> None:
        if message.started_ns >= 0:
            self._actor.sent(message, codes.INDETERMINATE, -1, reason)
            message.started_ns = -1

    def _method(self, message: Message) -> str:
        return method_of(message.subject.channel if message.assignment < 0 else 0)
