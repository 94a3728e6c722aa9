"""The simulated Telegram: real Updates to the platform's webhook, and `sendMessage` with its limits and refusals."""

import time
from typing import Any, Final

import msgspec
import orjson

from chatload.fleet import codes
from chatload.fleet.clock import now_ns
from chatload.fleet.frames import Entry
from chatload.fleet.identity import OPERATOR, parse, sender_of
from chatload.fleet.ledger import Actor, Message, Subject
from chatload.fleet.providers.limits import SECOND_NS, TELEGRAM, TokenBucket, share_of
from chatload.fleet.providers.webhooks import Lane, Settled, Update, Webhooks
from chatload.fleet.server import Request, Server, reply
from chatload.fleet.session import Customer
from chatload.fleet.tally import NAMES
from chatload.fleet.world import World

METHOD: Final = NAMES[codes.TELEGRAM]
_NAME: Final = "Анна"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the simulated provider is set up; limits are those of real time, before `speed`.

    `repeat_share`: of the accepted updates, how many are posted again. `other_share`: of the messages, how many are
    followed by an edit or an update of another kind. `time_scale` divides the retry delays and the time to answer.
    """

    rate_per_s: float = 30.0
    chat_rate_per_s: float = 1.0
    burst: float = 3.0
    connections: int = TELEGRAM.connections
    repeat_share: float = 0.02
    other_share: float = 0.02
    time_scale: float = 1.0


class Chat:
    """One private chat with the bank's bot: the channel of a customer's script, and the place of its limits."""

    shows_queue = False

    def __init__(self, provider: "Telegram", user: str, first_id: int, bucket: TokenBucket) -> None:
        self._provider = provider
        self._next_id = first_id
        self._last: tuple[str, int] = ("", 0)  # the latest reply's sender and counter
        self.user = user
        self.bucket = bucket
        self.lane: Lane | None = None
        self.attempt: tuple[str, int] = ("", 0)  # the latest request's text, and how often it came
        self.actor: Actor | None = None
        self.subject: Subject | None = None
        self.customer: Customer | None = None

    def open(self, intended_ns: int) -> None:
        """Nothing to connect: the messenger's own app is not our concern."""

    def send(self, message: Message) -> None:
        """Post the message as an Update, in the chat's order."""
        self._provider.post(self, message)

    def end(self, intended_ns: int) -> None:
        """A messenger's user cannot close a dialog."""

    def leave(self) -> None:
        """The script is over; the chat stays, as chats do."""
        self.customer = None

    def take_id(self) -> int:
        """The next message id; both sides' messages share the numbers."""
        self._next_id += 1
        return self._next_id

    def show(self, text: str, message_id: int, stamp_ns: int) -> None:
        """Show the customer a reply; recorded each time, told to the script once."""
        if self.actor is None or self.subject is None:
            return
        entry = Entry(dialog=self.subject.contact, seq=-1, kind="message", text=text, id=message_id)
        identity = self.actor.saw(entry, self.subject, stamp_ns)
        if self.customer is None or (identity is not None and (identity.sender, identity.counter) == self._last):
            return
        human = identity is not None and identity.role == OPERATOR
        entry.author = "bot"
        if identity is not None and human:
            self._last = (identity.sender, identity.counter)
            entry.author = identity.sender
        self.customer.saw(entry, identity, stamp_ns)


class Telegram:
    """The provider of one bot account. Requests are served from `start` on; nothing is posted before `begin`."""

    def __init__(self, world: World, account: str, settings: Settings, worker: int = 0, workers: int = 1) -> None:
        self._world = world
        self._account = account
        self._settings = settings
        self._actor = Actor(world, "telegram")
        self._chats: dict[str, Chat] = {}
        self._webhooks = Webhooks(world, TELEGRAM, settings.connections, settings.time_scale, settings.repeat_share)
        rate_per_s = settings.rate_per_s * world.speed / workers
        self._bucket = TokenBucket(rate_per_s, max(1.0, rate_per_s))
        self._update_id = (worker + 1) * 100_000_000
        self._first_id = int(world.run, 16) << 6  # not the ids of an earlier run on the same platform
        self._path = ""
        self._server = Server(self._called)

    async def start(self, host: str = "127.0.0.1") -> str:
        """Listen; returns the base URL that the platform must call instead of Telegram's."""
        return await self._server.start(host)

    def begin(self) -> None:
        """Use the token and the webhook secret of the target."""
        bot = self._world.target.telegram.get(self._account)
        if bot is None:
            return
        self._path = f"/bot{bot.token}/"
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": bot.webhook_secret}
        self._webhooks.begin(f"/webhooks/telegram/{self._account}", headers)

    async def close(self) -> None:
        """Post and answer no more."""
        await self._webhooks.close()
        await self._server.close()

    def join(self, actor: Actor, subject: Subject, customer: Customer) -> Chat:
        """The chat of a customer, whose script hears of replies."""
        user = subject.contact.partition("/")[2]
        chat = self._chats.get(user)
        if chat is None:
            settings, speed = self._settings, self._world.speed
            bucket = TokenBucket(settings.chat_rate_per_s * speed, settings.burst)
            chat = self._chats[user] = Chat(self, user, self._first_id, bucket)
        chat.actor, chat.subject, chat.customer = actor, subject, customer
        return chat

    # --- towards the platform ----------------------------------------------------------------------------------------

    def post(self, chat: Chat, message: Message) -> None:
        """Post a customer's message, and now and then an update of another kind after it."""
        message_id = chat.take_id()
        body = self._message(chat, message_id, message.text)

        def settled(update: Update, outcome: int, done_ns: int, reason: str) -> None:
            self._settled(chat, message, message_id, update, outcome, done_ns, reason)

        chat.lane = chat.lane or Lane()
        self._webhooks.post(chat.lane, self._update(message.cid, {"message": body}, settled))
        point = share_of(f"other:{message.cid}")
        if point < self._settings.other_share / 2:
            edited = body | {"edit_date": body["date"]}
            self._webhooks.post(chat.lane, self._update(f"{message.cid}e", {"edited_message": edited}, self._other))
        elif point < self._settings.other_share:
            reaction = {"chat": body["chat"], "user": body["from"], "date": body["date"], "message_id": message_id}
            reaction |= {"old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👍"}]}
            update = self._update(f"{message.cid}r", {"message_reaction": reaction}, self._other)
            self._webhooks.post(Lane(), update)

    def _update(self, key: str, content: dict[str, Any], settled: Settled) -> Update:
        self._update_id += 1
        return Update(key, orjson.dumps({"update_id": self._update_id, **content}), settled)

    @staticmethod
    def _message(chat: Chat, message_id: int, text: str) -> dict[str, Any]:
        user, username = int(chat.user), f"u{chat.user}"
        return {
            "message_id": message_id,
            "date": int(time.time()),
            "text": text,
            "from": {
                "id": user, "first_name": _NAME, "username": username, "is_bot": False, "language_code": "ru",
            },
            "chat": {"id": user, "first_name": _NAME, "username": username, "type": "private"},
        }  # fmt: skip

    def _settled(
        self, chat: Chat, message: Message, message_id: int, update: Update, outcome: int, done_ns: int, reason: str
    ) -> None:
        message.attempt, message.started_ns = update.attempt, update.started_ns
        sender = self._world.recorder.text(f"c{message.subject.plan}")
        self._actor.sent(message, outcome, done_ns, reason, provider_id=message_id, sender=sender)
        tally = self._world.tally
        if update.attempt == 1:
            tally.lag(update.started_ns - message.intended_ns)
        if outcome != codes.OK:
            tally.fail("accept", METHOD, reason)
        elif not update.repeated:
            tally.add("accept", METHOD, done_ns - message.intended_ns)
            tally.messages += 1
            if chat.customer is not None:
                chat.customer.acknowledged(message, done_ns)

    def _other(self, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        """An edit or another kind was posted: counted, not recorded, for it is no message."""
        if outcome == codes.OK:
            self._world.tally.add("update", METHOD, done_ns - update.started_ns)
        else:
            self._world.tally.fail("update", METHOD, reason)

    # --- from the platform -------------------------------------------------------------------------------------------

    def _called(self, request: Request) -> bytes:
        if not self._path or not request.path.startswith(self._path):
            return _refusal(401, "Unauthorized")
        if request.method != "POST" or request.path[len(self._path) :].lower() != "sendmessage":
            return _refusal(404, "Not Found: method not found")
        try:
            body = orjson.loads(request.body)
            user, text = str(body["chat_id"]), body["text"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _refusal(400, "Bad Request: chat_id and text are required")
        chat = self._chats.get(user)
        if chat is None or not isinstance(text, str):
            return _refusal(400, "Bad Request: chat not found")
        return self._send_message(chat, text, request.stamp_ns, request.open)

    def _send_message(self, chat: Chat, text: str, stamp_ns: int, answered: bool) -> bytes:
        chat.attempt = (text, chat.attempt[1] + 1 if chat.attempt[0] == text else 1)
        if not text or len(text) > TELEGRAM.text_most:
            what = "message is too long" if text else "message text is empty"
            self._row(chat, text, stamp_ns, codes.REJECTED, reason="400")
            return _refusal(400, f"Bad Request: {what}")
        wait_ns = max(self._bucket.wait_ns(stamp_ns), chat.bucket.wait_ns(stamp_ns))
        if wait_ns:
            self._row(chat, text, stamp_ns, codes.REJECTED, reason="429")
            return _too_many(-(-wait_ns // SECOND_NS))
        self._bucket.take()
        chat.bucket.take()
        message_id = chat.take_id()
        self._row(chat, text, stamp_ns, codes.OK if answered else codes.INDETERMINATE, message_id)
        chat.show(text, message_id, stamp_ns)
        message = self._message(chat, message_id, text) | {"from": {"id": 1, "is_bot": True, "first_name": "Bank"}}
        return reply(200, orjson.dumps({"ok": True, "result": message}))

    def _row(self, chat: Chat, text: str, stamp_ns: int, outcome: int, message_id: int = -1, reason: str = "") -> None:
        if chat.subject is None:
            return
        recorder, identity = self._world.recorder, parse(text)
        self._actor.row(
            codes.ATTEMPT, outcome, chat.subject, stamp_ns, kind=codes.MESSAGE, started=stamp_ns,
            done=now_ns() if outcome != codes.INDETERMINATE else -1, provider_id=message_id,
            counter=identity.counter if identity else -1, size=len(text), attempt=chat.attempt[1],
            sender=recorder.text(sender_of(identity, self._world.run)), reason=recorder.text(reason),
        )  # fmt: skip


def _refusal(status: int, description: str) -> bytes:
    return reply(status, orjson.dumps({"ok": False, "error_code": status, "description": description}))


def _too_many(retry_after_s: int) -> bytes:
    description = f"Too Many Requests: retry after {retry_after_s}"
    body = {"ok": False, "error_code": 429, "description": description, "parameters": {"retry_after": retry_after_s}}
    return reply(429, orjson.dumps(body), f"Retry-After: {retry_after_s}\r\n")
