"""Everything the machines write down. A record is all events of one command, all or nothing.

Events are arrays in MessagePack with a small integer tag, so a stored message costs its text and some twenty bytes.
Contacts are numbers here: their text keys stand once, in `Met`.

What is stored stays readable: a new field stands at the end of its event and has a default. Any other change of an
event, and a new kind of event, is a new format of the journal (`journal/migrations.py`).
"""

import enum
from typing import Final

import msgspec


class State(enum.IntEnum):
    """Where a contact's current dialog is."""

    NONE = 0
    BOT = 1
    QUEUED = 2
    OFFERED = 3
    ASSIGNED = 4
    CLOSED = 5
    ON_HOLD = 6
    RATED = 7


OWNED: Final = frozenset((State.ASSIGNED, State.ON_HOLD))
"""The states in which an operator owns the dialog."""


class Presence(enum.IntEnum):
    """What an operator says about being there; a lost connection is kept apart from it."""

    OFFLINE = 0
    ONLINE = 1
    AWAY = 2


class Event(msgspec.Struct, array_like=True, kw_only=False, gc=False):
    """Base of all events."""


ALL_SLOTS: Final = 0
"""The weight of a dialog that takes all of an operator's slots, as a phone call does."""


class Wish(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a dialog asks of an operator besides the department; "" asks for nothing."""

    skill: str = ""
    language: str = ""
    weight: int = 1  # slots it takes, or ALL_SLOTS


class Inert(Event, tag=0):
    """A command on which `decide` raised: kept for inspection, changes nothing, blocks nobody."""

    command: str
    error: str


# --- the dialog machine -------------------------------------------------------------------------------------------


class Met(Event, tag=1):
    """A contact was seen for the first time and got its number."""

    contact: int
    key: str
    messenger: bool  # replies leave through a provider, so each must end sent or failed
    receipts: bool = False  # … which tells what became of them afterwards
    windowed: bool = False  # … and lets free texts pass only for a while after the customer's last message


class Opened(Event, tag=2):
    """Dialog `number` of the contact began."""

    contact: int
    number: int
    at: int


class Entry(Event):
    """What a dialog shows at place `seq`. Exactly the kinds below take one."""

    contact: int
    number: int
    seq: int
    at: int


class File(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An attachment. `source` is where its provider has the bytes, `ref` the name under which they are stored here.

    `ref` is "" as long as they have not been fetched.
    """

    kind: str  # image | document
    name: str
    mime: str
    size: int
    source: str = ""
    ref: str = ""


class Said(Entry, tag=3):
    """A message took a place. `author` is customer, bot, system or an operator's id.

    Automatic texts, which are those of bot and system, carry cause and rule.
    """

    author: str
    id: str
    digest: int
    text: str
    cause_seq: int
    rule: str
    deadline: int  # close the dialog as inactive at this time; 0 = it is not the customer's turn
    files: tuple[File, ...] = ()


class Missed(Event, tag=4):
    """The bot had no answer to the customer's last `in_a_row` texts; 0: now it had."""

    contact: int
    in_a_row: int


class Queued(Entry, tag=5):
    """The dialog asks for an operator of `department`; `internal`: others may not see it from now on.

    `reason` says why, where the customer did not ask for one.
    """

    department: str
    priority: int
    previous: str
    wish: Wish = Wish()
    internal: bool = False
    topic: str = ""
    reason: str = ""  # bot_slow | bot_broken | bot_wrong


class Offered(Event, tag=6):
    """The floor offers the dialog to `operator` under `assignment`; takes no seq."""

    contact: int
    number: int
    assignment: int
    operator: str
    department: str
    priority: int
    place: int
    at: int
    wish: Wish = Wish()


class OfferEnded(Event, tag=7):
    """The offer lapsed or was taken back before anybody accepted; the dialog waits at its old place."""

    contact: int
    number: int
    assignment: int
    operator: str
    at: int


class OfferRefused(Event, tag=8):
    """An offer came too late for this dialog: it had closed, or waits under a newer number."""

    contact: int
    assignment: int


class Assigned(Entry, tag=9):
    """`operator` accepted: the dialog's owner until `Released` or `Closed`."""

    assignment: int
    operator: str


class Released(Entry, tag=10):
    """The owner lost the dialog, or `Transferred` it just before; it waits at its old place."""

    assignment: int
    operator: str
    reason: str


class Closed(Entry, tag=11):
    """The dialog ended. `assignment` is the number it sets free, 0 if it held none.

    Until `rate_until` the customer may rate it from 1 to `scale`.
    """

    reason: str
    assignment: int
    operator: str
    was: State
    rate_until: int = 0
    scale: int = 0


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


class Transferred(Entry, tag=30):
    """The owner sends the dialog on; `Released` follows in the same record.

    `to_operator`, `department` and `skill` say who is asked for; "" = as before, and for `skill`: none.
    """

    assignment: int
    operator: str
    to_operator: str
    department: str
    skill: str
    internal: bool  # others than this department may not see the dialog from now on


class Held(Entry, tag=31):
    """The owner put the dialog on hold: it stays theirs, and the customer's silence does not count."""

    assignment: int
    operator: str


class Resumed(Entry, tag=32):
    """The owner took the dialog back from hold."""

    assignment: int
    operator: str
    deadline: int  # as in `Said`


class Edited(Entry, tag=40):
    """The customer changed the text of an earlier message, which stands at `of`; the old text stays where it was."""

    id: str
    digest: int
    text: str
    of: tuple[int, int]  # dialog and seq


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


class Asked(Event, tag=45):
    """The bank's bot is asked about message `seq`; it has until `deadline`."""

    contact: int
    number: int
    seq: int
    deadline: int


class MenuMoved(Event, tag=46):
    """Where in the menu the customer is now."""

    contact: int
    menu: str


class Rated(Event, tag=47):
    """The customer rated dialog `number` with `score` of `scale`; by the message `id`, or without one if that is "".

    It takes no seq: nothing follows a closing.
    """

    contact: int
    number: int
    at: int
    score: int
    scale: int
    id: str = ""
    digest: int = 0
    text: str = ""


class Blocked(Event, tag=60):
    """Messages of the contact are refused from now on; `by` decided it."""

    contact: int
    by: str
    at: int


class Unblocked(Event, tag=61):
    """Messages of the contact are taken again; `by` decided it."""

    contact: int
    by: str
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


# --- the floor ----------------------------------------------------------------------------------------------------


class Ref(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A dialog as the floor names it: its partition's log, its contact's number there, and its own number."""

    log: int
    contact: int
    number: int


class Hired(Event, tag=20):
    """An operator exists, or may take other dialogs, or more or fewer, than before."""

    operator: str
    departments: tuple[str, ...]
    slots: int
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


class PresenceSet(Event, tag=21):
    """An operator says online, away or offline."""

    operator: str
    presence: Presence
    at: int


class SeatLost(Event, tag=22):
    """An operator's connection broke; what they hold stays theirs until `grace`."""

    operator: str
    grace: int


class SeatFound(Event, tag=23):
    """The operator's connection is back."""

    operator: str
    at: int


class Waiting(Event, tag=24):
    """A dialog got a queue place. Places are numbered once and kept through offers, lapses and releases."""

    ref: Ref
    department: str
    priority: int
    place: int
    previous: str
    at: int
    wish: Wish = Wish()


class Offering(Event, tag=25):
    """The floor gives a waiting dialog to an operator to accept before `deadline`."""

    number: int
    ref: Ref
    operator: str
    department: str
    priority: int
    place: int
    deadline: int
    at: int
    wish: Wish = Wish()


class Withdrawing(Event, tag=26):
    """The floor wants number `number` back: `force` also after it was accepted."""

    number: int
    ref: Ref
    force: bool
    reason: str


class Taken(Event, tag=27):
    """The dialog reported that the operator accepted."""

    number: int


class Freed(Event, tag=28):
    """The dialog let go of `number`: the slot is free; `requeue` puts the dialog back to its old place."""

    number: int
    requeue: bool
    lapsed: bool
    at: int


class Gone(Event, tag=29):
    """A waiting dialog closed."""

    ref: Ref


class Redirected(Event, tag=33):
    """The owner of `number` transfers its dialog: it keeps its place, and waits for `to_operator` until `until`."""

    number: int
    to_operator: str
    department: str
    skill: str
    until: int


class Unbound(Event, tag=34):
    """A dialog has waited for one operator long enough; anybody of its department who fits may have it."""

    ref: Ref


DialogEvent = (
    Inert
    | Met
    | Opened
    | Said
    | Missed
    | Queued
    | Offered
    | OfferEnded
    | OfferRefused
    | Assigned
    | Released
    | Closed
    | Attempted
    | Sent
    | Undelivered
    | Transferred
    | Held
    | Resumed
    | Edited
    | Receipted
    | ReceiptKept
    | Stored
    | Unfetched
    | Blocked
    | Unblocked
    | BindingStarted
    | AccountNamed
    | CodeIssued
    | CodeWrong
    | Bound
    | BindingEnded
    | OperationAsked
    | OperationTold
    | Noticed
    | Consented
    | Asked
    | MenuMoved
    | Rated
)
FloorEvent = (
    Inert
    | Hired
    | PresenceSet
    | SeatLost
    | SeatFound
    | Waiting
    | Offering
    | Withdrawing
    | Taken
    | Freed
    | Gone
    | Redirected
    | Unbound
)
AnyEvent = DialogEvent | FloorEvent

RECEIPT_TYPES: Final = (Sent, Undelivered, Receipted)
FILE_TYPES: Final = (Stored, Unfetched)
SEATLESS_TYPES: Final = (*RECEIPT_TYPES, *FILE_TYPES, Rated)
"""What the history keeps beside the entries; it takes no seq."""


class Record(msgspec.Struct, array_like=True, gc=False):
    """All events of one command, with where the command came from (`source` log and position, "" for an edge)."""

    now: int
    source: str
    source_position: int
    events: list[AnyEvent]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)
_event_decoder = msgspec.msgpack.Decoder(AnyEvent)

encode_record = _encoder.encode
decode_record = _decoder.decode
encode_event = _encoder.encode
decode_event = _event_decoder.decode
