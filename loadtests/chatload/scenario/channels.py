"""The bank's channels: how much of the day each carries, and how people write and call there."""

from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from chatload.scenario.tables import GENERAL, Name, Positive, Share, Table, Whole
from chatload.scenario.units import DurationMs, LastingMs

Channel = Literal[
    "web", "app", "telegram", "messenger", "viber", "vk", "whatsapp", "infobip", "sms", "max", "email", "phone"
]  # fmt: skip
PLAYED: Final[tuple[Channel, ...]] = get_args(Channel)


class Unplayed(Table):
    """A published channel that this version does not play yet: only its share of the dialogs counts."""

    share: Share


class Asking(Unplayed):
    """A channel that is played, and what its dialogs ask of an operator."""

    department: Name = GENERAL
    skill: Name | Literal[""] = ""
    language: Name | Literal[""] = ""


class Limits(Table):
    """The limits of the bank's account with somebody else's API."""

    rate_per_s: Positive
    chat_rate_per_s: Positive
    burst: Whole


class Web(Asking):
    """A channel in which people write, over a socket of the platform's own; weight 0 is all slots."""

    bot: bool
    types_per_min: Positive
    weight: Annotated[int, Field(ge=0, le=1000)] = 1


class App(Web):
    """The mobile app: `drops` of the sends are followed by a closed socket, redialled after `away` on average."""

    drops: Share
    away: DurationMs


class Messenger(Web, Limits):
    """A messenger."""


class Phone(Asking, Limits):
    """Calls, which take all of an operator's slots.

    `talk`: how long callers talk, and `patience`: how long they wait, on average. `again`: the share of those who give
    up that call again, `again_after` on average; the others wait to be called back. A call is neither sent on nor put
    on hold, and over when it is hung up: it has no after-work.
    """

    bot: ClassVar[bool] = False
    talk: LastingMs
    patience: LastingMs
    again: Share
    again_after: DurationMs


Played = Web | Phone


def _played(value: Any) -> str:
    """Which of the two tables of a channel this is: one that gives its share alone is not to be played."""
    return UNPLAYED if type(value) is Unplayed or (isinstance(value, dict) and set(value) == {"share"}) else PLAYS


PLAYS: Final = "played"
UNPLAYED: Final = "not played"
_unplayed = Annotated[Unplayed, Tag(UNPLAYED)]
MaybePlayed = Annotated[Annotated[Messenger, Tag(PLAYS)] | _unplayed, Discriminator(_played)]
MaybeCalled = Annotated[Annotated[Phone, Tag(PLAYS)] | _unplayed, Discriminator(_played)]


class Channels(Table):
    """The bank's channels; their shares make 1. A messenger of which only the share is given is not played."""

    web: Web | None = None
    app: App | None = None
    telegram: MaybePlayed | None = None
    messenger: MaybePlayed | None = None
    viber: MaybePlayed | None = None
    vk: MaybePlayed | None = None
    whatsapp: MaybePlayed | None = None
    infobip: MaybePlayed | None = None
    sms: MaybePlayed | None = None
    max: MaybePlayed | None = None
    email: MaybePlayed | None = None
    phone: MaybeCalled | None = None

    @model_validator(mode="after")
    def _shares_make_one(self) -> Self:
        total = sum(channel.share for channel in self.published().values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares add up to {100 * total:.6g} %, not to 100 %")
        if not sum(channel.share for channel in self.played().values()):
            raise ValueError(f"no channel that can be played ({', '.join(PLAYED)}) has a share")
        return self

    def published(self) -> dict[str, Unplayed]:
        """Every channel of the file, by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: channel for name, channel in found.items() if channel is not None}

    def played(self) -> dict[Channel, Played]:
        """The channels that are played, by name."""
        found = ((name, getattr(self, name)) for name in PLAYED)
        return {name: channel for name, channel in found if isinstance(channel, Played)}

    def written(self) -> dict[Channel, Web]:
        """Those in which people write."""
        return {name: channel for name, channel in self.played().items() if isinstance(channel, Web)}

    def calls(self) -> Phone | None:
        """The phone, if it is played."""
        return self.phone if isinstance(self.phone, Phone) else None
