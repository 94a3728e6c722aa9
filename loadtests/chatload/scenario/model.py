"""What a scenario file holds. A key that every bank has is required: what nobody wrote down nobody can question.

What a bank may lack, such as transfers, shifts or a bot of its own, is left out where it does.

Durations are business times with a unit; shares lie between 0 and 1; rates carry their unit in the name.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chatload.scenario.bot import Bot
from chatload.scenario.channels import Channels, Messenger
from chatload.scenario.people import DialogShape, Feedback, Operators, Patience, Returning
from chatload.scenario.service import Authentication, Hostile, Notice, Replies
from chatload.scenario.shifts import Surge
from chatload.scenario.tables import Positive, Table
from chatload.scenario.units import DurationMs


class Volume(Table):
    """How many dialogs start, and when."""

    dialogs_per_day: Positive
    peak_hour_share: Annotated[float, Field(gt=0, le=1)]
    busyness_cv: Annotated[float, Field(ge=0)]  # day part: the whole day is busier or quieter by this much
    intraday: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=24, max_length=24)]  # weight of each hour

    @property
    def peak_hour(self) -> int:
        """The hour of the day that the peak part plays: the busiest of the curve, the first of several."""
        return self.intraday.index(max(self.intraday))

    @model_validator(mode="after")
    def _some_hour_is_busy(self) -> Self:
        if not sum(self.intraday):
            raise ValueError("every hour of intraday is 0")
        return self


class Timers(Table):
    """The platform's timers. Offer and inactivity are business times; grace is the network's and keeps wall time."""

    offer: DurationMs
    grace: DurationMs
    inactivity: DurationMs


class Objective(Table):
    """One objective, as `--slo` writes it, and why it is asked for."""

    slo: Annotated[str, Field(min_length=1)]
    why: str


class Scenario(Table):
    """One bank's day."""

    title: Annotated[str, Field(min_length=1)]
    source: str
    speed: Positive
    peak: DurationMs  # how long the peak part lasts
    ramp: DurationMs
    seed: Annotated[int, Field(ge=0, lt=1 << 62)]
    volume: Volume
    operators: Operators
    channels: Channels
    dialog: DialogShape
    bot: Bot
    patience: Patience
    timers: Timers
    objectives: list[Objective]
    published: dict[str, float]
    feedback: Feedback | None = None
    returning: Returning | None = None
    replies: Replies | None = None
    authentication: Authentication | None = None
    hostile: Hostile | None = None
    notices: tuple[Notice, ...] = ()
    surge: Surge | None = None

    @model_validator(mode="after")
    def _a_surge_brings_staff(self) -> Self:
        if self.surge is not None and self.surge.operators < self.operators.count:
            raise ValueError(f"surge.operators are fewer than the {self.operators.count} there are before")
        return self

    @model_validator(mode="after")
    def _somebody_takes_each_channel(self) -> Self:
        teams = self.operators.teams[: self.operators.count]
        for name, channel in self.channels.played().items():
            if not any(team.fits(channel.department, channel.skill, channel.language) for team in teams):
                raise ValueError(f"no operator may take the dialogs of channel {name}; change operators.teams")
        for topic, department in self.bot.topics.items():
            if not any(team.fits(department, "", "") for team in teams):
                raise ValueError(f"no operator may take the dialogs of topic {topic}; change operators.teams")
        return self

    @model_validator(mode="after")
    def _asking_for_an_account_is_nothing_else(self) -> Self:
        if self.authentication is None:
            return self
        if self.bot.service is not None:
            raise ValueError("authentication is of the menu's and the keywords' bot, and bot.service is another")
        others = [*self.bot.handover, *(word for answer in self.bot.answers for word in answer.keywords)]
        for keyword in self.authentication.keywords:
            for word in others:
                if keyword.lower() in word.lower() or word.lower() in keyword.lower():
                    raise ValueError(f'the keyword "{keyword}" of authentication means what "{word}" of the bot means')
        return self

    @model_validator(mode="after")
    def _notices_have_a_messenger(self) -> Self:
        for notice in self.notices:
            if not isinstance(self.channels.played().get(notice.channel), Messenger):
                raise ValueError(f"notice {notice.name}: {notice.channel} is no messenger that is played")
        if len({notice.name for notice in self.notices}) < len(self.notices):
            raise ValueError("two notices have one name")
        return self


Part = Literal["peak", "day", "surge"]
"""The day begins at midnight. The peak part plays the busiest hour of the curve, again and again; it begins at t0, and
shifts and breaks go by its clock. The surge is the peak part with the scenario's surge in it."""
