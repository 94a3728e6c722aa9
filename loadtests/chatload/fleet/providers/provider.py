"""What all simulated messengers share: chats, webhooks, limits, refusals, receipts, and the rows they leave.

A messenger is one file that says how its events are written, how its API is read and answered, and what it tells about
replies afterwards.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Final, Literal, NamedTuple, Protocol

from chatload.fleet import codes
from chatload.fleet.clock import MS, now_ns
from chatload.fleet.frames import provider_number
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.identity import edited, parse, sender_of
from chatload.fleet.ledger import Actor, Message, Rating, Subject
from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.limits import SECOND_NS, Profile, TokenBucket, share_of
from chatload.fleet.providers.posted import Posted
from chatload.fleet.providers.receipts import Receipts
from chatload.fleet.providers.settings import Settings
from chatload.fleet.providers.webhooks import Carrier, Hook, Lane, Settled, Update, Webhooks
from chatload.fleet.server import Pending, Request, Server, plain, reply
from chatload.fleet.session import Customer
from chatload.fleet.tally import NAMES
from chatload.fleet.world import MessengerAccount, World

ONCE_NS: Final = 3_600 * SECOND_NS  # for so long, and for so many replies, a key keeps a reply from being sent again
ONCE_MOST: Final = 100
GREETED_WITHIN_S: Final = 10.0

Problem = Literal["token", "method", "bad", "user", "empty", "long", "many", "window", "blocked"]


class Refusal(NamedTuple):
    """How a messenger refuses: the HTTP status, its own code and words, and a second code where it has one."""

    status: int
    code: int | str
    text: str
    subcode: int = 0


class Hello(NamedTuple):
    """A messenger's handshake with the platform, and the body that must come back with 200; None: any."""

    method: str
    query: str
    body: bytes | None
    expected: bytes | None


class Listener(Protocol):
    """What the platform's calls come to."""

    async def start(self, host: str) -> str:
        """Listen; returns the base URL."""

    async def close(self) -> None:
        """Listen and answer no more."""


class Provider(ABC):
    """The provider of one account. Requests are served from `start` on; nothing is posted before `begin`.

    `worker` of `workers`: who plays a part of the account's limits.
    """

    channel: ClassVar[str]
    profile: ClassVar[Profile]
    refusals: ClassVar[Mapping[Problem, Refusal]]
    statuses: tuple[str, ...] = ()
    watermarks: frozenset[str] = frozenset()
    edits: ClassVar[bool] = False  # the event of an edit has other words than the message, and is recorded

    def __init__(self, world: World, account: str, settings: Settings, worker: int = 0, workers: int = 1) -> None:
        self._world = world
        self._account = account
        self._settings = settings
        self._actor = Actor(world, self.channel)
        self._method = NAMES[codes.CHANNELS[self.channel]]
        self._chats: dict[str, Chat] = {}
        self._webhooks = Webhooks(world, self.profile, settings, self)
        self._receipts = Receipts(world, settings, self, self._actor, self._method)
        self._files = media.Files(world.clock)
        self._posted = Posted(self._actor, self._method)
        rate_per_s = settings.rate_per_s * world.speed / workers
        self._bucket = TokenBucket(rate_per_s, max(1.0, rate_per_s))
        self._window_ns = world.wall(self.profile.window_s * 1000)
        self._first_id = int(world.run, 16) << 6  # not the ids of an earlier run on the same platform
        self._serial = self._first_id
        self._server = self.listener()
        self.keys = MessengerAccount("", "")
        self.url = ""

    async def start(self, host: str = "127.0.0.1") -> str:
        """Listen; returns the base URL that the platform must call instead of the messenger's."""
        self.url = await self._server.start(host)
        return self.url

    def begin(self) -> None:
        """Use the keys of the target's account, and post from now on; without an account there, play nothing."""
        keys = self._world.target.accounts.get(self._account)
        if keys is not None:
            self.keys = keys
            self._webhooks.begin(self.carrier)

    async def greet(self) -> None:
        """Do the messenger's handshake, if it has one.

        Raises:
            ValueError: the platform did not answer as it must.
        """
        hello = self.hello() if self.keys.token else None
        if hello is None:
            return
        answer = await self._ask(hello)
        what = answer.reason if isinstance(answer, NoAnswer) else f"http {answer.status}"
        if isinstance(answer, Answer) and answer.status == 200:
            if hello.expected is None or answer.body == hello.expected:
                return
            what = "another body"
        raise ValueError(f"{self._account}: the platform did not answer {self.channel}'s handshake right ({what})")

    async def close(self) -> None:
        """Post and answer no more."""
        await self._webhooks.close()
        await self._files.close()
        await self._server.close()

    def join(self, actor: Actor, subject: Subject, customer: Customer) -> Chat:
        """The chat of a customer, whose script hears of replies."""
        chat = self.know(actor, subject)
        chat.actor, chat.subject, chat.customer = actor, subject, customer
        return chat

    def know(self, actor: Actor, subject: Subject) -> Chat:
        """The chat of somebody whom the messenger knows, whether or not they play."""
        user = subject.contact.partition("/")[2]
        chat = self._chats.get(user)
        if chat is None:
            rate_per_s = self._settings.chat_rate_per_s * self._world.speed
            chat = self._chats[user] = self.chat(user, TokenBucket(rate_per_s, self._settings.burst))
            chat.actor, chat.subject, chat.customer = actor, subject, None
        return chat

    # --- the verbs of a messenger ------------------------------------------------------------------------------------

    def chat(self, user: str, bucket: TokenBucket) -> Chat:
        """A chat with a customer who has none yet."""
        return Chat(self, user, self._first_id, bucket)

    def listener(self) -> Listener:
        """Its API: what listens, and has calls answered by `answer`."""
        return Server(self.answer, headers=True)

    def carrier(self, connections: int, timeout_s: float) -> Carrier:
        """What takes events to the platform."""
        http = Http(self._world.clock, self._world.target.url, connections, timeout_s)
        return Hook(http, http.head("POST", self._hook, {"Content-Type": "application/json", **self.headers()}), self)

    def hello(self) -> Hello | None:
        """Its handshake with the platform."""
        return None

    def headers(self) -> dict[str, str]:
        """Headers of every webhook."""
        return {}

    def lines(self, body: bytes, attempt: int) -> bytes:
        """Header lines that depend on the request; each begins with a line's end."""
        return b""

    def envelope(self, events: list[bytes]) -> bytes:
        """The body that carries these events; one, where the profile batches none."""
        return events[0]

    def new_id(self, chat: Chat) -> MessageId:
        """The id of the chat's next message, of either side."""
        self._serial += 1
        return self._serial

    @abstractmethod
    def said(self, chat: Chat, heard: Heard) -> bytes:
        """The event of a customer's message."""

    @abstractmethod
    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """An event that is no message: the edit of one, or another kind; None where there is no such event."""

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """The event of a receipt; `covered` is one reply, or all that a watermark is the first to cover."""
        raise TypeError(f"{self.channel} has no receipts")  # nothing of it is in `statuses`

    def post_receipt(self, chat: Chat, status: str, covered: list[Sent], settled: Settled) -> None:
        """Post the event of a receipt."""
        key = f"{status}:{chat.subject.plan}:{covered[-1].id}"
        update = Update(key, self.told(chat, status, covered, now_ms()), settled, status)
        self.post_event(chat, update, late=False)

    def posted_id(self, chat: Chat, message: Message) -> MessageId:
        """The id of a customer's message."""
        return self.new_id(chat)

    @abstractmethod
    def called(self, request: Request) -> bytes | Pending:
        """The answer to a call of the API; a send goes through `take`. ValueError, KeyError, TypeError: a bad call."""

    @abstractmethod
    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """The answer to a send that was taken."""

    @abstractmethod
    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """The answer to a call that was refused; `wait_s` until it may succeed, where that is known."""

    # --- towards the platform ----------------------------------------------------------------------------------------

    def post(self, chat: Chat, message: Message) -> None:
        """Post a customer's message, and now and then an event of another kind after it."""
        key = f"{message.subject.plan}:{message.counter}"
        heard = Heard(self.posted_id(chat, message), message.text, message.attachment, now_ms())
        settled: Settled = partial(self._posted.message, chat, message, provider_number(heard.id))
        chat.heard_ns = now_ns()
        point, share = share_of(f"other:{key}"), 0.0 if message.final else self._settings.other_share
        edit = self._edit(chat, message, heard, f"{key}e") if self.edits and point < share / 2 else None
        if edit is not None and not self.profile.ordered:
            settled = partial(self._then, settled, edit)  # nobody edits what has not left yet
        message.intended_ns += self.post_event(chat, Update(key, self.said(chat, heard), settled), late=True)
        if edit is not None and self.profile.ordered:
            self.post_event(chat, edit, late=True)
        elif edit is None and point < share and (event := self.other(chat, heard, point < share / 2)) is not None:
            self._webhooks.post(Lane(), Update(f"{key}e", event, self._posted.other))  # not kept in the chat's order

    def _edit(self, chat: Chat, message: Message, heard: Heard, key: str) -> Update | None:
        """New words for a message, where it has any."""
        event = self.other(chat, heard._replace(text=edited(heard.text, 1)), edit=True)
        told = partial(self._posted.edit, message, provider_number(heard.id))
        return Update(key, event, told) if event is not None else None

    def _then(self, settled: Settled, edit: Update, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        """Post new words once the message has been taken."""
        settled(update, outcome, done_ns, reason)
        if outcome == codes.OK and not update.repeated:
            self._webhooks.post(Lane(), edit)

    def rate(self, chat: Chat, rating: Rating) -> None:
        """Post a customer's rating: a message of the score alone."""
        heard = Heard(self.new_id(chat), rating.text, "", now_ms())
        settled = partial(self._posted.rating, rating, provider_number(heard.id))
        chat.heard_ns = now_ns()
        self.post_event(chat, Update(f"{rating.subject.plan}:rating", self.said(chat, heard), settled), late=True)

    def post_event(self, chat: Chat, update: Update, late: bool) -> int:
        """Post an event; where there is no order, up to a moment `late`. Returns how late it is, in ns."""
        if self.profile.ordered:
            chat.lane = chat.lane or Lane()
            self._webhooks.post(chat.lane, update)
            return 0
        late_ns = self._world.wall(self._settings.shuffle_ms * share_of(f"shuffle:{update.key}")) if late else 0
        if late_ns:
            self._world.clock.at(now_ns() + late_ns, partial(self._webhooks.post, Lane(), update))
        else:
            self._webhooks.post(Lane(), update)
        return late_ns

    def media_url(self, name: str) -> str:
        """Where the platform gets an attachment; "" without one."""
        return f"{self.url}/media/{name}" if name else ""

    @property
    def _hook(self) -> str:
        return f"/webhooks/{self.channel}/{self._account}"

    async def _ask(self, hello: Hello) -> Answer | NoAnswer:
        """Call the platform's webhook once, apart from the events."""
        http = Http(self._world.clock, self._world.target.url, 1, GREETED_WITHIN_S)
        answered: asyncio.Future[Answer | NoAnswer] = asyncio.get_running_loop().create_future()
        query = f"?{hello.query}" if hello.query else ""
        head = http.head(hello.method, self._hook + query, {"Content-Type": "application/json", **self.headers()})
        http.ask(head + (self.lines(hello.body, 1) if hello.body else b""), answered.set_result, hello.body)
        answer = await answered
        await http.close()
        return answer

    # --- from the platform -------------------------------------------------------------------------------------------

    def may(self, request: Request) -> bool:
        """Whether a request shows the account's token as a bearer's."""
        return request.bears(self.keys.token)

    def refuse(self, problem: Problem, wait_s: int = 0) -> bytes:
        """The refusal of this problem."""
        return self.refused(self.refusals[problem], wait_s)

    def take(self, send: Send, request: Request) -> bytes | Pending:
        """Take a send, or refuse it; a reply whose receipt comes first is answered later."""
        chat = self._chats.get(send.user)
        if chat is None:
            return self.refuse("user")
        said = send.text or self._files.mark(send.link, send.upload)
        text = hash(said)  # the chat stays; a text that stayed with it would be most of it
        chat.attempt = (text, chat.attempt[1] + 1 if chat.attempt[0] == text else 1)
        known = self._known(chat, send, request.stamp_ns)
        if known is not None:
            self._row(chat, said, request, codes.OK, known)
            return self.accepted(chat, send, known)
        problem, wait_ns = self._problem(chat, send, request.stamp_ns)
        if problem is not None:
            reason = "429" if problem == "many" else str(self.refusals[problem].code)
            self._row(chat, said, request, codes.REJECTED, reason=reason)
            return self.refuse(problem, -(-wait_ns // SECOND_NS))
        return self._taken(chat, send, said, request)

    def _taken(self, chat: Chat, send: Send, said: str, request: Request) -> bytes | Pending:
        self._bucket.take()
        chat.bucket.take()
        chat.sends += 1
        sent = Sent(send.id or self.new_id(chat), send, now_ms())
        if send.once:
            chat.once = chat.once or {}
            chat.once[send.once] = (request.stamp_ns, sent.id)
        if send.link:
            self._files.fetch(send.link, partial(self._fetched, chat, now_ns()))
        answer, fate = self.accepted(chat, send, sent.id), self._receipts.fate(chat)
        if not self._receipts.fails(chat):
            chat.show(said, sent.id, request.stamp_ns)
        if fate and self._receipts.is_early(chat):
            pending = Pending()
            self._receipts.begin(chat, sent, fate, partial(self._give, pending, answer, chat, said, request, sent.id))
            return pending
        self._row(chat, said, request, codes.OK if request.open else codes.INDETERMINATE, sent.id)
        if fate:
            self._receipts.begin(chat, sent, fate, None)
        return answer

    def _give(
        self, pending: Pending, answer: bytes, chat: Chat, said: str, request: Request, message_id: MessageId
    ) -> None:
        self._row(chat, said, request, codes.OK, message_id)
        pending.give(answer)

    def _known(self, chat: Chat, send: Send, stamp_ns: int) -> MessageId | None:
        """The id of the reply that was sent under this key before, as long as that counts."""
        if not send.once or chat.once is None:
            return None
        for key in list(chat.once)[:-ONCE_MOST]:
            del chat.once[key]
        at_ns, known = chat.once.get(send.once, (0, None))
        return known if stamp_ns - at_ns < ONCE_NS else None

    def _problem(self, chat: Chat, send: Send, stamp_ns: int) -> tuple[Problem | None, int]:
        """Why a send cannot be taken, and how long that lasts where it is known."""
        attached = bool(send.link or send.upload)
        if (not send.text and not attached) or (send.upload and not self._files.uploaded(send.upload)):
            return ("bad" if send.upload else "empty"), 0
        if len(send.text) > self.profile.text_most:
            return "long", 0
        if share_of(f"blocked:{chat.user}") < self._settings.blocked_share:
            return "blocked", 0
        if self._window_ns and not send.template and chat.heard_ns <= stamp_ns - self._window_ns:
            return "window", 0
        wait_ns = max(self._bucket.wait_ns(stamp_ns), chat.bucket.wait_ns(stamp_ns))
        return ("many" if wait_ns else None), wait_ns

    def answer(self, request: Request) -> bytes | Pending:
        """The answer to any call."""
        if not self.keys.token:
            return self.refuse("token")
        if request.method == "GET" and request.path.startswith("/media/"):
            return self.download(request)
        try:
            return self.called(request)
        except (ValueError, LookupError, TypeError, AttributeError):
            return self.refuse("bad")

    def download(self, request: Request) -> bytes:
        """An attachment of a customer."""
        name = request.path.rpartition("/")[2]
        if media.size_of(name) < 0:
            return reply(404, b"{}")
        return plain(media.content(name), media.TYPES[name[-3:]])

    def _fetched(self, chat: Chat, started_ns: int, outcome: int, size: int, done_ns: int, reason: str) -> None:
        self._actor.row(
            codes.FETCH, outcome, chat.subject, started_ns, started=started_ns, done=done_ns, size=size,
            reason=self._world.recorder.text(reason),
        )  # fmt: skip

    def _row(
        self, chat: Chat, text: str, request: Request, outcome: int, message_id: MessageId = -1, reason: str = ""
    ) -> None:
        recorder, identity = self._world.recorder, parse(text)
        self._actor.row(
            codes.ATTEMPT, outcome, chat.subject, request.stamp_ns, kind=codes.MESSAGE, started=request.stamp_ns,
            done=now_ns() if outcome != codes.INDETERMINATE else -1, provider_id=provider_number(message_id),
            counter=identity.counter if identity else -1, size=len(text), attempt=chat.attempt[1],
            sender=recorder.text(sender_of(identity, self._world.run)), reason=recorder.text(reason),
        )  # fmt: skip


def now_ms() -> int:
    """Unix milliseconds, as messengers stamp messages."""
    return time.time_ns() // MS
