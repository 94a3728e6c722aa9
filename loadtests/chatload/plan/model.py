"""What a plan is made of. Times are business milliseconds; wall time is business time divided by the speed."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from chatload.scenario import Channel

Phase = Literal["ramp", "main"]
ProofStep = Literal["ask", "account", "code", "wrong"]
To = Literal["bot", "handover", "operator", "more"]


class Attachment(msgspec.Struct, frozen=True):
    """An image or a document of so many bytes."""

    kind: Literal["png", "pdf"]
    size: int


class Turn(msgspec.Struct, frozen=True):
    """One message of a customer.

    `think_ms`: from its trigger (receipt of the previous answer; for the first turn the dialog's start) to the send.
    `length`: characters of the words, identity not counted.
    `to`: who answers it; the text of a "handover" turn asks for an operator. "more" goes on with the burst that a turn
    before it began: its trigger is the send before, and the whole gets one answer.
    `drop_ms`: the app closes its socket right after this send and redials so much later; None keeps it open.
    `attachment`: what is sent instead of the words, or has them as its caption, as the channel has it.
    `answer`: characters of the operator's answer, identity not counted; 0 where none is planned.
    """

    think_ms: float
    length: int
    to: To
    drop_ms: float | None = None
    attachment: Attachment | None = None
    answer: int = 0


class Call(msgspec.Struct, frozen=True):
    """What a caller does instead of writing.

    `talk_ms`: from the connection to the end. `again_ms`: from giving up to calling again, once; None waits to be
    called back.
    """

    talk_ms: float
    again_ms: float | None


class Proof(msgspec.Struct, frozen=True):
    """How a customer shows whose account it is, a step a turn: to ask, name it, type the code, or a wrong one, ask.

    `mail_ms`: from the mail with the code until it is read; thinking and typing follow. None of who sees no mail.
    """

    steps: tuple[ProofStep, ...]
    account: str
    mail_ms: float | None


class Rating(msgspec.Struct, frozen=True):
    """A customer's `score` of a dialog, given `after_ms` after the platform asked for it."""

    score: int
    after_ms: float


class Dialog(msgspec.Struct, frozen=True):
    """One planned dialog of one customer.

    `index` is negative in the ramp, and never -1; `start_ms` counts from t0 and is negative in the ramp, too.
    `hold_ms`: ramp only: after the opening turn's answer the second turn waits at least until t0 + `hold_ms`, and a
    call lasts at least until then.
    `contained`: the bot answers every turn and the customer ends the dialog (without a word when `silent`); otherwise
    an operator answers the hand-over turn and all after it, and closes after the last answer.
    `patience_ms`: from entering the queue to the first human message, or to the connection; `reply_patience_ms`: for
    every later answer.
    `silent`: if this customer leaves, they leave without a word.
    `call`: of a dialog by phone, which has no turns.
    `walks`: they take what the service menu offers, instead of writing to the bot.
    `proof`: they ask for what only the owner of an account may know.
    `person`: the index of the first dialog of a customer who comes back, whose `user` they are; None of a first one.
    `rating`: how the customer rates the dialog once an operator has closed it; None if they do not.
    """

    index: int
    user: str
    channel: Channel
    phase: Phase
    start_ms: float
    hold_ms: float
    turns: tuple[Turn, ...]
    contained: bool
    patience_ms: float
    reply_patience_ms: float
    silent: bool
    call: Call | None = None
    rating: Rating | None = None
    walks: bool = False
    proof: Proof | None = None
    person: int | None = None

    def burst(self, position: int) -> range:
        """The turns, by their positions, that are written at once with this one and get one answer."""
        turns, first, end = self.turns, position, position + 1
        while turns[first].to == "more":
            first -= 1
        while end < len(turns) and turns[end].to == "more":
            end += 1
        return range(first, end)

    def bursts(self) -> Iterator[range]:
        """All of them in order; most are of one turn."""
        end = 0
        while end < len(self.turns):
            burst = self.burst(end)
            yield burst
            end = burst.stop


class Destination(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a dialog is sent on to: an operator, a department or a skill."""

    operator: str = ""
    department: str = ""
    skill: str = ""


class BotSays(msgspec.Struct, frozen=True):
    """What the bank's own bot makes of a message; `topic`: of a hand-over."""

    kind: Literal["answer", "suggestion", "handover", "slow", "broken", "wrong"]
    topic: str = ""


class Reply(msgspec.Struct, frozen=True):
    """How an operator answers one turn.

    `react_ms`: from the customer's message on screen (or the acceptance, if later) to the send.
    `length`: characters of the words, identity not counted. `attachment`: what is sent instead of them, if anything.
    """

    react_ms: float
    length: int
    attachment: Attachment | None = None
