"""The reference core with one promise broken: `python -m tests.end_to_end.mutants NAME --config FILE`.

Each mutant patches one place of the real core, in its own process, and breaks exactly the guarantee that its name
begins with.
"""

import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from chatcore.__main__ import main
from chatcore.channels.shapes import Outcome
from chatcore.edges import chat, hub, outbox, views, webhooks
from chatcore.machines import bench, binding, customer, dialog, floor, floorstate, ownership, staff
from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.events import State
from chatcore.runtime.partition import PartitionOwner


def swap(owner: object, name: str, other: object) -> None:
    """Put `other` in the place of `owner.name`, which must exist."""
    assert hasattr(owner, name), f"{owner} has no {name} any more; the mutant must follow"
    setattr(owner, name, other)


def g1_acknowledges_without_storing() -> None:
    """Every tenth webhook is answered 200 and forgotten."""
    take, calls = webhooks.take_event, count(1)

    def forgetful(gateway: Any, account: Any, message: Any) -> PartitionOwner:
        if next(calls) % 10 == 0:
            owner: PartitionOwner = gateway.core.partition_of(f"{account.id}/{message.user}")
            return owner
        return take(gateway, account, message)

    swap(webhooks, "take_event", forgetful)


def g2_says_what_nobody_said() -> None:
    """Every fortieth operator's message is followed by one that nobody wrote and nothing caused."""
    decide, calls = dialog._DECIDE[c.Reply], count(1)

    def inventive(state: Any, command: c.Reply, now: int) -> list[Any]:
        events = decide(state, command, now)
        if events and next(calls) % 40 == 0:
            said = events[0]
            assert isinstance(said, e.Said)
            events.append(
                e.Said(said.contact, said.number, said.seq + 1, now, "bot", "", 0, "Anything else?", 0, "", 0)
            )
        return events

    dialog._DECIDE[c.Reply] = inventive


def g3_takes_repeats_for_new() -> None:
    """A message id that is known is taken again."""
    for module in (customer, ownership):
        swap(module, "is_repeat", lambda contact, message_id, digest: False)


def g4_shows_entries_out_of_order() -> None:
    """A customer is shown the assignment first and the queue entry after it."""
    show = hub.Hub.customers
    held: dict[int, tuple[Any, ...]] = {}

    def shuffled(self: hub.Hub, *shown: Any) -> None:
        event = shown[3]
        if isinstance(event, e.Queued):
            held[event.contact] = shown
            return
        late = held.pop(event.contact, None)
        if late is not None and not isinstance(event, e.Assigned):
            show(self, *late)
            late = None
        show(self, *shown)
        if late is not None:
            show(self, *late)

    swap(hub.Hub, "customers", shuffled)


def g5_shows_others_the_dialog() -> None:
    """A message of each dialog also appears on the desk of somebody who has nothing to do with it."""
    show = hub.Hub.desk
    told: set[tuple[int, int]] = set()

    def leaky(self: hub.Hub, partition: Any, position: int, contact: Any, operator: str, event: Any) -> None:
        show(self, partition, position, contact, operator, event)
        others = sorted(name for name in self.desks if name != operator)
        if isinstance(event, e.Said) and others and (contact.id, event.number) not in told:
            told.add((contact.id, event.number))
            show(self, partition, position, contact, others[0], event)

    swap(hub.Hub, "desk", leaky)


def g5_takes_any_code() -> None:
    """Whatever is typed in the place of a mailed code is good."""
    typed = binding._typed
    swap(binding, "_typed", lambda turn, rules, code: typed(turn, rules, turn.contact.binding.hash or code))


def g5_asks_nobody_for_consent() -> None:
    """A broadcast goes to whoever the bank names."""
    decide = dialog._DECIDE[c.Notify]

    def careless(state: Any, command: c.Notify, now: int) -> list[Any]:
        command.broadcast = False
        return decide(state, command, now)

    dialog._DECIDE[c.Notify] = careless


def g6_leaves_out_of_the_history() -> None:
    """A history that is read lacks its last entries."""
    page = views.History

    def shrunken(contact: str, entries: list[Any], cursor: str, more: bool) -> views.History:
        return page(contact, entries[:-4], cursor, more)

    swap(views, "History", shrunken)


def g7_opens_a_second_dialog() -> None:
    """Every fifth message to the bot opens the next dialog first, and closes the one that was open after it."""
    receive, let_go, calls = dialog._DECIDE[c.Receive], dialog._APPLY[e.Closed], count(1)

    def hasty(state: Any, command: c.Receive, now: int) -> list[Any]:
        known = state.by_key.get(command.contact)
        if known is None or known.state is not State.BOT or command.id in known.seen or next(calls) % 5:
            return receive(state, command, now)
        before = customer.closed(known, "operator", now)
        known.state = State.CLOSED
        events = receive(state, command, now)
        if any(isinstance(event, e.Queued) for event in events):
            known.state = State.BOT
            return receive(state, command, now)
        return [*events, before]

    def forgiving(state: Any, contact: Any, event: Any) -> None:
        if event.number == contact.number:
            contact.state = State.CLOSED
            let_go(state, contact, event)

    dialog._DECIDE[c.Receive] = hasty
    dialog._APPLY[e.Closed] = forgiving
    dialog.TABLE[State.BOT] |= {e.Opened: State.BOT, e.Closed: State.BOT}


def g8_gives_more_than_the_slots() -> None:
    """The floor takes everybody who is there for free."""
    swap(bench, "has_room", lambda operator, weight: True)


def g8_gives_all_slots_beside_others() -> None:
    """The floor offers a dialog that takes all slots to whoever has one left."""
    swap(bench, "has_room", lambda operator, weight: operator.used < operator.slots)


def g9_asks_for_no_skill() -> None:
    """The floor offers dialogs that ask for a skill to operators who lack it."""
    fits = staff.fits
    swap(floorstate, "fits", lambda operator, kind: fits(operator, kind._replace(skill="")))


def g9_serves_the_last_first() -> None:
    """The newest in the queue is offered before the oldest."""
    offerable = floor._first_offerable
    swap(floor, "_first_offerable", lambda state, kind, queue: offerable(state, kind, queue[::-1]))


def g10_leaves_dialogs_with_nobody() -> None:
    """An operator who goes keeps their dialogs, and a silent customer's dialog is never closed."""
    swap(floor, "_take_back", lambda *_: [])
    dialog._DECIDE[c.Remind] = lambda state, command, now: []


def g11_forgets_replies() -> None:
    """Every tenth reply to a messenger is called sent and never was."""
    post, calls = outbox.AccountOutbox._post, count(1)

    def forgetful(self: outbox.AccountOutbox, line: outbox.Line) -> None:
        number = next(calls)
        if number % 10 == 0:
            self._loop.call_soon(self._settle, line, Outcome("taken", provider_id=str(9_000_000 + number)))
        else:
            post(self, line)

    swap(outbox.AccountOutbox, "_post", forgetful)


def g12_ignores_at_night() -> None:
    """With no operator on duty, what customers say on a socket is neither stored nor refused."""
    send = chat.Customer._send

    def closed(self: chat.Customer, cid: str, text: str, listed: object) -> None:
        if any(operator.on_duty for operator in self.gateway.core.floor.state.operators.values()):
            send(self, cid, text, listed)

    swap(chat.Customer, "_send", closed)


MUTANTS: dict[str, Callable[[], None]] = {
    "G1": g1_acknowledges_without_storing,
    "G2": g2_says_what_nobody_said,
    "G3": g3_takes_repeats_for_new,
    "G4": g4_shows_entries_out_of_order,
    "G5": g5_shows_others_the_dialog,
    "G5-code": g5_takes_any_code,
    "G5-consent": g5_asks_nobody_for_consent,
    "G6": g6_leaves_out_of_the_history,
    "G7": g7_opens_a_second_dialog,
    "G8": g8_gives_more_than_the_slots,
    "G8-weight": g8_gives_all_slots_beside_others,
    "G9": g9_serves_the_last_first,
    "G9-skill": g9_asks_for_no_skill,
    "G10": g10_leaves_dialogs_with_nobody,
    "G11": g11_forgets_replies,
    "G12": g12_ignores_at_night,
}


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
