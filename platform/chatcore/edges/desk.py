"""The operators' desk: one socket a seat, with its offers, its dialogs and its presence."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from chatcore import wire
from chatcore.config import MAX_TEXT
from chatcore.edges import histories
from chatcore.edges.automatic import replies
from chatcore.edges.gateway import Gateway
from chatcore.edges.hints import ENTRIES, HintService
from chatcore.edges.hub import offer
from chatcore.edges.messages import digest, enclosed
from chatcore.edges.routes import SOCKETS
from chatcore.edges.session import Session
from chatcore.errors import BadFrame, Unauthorized
from chatcore.machines.commands import (
    Accept,
    Close,
    FindSeat,
    Hold,
    LoseSeat,
    OwnerCommand,
    Refused,
    Reply,
    Resume,
    SetPresence,
    Transfer,
)
from chatcore.machines.events import OWNED, Presence, State
from chatcore.machines.ownership import reply_id
from chatcore.runtime.owner import Owner, Poisoned
from chatcore.runtime.partition import PartitionOwner

PAGE = 500
TO = {"operator", "department", "skill"}  # what a transfer may name
LAST = 2**53  # no seq is higher


class Open(NamedTuple):
    """A dialog that the operator was offered or owns, as of the moment their desk connected."""

    partition: PartitionOwner
    contact: int
    key: str
    dialog_number: int
    number: int
    state: State
    seq: int
    callback: bool = False
    others: histories.Others = histories.NOBODY

    @property
    def dialog(self) -> str:
        """The dialog's id on the wire."""
        return f"{self.key}#{self.dialog_number}"


class Seat:
    """`/v1/desk`: a connected operator.

    Raises:
        Unauthorized: the hello shows no token of an operator whom the floor knows.
        BadFrame: its cursors cannot be read.
    """

    def __init__(self, gateway: Gateway, session: Session, hello: dict[str, object]) -> None:
        self.operator = gateway.subject(hello.get("token"), SOCKETS[b"/v1/desk"])
        self.gateway = gateway
        self.session = session
        self.floor = gateway.core.floor
        self.cursors = _cursors(hello.get("cursors"))
        if self.operator not in self.floor.state.operators:
            raise Unauthorized

    def come(self) -> None:
        """Take the seat; be welcomed, and shown its offers and what was missed in its dialogs.

        What happens from now on is shown behind that, nothing twice.
        """
        self.gateway.hub.join_desk(self.operator, self.session)
        self.session.gate()
        self.floor.submit(FindSeat(self.operator))
        partitions = self.gateway.core.partitions
        through = {partition.log: partition.position for partition in partitions}
        held = [found for partition in partitions for found in self._held(partition)]
        presence = self.floor.state.operators[self.operator].presence.name.lower()
        self.session.errand(self._resume(held, presence, through))

    def _held(self, partition: PartitionOwner) -> Iterator[Open]:
        """What the operator was offered or owns in a partition, as the state has it now."""
        for number in sorted(partition.state.held.get(self.operator, ())):
            found = partition.state.contacts[number]
            place = partition, found.id, found.key, found.number, found.assignment
            owned = found.state in OWNED
            others = histories.others(self.gateway.core, found, self.operator) if owned else histories.NOBODY
            yield Open(*place, found.state, found.seq, found.callback, others)

    def left(self) -> None:
        """Leave the seat; it counts as lost, unless a newer connection took it."""
        if self.gateway.hub.leave_desk(self.operator, self.session) and self.gateway.ready:
            self.floor.submit(LoseSeat(self.operator))

    # --- resume ----------------------------------------------------------------------------------------------------

    async def _resume(self, held: list[Open], presence: str, through: dict[str, int]) -> None:
        """Welcome the seat once all that it is told is durable, then what it missed."""
        await asyncio.gather(*(owner.settled() for owner in self.gateway.core.owners))
        listed = [{"dialog": o.dialog, "number": o.number, "state": o.state.name.lower(), "seq": o.seq} for o in held]
        self._write({"op": "welcome", "operator": self.operator, "presence": presence, "open": listed})
        for found in held:
            if found.state is State.OFFERED:
                self._offer_again(found)
            else:
                for view in await self._entries(found, self.cursors.get(found.dialog, 0)):
                    self._write(view)
                await self._show_others(found)
                await self.session.caught_up()
        self.session.ungate(through)

    def _offer_again(self, found: Open) -> None:
        assignment = self.floor.state.assignments.get(found.number)
        if assignment is not None:
            place = assignment.place
            asked = place.place, place.priority, place.department, place.wish
            self._write(offer(found.dialog, found.number, *asked, callback=found.callback))

    async def _entries(self, found: Open, after: int) -> list[dict[str, object]]:
        """The dialog's entries after a seq, up to the seq of `found`; those behind it are shown as they happen."""
        history = self.gateway.core.journal.history
        views: list[dict[str, object]] = []
        while after < found.seq:
            limit = min(PAGE, found.seq - after)
            rows = await history.entries(found.partition.log, found.contact, (found.dialog_number, after), limit)
            views += [wire.stored(found.key, row.blob) for row in rows]
            after = rows[-1].seq
        return views

    def _write(self, view: dict[str, object]) -> None:
        self.session.write(wire.dumps(view))

    # --- frames ----------------------------------------------------------------------------------------------------

    def take(self, frame: dict[str, object]) -> None:
        """Do what a frame asks for, or refuse it."""
        try:
            match frame:
                case {"op": "send", "dialog": str(dialog), "number": int(number), "cid": str(cid), "text": str(text)}:
                    self._send(dialog, number, cid, text, frame.get("files"))
                case {"op": "transfer", "dialog": str(dialog), "number": int(number), "to": dict(to)}:
                    self._transfer(dialog, number, to)
                case {"op": str(op), "dialog": str(dialog), "number": int(number)} if op in VERBS:
                    VERBS[op](self, dialog, number)
                case {"op": "presence", "state": "online" | "away" | "offline" as state}:
                    self._presence(state)
                case {"op": "ping"}:
                    self.session.send({"op": "pong"})
                case _:
                    raise BadFrame
        except (BadFrame, ValueError):
            self.gateway.count("bad_frames")
            self.session.send({"op": "refused", "cid": frame.get("cid"), "reason": "bad_frame"})

    def _send(self, dialog: str, number: int, cid: str, text: str, listed: object) -> None:
        key, dialog_number = wire.split_dialog(dialog)
        partition = self.gateway.core.partition_of(key)
        if not bool(text) ^ bool(listed) or not 0 < len(cid) <= 64:  # either of them, so that it is one message
            raise BadFrame
        most = self.gateway.text_most.get(key.partition("/")[0], MAX_TEXT)
        if len(text) > most:
            self._refuse(partition, Refused("too_long"), {"cid": cid, "dialog": dialog, "most": most})
            return
        try:
            files = enclosed(self.gateway.files, listed, 1) if listed else ()
            self.gateway.check_ready()
            place = (key, dialog_number, number, self.operator)
            partition.submit(Reply(*place, cid, digest(text, files), text, files), self.session)
        except (Refused, Poisoned) as refusal:
            self._refuse(partition, refusal, {"cid": cid, "dialog": dialog})
        else:
            seen = partition.state.by_key[key].seen[reply_id(self.operator, cid)]
            ack = {"op": "ack", "cid": cid, "dialog": f"{key}#{seen.number}", "seq": seen.seq}
            partition.hold(self.session.send, ack)

    def _accept(self, dialog: str, number: int) -> None:
        key, dialog_number = wire.split_dialog(dialog)
        partition = self.gateway.core.partition_of(key)
        try:
            self.gateway.check_ready()
            partition.submit(Accept(key, dialog_number, number, self.operator))
        except (Refused, Poisoned) as refusal:
            self._refuse(partition, refusal, {"dialog": dialog, "number": number})
        else:
            contact = partition.state.by_key[key]
            seq = contact.owned_since
            others = histories.others(self.gateway.core, contact, self.operator)
            place = partition, contact.id, key, dialog_number, number
            partition.hold(self._accepted, Open(*place, State.ASSIGNED, seq, others=others))

    def _accepted(self, found: Open) -> None:
        if self.session.closed:
            return
        self._write({"op": "accepted", "dialog": found.dialog, "number": found.number, "seq": found.seq})
        self.session.gate()
        self.session.errand(self._hand_over(found))

    async def _hand_over(self, found: Open) -> None:
        """Give the new owner the dialog so far, then what the person said elsewhere; what comes meanwhile follows."""
        try:
            self._write({"op": "entries", "dialog": found.dialog, "entries": await self._entries(found, 0)})
            await self._show_others(found)
        finally:
            self.session.ungate({})

    async def _show_others(self, found: Open) -> None:
        """What the dialog's person said elsewhere, as it was when the desk was given the dialog."""
        person, parts, left_out = found.others
        about = {"op": "entries", "dialog": found.dialog, "person": person}
        for part in parts:
            await self.session.caught_up()
            page = await histories.page(self.gateway.core, part, (0, 0), PAGE)
            told = {"contact": page.contact, "entries": page.entries, "cursor": page.cursor, "more": page.more}
            self._write(about | told | ({"left_out": left_out} if left_out else {}))

    def _transfer(self, dialog: str, number: int, to: dict[str, object]) -> None:
        """Send a dialog to the operator, the department or the skill that `to` names."""
        named = {str(name): asked for name, asked in to.items() if isinstance(asked, str) and asked}
        if not named or named != to or not named.keys() <= TO or ("operator" in named and "skill" in named):
            raise BadFrame
        asked = (named.get(name, "") for name in ("operator", "department", "skill"))
        try:
            found = self.floor.state.destination(number, *asked)
        except Refused as refusal:
            self._refuse(self.floor, refusal, {"dialog": dialog, "number": number})
        else:
            self._act(Transfer, dialog, number, *found)

    def _close(self, dialog: str, number: int) -> None:
        account = self.gateway.accounts.get(dialog.partition("/")[0])
        texts = replies(self.gateway, account) if account is not None else {}
        self._act(Close, dialog, number, texts, self.gateway.bot.rating)

    def _hold(self, dialog: str, number: int) -> None:
        self._act(Hold, dialog, number, self.gateway.config.hold_text)

    def _resume_dialog(self, dialog: str, number: int) -> None:
        self._act(Resume, dialog, number)

    def _act(self, verb: Callable[..., OwnerCommand], dialog: str, number: int, *more: object) -> None:
        """Ask for something that only the dialog's owner may; what it changes is shown as an entry."""
        key, dialog_number = wire.split_dialog(dialog)
        partition = self.gateway.core.partition_of(key)
        try:
            self.gateway.check_ready()
            partition.submit(verb(key, dialog_number, number, self.operator, *more))
        except (Refused, Poisoned) as refusal:
            self._refuse(partition, refusal, {"dialog": dialog, "number": number})

    def _hint(self, dialog: str, number: int) -> None:
        key, dialog_number = wire.split_dialog(dialog)
        partition, hints = self.gateway.core.partition_of(key), self.gateway.hub.hints
        try:
            self.gateway.check_ready()
            contact = partition.state.contact(key)
            shown = (dialog_number, number, self.operator)
            if contact.state not in OWNED or shown != (contact.number, contact.assignment, contact.operator):
                raise Refused("not_owner")
            if hints is None:
                raise Refused("no_hints")
            hints.begin(contact.dialog)
        except Refused as refusal:
            self._refuse(partition, refusal, {"dialog": dialog, "number": number})
        else:
            place = (contact.id, key, dialog_number, number)
            self.session.errand(self._hinted(hints, Open(partition, *place, contact.state, contact.seq)))

    async def _hinted(self, hints: HintService, found: Open) -> None:
        try:
            await found.partition.settled()
            entries = await self._entries(found, max(0, found.seq - ENTRIES))
            texts = await hints.ask(found.dialog, entries)
            self.session.send({"op": "hint", "dialog": found.dialog, "number": found.number, "texts": texts})
        finally:
            hints.end(found.dialog)

    def _presence(self, state: str) -> None:
        try:
            self.gateway.check_ready()
            self.floor.submit(SetPresence(self.operator, Presence[state.upper()]))
        except (Refused, Poisoned) as refusal:
            self._refuse(self.floor, refusal, {})
        else:
            self.floor.hold(self.session.send, {"op": "presence", "state": state})

    def _refuse(self, owner: Owner, refusal: Exception, about: dict[str, object]) -> None:
        reason = refusal.reason if isinstance(refusal, Refused) else "unprocessable"
        self.gateway.count(f"refused_{reason}")
        owner.hold(self.session.send, {"op": "refused", **about, "reason": reason})


VERBS: Final[dict[str, Callable[[Seat, str, int], None]]] = {
    "accept": Seat._accept,
    "close": Seat._close,
    "hint": Seat._hint,
    "hold": Seat._hold,
    "resume": Seat._resume_dialog,
}
"""What a desk may ask for by a dialog and its number alone."""


def _cursors(given: object) -> dict[str, int]:
    """The cursors of a hello.

    Raises:
        BadFrame: not an object of dialog ids and seqs.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(type(seq) is int and 0 <= seq <= LAST for seq in given.values()):
        raise BadFrame("cursors is an object of dialog and seq")
    return given
