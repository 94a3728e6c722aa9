"""What the machines stored, as ledger rows, in the order of their log: what an auditor reads of a real platform."""

from typing import Final

from chatcore.machines import events as e
from chatcore.machines.contacts import OPEN
from chatload.fleet import codes
from chatload.fleet.frames import Entry, provider_number
from chatload.fleet.identity import CUSTOMER
from chatload.fleet.ledger import named_in
from chatload.fleet.world import World
from chatload.simulate.installation import Installation, Thread
from chatreport.rundir import What

_AUDIT: Final = int(What.AUDIT)
_AUDIT_RECEIPT: Final = int(What.AUDIT_RECEIPT)
_BILL: Final = int(What.BILL)
_STATE: Final = int(What.STATE)
_AUDIT_RATING: Final = int(What.AUDIT_RATING)


class Auditor:
    """Writes AUDIT, AUDIT_RECEIPT and AUDIT_RATING rows as things are stored, STATE and BILL rows when asked.

    `chatload.targets.audit` says what they say.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._who = world.recorder.text("auditor")

    def entry(self, thread: Thread, entry: Entry) -> None:
        """An entry took its place."""
        world, cause, identity = self._world, entry.cause, entry.identity
        text, named = world.recorder.text, (thread.messenger and entry.id) or entry.call
        sender, rule, reason = named_in(entry, identity, world.run)
        world.recorder.put(
            _AUDIT,
            codes.OK,
            codes.KINDS[entry.kind],
            channel=thread.channel,
            done=world.clock.now_ns(),
            assignment=entry.number,
            provider_id=provider_number(named) if named else -1,
            plan=identity.n if identity is not None and identity.role == CUSTOMER else -1,
            number=thread.number,
            seq=entry.seq,
            counter=identity.counter if identity is not None else -1,
            cause_seq=cause.seq if cause is not None else -1,
            size=len(entry.text) if entry.kind == "message" else -1,
            who=self._who,
            contact=text(thread.key),
            sender=text(sender),
            author=text(entry.operator or entry.author),
            rule=text(rule),
            reason=text(reason),
        )

    def rating(self, thread: Thread, event: e.Rated) -> None:
        """A dialog was rated."""
        self._world.recorder.put(
            _AUDIT_RATING, codes.OK, channel=thread.channel, number=event.number, size=event.score,
            place=event.scale, provider_id=provider_number(event.id), who=self._who,
            contact=self._world.recorder.text(thread.key),
        )  # fmt: skip

    def notice(self, thread: Thread, event: e.Noticed) -> None:
        """The bank wrote of its own accord, in no dialog."""
        text = self._world.recorder.text
        self._world.recorder.put(
            _AUDIT, codes.OK, codes.KINDS["notice"], channel=thread.channel, number=event.number,
            done=self._world.clock.now_ns(), provider_id=provider_number(event.id), seq=event.seq, size=len(event.text),
            who=self._who, contact=text(thread.key), author=text("system"), rule=text(event.template),
        )  # fmt: skip

    def receipt(self, thread: Thread, event: e.Sent | e.Undelivered | e.Receipted) -> None:
        """A reply's, a notice's or an order's end is known."""
        text, known = self._world.recorder.text, {e.Sent: "sent", e.Undelivered: "failed"}
        status = event.state if isinstance(event, e.Receipted) else known[type(event)]
        self._world.recorder.put(
            _AUDIT_RECEIPT, codes.OK, channel=thread.channel, number=event.number, seq=event.seq,
            provider_id=provider_number(event.provider_id) if isinstance(event, e.Sent) else -1, who=self._who,
            contact=text(thread.key), reason=text(status),
        )  # fmt: skip

    def bills(self, core: Installation) -> None:
        """A BILL row for every account: what it is billed for, over all months."""
        billed = dict.fromkeys((month.partition(" ")[0] for month in core.dialogs.active), 0)
        for month, count in core.dialogs.delivered.items():
            account = month.partition(" ")[0]
            billed[account] = billed.get(account, 0) + count
        for account, count in billed.items():
            name = self._world.recorder.text(account)
            self._world.recorder.put(_BILL, codes.OK, size=count, who=self._who, contact=name)

    def state(self, core: Installation) -> None:
        """A STATE row for every dialog that is not closed: where it is, and whether that place exists."""
        text = self._world.recorder.text
        for contact in core.dialogs.contacts.active.values():
            if contact.state not in OPEN:
                continue
            present = not contact.operator or core.floor.operators[contact.operator].presence is not e.Presence.OFFLINE
            self._world.recorder.put(
                _STATE, codes.OK if present else codes.REJECTED, channel=core.thread(contact.key).channel,
                done=self._world.clock.now_ns(), number=contact.number, who=self._who, contact=text(contact.key),
                author=text(contact.operator), reason=text(contact.state.name.lower()),
            )  # fmt: skip
