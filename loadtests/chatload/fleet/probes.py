"""What shows a stall when everything reactive falls silent: open-loop probes, and a mirror of our own loop."""

import asyncio
from abc import ABC, abstractmethod
from functools import partial
from itertools import count
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_connect, ws_create_server

from chatload.fleet import codes
from chatload.fleet.clock import Timer, now_ns
from chatload.fleet.frames import Entry
from chatload.fleet.identity import Identity
from chatload.fleet.ledger import Actor, Message, Subject
from chatload.fleet.session import Session
from chatload.fleet.world import World

PER_S: Final = 20
CONTACTS: Final = 4
QUESTIONS: Final = 300
"""A probe asks so many, a minute's worth: no customer goes on for hours, and a platform may remember every message."""
_GAP_NS: Final = 1_000_000_000 // PER_S
_TEXT: Final = WSMsgType.TEXT


class Beat(ABC):
    """Calls `step(due_ns)` twenty times a second, at moments fixed beforehand, until stopped."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timer: Timer | None = None

    def begin(self, due_ns: int) -> None:
        """Go on at `due_ns`."""
        self._timer = self._world.clock.at(due_ns, lambda: self._fall(due_ns))

    def stop(self) -> None:
        """No more steps."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fall(self, due_ns: int) -> None:
        self.begin(due_ns + _GAP_NS)
        self.step(due_ns)

    @abstractmethod
    def step(self, due_ns: int) -> None:
        """What is done at each beat."""


class Probe:
    """One probing customer, who asks the bot the same thing again and again."""

    def __init__(self, world: World, number: int, account: str, keyword: str) -> None:
        self._world = world
        self._actor = Actor(world, f"p{number}")
        self._subject = Subject(world, f"{account}/probe-{number}")
        self._session = Session(self._actor, self._subject, self)
        self._keyword = keyword
        self.asked = 0
        self._open: dict[int, Message] = {}
        self._ending = False

    def begin(self) -> None:
        """Connect."""
        self._session.open(now_ns())

    def ask(self, due_ns: int) -> None:
        """Send the next question."""
        self.asked += 1
        message = self._actor.message(self._subject, self.asked, self._keyword, due_ns)
        self._open[self.asked] = message
        self._session.send(message)

    def end(self) -> None:
        """Close the dialog, if there is one, and go when that is done."""
        if not self.asked:
            self.leave()
            return
        self._ending = True
        self._session.end(now_ns())

    def leave(self) -> None:
        """Go at once; what has no answer stays indeterminate."""
        for message in self._open.values():
            self._row(message, codes.INDETERMINATE, -1)
        self._open.clear()
        self._session.leave()

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        """A probe was answered."""
        self._open.pop(message.counter, None)
        self._row(message, codes.OK, stamp_ns)
        self._world.tally.add("probe", "WEB", stamp_ns - message.intended_ns)

    def saw(self, entry: Entry, identity: Identity | None, stamp_ns: int) -> None:
        """The bot answered, or the dialog is closed."""
        if entry.kind == "closed" and self._ending:
            self.leave()

    def failed(self, reason: str) -> None:
        """A probe was refused: its SEND row says so, and its PROBE row stays indeterminate."""

    def _row(self, message: Message, outcome: int, done_ns: int) -> None:
        self._actor.row(
            codes.PROBE, outcome, self._subject, now_ns(), intended=message.intended_ns, started=message.begun_ns,
            done=done_ns, counter=message.counter, sender=self._actor.id,
        )  # fmt: skip


class Probes(Beat):
    """Twenty probes a second over a few contacts, however slow the answers are; new contacts now and then."""

    def __init__(self, world: World, worker: int, account: str, keyword: str) -> None:
        super().__init__(world)
        self._make = partial(Probe, world, account=account, keyword=keyword)
        first = worker * CONTACTS
        self._numbers = [count(first + place, world.workers * CONTACTS) for place in range(CONTACTS)]
        self._probes = [self._make(next(numbers)) for numbers in self._numbers]
        self._before: dict[int, Probe] = {}  # by place; it may still wait for its answers
        self._turn = 0

    def begin(self, due_ns: int) -> None:
        """Connect at the first beat, then probe."""
        if not self._turn:
            for probe in self._probes:
                probe.begin()
        super().begin(due_ns)

    def step(self, due_ns: int) -> None:
        """The next contact's turn."""
        place = self._turn % CONTACTS
        self._turn += 1
        self._probes[place].ask(due_ns)
        if self._probes[place].asked == QUESTIONS:
            self._renew(place)

    def _renew(self, place: int) -> None:
        """Let this place's probe finish; its successor has until the place's next turn to connect."""
        if place in self._before:
            self._before[place].leave()
        probe = self._before[place] = self._probes[place]
        probe.end()
        self._probes[place] = self._make(next(self._numbers[place]))
        self._probes[place].begin()

    def stop(self) -> None:
        """No more probes; their dialogs are closed."""
        super().stop()
        for probe in self._probes:
            probe.end()

    def leave(self) -> None:
        """Go at once."""
        super().stop()
        for probe in (*self._before.values(), *self._probes):
            probe.leave()


class _Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == _TEXT:
            transport.send(_TEXT, frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()


class _Image(WSListener):
    def __init__(self, mirror: "Mirror") -> None:
        self._mirror = mirror

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        stamp_ns = now_ns()
        if frame.msg_type == _TEXT:
            self._mirror.back(int(frame.get_payload_as_bytes()), stamp_ns)


class Mirror(Beat):
    """Twenty echoes a second over loopback through our own loop: what of every latency is our own."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._actor = Actor(world, "suite")
        self._subject = Subject(world, "")
        self._server: asyncio.Server | None = None
        self._transport: WSTransport | None = None
        self._started: dict[int, int] = {}

    async def open(self) -> None:
        """Connect us with ourselves."""
        self._server = await ws_create_server(_answering, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self._transport, _ = await ws_connect(lambda _request, _response: _Image(self), f"ws://127.0.0.1:{port}/")

    def step(self, due_ns: int) -> None:
        """Send one image."""
        if self._transport is not None:
            self._started[due_ns] = now_ns()
            self._transport.send(_TEXT, str(due_ns).encode())

    def back(self, due_ns: int, stamp_ns: int) -> None:
        """An image came back."""
        started_ns = self._started.pop(due_ns)
        self._actor.row(
            codes.MIRROR, codes.OK, self._subject, stamp_ns, intended=due_ns, started=started_ns, done=stamp_ns
        )
        self._world.tally.add("mirror", "SELF", stamp_ns - due_ns)

    async def close(self) -> None:
        """Take the mirror down."""
        self.stop()
        if self._transport is not None:
            self._transport.disconnect()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


def _answering(_request: WSUpgradeRequest) -> WSListener:
    return _Echo()
