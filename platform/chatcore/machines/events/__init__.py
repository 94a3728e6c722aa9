"""Everything the machines write down. A record is all events of one command, all or nothing.

Events are arrays in MessagePack with a small integer tag, so a stored message costs its text and some twenty bytes.
Contacts are numbers here: their text keys stand once, in `Met`.

What is stored stays readable: a new field stands at the end of its event and has a default. Any other change of an
event, and a new kind of event, is a new format of the journal (`journal/migrations.py`).
"""

from typing import Final, get_args

import msgspec

from chatcore.machines.events.base import ALL_SLOTS, OWNED, Entry, Event, File, Inert, Presence, Ref, State, Wish
from chatcore.machines.events.dialog import (
    ORDERS,
    Asked,
    Assigned,
    Blocked,
    Called,
    CallNoted,
    Closed,
    Edited,
    Held,
    MenuMoved,
    Met,
    Missed,
    Offered,
    OfferEnded,
    OfferRefused,
    Opened,
    Queued,
    Rated,
    Released,
    Resumed,
    Reviewed,
    Said,
    Transferred,
    Unblocked,
)
from chatcore.machines.events.floor import (
    Freed,
    Gone,
    Hired,
    Offering,
    PresenceSet,
    Redirected,
    SeatFound,
    SeatLost,
    Taken,
    Unbound,
    Waiting,
    Withdrawing,
)
from chatcore.machines.events.service import (
    AccountNamed,
    Attempted,
    BindingEnded,
    BindingStarted,
    Bound,
    CodeIssued,
    CodeWrong,
    Consented,
    Noticed,
    OperationAsked,
    OperationTold,
    Receipted,
    ReceiptKept,
    Sent,
    Stored,
    Undelivered,
    Unfetched,
)

__all__ = [
    "ALL_SLOTS",
    "FILE_TYPES",
    "ORDERS",
    "OWNED",
    "RECEIPT_TYPES",
    "SEATLESS_TYPES",
    "TAGS",
    "AccountNamed",
    "AnyEvent",
    "Asked",
    "Assigned",
    "Attempted",
    "BindingEnded",
    "BindingStarted",
    "Blocked",
    "Bound",
    "CallNoted",
    "Called",
    "Closed",
    "CodeIssued",
    "CodeWrong",
    "Consented",
    "DialogEvent",
    "Edited",
    "Entry",
    "Event",
    "File",
    "FloorEvent",
    "Freed",
    "Gone",
    "Held",
    "Hired",
    "Inert",
    "MenuMoved",
    "Met",
    "Missed",
    "Noticed",
    "OfferEnded",
    "OfferRefused",
    "Offered",
    "Offering",
    "Opened",
    "OperationAsked",
    "OperationTold",
    "Presence",
    "PresenceSet",
    "Queued",
    "Rated",
    "ReceiptKept",
    "Receipted",
    "Record",
    "Redirected",
    "Ref",
    "Released",
    "Resumed",
    "Reviewed",
    "Said",
    "SeatFound",
    "SeatLost",
    "Sendable",
    "Sent",
    "State",
    "Stored",
    "Taken",
    "Transferred",
    "Unblocked",
    "Unbound",
    "Undelivered",
    "Unfetched",
    "Waiting",
    "Wish",
    "Withdrawing",
    "decode_event",
    "decode_record",
    "encode_event",
    "encode_record",
]

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
    | Called
    | CallNoted
    | Reviewed
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

Sendable = Said | Noticed | Called
"""What goes out through a provider."""

RECEIPT_TYPES: Final = (Sent, Undelivered, Receipted)
FILE_TYPES: Final = (Stored, Unfetched)
SEATLESS_TYPES: Final = (*RECEIPT_TYPES, *FILE_TYPES, Rated, Reviewed)
"""What the history keeps beside the entries; it takes no seq."""
TAGS: Final[dict[type, int]] = {kind: kind.__struct_config__.tag for kind in get_args(DialogEvent)}
"""The kinds of a dialog log's events, as its history's rows name them."""


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
