"""What a scenario file holds. Every key is required: a number that nobody wrote down is a number nobody can question.

Durations are business times with a unit; shares lie between 0 and 1; rates carry their unit in the name.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from chatload.scenario.units import DurationMs

Channel = Literal[
    "web", "app", "telegram", "messenger", "viber", "vk", "whatsapp", "infobip", "sms", "max", "email", "phone"
]  # fmt: skip
PLAYED: Final[tuple[Channel, ...]] = get_args(Channel)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Whole = Annotated[int, Field(ge=1)]


class Table(BaseModel):
    """A table of a scenario file: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Volume(Table):
    """How many dialogs start, and when."""

    dialogs_per_day: Positive
    peak_hour_share: Annotated[float, Field(gt=0, le=1)]
    busyness_cv: Annotated[float, Field(ge=0)]  # day part: the whole day is busier or quieter by this much
    intraday: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=24, max_length=24)]  # weight of each hour

    @model_validator(mode="after")
    def _some_hour_is_busy(self) -> Self:
        if not sum(self.intraday):
            raise ValueError("every hour of intraday is 0")
        return self


Name = Annotated[str, Field(pattern=r"^[\w .@-]{1,64}$")]
GENERAL: Final = "general"
SCALES: Final = (2, 5)


class Team(Table):
    """Operators who may take the same dialogs."""

    departments: Annotated[tuple[Name, ...], Field(min_length=1)] = (GENERAL,)
    skills: tuple[Name, ...] = ()
    languages: tuple[Name, ...] = ()

    def fits(self, department: str, skill: str, language: str) -> bool:
        """Whether they may take a dialog that asks for these; "" asks for nothing."""
        asked = ((department, self.departments), (skill, self.skills), (language, self.languages))
        return all(not name or name in have for name, have in asked)


class Operators(Table):
    """The floor, and how its people work; thinking includes turning to another dialog.

    `opens`: how long after t0 they come on duty; before, they are logged on and away. 0 is a floor that never closes.
    The three tables that a bank may not have: seats are dealt out to `teams` in turn, `internal` departments keep their
    dialogs to themselves, and of the dialogs with an operator these shares are sent on and put on hold, once each.
    Instead of a text, `attachment_share` of the answers are an image or a document, where the channel carries them.
    """

    count: Whole
    opens: DurationMs
    slots: Whole
    accept: DurationMs
    reads_per_min: Positive
    thinking: DurationMs
    types_per_min: Positive
    length: Positive
    wrap_up: DurationMs
    teams: Annotated[tuple[Team, ...], Field(min_length=1)] = (Team(),)
    internal: tuple[Name, ...] = ()
    transfer_share: Share = 0.0
    hold_share: Share = 0.0
    attachment_share: Share = 0.0

    def team(self, seat: int) -> Team:
        """The team of a seat, counted from 1."""
        return self.teams[(seat - 1) % len(self.teams)]


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
    up that call again, `again_after` on average; the others wait to be called back.
    """

    bot: ClassVar[bool] = False
    talk: DurationMs
    patience: DurationMs
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


class DialogShape(Table):
    """What written dialogs amount to on average, both sides together, and how customers read and write."""

    messages: Annotated[float, Field(ge=2)]
    duration: DurationMs
    length: Positive
    length_cv: Annotated[float, Field(ge=0, le=3)]
    thinking_cv: Annotated[float, Field(ge=0, le=3)]
    reads_per_min: Positive


class Answer(Table):
    """One answer of the keyword bot."""

    rule: Annotated[str, Field(min_length=1)]
    keywords: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    text: Annotated[str, Field(min_length=1, max_length=4000)]


class Service(Table):
    """The bank's own bot, asked over HTTP: whom it does not answer within `timeout`, of wall time, gets an operator.

    Of its questions, `suggests` are answered with how to phrase them, `slow` too late, `broken` with an error, `wrong`
    with what is no answer; the others as the plan has it. A hand-over names one of `topics`, each with its department.
    """

    timeout: DurationMs
    suggests: Share
    slow: Share
    broken: Share
    wrong: Share
    topics: dict[Name, Name] = {}

    @model_validator(mode="after")
    def _shares_leave_something(self) -> Self:
        if self.suggests + self.slow + self.broken + self.wrong > 1:
            raise ValueError("suggests, slow, broken and wrong add up to more than 100 %")
        return self


class Line(Table):
    """A line of the service menu: it gives its `text`, or hands over with its `topic`."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    text: str = ""
    topic: str = ""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.text) is bool(self.topic):
            raise ValueError("a line has either a text or a topic")
        return self


class Menu(Table):
    """The service menu that dialogs with the bot begin with, and the share whose customers walk it.

    They do so on the website and in the app, whose messages are known without a mark in their text.
    """

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    walks: Share
    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=9)]

    @model_validator(mode="after")
    def _of_both_kinds(self) -> Self:
        if not any(line.text for line in self.lines) or not any(line.topic for line in self.lines):
            raise ValueError("a menu has lines with a text and lines with a topic")
        return self


class Bot(Table):
    """The bot, by keywords or the bank's own `service`, and what becomes of the dialogs that begin with it."""

    contained: Share
    turns_contained: Annotated[float, Field(ge=1)]
    turns_before: Annotated[float, Field(ge=1)]
    misses: Whole
    handover: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    answers: Annotated[list[Answer], Field(min_length=1)]
    service: Service | None = None
    menu: Menu | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.service is not None and self.menu is not None:
            raise ValueError("either the bank's own service or a menu comes first")
        return self

    @model_validator(mode="after")
    def _handover_is_no_answer(self) -> Self:
        for answer in self.answers:
            for keyword in answer.keywords:
                for word in self.handover:
                    if keyword.lower() in word.lower() or word.lower() in keyword.lower():
                        raise ValueError(
                            f'the keyword "{keyword}" of rule {answer.rule} hides the hand-over word "{word}"'
                        )
        return self


class Feedback(Table):
    """How dialogs that an operator closed are rated, where the platform asks for it.

    `request`: what it asks with. `share`: of the customers, how many rate, `after` they were asked, on average; they
    may for `window`. `scores`: how often each score is given, from the worst; two are bad and good, five are 1 to 5.
    `bad` and `good` are what customers write on the scale of two.
    """

    request: Annotated[str, Field(min_length=1, max_length=4000)]
    share: Share
    scores: tuple[Annotated[float, Field(ge=0)], ...]
    after: DurationMs
    window: DurationMs
    bad: Annotated[str, Field(min_length=1, max_length=64)] = "bad"
    good: Annotated[str, Field(min_length=1, max_length=64)] = "good"

    @model_validator(mode="after")
    def _is_a_scale(self) -> Self:
        if len(self.scores) not in SCALES or not sum(self.scores):
            raise ValueError("scores are two (bad, good) or five (1 to 5), and not all 0")
        return self

    @property
    def scale(self) -> int:
        """The best score."""
        return len(self.scores)

    def text(self, score: int) -> str:
        """How a customer writes this score."""
        return (self.bad, self.good)[score - 1] if self.scale == SCALES[0] else str(score)


class Patience(Table):
    """How long those who write wait on average, and the share of those who leave that leave without a word."""

    queue: DurationMs
    reply: DurationMs
    silent: Share


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

    @model_validator(mode="after")
    def _somebody_takes_each_channel(self) -> Self:
        teams = self.operators.teams[: self.operators.count]
        for name, channel in self.channels.played().items():
            if not any(team.fits(channel.department, channel.skill, channel.language) for team in teams):
                raise ValueError(f"no operator may take the dialogs of channel {name}; change operators.teams")
        for topic, department in (self.bot.service.topics if self.bot.service else {}).items():
            if not any(team.fits(department, "", "") for team in teams):
                raise ValueError(f"no operator may take the dialogs of topic {topic}; change operators.teams")
        return self


Part = Literal["peak", "day"]
