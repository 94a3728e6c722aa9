"""What events are made of."""

import enum
from typing import Final

import msgspec


class State(enum.IntEnum):
    """Where a contact's current dialog is."""

    NONE = 0
    BOT = 1
    QUEUED = 2
    OFFERED = 3
    ASSIGNED = 4
    CLOSED = 5
    ON_HOLD = 6
    RATED = 7


OWNED: Final = frozenset((State.ASSIGNED, State.ON_HOLD))
"""The states in which an operator owns the dialog."""


class Presence(enum.IntEnum):
    """What an operator says about being there; a lost connection is kept apart from it."""

    OFFLINE = 0
    ONLINE = 1
    AWAY = 2


class Event(msgspec.Struct, array_like=True, kw_only=False, gc=False):
    """Base of all events."""


class Inert(Event, tag=0):
    """A command on which `decide` raised: kept for inspection, changes nothing, blocks nobody."""

    command: str
    error: str


class Entry(Event):
    """What a dialog shows at place `seq`. Exactly the kinds below take one."""

    contact: int
    number: int
    seq: int
    at: int


class File(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An attachment. `source` is where its provider has the bytes, `ref` the name under which they are stored here.

    `ref` is "" as long as they have not been fetched.
    """

    kind: str  # image | document
    name: str
    mime: str
    size: int
    source: str = ""
    ref: str = ""


ALL_SLOTS: Final = 0
"""The weight of a dialog that takes all of an operator's slots, as a phone call does."""


class Wish(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a dialog asks of an operator besides the department; "" asks for nothing."""

    skill: str = ""
    language: str = ""
    weight: int = 1  # slots it takes, or ALL_SLOTS


class Ref(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A dialog as the floor names it: its partition's log, its contact's number there, and its own number."""

    log: int
    contact: int
    number: int
