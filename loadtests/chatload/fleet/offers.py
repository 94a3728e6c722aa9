"""What a desk is offered: looked at for a while, then accepted, unless it is withdrawn before."""

from chatload.fleet import codes
from chatload.fleet.clock import Timer
from chatload.fleet.frames import Accepted, Offered, Withdrawn
from chatload.fleet.ledger import Actor, Subject, subject_of
from chatload.fleet.link import Wire
from chatload.fleet.live import Live


class Offer:
    """An offer on the screen; `started_ns` once the operator has accepted."""

    __slots__ = ("dialog", "due_ns", "number", "started_ns", "subject", "timer")

    def __init__(self, dialog: str, number: int, subject: Subject, due_ns: int) -> None:
        self.dialog = dialog
        self.number = number
        self.subject = subject
        self.due_ns = due_ns
        self.started_ns = -1
        self.timer: Timer | None = None


class Offers:
    """The offers of one seat, by the floor's number; an acceptance leaves an ACCEPT row when it is settled."""

    def __init__(self, actor: Actor, link: Wire, live: Live) -> None:
        self._actor = actor
        self._world = actor.world
        self._link = link
        self._live = live
        self._open: dict[int, Offer] = {}

    @property
    def open(self) -> bool:
        """Whether one is on the screen, or its acceptance under way."""
        return bool(self._open)

    def offered(self, frame: Offered, stamp_ns: int, free_ns: int) -> None:
        """A dialog is offered to a seat that had room since `free_ns`; what is not of this run is left to lapse."""
        subject, text = subject_of(self._world, frame.dialog), self._world.recorder.text
        self._actor.row(
            codes.OFFER, codes.OK, subject, stamp_ns, done=stamp_ns, assignment=frame.number, place=frame.place,
            priority=frame.priority, size=frame.weight, reason=text(frame.department), rule=text(frame.skill),
            author=text(frame.language),
        )  # fmt: skip
        if frame.number in self._open or not subject.planned:
            return
        self._live.offered(subject.plan, stamp_ns, free_ns)
        due_ns = stamp_ns + self._world.wall(self._world.plan.accept_ms(subject.plan, frame.number))
        offer = self._open[frame.number] = Offer(frame.dialog, frame.number, subject, due_ns)
        offer.timer = self._world.clock.at(due_ns, lambda: self._accept(offer))

    def accepted(self, frame: Accepted, stamp_ns: int) -> Subject | None:
        """The dialog is ours now; None if nobody asked for it."""
        offer = self._open.get(frame.number)
        if offer is None:
            return None
        self._settle(offer, codes.OK, stamp_ns, seq=frame.seq)
        return offer.subject

    def withdrawn(self, frame: Withdrawn, stamp_ns: int) -> None:
        """The offer lapsed; an acceptance already under way gets its own answer."""
        subject = subject_of(self._world, frame.dialog)
        self._actor.row(codes.WITHDRAWN, codes.OK, subject, stamp_ns, done=stamp_ns, assignment=frame.number)
        offer = self._open.get(frame.number)
        if offer is not None and offer.started_ns < 0:
            self._settle(offer, codes.REJECTED, stamp_ns)

    def refused(self, number: int, stamp_ns: int, reason: str) -> bool:
        """An acceptance was refused; False if none of this number was under way."""
        offer = self._open.get(number)
        if offer is not None:
            self._settle(offer, codes.REJECTED, stamp_ns, reason)
        return offer is not None

    def lost(self, reason: str) -> None:
        """The connection is gone: what is still open is offered again."""
        for offer in list(self._open.values()):
            self._settle(offer, codes.INDETERMINATE, -1, reason)

    def _accept(self, offer: Offer) -> None:
        offer.started_ns = self._world.clock.now_ns()
        self._world.tally.lag(offer.started_ns - offer.due_ns)
        self._link.send({"op": "accept", "dialog": offer.dialog, "number": offer.number})

    def _settle(self, offer: Offer, outcome: int, done_ns: int, reason: str = "", seq: int = -1) -> None:
        del self._open[offer.number]
        if offer.timer is not None:
            offer.timer.cancel()
        if offer.started_ns >= 0:
            self._actor.row(
                codes.ACCEPT, outcome, offer.subject, self._world.clock.now_ns(), intended=offer.due_ns,
                started=offer.started_ns, done=done_ns, assignment=offer.number, seq=seq,
                reason=self._world.recorder.text(reason),
            )  # fmt: skip
