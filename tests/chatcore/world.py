"""Both machines with logs of their own and nothing shared but durable positions; every delivery can be delayed,
repeated or cut off by a crash. The world of the property-based tests.
"""

from dataclasses import dataclass, field
from typing import Any

from chatcore.machines import commands as c
from chatcore.machines import dialog, floor, links
from chatcore.machines import events as e
from chatcore.machines.contacts import Contact, Contacts, Resting

RULES = c.Rules(
    inactivity_ms=60_000,
    offer_ms=2_000,
    grace_ms=3_000,
    bot_misses=2,
    transfer_ms=4_000,
    internal=frozenset(["legal"]),
    sample=0.5,
)


class Partition:
    """A partition alone, without a log, whose clock goes on with every command."""

    def __init__(self, rules: c.Rules) -> None:
        self.state = dialog.Partition(rules)
        self.now = 1_000

    def ask(self, command: Any) -> list[Any]:
        """Decide and apply; the events."""
        self.now += 10
        events = dialog.decide(self.state, command, self.now)
        for event in events:
            dialog.apply(self.state, event)
        return events


@dataclass
class Log:
    """A log: what is durable, and how much of what was decided is not yet."""

    records: list[e.Record] = field(default_factory=list)
    durable: int = 0


@dataclass
class Shelf:
    """The last snapshot of a partition: what stands apart, and the rest as of `position`."""

    position: int = 0
    blob: bytes = b""
    pieces: dict[int | str, Resting] = field(default_factory=dict)

    def piece(self, name: int | str) -> bytes | None:
        return self.pieces[name].packed if name in self.pieces else None

    def group(self, name: str) -> list[int]:
        return sorted({each.number for each in self.pieces.values() if each.person == name})

    def snapshot(self, state: dialog.Partition, position: int) -> "Shelf":
        """What takes this one's place once it is stored."""
        named: list[tuple[int | str, Resting]] = []
        for each in state.contacts.unstored():
            named += ((each.number, each), (each.key, each))
        return Shelf(position, state.dump(), self.pieces | dict(named))

    def restored(self) -> dialog.Partition:
        """The state that it holds."""
        state = dialog.Partition(RULES)
        state.contacts.shelf = self
        if self.blob:
            state.load(self.blob)
        return state


class Sleepless(Contacts):
    """Contacts that never rest."""

    def rest(self, contact: Contact) -> None:
        """Stay awake."""


def awake_twin() -> dialog.Partition:
    """A partition that packs nothing."""
    twin = dialog.Partition(RULES)
    twin.contacts = Sleepless()
    twin.by_key = twin.contacts.by_key
    return twin


def decided(state: dialog.Partition, command: Any, now: int) -> Any:
    """The events, or the reason of a refusal."""
    try:
        return dialog.decide(state, command, now)
    except c.Refused as refusal:
        return refusal.reason


class World:
    """`partitions` dialog machines and one floor, driven step by step; `now` is a fake clock."""

    def __init__(self, partitions: int = 2) -> None:
        self.now = 1_000
        self.logs = {name: Log() for name in [*(f"dialogs-{n}" for n in range(partitions)), "floor"]}
        self.shelves = [Shelf() for _ in range(partitions)]
        self.taken: dict[int, Shelf] = {}  # snapshots that are not stored yet
        self.partitions = [shelf.restored() for shelf in self.shelves]
        self.awake = [awake_twin() for _ in range(partitions)]  # asked the same, and must say the same
        self.floor = floor.Floor(RULES)
        self.read: dict[tuple[str, str], int] = {}  # (source, reader) → position delivered last

    # --- commands --------------------------------------------------------------------------------------------------

    def ask(self, index: int, command: Any) -> list[Any]:
        """Submit a command to a partition; raises Refused as the edge would see it."""
        events = self._dialog_step(index, command)
        if events:
            self._record(f"dialogs-{index}", "", 0, events)
        return events

    def _dialog_step(self, index: int, command: Any) -> list[Any]:
        twins = self.partitions[index], self.awake[index]
        found, events = (decided(twin, command, self.now) for twin in twins)
        assert found == events, "a contact at rest decides as one that never rests"
        if isinstance(events, str):
            raise c.Refused(events)
        for twin in twins:
            for event in events:
                dialog.apply(twin, event)
        return list(events)

    def ask_floor(self, command: Any) -> None:
        """Submit a command to the floor."""
        events = self._floor_step(command)
        if events:
            self._record("floor", "", 0, events)

    def _floor_step(self, command: Any) -> list[Any]:
        events = floor.decide(self.floor, command, self.now)
        for event in events:
            floor.apply(self.floor, event)
        while found := floor.decide(self.floor, c.Match(), self.now):
            for event in found:
                floor.apply(self.floor, event)
            events += found
        return events

    def _record(self, log: str, source: str, position: int, events: list[Any]) -> None:
        record = e.decode_record(e.encode_record(e.Record(self.now, source, position, events)))
        self.logs[log].records.append(record)

    # --- durability, delivery, crashes -----------------------------------------------------------------------------

    def commit(self, log: str) -> None:
        """All that was decided on this log becomes durable."""
        self.logs[log].durable = len(self.logs[log].records)

    def deliver(self, source: str, repeat: bool = False) -> bool:
        """Deliver the next durable record of `source` to its readers, or the last one once more."""
        moved = False
        for reader in self._readers(source):
            last = self.read.get((source, reader), 0)
            position = last if repeat else last + 1
            if 1 <= position <= self.logs[source].durable:
                self._hand_over(source, reader, position)
                self.read[source, reader] = max(last, position)
                moved = True
        return moved

    def _readers(self, source: str) -> list[str]:
        return [log for log in self.logs if log != "floor"] if source == "floor" else ["floor"]

    def _hand_over(self, source: str, reader: str, position: int) -> None:
        events = self.logs[source].records[position - 1].events
        if reader == "floor":
            told: list[Any] = links.to_floor(int(source.split("-")[1]), events)
            if told and position > self.floor.applied.get(source, 0):
                followed = [event for command in told for event in self._floor_step(command)]
                self.floor.applied[source] = position
                self._record("floor", source, position, followed)
            return
        index = int(reader.split("-")[1])
        asked: list[Any] = links.to_partitions(events).get(index, [])
        state = self.partitions[index]
        if asked and position > state.applied.get("floor", 0):
            followed = [event for command in asked for event in self._dialog_step(index, command)]
            state.applied["floor"] = position
            self._record(reader, "floor", position, followed)

    def snapshot(self, index: int) -> None:
        """Take a snapshot of a partition."""
        self.taken[index] = self.shelves[index].snapshot(self.partitions[index], self._length(index))

    def _length(self, index: int) -> int:
        return len(self.logs[f"dialogs-{index}"].records)

    def store(self, index: int) -> None:
        """Store the snapshot taken last, if it is durable what it was taken of, and forget what it holds."""
        if index in self.taken and self.taken[index].position <= self.logs[f"dialogs-{index}"].durable:
            shelf = self.shelves[index] = self.taken.pop(index)
            self.partitions[index].contacts.shelf = shelf
            self.partitions[index].contacts.leave(shelf.pieces.values())

    def crash(self) -> None:
        """Lose everything that is not durable, start again from the logs, and deliver again what was not stored."""
        for log in self.logs.values():
            del log.records[log.durable :]
        self.taken.clear()
        self.partitions = [shelf.restored() for shelf in self.shelves]
        self.awake = [awake_twin() for _ in self.partitions]
        self.floor = floor.Floor(RULES)
        self._replay("floor", self.floor, floor.apply, 0)
        for index, shelf in enumerate(self.shelves):
            self._replay(f"dialogs-{index}", self.partitions[index], dialog.apply, shelf.position)
            self._replay(f"dialogs-{index}", self.awake[index], dialog.apply, 0)
        self.read = {}
        for reader in self.logs:
            reading: Any = self.floor if reader == "floor" else self.partitions[int(reader.split("-")[1])]
            for source in self.logs:
                if source != reader and "floor" in (source, reader):
                    self.read[source, reader] = reading.applied.get(source, 0)
        self.ask_floor(c.Recover())

    def _replay(self, log: str, state: Any, apply: Any, after: int) -> None:
        for record in self.logs[log].records[after:]:
            if record.source:
                state.applied[record.source] = record.source_position
            for event in record.events:
                apply(state, event)

    def settle(self) -> None:
        """Let everything become durable and arrive, until nothing moves any more."""
        for _ in range(1_000):
            moved = False
            for name in self.logs:
                self.commit(name)
                while self.deliver(name):
                    moved = True
            if not moved:
                return
        raise AssertionError("the machines talk without end")

    # --- what the tests look at ------------------------------------------------------------------------------------

    def entries(self, index: int, contact: str, number: int) -> list[Any]:
        """The durable entries of a dialog in log order."""
        known = self.partitions[index].by_key[contact].id
        log = self.logs[f"dialogs-{index}"]
        return [
            event
            for record in log.records[: log.durable]
            for event in record.events
            if isinstance(event, e.Entry) and event.contact == known and event.number == number
        ]
