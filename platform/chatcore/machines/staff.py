"""Who may take what: operators, what waiting dialogs ask for, and the one rule that compares them."""

from typing import NamedTuple

import msgspec

from chatcore.machines.events import ALL_SLOTS, Presence, Ref, Wish


class Operator(msgspec.Struct, array_like=True):
    """An operator: what they may take, whether they are there, and how many slots are in use."""

    id: str
    departments: tuple[str, ...]
    slots: int
    presence: Presence = Presence.OFFLINE
    grace: int = 0  # their connection is lost; what they hold goes back at this time
    used: int = 0
    idle_since: int = 0
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def on_duty(self) -> bool:
        """Whether the operator says online and their connection stands."""
        return self.presence is Presence.ONLINE and not self.grace


class Kind(NamedTuple):
    """What a waiting dialog asks for. All of one kind wait in one queue, so that none blocks those of another."""

    department: str
    skill: str
    language: str
    weight: int
    operator: str  # the only one who may take it; "" = anybody who fits


class Place(msgspec.Struct, array_like=True, order=True):
    """A dialog in a queue; ordered by priority, the lower first, then by place."""

    priority: int
    place: int
    ref: Ref
    department: str
    previous: str
    wish: Wish
    operator: str = ""  # whom it waits for …
    until: int = 0  # … and how long; then anybody of the department who fits may have it
    lapsed: list[str] = []  # who let it lapse, or transferred it

    @property
    def kind(self) -> Kind:
        """Which queue it stands in."""
        wish = self.wish
        if self.operator:
            return Kind(self.department, "", "", wish.weight, self.operator)
        return Kind(self.department, wish.skill, wish.language, wish.weight, "")


class Assignment(msgspec.Struct, array_like=True):
    """A numbered offer, and after acceptance the ownership."""

    number: int
    operator: str
    place: Place
    deadline: int  # 0 once accepted
    withdrawing: str = ""  # why the floor wants it back; "" = it does not
    forced: bool = False  # … also after acceptance
    gone: bool = False  # its dialog closed meanwhile; it must not be queued again


def fits(operator: Operator, kind: Kind) -> bool:
    """Whether the operator may take dialogs of this kind at all."""
    return (
        kind.department in operator.departments
        and kind.operator in ("", operator.id)
        and (not kind.skill or kind.skill in operator.skills)
        and (not kind.language or kind.language in operator.languages)
    )


def takes(operator: Operator, weight: int) -> int:
    """How many of the operator's slots a dialog takes: its weight, but never more than there are."""
    return operator.slots if weight == ALL_SLOTS else min(weight, operator.slots)


def has_room(operator: Operator, weight: int) -> bool:
    """Whether the slots that a dialog of this weight takes are free; one that takes all wants nothing beside it."""
    return operator.used + takes(operator, weight) <= operator.slots


def eligible(operator: Operator, kind: Kind) -> bool:
    """Whether the operator could be offered a dialog of this kind now."""
    return operator.on_duty and fits(operator, kind) and has_room(operator, kind.weight)
