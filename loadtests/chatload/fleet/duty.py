"""Coming on duty and going off: what a seat asks for, and what the platform has taken note of."""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from chatload.fleet import codes
from chatload.fleet.clock import Timer
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.link import Wire
from chatload.plan import Post

SIGN_OFF_NS: Final = 5_000_000_000  # how long an operator who goes home waits for the platform to take note

Seated = Callable[[int, bool], None]


class Asked(NamedTuple):
    """A presence that the platform has not confirmed yet: when it should have been asked for, and when it was."""

    state: str
    intended_ns: int
    started_ns: int


class Duty:
    """The presence of operator `n`; every change is a PRESENCE row, also the loss of an operator on duty ("lost").

    Who comes is asked for as what `post()` says, which are the roster's words for it; `on` is whether the platform has
    them on duty. A change that the platform did not confirm before the connection broke is part of that loss. An
    operator who is away cannot be lost: nobody counts on them, and back they are as away as before.

    `seated(n, on)` is called when an order is carried out, and when the platform has sent this operator home.
    """

    def __init__(self, actor: Actor, link: Wire, me: Subject, n: int, seated: Seated, post: Callable[[], Post]) -> None:
        self._actor = actor
        self._world = actor.world
        self._link = link
        self._me = me
        self._n = n
        self._seated = seated
        self._post = post
        self._asked: deque[Asked] = deque()
        self._said = ""  # the last word that this connection has had of us, or of the platform
        self._ordered_ns = -1
        self._telling = False  # an order to come is not yet carried out
        self._taken = False
        self._leaving: Timer | None = None
        self.wanted = False
        self.on = False

    def come(self) -> None:
        """Be at one's post as soon as there is a connection."""
        self.wanted, self._telling, self._taken, self._ordered_ns = True, True, True, self._world.clock.now_ns()
        self._stay()
        post = self._post()
        if not self._link.live:
            self._link.open(self._ordered_ns)
        elif self._said != post:
            self._ask(post)
        elif not self._asked:
            self._came(post)

    def turn(self, due_ns: int) -> None:
        """Be where the post is now, which was due at `due_ns`; nothing if that is where they are."""
        if not self.wanted:
            return
        self._ordered_ns = due_ns
        if self._link.live and self._said != (post := self._post()):
            self._ask(post)

    def go(self, gone: Callable[[], None]) -> None:
        """Be offline; `gone` is called when the platform knows, or takes too long."""
        self.wanted, self._telling, self._ordered_ns = False, False, self._world.clock.now_ns()
        self._stay()
        self._leaving = self._world.clock.at(self._ordered_ns + SIGN_OFF_NS, gone)
        if self._link.live:
            self._ask("offline")

    def welcomed(self, presence: str, stamp_ns: int) -> None:
        """A new connection: `presence` is what the platform has us for."""
        self._said = presence
        if self.wanted and presence == self._post():
            self._row(presence, self._ordered_ns if self._telling else -1, -1, stamp_ns)
            self._came(presence)
        else:
            self._ask(self._post() if self.wanted else "offline")

    def confirmed(self, state: str, stamp_ns: int) -> bool:
        """The platform has taken note of a presence; True if this operator may go home for good."""
        if not self._asked or self._asked[0].state != state:
            return False
        asked = self._asked.popleft()
        self._row(state, asked.intended_ns, asked.started_ns, stamp_ns)
        if state == "offline" and not self.wanted:
            self._set(on=False)
            return True
        self._came(state)
        return False

    def lost(self) -> None:
        """The connection is gone."""
        if self.on or any(asked.state == "online" for asked in self._asked):
            self._row("lost", -1, -1, self._world.clock.now_ns())
            self._set(on=False)
        self._asked.clear()

    def off(self) -> None:
        """The seat is empty."""
        self._stay()
        self._telling = False
        if self._taken:
            self._taken = False
            self._seated(self._n, False)

    def _ask(self, state: str) -> None:
        self._said = state
        self._asked.append(Asked(state, self._ordered_ns, self._world.clock.now_ns()))
        self._link.send({"op": "presence", "state": state})

    def _came(self, presence: str) -> None:
        self._set(on=presence == "online")
        if self._telling:
            self._telling = False
            self._seated(self._n, True)

    def _set(self, on: bool) -> None:
        self._world.tally.seats += on - self.on
        self.on = on

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _row(self, state: str, intended_ns: int, started_ns: int, done_ns: int) -> None:
        plan, text = self._world.plan, self._world.recorder.text
        team = plan.scenario.operators.team(self._n)
        self._actor.row(
            codes.PRESENCE, codes.OK, self._me, done_ns, intended=intended_ns, started=started_ns, done=done_ns,
            size=plan.slots, reason=text(state), sender=text(",".join(team.departments)),
            rule=text(",".join(team.skills)), author=text(",".join(team.languages)),
        )  # fmt: skip
