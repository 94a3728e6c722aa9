"""What the machines are asked. Ids, chosen answers and all that needs a clock or a socket arrive in here."""

from collections.abc import Mapping

import msgspec

from chatcore.machines.events import File, Hired, Presence, Ref, Wish


class Refused(Exception):
    """A command that the state does not allow; `reason` is what the sender is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Choice(msgspec.Struct):
    """What the bot chose for a text: an answer under `rule`, a hand-over, or a miss with a text that asks again.

    Or to bind the contact to a person, or a routine operation of that person's, whose name is the text. `ask`: the
    bank's own bot is to be asked. A hand-over may name `department` and `topic`, and a `reason` when it was not the
    customer's wish; `menu` is where in the menu the customer is from now on, None: where they were.
    """

    kind: str  # answer | handover | miss | ask | bind | operation
    rule: str = ""
    text: str = ""
    department: str = ""
    topic: str = ""
    reason: str = ""
    menu: str | None = None


class Rating(msgspec.Struct, frozen=True):
    """How a closed dialog may be rated: from 1 to `scale`, within `window_ms`."""

    scale: int
    window_ms: int


Replies = Mapping[str, str]
"""The automatic texts that are in force, by event: greeting, waiting, out_of_hours, closing, feedback, place."""


class Receive(msgspec.Struct):
    """A customer's message. `id` is the client's or the provider's; `digest` tells equal content from other."""

    contact: str
    messenger: bool
    department: str
    id: str
    digest: int
    text: str
    choice: Choice | None  # None: the account has no bot
    files: tuple[File, ...] = ()
    receipts: bool = False  # whether the messenger tells what became of replies
    priority: int = 0  # lower is served first
    wish: Wish = Wish()
    windowed: bool = False  # whether it lets free texts pass only for a while after the customer's last message
    code: str = ""  # the hash of the text, where it may be a one-time code and is masked
    replies: Replies = {}
    score: int = 0  # what the text says as a rating; 0: nothing


class Edit(msgspec.Struct):
    """A customer's new text for the message `id`; one of a lower `revision` than the last is late."""

    contact: str
    id: str
    digest: int
    text: str
    revision: int = 0


class Leave(msgspec.Struct):
    """The customer ends the dialog."""

    contact: str


class Accept(msgspec.Struct):
    """An operator accepts dialog `dialog` of the contact, offered under `number`."""

    contact: str
    dialog: int
    number: int
    operator: str


class Reply(msgspec.Struct):
    """An operator's message in dialog `dialog` of the contact, owned under `number`."""

    contact: str
    dialog: int
    number: int
    operator: str
    id: str
    digest: int
    text: str
    files: tuple[File, ...] = ()


class Close(msgspec.Struct):
    """The owner closes dialog `dialog` of the contact, which may be rated then, unless `rating` is None."""

    contact: str
    dialog: int
    number: int
    operator: str
    replies: Replies = {}
    rating: Rating | None = None


class Rate(msgspec.Struct):
    """The customer rates their last dialog."""

    contact: str
    score: int


class Answered(msgspec.Struct):
    """The bank's bot was asked about message `seq` of dialog `number`; this is what it chose."""

    contact: int
    number: int
    seq: int
    choice: Choice
    department: str
    replies: Replies = {}
    priority: int = 0
    wish: Wish = Wish()


class Transfer(msgspec.Struct):
    """The owner sends dialog `dialog` of the contact on: to an operator, a department, or somebody with a skill.

    "" as department: it stays in its own.
    """

    contact: str
    dialog: int
    number: int
    operator: str
    to_operator: str
    department: str
    skill: str


class Hold(msgspec.Struct):
    """The owner puts dialog `dialog` of the contact on hold; the customer is told `text`, if there is any."""

    contact: str
    dialog: int
    number: int
    operator: str
    text: str


class Resume(msgspec.Struct):
    """The owner takes dialog `dialog` of the contact back from hold."""

    contact: str
    dialog: int
    number: int
    operator: str


class Remind(msgspec.Struct):
    """A deadline of the contact may have passed; the state knows.

    If the bank's bot is late, the dialog waits for an operator of `department`.
    """

    contact: int
    department: str = "general"
    replies: Replies = {}
    priority: int = 0
    wish: Wish = Wish()


class Attempting(msgspec.Struct):
    """The outbox is about to try a message again."""

    contact: int
    number: int
    seq: int
    attempt: int


class Settle(msgspec.Struct):
    """The outbox learned how a message ended: `provider_id`, or a `reason` for failure. `posted` is when it left."""

    contact: int
    number: int
    seq: int
    provider_id: str = ""
    reason: str = ""
    posted: int = 0


class Told(msgspec.Struct):
    """A provider told of messages it took; which ones, `through` says as `chatcore.channels.shapes.Receipt` does."""

    contact: str
    state: str
    id: str
    through: str
    reason: str


class Keep(msgspec.Struct):
    """The bytes of an attachment are stored under `ref`, or are not to be had for a `reason`."""

    contact: int
    number: int
    seq: int
    index: int
    ref: str = ""
    size: int = 0
    mime: str = ""
    reason: str = ""


class Block(msgspec.Struct):
    """Somebody in charge takes no more messages from a contact; its open dialog ends."""

    contact: str
    by: str


class Unblock(msgspec.Struct):
    """… takes them again."""

    contact: str
    by: str


class Review(msgspec.Struct):
    """`by` scores dialog `number` of a contact; with `internal` even one of an internal department."""

    contact: str
    number: int
    by: str
    score: int
    comment: str
    internal: bool


class IssueCode(msgspec.Struct):
    """The bank knows whose account the message at `seq` named, and a code with this hash was mailed there."""

    contact: int
    number: int
    seq: int
    person: str
    salt: str
    hash: str


class FailBinding(msgspec.Struct):
    """The bank could not be asked whose account the message at `seq` named, or no mail could be sent."""

    contact: int
    number: int
    seq: int
    reason: str


class Tell(msgspec.Struct):
    """What the bank says to the operation that the message at `seq` asked for; "" if it cannot be done."""

    contact: int
    number: int
    seq: int
    text: str


class Notify(msgspec.Struct):
    """The bank writes to a contact: `text` is the template with its parameters; a broadcast needs consent."""

    contact: str
    id: str
    digest: int
    template: str
    parameters: tuple[str, ...]
    text: str
    broadcast: bool
    receipts: bool = False
    windowed: bool = False


class Consent(msgspec.Struct):
    """The customer agrees to be written to, or does not any more."""

    contact: str
    given: bool
    receipts: bool = False
    windowed: bool = False


class Ring(msgspec.Struct):
    """The exchange told of call `call` of the contact; `state` is as in `chatcore.channels.shapes.Ring`."""

    contact: str
    call: str
    state: str
    at: int
    department: str
    priority: int
    wish: Wish


class OfferTo(msgspec.Struct):
    """From the floor: dialog `ref` goes to `operator` under `number`."""

    ref: Ref
    number: int
    operator: str
    department: str
    priority: int
    place: int
    wish: Wish = Wish()


class Withdraw(msgspec.Struct):
    """From the floor: give `number` back, by `force` also when it was accepted."""

    ref: Ref
    number: int
    force: bool
    reason: str


class Hire(msgspec.Struct):
    """Operators to add or to change."""

    operators: list[Hired]


class SetPresence(msgspec.Struct):
    """An operator says online, away or offline."""

    operator: str
    presence: Presence


class LoseSeat(msgspec.Struct):
    """An operator's connection broke."""

    operator: str


class FindSeat(msgspec.Struct):
    """An operator connected."""

    operator: str


class Recover(msgspec.Struct):
    """The process starts again: every seat counts as lost, every open offer goes back."""


class Elapse(msgspec.Struct):
    """Deadlines of the floor may have passed; the state knows."""


class Match(msgspec.Struct):
    """Offer one waiting dialog, if any may be offered now."""


class Enqueue(msgspec.Struct):
    """From a dialog: it waits."""

    ref: Ref
    department: str
    priority: int
    previous: str
    wish: Wish


class Redirect(msgspec.Struct):
    """From a dialog: the owner of `number` transfers it; `Report` follows."""

    number: int
    to_operator: str
    department: str
    skill: str


class Report(msgspec.Struct):
    """From a dialog: what became of `number`: accepted, or let go."""

    number: int
    accepted: bool
    requeue: bool = False


class Vanish(msgspec.Struct):
    """From a dialog: it closed while it waited."""

    ref: Ref


class Rules(msgspec.Struct, frozen=True):
    """Times, in wall milliseconds, and limits of the installation."""

    inactivity_ms: int = 600_000
    offer_ms: int = 20_000
    grace_ms: int = 15_000
    dedupe_ms: int = 172_800_000
    bot_misses: int = 2
    transfer_ms: int = 120_000  # so long a transferred dialog waits for one operator
    internal: frozenset[str] = frozenset()  # departments whose dialogs nobody else may see
    window_ms: int = 86_400_000
    bot_ms: int = 3_000  # the bank's bot answers within this time, or the customer gets an operator
    sample: float = 0.0  # the share of closed dialogs that are read and scored


OwnerCommand = Reply | Close | Transfer | Hold | Resume
DialogCommand = (
    Receive
    | Answered
    | Edit
    | Leave
    | Rate
    | Accept
    | OwnerCommand
    | Remind
    | Attempting
    | Settle
    | Told
    | Keep
    | Notify
    | Consent
    | IssueCode
    | FailBinding
    | Tell
    | Ring
    | OfferTo
    | Withdraw
    | Block
    | Unblock
    | Review
)
FloorCommand = (
    Hire | SetPresence | LoseSeat | FindSeat | Recover | Elapse | Match | Enqueue | Redirect | Report | Vanish
)
