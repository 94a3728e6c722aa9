"""What REST takes and gives: each struct is the schema that is published and the check that is made."""

from typing import Annotated, Any, Final, Literal, TypedDict

from msgspec import Meta, Struct

from chatcore.analytics.figures import By, Figures
from chatcore.analytics.reviews import Review, Sampled
from chatcore.config import OperatorSeed
from chatcore.edges.gateway import MAX_ID

MAX_LIMIT: Final = 10_000
LAST_ROW: Final = 2**53
LAST_MS: Final = 2**43  # in the year 2248
END: Final = r"$(?!\n)"  # Python's $ alone is content before a last line feed

Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT)]
AccountName = Annotated[str, Meta(min_length=1, max_length=MAX_ID, examples=["web"])]
UserName = Annotated[str, Meta(min_length=1, max_length=MAX_ID, examples=["u1"])]
Cursor = Annotated[str, Meta(pattern=r"^[0-9]{1,15}\.[0-9]{1,15}" + END, description="dialog number and seq, like 1.7")]


class Fault(Struct):
    """Why a request was refused: a stable code and a sentence."""

    error: str
    detail: str


class Health(Struct):
    """The core is ready: since its start number `epoch` it serves so many partitions."""

    status: str
    epoch: int
    partitions: int


class Operators(Struct, forbid_unknown_fields=True):
    """Operators to add, or to change."""

    operators: Annotated[list[OperatorSeed], Meta(max_length=1_000)]


class Added(Struct):
    """How many operators were added or changed."""

    added: int


class ContactPath(Struct):
    """A contact: an external user of a channel account."""

    account: AccountName
    user: UserName


class PartitionPath(Struct):
    """A partition, from 0 on."""

    partition: Annotated[int, Meta(ge=0, examples=[0])]


class FilePath(Struct):
    """An attachment, by the name that it was stored under."""

    ref: Annotated[str, Meta(pattern="^[0-9a-f]{64}" + END)]


class NamedFilePath(FilePath):
    """… and what it is called."""

    name: Annotated[str, Meta(min_length=1)]


class FileQuery(Struct, forbid_unknown_fields=True):
    """The token of an address that was made for a provider."""

    token: str = ""


class Uploaded(Struct):
    """Where an attachment is, and how many bytes it has."""

    ref: str
    size: int


class HistoryQuery(Struct, forbid_unknown_fields=True):
    """Entries behind a cursor; with scope `person` also those of the person's other contacts, from the first on."""

    after: Cursor = "0.0"
    limit: Limit = 1_000
    scope: Literal["contact", "person"] = "contact"


class AuditQuery(Struct, forbid_unknown_fields=True):
    """Rows behind a row number."""

    after: Annotated[int, Meta(ge=0, le=LAST_ROW)] = 0
    limit: Limit = 5_000


class BlockedQuery(Struct, forbid_unknown_fields=True):
    """Contacts behind a contact."""

    after: Annotated[str, Meta(max_length=2 * MAX_ID + 1)] = ""
    limit: Limit = 1_000


class AnalyticsQuery(Struct, forbid_unknown_fields=True):
    """The dialogs that opened in the `hours` before `to_ms` (wall ms, 0 = now), and the service level's threshold."""

    to_ms: Annotated[int, Meta(ge=0, le=LAST_MS)] = 0
    hours: Annotated[int, Meta(ge=1, le=31 * 24)] = 24
    by: By = "nothing"
    within_s: Annotated[int, Meta(ge=1, le=86_400)] = 20


class ReviewsQuery(Struct, forbid_unknown_fields=True):
    """Dialogs that one operator owned last, or any."""

    operator: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class DialogPath(ContactPath):
    """… and the number of one of its dialogs."""

    number: Annotated[int, Meta(ge=1, le=LAST_ROW, examples=[1])]


class ReviewQuery(Struct, forbid_unknown_fields=True):
    """The dialog's entries behind a seq."""

    after: Annotated[int, Meta(ge=0, le=LAST_ROW)] = 0
    limit: Limit = 1_000


class Scored(Struct, forbid_unknown_fields=True):
    """How good a dialog was, from 1 to 5, and why."""

    score: Annotated[int, Meta(ge=1, le=5)]
    comment: Annotated[str, Meta(max_length=1_000)] = ""


class NoQuery(Struct, forbid_unknown_fields=True):
    """Nothing may be asked."""


class Entry(TypedDict, total=False):
    """An entry of a dialog or a receipt, as on sockets; what belongs to its kind comes beside these."""

    op: str
    dialog: str
    seq: int
    at: int
    kind: str
    author: str
    text: str
    id: str
    cause: dict[str, Any]


class History(Struct, omit_defaults=True):
    """A page of a contact's entries; the next is after `cursor`, if there are `more`.

    `further` are those of the other contacts of the same `person`, where they were asked for, but for those of so many
    contacts as are `left_out`.
    """

    contact: str
    entries: list[Entry]
    cursor: str
    more: bool
    person: str = ""
    further: "list[History]" = []
    left_out: int = 0


class Audit(Struct):
    """A page of a partition's entries and receipts in log order; `next` is None at the end."""

    entries: list[Entry]
    next: int | None


class OpenDialog(Struct):
    """A dialog that is not closed, who it is offered to or owned by, and whether they are there."""

    dialog: str
    state: str
    operator: str | None
    present: bool


class State(Struct):
    """The installation at a glance; `open` lists at most 10,000 dialogs."""

    dialogs: dict[str, int]
    open: list[OpenDialog]
    waiting: int
    unsettled: int
    operators: dict[str, int]
    messages: int
    inert: int
    counters: dict[str, int]


class Blocking(Struct):
    """Whether a contact's messages are refused."""

    contact: str
    blocked: bool


class BlockedContacts(Struct):
    """A page of blocked contacts in the order of their names; `more` follow the last."""

    contacts: list[str]
    more: bool


class Agreement(Struct):
    """Whether a contact agreed to be written to."""

    contact: str
    consent: bool


class Notice(Struct, forbid_unknown_fields=True):
    """A template with its parameters, for contacts of messengers; `id` makes it one notice to each, however often sent.

    Nothing in it may be missing that the template names, and nothing more be given.
    """

    template: Annotated[str, Meta(min_length=1, max_length=64)]
    id: Annotated[str, Meta(min_length=1, max_length=64)]
    contacts: Annotated[
        list[Annotated[str, Meta(pattern=r"^[!-.0-~]+/[!-~]+" + END, max_length=256, examples=["sms/79990000001"])]],
        Meta(min_length=1, max_length=100),
    ]
    parameters: Annotated[list[Annotated[str, Meta(max_length=512)]], Meta(max_length=20)] = []


class Noticed(Struct):
    """Whether a notice to a contact is stored and will be sent; if not, the `reason`."""

    contact: str
    accepted: bool
    reason: str = ""


class Notices(Struct):
    """What became of each contact's notice, in the order in which they were given."""

    notices: list[Noticed]


class Bill(Struct):
    """What an account had in a month, such as 202611: customers who wrote, and notices that reached somebody."""

    account: str
    month: int
    active: int
    notices_delivered: int


class Bills(Struct):
    """All accounts in all months in which there was anything to bill."""

    bills: list[Bill]


class Analytics(Struct):
    """The figures of all dialogs (null: there are none), and of each group; which and how they count, they say."""

    from_ms: int
    to_ms: int
    within_s: int
    by: By
    total: Figures | None
    groups: list[Figures]


class ToReview(Struct):
    """What waits for a review; `more` does."""

    dialogs: list[Sampled]
    more: bool


class Reviewed(Struct):
    """A dialog to review, its review if it has one, and a page of its entries, behind which there may be `more`."""

    dialog: Sampled
    review: Review | None
    entries: list[Entry]
    more: bool
