"""An operator's connection without a wire: what a seat asks for is carried out at once, and so is the answer."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from chatcore.machines import commands as c
from chatcore.machines.events import OWNED, Presence
from chatcore.machines.ownership import reply_id
from chatload.fleet import frames
from chatload.fleet.clock import Time
from chatload.fleet.frames import Frame, split
from chatload.fleet.ledger import Actor
from chatload.fleet.uploads import Stored
from chatload.scenario.service import ON_HOLD
from chatload.simulate.bank import Bank


class Seat(Protocol):
    """Who sits there: the fleet's own seat."""

    def take(self, frame: frames.DeskFrame, stamp_ns: int) -> None:
        """Act on what the platform says."""


class DeskWire:
    """The fleet's `Wire` between a seat and a virtual installation; it never breaks."""

    live = False
    down = False

    def __init__(self, bank: Bank, actor: Actor, seat: Seat) -> None:
        self._bank = bank
        self._core = bank.installation
        self._operator = actor.name
        self._clock: Time = actor.world.clock
        self._seat = seat

    def open(self, intended_ns: int) -> None:
        """Connect; the welcome follows."""
        self._core.desks[self._operator] = self
        self._core.ask_floor(c.FindSeat(self._operator))
        self._clock.soon(self._welcome)

    def welcomed(self, stamp_ns: int) -> None:
        """Frames may be sent."""
        self.live = True

    def record(self, outcome: int, done_ns: int = -1, reason: str = "", cursor: int = -1) -> None:
        """Nothing: there was no dial."""

    def shut(self) -> None:
        """Be gone; what the operator holds stays theirs until their grace has passed."""
        self.live = False
        if self._core.desks.pop(self._operator, None) is not None:
            self._core.ask_floor(c.LoseSeat(self._operator))

    def show(self, frame: frames.DeskFrame) -> None:
        """What the platform says."""
        self._seat.take(frame, self._clock.now_ns())

    def send(self, frame: Frame) -> None:
        """Do what the seat asks for, or refuse it."""
        try:
            _VERBS[frame["op"]](self, frame)
        except c.Refused as refusal:
            cid, number = frame.get("cid"), frame.get("number", -1)
            self.show(frames.Refused(refusal.reason, cid, frame.get("dialog", ""), -1 if cid else number))

    def _welcome(self) -> None:
        core, held = self._core, []
        for number in sorted(core.dialogs.held.get(self._operator, ())):
            found = core.dialogs.contacts[number]
            held.append(frames.OpenDialog(found.dialog, found.assignment, found.state.name.lower(), found.seq))
        presence = core.floor.operators[self._operator].presence.name.lower()
        self.show(frames.DeskWelcome(self._operator, presence, held))
        for each in held:
            if each.state in _OWNED:
                self.show(frames.Entries(each.dialog, list(core.thread(_key(each.dialog)).entries)))

    def _presence(self, asked: Frame) -> None:
        self._core.ask_floor(c.SetPresence(self._operator, Presence[asked["state"].upper()]))
        self.show(frames.Presence(asked["state"]))

    def _accept(self, asked: Frame) -> None:
        key, dialog = split(asked["dialog"])
        accept = c.Accept(key, dialog, asked["number"], self._operator)
        self._core.ask(accept, answer=partial(self._accepted, key, asked))

    def _accepted(self, key: str, asked: Frame) -> None:
        seq = self._core.dialogs.contact(key).owned_since
        self.show(frames.Accepted(asked["dialog"], asked["number"], seq))
        self._clock.soon(partial(self._hand_over, asked["dialog"]))

    def _hand_over(self, dialog: str) -> None:
        """Give the new owner the dialog so far."""
        thread = self._core.thread(_key(dialog))
        if thread.dialog == dialog:
            self.show(frames.Entries(dialog, list(thread.entries)))

    def _send(self, asked: Frame) -> None:
        key, dialog = split(asked["dialog"])
        reply = c.Reply(key, dialog, asked["number"], self._operator, asked["cid"], 0, asked["text"])
        self._core.ask(reply, answer=partial(self._sent, key, asked))

    def _sent(self, key: str, asked: Frame) -> None:
        seen = self._core.dialogs.contact(key).seen[reply_id(self._operator, asked["cid"])]
        self._clock.soon(partial(self.show, frames.Ack(asked["cid"], asked["dialog"], seen.seq)))

    def _transfer(self, asked: Frame) -> None:
        to = asked["to"]
        found = self._core.floor.destination(asked["number"], to.operator, to.department, to.skill)
        self._act(c.Transfer, asked, *found)

    def _close(self, asked: Frame) -> None:
        self._act(c.Close, asked, self._bank.texts(_key(asked["dialog"])), self._bank.rating)

    def _hold(self, asked: Frame) -> None:
        self._act(c.Hold, asked, ON_HOLD)

    def _resume(self, asked: Frame) -> None:
        self._act(c.Resume, asked)

    def _act(self, verb: Callable[..., c.OwnerCommand], asked: Frame, *more: object) -> None:
        key, dialog = split(asked["dialog"])
        self._core.ask(verb(key, dialog, asked["number"], self._operator, *more))


_OWNED: Final = frozenset(state.name.lower() for state in OWNED)
_VERBS: Final[dict[str, Callable[[DeskWire, Frame], None]]] = {
    "presence": DeskWire._presence,
    "accept": DeskWire._accept,
    "send": DeskWire._send,
    "transfer": DeskWire._transfer,
    "close": DeskWire._close,
    "hold": DeskWire._hold,
    "resume": DeskWire._resume,
}


def _key(dialog: str) -> str:
    return dialog.rpartition("#")[0]


class Unread:
    """Histories are not read over a virtual wire: a new owner is given the dialog."""

    def read(self, *of: Any) -> None:
        """Nothing."""


class Uploads:
    """Attachments are stored at once, and nobody looks at their bytes."""

    def __init__(self, clock: Time) -> None:
        self._clock = clock

    def store(self, name: str, token: str, stored: Stored) -> None:
        """Say that it is stored."""
        self._clock.soon(partial(self._stored, name, stored))

    def _stored(self, name: str, stored: Stored) -> None:
        stored({"kind": "document", "ref": name, "name": name, "mime": ""}, self._clock.now_ns())
