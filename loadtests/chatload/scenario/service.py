"""What a bank may do besides: texts without a person."""

from typing import Annotated

from pydantic import Field

from chatload.scenario.tables import Table

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
