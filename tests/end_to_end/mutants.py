"""The reference core with one promise broken: `python -m tests.end_to_end.mutants NAME --config FILE`.

Each mutant patches one place of the real core, in its own process, and breaks exactly the guarantee it is named after.
"""

import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from aiohttp import web

from chatcore.__main__ import main
from chatcore.channels import Outcome
from chatcore.edges import hub, outbox, rest, webhooks
from chatcore.machines import commands as c
from chatcore.machines import dialog, floor
from chatcore.machines import events as e
from chatcore.machines.events import State
from chatcore.runtime.partition import PartitionOwner


def swap(owner: object, name: str, other: object) -> None:
    """Put `other` in the place of `owner.name`, which must exist."""
    assert hasattr(owner, name), f"{owner} has no {name} any more; the mutant must follow"
    setattr(owner, name, other)


def g1_acknowledges_without_storing() -> None:
    """Every tenth webhook is answered 200 and forgotten."""
    take, calls = webhooks._take, count(1)

    def forgetful(gateway: Any, account: Any, message: Any) -> PartitionOwner:
        if next(calls) % 10 == 0:
            owner: PartitionOwner = gateway.core.partition_of(f"{account.id}/{message.user}")
            return owner
        return take(gateway, account, message)

    swap(webhooks, "_take", forgetful)


def g2_says_what_nobody_said() -> None:
    """Every fortieth operator's message is followed by one that no operator wrote."""
    decide, calls = dialog._DECIDE[c.Reply], count(1)

    def inventive(state: Any, command: c.Reply, now: int) -> list[Any]:
        events = decide(state, command, now)
        if events and next(calls) % 40 == 0:
            said = events[0]
            assert isinstance(said, e.Said)
            events.append(
                e.Said(said.contact, said.number, said.seq + 1, now, said.author, "", 0, "Anything else?", 0, "", 0)
            )
        return events

    dialog._DECIDE[c.Reply] = inventive


def g3_takes_repeats_for_new() -> None:
    """A message id that is known is taken again."""
    swap(dialog, "_is_repeat", lambda contact, message_id, digest: False)


def g4_shows_entries_out_of_order() -> None:
    """Every twentieth message is shown on the desk after the one behind it."""
    show, calls = hub.Hub.desk, count(1)
    held: dict[int, tuple[Any, ...]] = {}

    def shuffled(self: hub.Hub, *shown: Any) -> None:
        *_, event = shown
        if isinstance(event, e.Said):
            if event.contact in held:
                show(self, *shown)
                show(self, *held.pop(event.contact))
                return
            if next(calls) % 20 == 0:
                held[event.contact] = shown
                return
        elif (late := held.pop(getattr(event, "contact", 0), None)) is not None:
            show(self, *late)
        show(self, *shown)

    swap(hub.Hub, "desk", shuffled)


def g5_shows_others_the_dialog() -> None:
    """Every tenth message also appears on the desk of somebody who has nothing to do with it."""
    show, calls = hub.Hub.desk, count(1)

    def leaky(self: hub.Hub, partition: Any, position: int, contact: Any, operator: str, event: Any) -> None:
        show(self, partition, position, contact, operator, event)
        others = sorted(name for name in self.desks if name != operator)
        if isinstance(event, e.Said) and others and next(calls) % 10 == 0:
            show(self, partition, position, contact, others[0], event)

    swap(hub.Hub, "desk", leaky)


def g6_leaves_out_of_the_history() -> None:
    """A history that is read lacks its last entry."""
    json = rest._json

    def shrunken(body: dict[str, Any]) -> web.Response:
        entries = body.get("entries")
        if "contact" in body and entries:
            del entries[-1]
            last: dict[str, Any] = entries[-1] if entries else {"dialog": "#0", "seq": 0}
            body["cursor"] = f"{last['dialog'].rpartition('#')[2]}.{last['seq']}"
        return json(body)

    swap(rest, "_json", shrunken)


def g7_opens_a_second_dialog() -> None:
    """Every fifth message to the bot opens the next dialog first, and closes the one that was open after it."""
    receive, let_go, calls = dialog._DECIDE[c.Receive], dialog._apply_let_go, count(1)

    def hasty(state: Any, command: c.Receive, now: int) -> list[Any]:
        known = state.by_key.get(command.contact)
        if known is None or known.state is not State.BOT or command.id in known.seen or next(calls) % 5:
            return receive(state, command, now)
        before = dialog._closed(known, "operator", now)
        known.state = State.CLOSED
        return [*receive(state, command, now), before]

    def forgiving(state: Any, contact: Any, event: Any) -> None:
        if event.number == contact.number:
            let_go(state, contact, event)

    dialog._DECIDE[c.Receive] = hasty
    dialog._APPLY[e.Closed] = forgiving
    dialog.TABLE[State.BOT][e.Closed] = State.BOT


def g8_gives_more_than_the_slots() -> None:
    """The floor takes everybody who is there for free."""

    def generous(queue: list[Any], staff: list[Any]) -> tuple[Any, Any] | None:
        return (queue[0], min(staff, key=lambda operator: operator.id)) if staff else None

    swap(floor, "_first_offerable", generous)


def g9_serves_the_last_first() -> None:
    """The newest in the queue is offered before the oldest."""
    offerable = floor._first_offerable
    swap(floor, "_first_offerable", lambda queue, staff: offerable(queue[::-1], staff))


def g10_leaves_dialogs_with_nobody() -> None:
    """An operator who goes keeps their dialogs, and a silent customer's dialog is never closed."""
    swap(floor, "_take_back", lambda state, operator, reason: [])
    dialog._DECIDE[c.Remind] = lambda state, command, now: []


def g11_forgets_replies() -> None:
    """Every tenth reply to a messenger is called delivered and never sent."""
    post, calls = outbox.AccountOutbox._post, count(1)

    async def forgetful(self: outbox.AccountOutbox, user: str, text: str) -> Any:
        number = next(calls)
        if number % 10 == 0:
            return Outcome("delivered", provider_id=str(9_000_000 + number))
        return await post(self, user, text)

    swap(outbox.AccountOutbox, "_post", forgetful)


def g12_drops_at_night() -> None:
    """With no operator on duty, a messenger's messages are acknowledged and dropped."""
    take = webhooks._take

    def closed(gateway: Any, account: Any, message: Any) -> PartitionOwner:
        if any(operator.on_duty for operator in gateway.core.floor.state.operators.values()):
            return take(gateway, account, message)
        owner: PartitionOwner = gateway.core.partition_of(f"{account.id}/{message.user}")
        return owner

    swap(webhooks, "_take", closed)


MUTANTS: dict[str, Callable[[], None]] = {
    "G1": g1_acknowledges_without_storing,
    "G2": g2_says_what_nobody_said,
    "G3": g3_takes_repeats_for_new,
    "G4": g4_shows_entries_out_of_order,
    "G5": g5_shows_others_the_dialog,
    "G6": g6_leaves_out_of_the_history,
    "G7": g7_opens_a_second_dialog,
    "G8": g8_gives_more_than_the_slots,
    "G9": g9_serves_the_last_first,
    "G10": g10_leaves_dialogs_with_nobody,
    "G11": g11_forgets_replies,
    "G12": g12_drops_at_night,
}


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
