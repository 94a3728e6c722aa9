"""The people: operators on their floor, customers as they write, wait, leave and rate."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from chatload.scenario.shifts import HOUR_MS, Breaks, Shift
from chatload.scenario.tables import GENERAL, Name, Positive, Share, Table, Whole
from chatload.scenario.units import DurationMs, LastingMs

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

    `count`: the people, who are all on duty throughout, unless there are `shifts` or `breaks`. The shares of the shifts
    make 1, with those who have a `day_off`.
    `wrap_up`: the after-work, from the last answer to the close; the dialog keeps its place at the desk meanwhile.
    Other tables that a bank may not have: seats are dealt out to `teams` in turn, `internal` departments keep their
    dialogs to themselves, and of the written dialogs with an operator these shares are sent on and put on hold, once
    each.
    Instead of a text, `attachment_share` of the answers are an image or a document, where the channel carries them.
    How the times from the last answer to the close spread about `wrap_up` is its law.
    """

    count: Whole
    slots: Whole
    accept: DurationMs
    reads_per_min: Positive
    thinking: DurationMs
    types_per_min: Positive
    length: Positive
    wrap_up: DurationMs
    wrap_up_law: Literal["lognormal", "exponential"] = "lognormal"
    teams: Annotated[tuple[Team, ...], Field(min_length=1)] = (Team(),)
    internal: tuple[Name, ...] = ()
    transfer_share: Share = 0.0
    hold_share: Share = 0.0
    attachment_share: Share = 0.0
    shifts: tuple[Shift, ...] = ()
    day_off: Share = 0.0
    breaks: Breaks | None = None

    @model_validator(mode="after")
    def _everybody_has_a_shift(self) -> Self:
        total = sum(shift.share for shift in self.shifts) + self.day_off
        if (self.shifts or self.day_off) and abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of the shifts add up to {100 * total:.6g} %, not to 100 %")
        return self

    def on_duty(self, hour: int) -> float:
        """The share of them that is on duty in this hour of the day, on average."""
        begin_ms = hour * HOUR_MS
        there = sum(shift.share * shift.covers(begin_ms, begin_ms + HOUR_MS) for shift in self.shifts)
        return (there if self.shifts else 1.0) * (1 - self.breaks.share if self.breaks else 1.0)

    def team(self, seat: int) -> Team:
        """The team of a seat, counted from 1."""
        return self.teams[(seat - 1) % len(self.teams)]


class Bursts(Table):
    """Of what customers ask operators, `share` is written in several messages at once, `messages` on average.

    They follow each other 50 to 200 ms apart, as of a phone that was out of reach, and get one answer.
    """

    share: Share
    messages: Annotated[float, Field(ge=2)]


class DialogShape(Table):
    """What written dialogs amount to on average, both sides together, and how customers read and write.

    Instead of a text, `attachment_share` of the customers' messages to operators are an image or a document, where the
    channel carries them (not SMS). `bursts`: some of these messages come at once.
    """

    messages: Annotated[float, Field(ge=2)]
    duration: LastingMs
    length: Positive
    length_cv: Annotated[float, Field(ge=0, le=3)]
    thinking_cv: Annotated[float, Field(ge=0, le=3)]
    reads_per_min: Positive
    attachment_share: Share = 0.0
    bursts: Bursts | None = None


class Patience(Table):
    """How long those who write wait on average, and the share of those who leave that leave without a word.

    The others close the dialog, which only a website and an app let them: in messengers and mails nobody says a word.
    """

    queue: LastingMs
    reply: LastingMs
    silent: Share


class Returning(Table):
    """Customers who come back: `share` of the written dialogs are begun by somebody who has had one on that channel.

    `after`: how long after the earlier dialog is over, on average. Where customers do not see its end (in messengers,
    or when they left without a word), it is over when the platform closes it because nobody writes. Whose earlier
    dialog would have been before the run comes as somebody new, so of a short run a smaller share returns.
    """

    share: Share
    after: DurationMs


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
