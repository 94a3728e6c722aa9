"""The reference core's WebSocket frames as a client sees them.

Unknown keys are ignored and absent ones have defaults, so that a newer core still speaks to this client.
"""

from hashlib import blake2b
from typing import Any, Final

import msgspec

from chatload.fleet.identity import Identity, parse


class Cause(msgspec.Struct):
    """What an automatic text answers."""

    seq: int
    rule: str = ""


class Destination(msgspec.Struct):
    """What a transfer asks for."""

    operator: str = ""
    department: str = ""
    skill: str = ""


class Entry(msgspec.Struct, tag_field="op", tag="entry"):
    """An entry of a dialog; `seq` is dense within it. `call` and `state` are those of a phone call."""

    dialog: str
    seq: int
    kind: str
    author: str = ""
    text: str = ""
    id: str | int = ""
    cause: Cause | None = None
    department: str = ""
    skill: str = ""
    operator: str = ""
    number: int = -1
    reason: str = ""
    to: Destination | None = None
    call: str = ""
    state: str = ""

    @property
    def identity(self) -> Identity | None:
        """Who is named in its text; of a file, or a line of a menu, in its sender's own id."""
        return parse(self.text) or (parse(str(self.id)) if self.id else None)


class Welcome(msgspec.Struct, tag_field="op", tag="welcome"):
    """A customer is logged in; missed entries up to `cursor` follow."""

    contact: str
    dialog: int = 0
    state: str = "none"
    cursor: str | None = None


class Ack(msgspec.Struct, tag_field="op", tag="ack"):
    """A message is stored at this place."""

    cid: str
    dialog: str
    seq: int


class Rated(msgspec.Struct, tag_field="op", tag="rated"):
    """The customer's rating of a dialog is stored."""

    dialog: str


class Refused(msgspec.Struct, tag_field="op", tag="refused"):
    """A request was refused: a message (`cid`), or an acceptance or closing (`number`)."""

    reason: str = ""
    cid: str | None = None
    dialog: str = ""
    number: int = -1


class OpenDialog(msgspec.Struct):
    """A dialog that a desk holds or is offered, as the core has it."""

    dialog: str
    number: int
    state: str
    seq: int = 0


class DeskWelcome(msgspec.Struct, tag_field="op", tag="welcome"):
    """An operator is logged in; entries after the shown cursors follow."""

    operator: str
    presence: str = "offline"
    open: list[OpenDialog] = []


class Presence(msgspec.Struct, tag_field="op", tag="presence"):
    """The operator's presence is this now."""

    state: str


class Offered(msgspec.Struct, tag_field="op", tag="offered"):
    """A dialog is offered; `place` is the floor's queue place, a lower `priority` is served first.

    It takes `weight` slots of its operator, 0 = all of them, and an operator of this department, skill and language.
    """

    dialog: str
    number: int
    place: int = -1
    priority: int = -1
    department: str = ""
    skill: str = ""
    language: str = ""
    weight: int = 1


class Withdrawn(msgspec.Struct, tag_field="op", tag="withdrawn"):
    """An offer lapsed."""

    dialog: str
    number: int


class Accepted(msgspec.Struct, tag_field="op", tag="accepted"):
    """An offer is accepted; the dialog's entries follow."""

    dialog: str
    number: int
    seq: int = -1


class Entries(msgspec.Struct, tag_field="op", tag="entries"):
    """All entries of a dialog just accepted; with a `person`, what may be read of the customer's other contacts."""

    dialog: str
    entries: list[Entry]
    person: str = ""


class Receipt(msgspec.Struct, tag_field="op", tag="receipt"):
    """What became of an outbound messenger message."""

    dialog: str
    seq: int
    status: str
    provider_id: str | int | None = None
    reason: str = ""


class History(msgspec.Struct):
    """A page of a contact's history."""

    entries: list[Entry]
    cursor: str | None = None
    more: bool = False


Frame = dict[str, Any]
"""What a client asks for, before it is encoded."""
CustomerFrame = Entry | Welcome | Ack | Refused | Rated
DeskFrame = (
    Entry | DeskWelcome | Ack | Refused | Presence | Offered | Withdrawn | Accepted | Entries | Receipt
)  # fmt: skip

customer_frame: Final = msgspec.json.Decoder(CustomerFrame)
desk_frame: Final = msgspec.json.Decoder(DeskFrame)
history_page: Final = msgspec.json.Decoder(History)
_TOO_LARGE: Final = 1 << 63  # for the ledger's column
encode: Final = msgspec.json.Encoder().encode


def split(dialog: str) -> tuple[str, int]:
    """A dialog id's contact and number; number -1 if it has none."""
    contact, _, number = dialog.rpartition("#")
    return (contact, int(number)) if number.isdigit() and contact else (dialog, -1)


def provider_number(text: str | int | None) -> int:
    """A messenger's message id as the ledger keeps it, a text as 62 bits of its hash; -1 if it is none.

    A client's own id of a message opens with a bracket, and is none.
    """
    if isinstance(text, int):
        return text if text < _TOO_LARGE else provider_number(f"{text}")
    if not text or text[0] == "[":
        return -1
    if text.isdecimal() and int(text) < _TOO_LARGE:
        return int(text)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 2
