"""A planned dialog of the made-up world, while it is played."""

from dataclasses import dataclass, field
from random import Random

from chatreport.rundir import Outcome, Phase
from tests.chatreport.ledgers import CHANNELS, Row

ACCOUNTS = {"web": "web", "app": "app", "telegram": "tg"}


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


def make_talk(chance: Random, index: int, before: Talk | None = None) -> Talk:
    """A dialog of the made-up plan; `before`: the same customer's first."""
    channel = before.channel if before else CHANNELS[index % 3]
    contained = channel == "web" and chance.random() < 0.5
    return Talk(
        index, channel, before.contact if before else f"{ACCOUNTS[channel]}/u{index}",
        Phase.MAIN if index >= 0 else Phase.RAMP, turns=3 + index % 2,
        bot_turns=0 if channel == "telegram" else 2 if contained else 1, contained=contained,
        patience_ms=60 if index % 7 == 3 else 100_000, lapse_once=index % 5 == 4, number=2 if before else 1,
        sends_on=index % 6 == 1, holds=index % 4 == 2, edits=channel == "telegram" and index % 2 == 0,
    )  # fmt: skip
