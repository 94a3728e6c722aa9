"""Contacts that rest: who does, and that reading them changes nothing. That they decide alike is a property test's."""

import pytest

from chatcore.machines import commands as c
from chatcore.machines import dialog
from chatcore.machines.contacts import REST_MOST, Contact, Seen
from chatcore.machines.events import State

KEY = "tg/77"


def partition(messages: int, *, messenger: bool = False, leave: bool = True) -> dialog.Partition:
    """One contact that wrote so many messages to the bot, which answered each, and then left, or did not."""
    state = dialog.Partition(c.Rules())
    bot = c.Choice("answer", "bot:x", "…")
    commands: list[c.DialogCommand] = [
        c.Receive(KEY, messenger, "general", f"m{n}", n, "text", bot) for n in range(messages)
    ]
    for now, command in enumerate(commands + [c.Leave(KEY)] * leave, 1):
        for event in dialog.decide(state, command, now):
            dialog.apply(state, event)
    return state


@pytest.mark.parametrize(
    "state, active",
    [
        (partition(1), []),
        (partition(1, leave=False), [1]),
        (partition(1, messenger=True), [1]),
        (partition(REST_MOST), []),
        (partition(REST_MOST + 1), [1]),
    ],
    ids=["closed", "open", "closed with a reply on its way", "many ids", "too many ids to pack each time"],
)
def test_who_rests(state: dialog.Partition, active: list[int]) -> None:
    """A contact rests when its dialog is closed, every reply has ended, and packing it costs little."""
    assert list(state.contacts.active) == active
    assert [state.contacts[number].key for number in state.contacts] == [KEY]


def test_reading_a_contact_at_rest() -> None:
    """It is read whole, by number and by key, as a copy: what a reader does to it changes nothing."""
    state = partition(1)
    seen = {"m0": Seen(1, 1, 0, 1)}
    expected = Contact(1, KEY, False, 1, State.CLOSED, 3, seen=seen, heard=1, month=197_001)
    for _ in range(2):
        assert state.contacts[1] == state.by_key[KEY] == expected
        state.contacts[1].seen.clear()
        state.by_key[KEY].seq = 99
    assert (state.by_key.get("tg/78"), len(state.contacts)) == (None, 1)
