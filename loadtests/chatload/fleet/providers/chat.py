"""One customer's chat with the bank on a messenger: the channel of a script, and the place of a chat's limits."""

from typing import Final, NamedTuple, Protocol

from chatload.fleet.frames import Entry
from chatload.fleet.identity import OPERATOR
from chatload.fleet.ledger import Actor, Message, Rating, Subject
from chatload.fleet.providers.limits import TokenBucket
from chatload.fleet.providers.webhooks import Lane
from chatload.fleet.session import Customer

MessageId = int | str
NEVER_NS: Final = -(1 << 62)


class Heard(NamedTuple):
    """A customer's message as its messenger has it; `media` is the name of its attachment, "" without one."""

    id: MessageId
    text: str
    media: str
    at_ms: int


class Send(NamedTuple):
    """What the platform asks a messenger to send; `text` is the caption of an attachment.

    `link`: where to fetch an attachment; `upload`: the token of an uploaded one. `once`: a key under which it is sent
    once. `echo`: what the receipts carry back. `template`: may be sent at any time. `id`: what the platform calls it,
    where its sender names a message.
    """

    user: str
    text: str
    link: str = ""
    upload: str = ""
    once: str = ""
    echo: str = ""
    template: bool = False
    id: str = ""


class Sent(NamedTuple):
    """A reply that the messenger has taken."""

    id: MessageId
    send: Send
    at_ms: int


class Posting(Protocol):
    """The provider that a chat belongs to."""

    def post(self, chat: "Chat", message: Message) -> None:
        """Post a customer's message to the platform."""

    def rate(self, chat: "Chat", rating: Rating) -> None:
        """Post a customer's rating to the platform."""


class Chat:
    """The chat of one customer with one account of the bank. It stays after the script, as chats do."""

    __slots__ = (
        "_last", "_next_id", "_provider", "actor", "attempt", "bucket", "customer", "heard_ns", "lane", "once", "sends",
        "subject", "uncovered", "user",
    )  # fmt: skip
    shows_queue = False

    def __init__(self, provider: Posting, user: str, first_id: int, bucket: TokenBucket) -> None:
        self._provider = provider
        self._next_id = first_id
        self._last: tuple[str, int] = ("", 0)  # the latest reply's sender and counter
        self.user = user
        self.bucket = bucket
        self.lane: Lane | None = None
        self.attempt = (0, 0)  # the latest request's text as its hash, and how often it came
        self.heard_ns = NEVER_NS  # when the customer wrote last
        self.sends = 0
        self.once: dict[str, tuple[int, MessageId]] | None = None  # replies by their key: when they were sent, and ids
        self.uncovered: dict[str, list[Sent]] | None = None  # by status: replies that no watermark has covered yet
        self.actor: Actor
        self.subject: Subject
        self.customer: Customer | None

    def open(self, intended_ns: int) -> None:
        """Nothing to connect: the messenger's own app is not our concern."""

    def send(self, message: Message) -> None:
        """Have the messenger post the message."""
        self._provider.post(self, message)

    def end(self, intended_ns: int) -> None:
        """A messenger's user cannot close a dialog."""

    def rate(self, rating: Rating) -> None:
        """Write the score, as whoever is asked for it does."""
        self._provider.rate(self, rating)

    def leave(self) -> None:
        """The script is over."""
        self.customer = None

    def take_id(self) -> int:
        """The next number in this chat; both sides' messages share them."""
        self._next_id += 1
        return self._next_id

    def show(self, text: str, message_id: MessageId, stamp_ns: int) -> None:
        """Show the customer a reply; recorded each time, told to the script once."""
        by = "system" if text in self.actor.world.automatic else "bot"
        entry = Entry(dialog=self.subject.contact, seq=-1, kind="message", author=by, text=text, id=message_id)
        identity = self.actor.saw(entry, self.subject, stamp_ns)
        if self.customer is None or (identity is not None and (identity.sender, identity.counter) == self._last):
            return
        if identity is not None and identity.role == OPERATOR:
            self._last = (identity.sender, identity.counter)
            entry.author = identity.sender
        self.customer.saw(entry, identity, stamp_ns)
