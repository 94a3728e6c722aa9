"""A planned dialog of the made-up world, while it is played."""

from dataclasses import dataclass, field

from chatreport.rundir import Outcome, Phase
from tests.chatreport.ledgers import Row


@dataclass
class Talk:
    """A planned dialog while it is played."""

    index: int
    channel: str
    contact: str
    phase: Phase
    turns: int
    bot_turns: int
    contained: bool
    patience_ms: int
    number: int = 1
    sent: int = 0
    epoch: int = 1
    started: int = -1
    place: int = -1
    owner: str = ""
    assignment: int = -1
    closed: bool = False
    outcome: Outcome = Outcome.IN_FLIGHT
    ended: int = -1
    entries: list[Row] = field(default_factory=list)
    lapse_once: bool = False
    sends_on: bool = False
    holds: bool = False
    edits: bool = False
    department: str = "general"
    sent_on_by: str = ""
    returns: "Talk | None" = None

    @property
    def who(self) -> str:
        """The customer's name in the record."""
        return f"c{self.index}"
