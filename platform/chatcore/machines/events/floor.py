"""What happens on the floor."""

from chatcore.machines.events.base import Event, Presence, Ref, Wish


class Hired(Event, tag=20):
    """An operator exists, or may take other dialogs, or more or fewer, than before."""

    operator: str
    departments: tuple[str, ...]
    slots: int
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


class PresenceSet(Event, tag=21):
    """An operator says online, away or offline."""

    operator: str
    presence: Presence
    at: int


class SeatLost(Event, tag=22):
    """An operator's connection broke; what they hold stays theirs until `grace`."""

    operator: str
    grace: int


class SeatFound(Event, tag=23):
    """The operator's connection is back."""

    operator: str
    at: int


class Waiting(Event, tag=24):
    """A dialog got a queue place. Places are numbered once and kept through offers, lapses and releases."""

    ref: Ref
    department: str
    priority: int
    place: int
    previous: str
    at: int
    wish: Wish = Wish()


class Offering(Event, tag=25):
    """The floor gives a waiting dialog to an operator to accept before `deadline`."""

    number: int
    ref: Ref
    operator: str
    department: str
    priority: int
    place: int
    deadline: int
    at: int
    wish: Wish = Wish()


class Withdrawing(Event, tag=26):
    """The floor wants number `number` back: `force` also after it was accepted."""

    number: int
    ref: Ref
    force: bool
    reason: str


class Taken(Event, tag=27):
    """The dialog reported that the operator accepted."""

    number: int


class Freed(Event, tag=28):
    """The dialog let go of `number`: the slot is free; `requeue` puts the dialog back to its old place."""

    number: int
    requeue: bool
    lapsed: bool
    at: int


class Gone(Event, tag=29):
    """A waiting dialog closed."""

    ref: Ref


class Redirected(Event, tag=33):
    """The owner of `number` transfers its dialog: it keeps its place, and waits for `to_operator` until `until`."""

    number: int
    to_operator: str
    department: str
    skill: str
    until: int


class Unbound(Event, tag=34):
    """A dialog has waited for one operator long enough; anybody of its department who fits may have it."""

    ref: Ref
