"""The bot: by keywords, with a menu before it, or the bank's own service."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chatload.scenario.tables import Name, Share, Table, Whole
from chatload.scenario.units import DurationMs


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
    topics: dict[Name, Name] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _shares_leave_something(self) -> Self:
        if self.suggests + self.slow + self.broken + self.wrong > 1:
            raise ValueError("suggests, slow, broken and wrong add up to more than 100 %")
        return self


class Line(Table):
    """A line of the service menu: it gives its `text`, or hands over with its `topic`, to a `department` of its own."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    text: str = ""
    topic: str = ""
    department: Name | Literal[""] = ""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.text) is bool(self.topic):
            raise ValueError("a line has either a text or a topic")
        if self.department and not self.topic:
            raise ValueError("a department needs a topic")
        return self


class Menu(Table):
    """The service menu that the bot shows whom it does not answer otherwise, and the share whose customers walk it.

    They write the number of a line, and nothing else: `walks` of them on the website and in the app,
    `walks_in_messengers` elsewhere, but in mails.
    """

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    walks: Share
    walks_in_messengers: Share = 0.0
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

    @property
    def topics(self) -> dict[str, str]:
        """The departments of those topics of a hand-over that have one."""
        lines = self.menu.lines if self.menu is not None else ()
        own = self.service.topics if self.service is not None else {}
        return own | {line.topic: line.department for line in lines if line.department}
