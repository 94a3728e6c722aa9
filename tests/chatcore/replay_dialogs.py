"""A dialog log read by its own words, apart from the machine's code: seqs, owners, calls."""

from dataclasses import dataclass, field
from typing import TypeGuard

from chatcore.machines import events as e

STAGES = {"ringing": 0, "answered": 1, "abandoned": 2, "finished": 2, "unreached": 2}
RELEASES = ("lost", "offline", "moved", "abandoned", "rang_again")


@dataclass
class Line:
    """A contact that calls: how far each call was told of, those of its open dialog, and the dialling under way.

    `operator` is for whom the last order was.
    """

    told: dict[str, int] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)
    dialling: tuple[int, int] = (0, 0)
    operator: str = ""

    @property
    def waits(self) -> bool:
        """Whether nobody is there, but may be as soon as the exchange has answered."""
        return self.dialling[1] > 0 and not self.there

    def see(self, event: e.AnyEvent) -> None:
        """Follow an event, and check it."""
        match event:
            case e.Opened():
                self.there, self.dialling = set(), (0, 0)
            case e.Called(state="connecting" | "dialling"):
                assert event.state == ("connecting" if self.there else "dialling")
                assert event.call in (self.there or {""})
                assert event.state == "connecting" or not self.waits, "dialled twice"
                self.operator = event.operator
                self.dialling = (event.number, event.seq if event.state == "dialling" else 0)
            case e.Called(call="", state=state):
                assert state == "unreached", "what is not named was dialled in vain"
            case e.Called() | e.CallNoted():
                self._told(event)
            case e.Sent() if self.dialling == (event.number, event.seq):
                self.there.add(event.provider_id)
                self.dialling = (0, 0)
                self.told.pop(event.provider_id, None)  # what was noted of it is told again, of this dialog
            case e.Undelivered() if self.dialling == (event.number, event.seq):
                self.dialling = (0, 0)
            case e.Closed(reason="finished" | "unreached"):
                assert self.there == set(), "somebody is still on the line"

    def _told(self, event: e.Called | e.CallNoted) -> None:
        stage = STAGES[event.state]
        assert stage > self.told.get(event.call, -1), "what was told before, or goes before it, counts not"
        self.told[event.call] = stage
        if isinstance(event, e.Called) and stage == 0:
            self.there.add(event.call)
        elif isinstance(event, e.Called) and stage == 2:
            self.there.discard(event.call)


def check_calls(records: list[e.Record]) -> None:
    """What is told of a call only goes on; whoever accepts is connected with a call that is there, or else dials."""
    lines: dict[int, Line] = {}
    for record in records:
        for at, event in enumerate(record.events):
            if isinstance(event, e.Met) and event.key.startswith("ph/"):
                lines[event.contact] = Line()
            line = lines.get(getattr(event, "contact", 0))
            if line is None:
                continue
            if isinstance(event, e.Assigned):
                assert any(map(is_order, record.events[at + 1 : at + 2])) is not line.waits, "an order, unless it dials"
            elif is_order(event) and not isinstance(record.events[at - 1], e.Assigned):
                named = [each.provider_id for each in record.events[:at] if isinstance(each, e.Sent)]
                assert named == [event.call], "an order follows an acceptance, or the answer to a dial"
                assert event.operator != line.operator, "who asked for it has it"
            line.see(event)


def is_order(event: e.AnyEvent) -> TypeGuard[e.Called]:
    """Whether it is an order to the exchange."""
    return isinstance(event, e.Called) and event.state in e.ORDERS


def check_dialogs(records: list[e.Record]) -> None:
    """Entries are dense, owners alternate with releases, a dialog opens only when none is open, and stays internal."""
    internal: dict[tuple[int, int], str] = {}
    last: dict[int, tuple[int, int]] = {}
    owner: dict[int, str] = {}
    sent_on: dict[int, str] = {}
    for event in (event for record in records for event in record.events):
        if isinstance(event, e.Opened):
            assert last.get(event.contact, (0, 0))[0] + 1 == event.number
            assert event.contact not in owner
            last[event.contact] = (event.number, 0)
        elif isinstance(event, e.Entry):
            assert last[event.contact] == (event.number, event.seq - 1)
            last[event.contact] = (event.number, event.seq)
            if isinstance(event, e.Released):
                assert event.reason in (*RELEASES, "transferred"), "a lapse takes nothing accepted"
                assert (event.reason == "transferred") == (sent_on.pop(event.contact, "") == event.operator)
            if isinstance(event, e.Transferred):
                assert owner[event.contact] == event.operator
                assert event.department == internal.get((event.contact, event.number), event.department), (
                    "sent out of it"
                )
                sent_on[event.contact] = event.operator
            if isinstance(event, e.Queued | e.Transferred) and event.internal:
                internal[event.contact, event.number] = event.department
            if isinstance(event, e.Assigned):
                assert event.contact not in owner, "two owners"
                owner[event.contact] = event.operator
            elif isinstance(event, e.Released | e.Closed):
                owner.pop(event.contact, None)
        elif isinstance(event, e.Offered):
            assert event.department == internal.get((event.contact, event.number), event.department)
