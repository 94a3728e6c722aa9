"""What a bank may do besides: texts without a person, customers who show who they are, notices, strangers."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from chatload.scenario.channels import Channel
from chatload.scenario.tables import Name, Positive, Share, Table, Whole
from chatload.scenario.units import DurationMs

Text = Annotated[str, Field(max_length=4000)]


class Replies(Table):
    """What the platform says by itself on an event of a dialog; "" says nothing.

    `greeting`: when it opens. `waiting`: when it is queued. `closing`: when an operator closes it.
    """

    greeting: Text = ""
    waiting: Text = ""
    closing: Text = ""

    def by_event(self) -> dict[str, str]:
        """The texts that are said, by their event."""
        return {event: text for event, text in self.model_dump().items() if text}


ON_HOLD: Final = "One moment, please: I am looking into it."  # what a customer is told whom an operator puts on hold


class Authentication(Table):
    """Customers who bind their account in the chat: `share` of the dialogs that the bot keeps, but in mails.

    They ask for what only they may know with one of `keywords`, name their account, are mailed a code, which they have
    read `reads` after the mail came, think and type it, and ask again. `mistyped` of them type it wrong at first.
    `guessed` of them name an account that is not theirs: they see no mail, guess twice, and ask.
    """

    share: Share
    mistyped: Share
    guessed: Share
    reads: DurationMs
    keywords: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _shares_leave_something(self) -> Self:
        if self.mistyped + self.guessed > 1:
            raise ValueError("mistyped and guessed add up to more than 100 %")
        return self

    @property
    def turns(self) -> float:
        """How many messages such a customer writes on average: to ask, name the account, type the code, ask again."""
        return 4 + self.mistyped + self.guessed


class Notice(Table):
    """A template that the bank sends of its own accord to `per_day` people on a messenger, spread as dialogs are.

    A `broadcast` is for who agreed before: `consented` of them; the others must get none. What is no broadcast, such as
    an invitation, may go to everybody. `answered`: of the channel's dialogs that follow such a notice, `lead` later on
    average; their customers get one besides, and have agreed.
    """

    name: Name
    channel: Channel
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    per_day: Positive
    broadcast: bool = False
    consented: Share = 1.0
    answered: Share = 0.0
    lead: DurationMs = 0.0


class Hostile(Table):
    """What strangers send in the background, from an address of their own: `per_s` of business time, on average.

    Webhooks with a wrong signature, of no form, from nobody; requests that are too large or too long; calls and sockets
    without a token. `flood_share` of them are floods, of `flood` webhooks at once. The platform is told how much of one
    address it refuses before it does not listen any more: `allowed_per_s` of wall time, `allowed_burst` at once.
    """

    per_s: Positive
    flood_share: Share
    flood: Annotated[int, Field(ge=1, le=10_000)]
    allowed_per_s: Positive
    allowed_burst: Whole
