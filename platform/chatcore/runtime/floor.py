"""The owner of the floor's log: after each command it offers what can be offered now."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from chatcore.machines import events as e
from chatcore.machines import floor, links
from chatcore.machines.commands import Elapse, Match
from chatcore.runtime.owner import Owner, Poisoned
from chatcore.runtime.reminders import Reminders


class FloorOwner(Owner):
    """Owns the log `floor`; `to_partition(index, position, commands)` delivers to the dialogs."""

    def __init__(self, state: floor.Floor, **owner: Any) -> None:
        super().__init__("floor", state, **owner)
        self.state = state
        self.to_partition: Callable[[int, int, Sequence[Any]], None] = lambda index, position, commands: None
        self._reminders = Reminders(self._now_ms, self._remind)

    def _step(self, command: Any, now: int) -> list[e.FloorEvent]:
        events = self._decide_and_apply(command, now)
        try:
            while found := self._decide_and_apply(Match(), now):
                events += found
        except Exception as error:  # noqa: BLE001 - what the command did is applied already and must be stored
            events.append(self._inert(Match(), error))
        return events

    def _decide_and_apply(self, command: Any, now: int) -> list[e.FloorEvent]:
        events = floor.decide(self.state, command, now)
        for event in events:
            floor.apply(self.state, event)
            if isinstance(event, e.Offering):
                self._reminders.at(event.deadline, 0)
            elif isinstance(event, e.SeatLost):
                self._reminders.at(event.grace, 0)
            elif isinstance(event, e.Redirected) and event.until:
                self._reminders.at(event.until, 0)
        return events

    def _apply(self, event: e.FloorEvent) -> None:
        floor.apply(self.state, event)

    def _publish(self, position: int, events: list[e.FloorEvent], origin: object) -> Callable[[], None]:
        return partial(self._show, position, events)

    def _show(self, position: int, events: list[e.FloorEvent]) -> None:
        for index, commands in links.to_partitions(events).items():
            self.to_partition(index, position, commands)

    def resume(self) -> None:
        """Arm the deadlines that the restored state holds and `Recover` does not renew."""
        for place in self.state.bound.values():
            self._reminders.at(place.until, 0)

    def _remind(self, _: int) -> None:
        with suppress(Poisoned):
            self.submit(Elapse())
