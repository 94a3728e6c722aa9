"""Operators: one seat is one desk connection with several dialogs at once."""

from functools import partial

import msgspec

from chatload.fleet import codes
from chatload.fleet.case import Case, Waiting
from chatload.fleet.duty import Duty, Seated
from chatload.fleet.frames import (
    Accepted,
    Ack,
    DeskFrame,
    DeskWelcome,
    Entries,
    Entry,
    Offered,
    OpenDialog,
    Presence,
    Receipt,
    Refused,
    Withdrawn,
    desk_frame,
    encode,
    provider_number,
    split,
)
from chatload.fleet.hours import Hours
from chatload.fleet.identity import CUSTOMER
from chatload.fleet.ledger import Actor, Message, Subject, subject_of
from chatload.fleet.live import Live
from chatload.fleet.offers import Offers
from chatload.fleet.office import Office
from chatload.fleet.outbox import Outbox
from chatload.fleet.providers import media
from chatload.fleet.tally import DESK
from chatload.fleet.world import World
from chatload.plan import Destination, Post, Reply


class Seat:
    """Operator `o<n>` at the desk; `seated(n, on)` is called when an order to come or go is carried out."""

    def __init__(self, world: World, live: Live, office: Office, n: int, seated: Seated) -> None:
        self._world = world
        self._live = live
        self._history = office.history
        self._uploads = office.uploads
        self._actor = Actor(world, f"o{n}")
        me = Subject(world, "")
        self._link = office.dial(self._actor, self, "/v1/desk", me)
        self._outbox = Outbox(self._actor, self._link)
        self._offers = Offers(self._actor, self._link, live)
        self._hours = Hours(world, n, self._turn)
        self._duty = Duty(self._actor, self._link, me, n, seated, self._post)
        self._n = n
        self._cases: dict[str, Case] = {}
        self._sending: dict[str, Case] = {}
        self._missing: dict[str, int] = {}  # dialogs whose missed entries are still to come, with the last one's seq
        self._counter = 0
        self._free_ns = 0  # since when there has been room
        self._token = ""  # what the desk has logged in with

    def sit(self) -> None:
        """Log on, and come on duty when the roster says so."""
        self._free_ns = self._world.clock.now_ns()
        self._duty.come()

    def begin(self) -> None:
        """Go by the roster's clock: t0 is known."""
        self._hours.begin()

    def _post(self) -> Post:
        return self._hours.post(busy=bool(self._cases) or self._offers.open)

    def _turn(self, due_ns: int) -> None:
        """Look up where the roster has us."""
        self._free_ns = self._world.clock.now_ns()
        self._duty.turn(due_ns)

    def _finished(self) -> None:
        """Something is at hand no more: who works overtime may go home."""
        if self._post() == "offline":
            self._duty.turn(self._world.clock.now_ns())

    def stand(self) -> None:
        """Go off duty: the platform takes the dialogs back, then the connection closes."""
        self._duty.go(self.shut)

    def shut(self) -> None:
        """Close the connection, whatever the platform thinks."""
        self.broken("left")
        for case in list(self._cases.values()):
            self._forget(case)
        self._link.shut()
        self._duty.off()

    def hello(self) -> bytes:
        """Who we are, and how far we have read in the dialogs we hold."""
        cursors = {dialog: case.seq for dialog, case in self._cases.items()}
        self._token = self._world.token("operator", self._actor.name)
        return encode({"op": "hello", "token": self._token, "cursors": cursors})

    def broken(self, reason: str) -> None:
        """Note what has no answer; dialogs are kept, the link dials again by itself."""
        self._offers.lost(reason)
        self._outbox.unsettled(reason)
        for case in self._cases.values():
            self._closed(case, codes.INDETERMINATE, -1, reason)
        if self._missing:
            self._link.record(codes.INDETERMINATE, -1, reason)
            self._missing.clear()
        self._duty.lost()

    def refused(self, reason: str) -> None:
        """The platform will not have this operator."""
        self._world.tally.fail("seat", DESK, reason)
        self.shut()

    def heard(self, payload: bytes, stamp_ns: int) -> None:
        """Take a frame of the platform."""
        try:
            frame = desk_frame.decode(payload)
        except msgspec.DecodeError:
            self._world.tally.fail("frame", DESK, "not understood")
            return
        self.take(frame, stamp_ns)

    def take(self, frame: DeskFrame, stamp_ns: int) -> None:
        """Act on what the platform says."""
        match frame:
            case Entry():
                self._entry(frame, stamp_ns)
                if frame.kind == "message":
                    self._plan(frame.dialog)
            case Ack():
                self._ack(frame, stamp_ns)
            case Offered():
                self._offers.offered(frame, stamp_ns, self._free_ns)
            case Withdrawn():
                self._offers.withdrawn(frame, stamp_ns)
                self._finished()
            case Receipt():
                self._receipt(frame, stamp_ns)
            case _:
                self._heard_rare(frame, stamp_ns)

    def answer(self, case: Case, waiting: Waiting, reply: Reply, due_ns: int) -> None:
        """Send the answer to a message."""
        self._counter += 1
        words = self._world.plan.answer_text(waiting.plan, waiting.counter - 1, reply)
        case.message = message = self._actor.message(case.subject, self._counter, words, due_ns)
        message.assignment = case.number
        if reply.attachment is None:
            self._send(case, message, waiting.plan)
            return
        name = media.named(message.cid, reply.attachment.size, reply.attachment.kind)
        self._uploads.store(name, self._token, partial(self._stored, case, message, waiting.plan))

    def _stored(self, case: Case, message: Message, plan: int, file: dict[str, str] | None, stamp_ns: int) -> None:
        """Send the attachment, now that it is stored, or the words, if it could not be; unless the dialog is gone."""
        if case.message is not message or self._cases.get(case.dialog) is not case:
            return
        message.intended_ns = stamp_ns
        if file is None:
            self._send(case, message, plan)
        else:
            message.text, message.size = "", 0
            self._send(case, message, plan, files=[file])

    def _send(self, case: Case, message: Message, plan: int, **more: object) -> None:
        self._sending[message.cid] = case
        self._live.sent(plan, self._actor.name, message.counter, message.intended_ns)
        self._outbox.send(message, dialog=case.dialog, number=case.number, **more)

    def close(self, case: Case, due_ns: int) -> None:
        """Close the dialog."""
        case.closing = Message(case.subject, "", -1, "", due_ns)
        case.closing.assignment = case.number
        self._write_close(case, case.closing)

    def destination(self, plan: int) -> Destination | None:
        """Where the plan has us send a dialog on to."""
        return self._world.plan.transfer(plan, self._n, self._world.business(self._world.clock.now_ns()))

    def send_on(self, case: Case, to: Destination) -> None:
        """Transfer the dialog."""
        self._ask("transfer", case, to=to)

    def hold(self, case: Case) -> None:
        """Put the dialog on hold; lost with the connection, it is not asked for again."""
        self._ask("hold", case)

    def resume(self, case: Case) -> None:
        """Take it back from hold."""
        self._ask("resume", case)

    def _ask(self, op: str, case: Case, **more: Destination) -> None:
        if self._link.live:
            self._link.send({"op": op, "dialog": case.dialog, "number": case.number, **more})

    def _heard_rare(self, frame: object, stamp_ns: int) -> None:
        match frame:
            case Accepted():
                subject = self._offers.accepted(frame, stamp_ns)
                if subject is not None:
                    self._own(frame.dialog, frame.number, subject)
            case Entries() if frame.person:
                self._read_person(frame, stamp_ns)
            case Entries():
                for entry in frame.entries:
                    self._entry(entry, stamp_ns)
                self._plan(frame.dialog)
            case Refused():
                self._refused(frame, stamp_ns)
            case DeskWelcome():
                self._welcome(frame, stamp_ns)
            case Presence():
                if self._duty.confirmed(frame.state, stamp_ns):
                    self.shut()

    # --- resume ------------------------------------------------------------------------------------------------------

    def _welcome(self, frame: DeskWelcome, stamp_ns: int) -> None:
        self._link.welcomed(stamp_ns)
        owned = {found.dialog: found for found in frame.open if found.state in ("assigned", "on_hold")}
        for case in list(self._cases.values()):
            found = owned.get(case.dialog)
            if found is None or found.number != case.number:
                self._forget(case)
        for found in owned.values():
            self._keep(found)
        if not self._missing:
            self._link.record(codes.OK, stamp_ns)
        self._outbox.resume()
        self._duty.welcomed(frame.presence, stamp_ns)

    def _keep(self, found: OpenDialog) -> None:
        """Go on with a dialog that the platform has us own."""
        case = self._cases.get(found.dialog)
        if case is None:
            case = self._own(found.dialog, found.number, subject_of(self._world, found.dialog))
        if case.seq < found.seq:
            self._missing[found.dialog] = found.seq
        if case.closing is not None:
            self._write_close(case, case.closing)
        if case.sending_on is not None:
            self.send_on(case, case.sending_on)
        if found.state == "on_hold" and not case.on_hold:
            self.resume(case)  # what asked for that was lost with the connection

    def _came(self, entry: Entry, stamp_ns: int) -> None:
        """Tick off a missed entry."""
        if self._missing.get(entry.dialog, entry.seq + 1) <= entry.seq:
            del self._missing[entry.dialog]
            if not self._missing:
                self._link.record(codes.OK, stamp_ns)

    # --- dialogs -----------------------------------------------------------------------------------------------------

    def _own(self, dialog: str, number: int, subject: Subject) -> Case:
        self._world.tally.busy += not self._cases
        case = self._cases[dialog] = Case(self._world, self, self._actor.name, subject, dialog, number)
        self._history.read(self._actor, subject, self._token, number)
        return case

    def _forget(self, case: Case) -> None:
        case.stop()
        if case.message is not None:
            self._sending.pop(case.message.cid, None)
            self._outbox.give_up(case.message, "released")
        self._closed(case, codes.INDETERMINATE, -1, "released")
        self._missing.pop(case.dialog, None)
        if self._cases.pop(case.dialog, None) is not None:
            self._world.tally.busy -= not self._cases
            self._free_ns = self._world.clock.now_ns()
            self._finished()

    def _read_person(self, frame: Entries, stamp_ns: int) -> None:
        """What the platform shows of a customer's other contacts is a read of each, under the dialog that we own."""
        case = self._cases.get(frame.dialog)
        last = {split(entry.dialog)[0]: entry for entry in frame.entries}
        for entry in last.values():
            subject = subject_of(self._world, entry.dialog)
            self._actor.row(
                codes.HISTORY, codes.OK, subject, stamp_ns, started=stamp_ns, done=stamp_ns, seq=entry.seq,
                assignment=case.number if case is not None else -1,
            )  # fmt: skip

    def _entry(self, entry: Entry, stamp_ns: int) -> None:
        case = self._cases.get(entry.dialog)
        subject = case.subject if case is not None else subject_of(self._world, entry.dialog)
        identity = self._actor.saw(entry, subject, stamp_ns)
        if identity is not None and identity.role == CUSTOMER:
            self._live.seen(identity.n, identity.sender, identity.counter, stamp_ns)
        if case is None:
            return
        self._came(entry, stamp_ns)
        if case.take(entry, identity, stamp_ns) and case.ends(entry):
            if entry.kind == "closed":
                self._closed(case, codes.OK, stamp_ns)
            self._forget(case)

    def _plan(self, dialog: str) -> None:
        case = self._cases.get(dialog)
        if case is not None:
            case.plan()

    def _ack(self, frame: Ack, stamp_ns: int) -> None:
        case = self._sending.pop(frame.cid, None)
        if self._outbox.acknowledged(frame.cid, stamp_ns, frame.seq) is not None and case is not None:
            case.settled(stamp_ns)

    def _refused(self, frame: Refused, stamp_ns: int) -> None:
        if self._offers.refused(frame.number, stamp_ns, frame.reason):
            self._world.tally.fail("offer", DESK, frame.reason)
            self._finished()
        elif frame.cid:
            if self._outbox.refused(frame.cid, stamp_ns, frame.reason) is not None:
                self._sending.pop(frame.cid).settled(stamp_ns)
        elif (case := self._cases.get(frame.dialog)) is not None and case.closing is None:
            self._world.tally.fail("transfer" if case.sending_on else "hold", DESK, frame.reason)
            if case.sending_on is not None:
                case.settled(stamp_ns)
        elif case is not None:
            self._world.tally.fail("close", DESK, frame.reason)
            self._closed(case, codes.REJECTED, stamp_ns, frame.reason)
            case.closing = None
            case.settled(stamp_ns)

    def _write_close(self, case: Case, closing: Message) -> None:
        if self._link.live:
            closing.attempt += 1
            closing.started_ns = self._world.clock.now_ns()
            self._link.send({"op": "close", "dialog": case.dialog, "number": case.number})

    def _closed(self, case: Case, outcome: int, done_ns: int, reason: str = "") -> None:
        closing = case.closing
        if closing is not None and closing.started_ns >= 0:
            self._actor.closed(closing, outcome, done_ns, reason)
            closing.started_ns = -1

    def _receipt(self, frame: Receipt, stamp_ns: int) -> None:
        self._actor.row(
            codes.RECEIPT, codes.OK, subject_of(self._world, frame.dialog), stamp_ns, done=stamp_ns, seq=frame.seq,
            provider_id=provider_number(frame.provider_id), reason=self._world.recorder.text(frame.status),
        )  # fmt: skip
