"""What providers and the bank tell, and what is sent of the bank's own accord."""

from chatcore.machines.events.base import Entry, Event


class Attempted(Event, tag=12):
    """Attempt `attempt` (2, 3, …) to hand an outbound message to its provider is about to be made."""

    contact: int
    number: int
    seq: int
    attempt: int
    at: int


class Sent(Event, tag=13):
    """The provider took an outbound message, posted at `posted`, and named it `provider_id`."""

    contact: int
    number: int
    seq: int
    provider_id: str
    at: int
    posted: int = 0


class Undelivered(Event, tag=14):
    """An outbound message ended visibly in failure."""

    contact: int
    number: int
    seq: int
    reason: str
    at: int


class Receipted(Event, tag=41):
    """The provider told what became of a message that it took: delivered, read, or failed for a reason."""

    contact: int
    number: int
    seq: int
    state: str
    reason: str
    at: int


class ReceiptKept(Event, tag=42):
    """The provider told of a message whose `Sent` may not be here yet; it counts as soon as it is."""

    contact: int
    provider_id: str
    state: str
    reason: str
    through: str = ""


class Stored(Event, tag=43):
    """The bytes of attachment `index` of a message are here, under `ref`."""

    contact: int
    number: int
    seq: int
    index: int
    ref: str
    size: int
    mime: str
    at: int


class Unfetched(Event, tag=44):
    """The bytes of an attachment could not be had."""

    contact: int
    number: int
    seq: int
    index: int
    reason: str
    at: int


class BindingStarted(Event, tag=70):
    """The customer is asked for their account, in dialog `number`."""

    contact: int
    number: int
    at: int


class AccountNamed(Event, tag=71):
    """The message at `seq` names an account; the bank is asked whose it is."""

    contact: int
    number: int
    seq: int
    at: int


class CodeIssued(Event, tag=72):
    """A code whose hash is `hash` was mailed to `person`; it is good until `expires`."""

    contact: int
    person: str
    salt: str
    hash: str
    expires: int


class CodeWrong(Event, tag=73):
    """Another code was typed."""

    contact: int


class Bound(Event, tag=74):
    """The contact belongs to `person`, for good."""

    contact: int
    person: str
    at: int


class BindingEnded(Event, tag=75):
    """The contact was not bound; before `locked` it cannot be tried again."""

    contact: int
    reason: str
    locked: int


class OperationAsked(Event, tag=76):
    """A bound customer asks for a routine operation, such as the balance; the bank is asked to do it."""

    contact: int
    number: int
    seq: int
    operation: str
    at: int


class OperationTold(Event, tag=77):
    """The bank answered, or cannot."""

    contact: int


class Noticed(Entry, tag=80):
    """The bank wrote of its own accord: a template with parameters; `number` is 0, and `seq` counts the notices."""

    id: str
    digest: int
    template: str
    parameters: tuple[str, ...]
    text: str


class Consented(Event, tag=81):
    """The customer agrees to be written to, or does not any more."""

    contact: int
    given: bool
    at: int
