"""The bank as an administrator of the platform: notes who agreed to be written to, and has notices sent.

Each request leaves one NOTICE row; what had no answer is asked for again, under the same id.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

from chatload.fleet import codes
from chatload.fleet.clock import Timer
from chatload.fleet.identity import CUSTOMER
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.world import World
from chatload.plan.notices import FIRST, Letter

AGAIN_NS: Final = 1_000_000_000


class Became(NamedTuple):
    """What became of a request: its outcome, when that was said, and why; `again`: it is to be asked once more."""

    outcome: int
    done_ns: int
    reason: str = ""
    again: bool = False


class Administrator(Protocol):
    """Who asks the platform."""

    def agree(self, contact: str, told: Callable[[bool], None]) -> None:
        """Note that a contact agrees to be written to; `told` whether that is noted."""

    def notify(self, contact: str, template: str, notice_id: str, told: Callable[[Became], None]) -> None:
        """Have a template sent to a contact, once under this id."""


class Knowing(Protocol):
    """A messenger that knows its customers."""

    def know(self, actor: Actor, subject: Subject) -> object:
        """The chat of somebody whom the messenger knows, whether or not they play."""


class _Request(NamedTuple):
    """A letter on its way, and when it was due."""

    letter: Letter
    subject: Subject
    due_ns: int
    attempt: int = 1


class Notices:
    """Sends this worker's share of what is planned, from `begin` on; `messengers` by channel."""

    def __init__(
        self, world: World, planned: Iterable[Letter], messengers: Mapping[str, Knowing], administrator: Administrator
    ) -> None:
        self._world = world
        self._actor = Actor(world, "bank")
        self._planned = iter(planned)
        self._messengers = messengers
        self._administrator = administrator
        self._timer: Timer | None = None
        self._stopped = False

    def begin(self) -> None:
        """Have the next one sent when it is due."""
        letter = next(self._planned, None)
        if letter is not None:
            due_ns = self._world.when(letter.at_ms)
            self._timer = self._world.clock.at(due_ns, partial(self._come, letter, due_ns))

    def stop(self) -> None:
        """Send no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _come(self, letter: Letter, due_ns: int) -> None:
        self.begin()
        contact = f"{self._world.account(letter.notice.channel)}/{letter.user}"
        subject = Subject(self._world, contact, letter.index)
        role = "n" if letter.index >= FIRST else CUSTOMER
        self._messengers[letter.notice.channel].know(Actor(self._world, f"{role}{letter.index}"), subject)
        self._ask(_Request(letter, subject, due_ns))

    def _ask(self, request: _Request) -> None:
        """First that they agree, if they do; then the notice."""
        if request.letter.agrees and request.attempt == 1:
            self._administrator.agree(request.subject.contact, partial(self._agreed, request))
        else:
            self._send(request)

    def _agreed(self, request: _Request, noted: bool) -> None:
        if noted:
            self._send(request)
        else:
            self._again(request)

    def _send(self, request: _Request) -> None:
        name, index = request.letter.notice.name, request.letter.index  # who comes back gets one more
        answered = partial(self._answered, request, self._world.clock.now_ns())
        self._administrator.notify(request.subject.contact, name, f"{self._world.run}-{name}-{index}", answered)

    def _answered(self, request: _Request, started_ns: int, became: Became) -> None:
        text, letter = self._world.recorder.text, request.letter
        self._actor.row(
            codes.NOTICE, became.outcome, request.subject, started_ns, intended=request.due_ns, started=started_ns,
            done=became.done_ns, attempt=request.attempt, size=letter.may, rule=text(letter.notice.name),
            reason=text(became.reason),
        )  # fmt: skip
        if became.again:
            self._again(request._replace(attempt=request.attempt + 1))

    def _again(self, request: _Request) -> None:
        if not self._stopped:
            self._world.clock.at(self._world.clock.now_ns() + AGAIN_NS, partial(self._ask, request))
