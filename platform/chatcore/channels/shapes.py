"""What every messenger channel translates to and from."""

from collections.abc import Generator, Mapping
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from chatcore.config import Account

UNREADABLE: Final = (ValueError, RecursionError)
"""What a decoder raises; the latter when it is nested too deep."""
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]+$")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
"""A provider's name of a user or a message."""
Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""The same, of providers that number them."""
REASON_MOST: Final = 500  # characters


class File(NamedTuple):
    """An attachment on its way in: what it is, and `source`, the provider's handle of its bytes.

    `size` is 0 where the provider does not say. A channel whose messages carry the bytes themselves gives `data`,
    for which its edge puts `ref`, the name under which they are stored.
    """

    kind: Literal["image", "document"]
    name: str
    mime: str
    source: str
    size: int = 0
    data: bytes = b""
    ref: str = ""


class Inbound(NamedTuple):
    """A customer's message: the provider's user and message ids, text and attachments.

    `edits`: the id of the message whose new text this is; "" for a message of its own. Of two edits of a message, the
    later has the higher `revision`, or the same one where the provider's clock is too coarse, or tells nothing.
    """

    user: str
    id: str
    text: str
    files: tuple[File, ...] = ()
    edits: str = ""
    revision: int = 0


class Receipt(NamedTuple):
    """What became of messages to `user` after their provider took them.

    `through` says which: "" the message `id`; "order" that one and all sent to the user before it; "number" all whose
    id is a number not above it; "time" all posted until then, `id` being Unix milliseconds.
    """

    user: str
    state: Literal["delivered", "read", "failed"]
    id: str
    through: Literal["", "order", "number", "time"] = ""
    reason: str = ""


class Consent(NamedTuple):
    """The user lets the account write to them, or does not any more."""

    user: str
    given: bool


class Ring(NamedTuple):
    """What the telephone exchange tells of a call with `user`; `queue` is where it was put, `at` when (Unix ms).

    It rings until it is answered or abandoned, and an answered one is finished; unreached: we dialled, nobody answered.
    """

    user: str
    call: str
    state: Literal["ringing", "answered", "abandoned", "finished", "unreached"]
    queue: str
    at: int


Event = Inbound | Receipt | Consent | Ring


class Enclosure(NamedTuple):
    """An attachment on its way out: `url` is where whoever knows it may fetch the bytes, `data` the bytes."""

    kind: str  # image | document
    name: str
    mime: str
    url: str
    data: bytes


class Thread(NamedTuple):
    """What a reply follows in its dialog: the ids of customers' messages and the keys of ours, the oldest first.

    `answers` is the id of the customer's last message, and `text` what it says; "" if there is none.
    """

    ids: tuple[str, ...]
    answers: str
    text: str


class Template(NamedTuple):
    """A text that the provider has approved, as it knows it, and what takes the places in it."""

    name: str
    language: str
    parameters: tuple[str, ...]


class Order(NamedTuple):
    """What a telephone exchange shall do: connect `call` with the operator, or dial the user for them if it is ""."""

    call: str
    operator: str


class Outbound(NamedTuple):
    """A reply to `user`: a text or an attachment, so that it is one message at every provider.

    `key` names it alike in every attempt, and no other reply of the installation; `attempt` counts from 1. `thread` is
    given to a channel whose limits say that it shows threads; `automatic`: no person wrote it. `template`: what
    the text was made of, for providers that let only those through. An `order` stands for a text.
    """

    user: str
    text: str
    key: str
    file: Enclosure | None = None
    attempt: int = 1
    thread: Thread | None = None
    automatic: bool = False
    template: Template | None = None
    order: Order | None = None


class Call(NamedTuple):
    """A request to a provider; one of a send is made once `after_s` seconds have passed."""

    url: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    method: Literal["POST", "GET"] = "POST"
    after_s: float = 0.0


class Answer(NamedTuple):
    """A provider's answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outcome(NamedTuple):
    """How a send ended: taken by the provider under its id, failed with a reason, or to be tried again after a while.

    `after_s` is None when the provider names no delay and the outbox backs off by itself. A `reason` to try again is
    told when there is no further attempt.
    """

    kind: Literal["taken", "failed", "again"]
    provider_id: str = ""
    reason: str = ""
    after_s: float | None = None


class Ended(Exception):
    """Ends a send from within its steps."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Fetched(NamedTuple):
    """The bytes of an attachment, or the `reason` why they are not to be had; `again` if that may change."""

    data: bytes = b""
    mime: str = ""
    reason: str = ""
    again: bool = False


def refused(account: Account, reason: str) -> Outcome:
    """A failure in the provider's words, less the account's secrets, which some providers repeat in them."""
    for secret in (account.token, account.webhook_secret):
        reason = reason.replace(secret, "...") if secret else reason
    return Outcome("failed", reason=reason.strip()[:REASON_MOST])


Sending = Generator[Call, Answer, Outcome]
Fetching = Generator[Call, Answer, Fetched]


def fetch_url(account: Account, source: str) -> Fetching:
    """Fetch an attachment whose handle is its address."""
    return fetched((yield Call(source, headers=(), method="GET")))


def fetched(answer: Answer) -> Fetched:
    """What an answer with the bytes themselves means."""
    if answer.status == 200:
        return Fetched(answer.body, answer.headers.get("content-type", ""))
    return Fetched(reason=f"status {answer.status}", again=answer.status == 429 or answer.status >= 500)


def no_handshake(account: Account, query: Mapping[str, str], body: bytes) -> bytes | None:
    """A provider that asks for nothing before it posts."""
    return None
