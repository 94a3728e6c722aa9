"""The simulated telephone exchange: signed events of calls, in no order; an API that connects calls, and dials.

A caller's script has a line. What the platform orders is carried out once, however often it asks.
"""

import hmac
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, Final, Protocol

import orjson

from chatload.fleet import codes
from chatload.fleet.clock import Timer, now_ns
from chatload.fleet.frames import Entry, provider_number
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Posting, Send
from chatload.fleet.providers.limits import TokenBucket, share_of
from chatload.fleet.providers.profiles import PHONE
from chatload.fleet.providers.provider import Problem, Provider, Refusal, now_ms
from chatload.fleet.providers.settings import Settings
from chatload.fleet.providers.webhooks import Update
from chatload.fleet.server import Pending, Request, reply
from chatload.fleet.world import World
from chatload.scenario.tables import GENERAL

BANK: Final = "+74951234567"
NORMAL_CLEARING: Final = 16


class Call:
    """A call of a line that is not over; `timer` from when somebody was to be connected. Unix ms, 0 for not yet."""

    __slots__ = ("answered_ms", "id", "outbound", "started_ms", "timer")

    def __init__(self, name: str, outbound: bool) -> None:
        self.id = name
        self.outbound = outbound
        self.started_ms = now_ms()
        self.answered_ms = 0
        self.timer: Timer | None = None


class News:
    """What is told of a call, and when it was to be."""

    __slots__ = ("call", "intended_ns", "line", "state")

    def __init__(self, line: "Line", call: str, state: str, intended_ns: int) -> None:
        self.line = line
        self.call = call
        self.state = state
        self.intended_ns = intended_ns


class Exchange(Posting, Protocol):
    """Where a line ends."""

    def is_busy(self, line: "Line") -> bool:
        """Whether the line has a call."""

    def ring(self, line: "Line", intended_ns: int) -> None:
        """A call comes in."""

    def hang_up(self, line: "Line", intended_ns: int) -> None:
        """The caller ends the call."""

    def carry_out(self, line: "Line", name: str) -> None:
        """Connect the line's call, or dial."""


class Line(Chat):
    """A customer's telephone: the channel of a caller's script, which is shown where in a call it is."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange, user: str, first_id: int, bucket: TokenBucket) -> None:
        super().__init__(exchange, user, first_id, bucket)
        self._exchange = exchange

    @property
    def busy(self) -> bool:
        """Whether there is a call, also one that only rings."""
        return self._exchange.is_busy(self)

    def ring(self, intended_ns: int) -> None:
        """Call the bank; only while not busy."""
        self._exchange.ring(self, intended_ns)

    def hang_up(self, intended_ns: int) -> None:
        """End the call; only while busy."""
        self._exchange.hang_up(self, intended_ns)

    def leave(self) -> None:
        """The script is over, and so is a call."""
        super().leave()
        if self.busy:
            self.hang_up(self.actor.world.clock.now_ns())

    def show(self, text: str, message_id: MessageId, stamp_ns: int) -> None:
        """An operator was ordered for this call: carry it out."""
        self._exchange.carry_out(self, str(message_id))

    def tell(self, kind: str, state: str = "") -> None:
        """Let the script know."""
        if self.customer is not None:
            entry = Entry(dialog=self.subject.contact, seq=-1, kind=kind, state=state)
            self.customer.saw(entry, None, self.actor.world.clock.now_ns())


class Phone(Provider):
    """Calls wait in a queue until the platform has them connected, and are dialled for it; one call a line at a time.

    Whom it dials picks up within `read_ms`, on average, or does not (`failed_share`); a connection takes
    `connect_ms`.
    """

    channel = "phone"
    profile = PHONE
    refusals: ClassVar = {
        "token": Refusal(401, 0, "wrong token"),
        "method": Refusal(404, 0, "no such method"),
        "bad": Refusal(400, 0, "call, operator and request_id are required"),
        "user": Refusal(404, 0, "no such call"),
        "empty": Refusal(400, 0, "request_id is empty"),
        "long": Refusal(400, 0, "request_id is too long"),
        "blocked": Refusal(409, 0, "busy"),
        "many": Refusal(429, 0, "too many orders"),
    }

    def __init__(self, world: World, account: str, settings: Settings, worker: int = 0, workers: int = 1) -> None:
        super().__init__(world, account, settings, worker, workers)
        self._calls: dict[str, Call] = {}  # by the customer's number
        played = world.plan.scenario.channels.calls()
        self._queue = played.department if played is not None else GENERAL

    def chat(self, user: str, bucket: TokenBucket) -> Line:
        """A line."""
        return Line(self, user, self._first_id, bucket)

    def lines(self, body: bytes, attempt: int) -> bytes:
        """HMAC-SHA256 of the time, a dot and the body; the event's id, the same in every attempt."""
        at = int(time.time())
        made = hmac.digest(self.keys.webhook_secret.encode(), b"%d.%b" % (at, body), "sha256").hex()
        name = orjson.loads(body)["event_id"]
        return f"\r\nX-PS-Signature: t={at},v1={made}\r\nX-PS-Event-Id: {name}\r\nX-PS-Attempt: {attempt}".encode()

    def new_id(self, chat: Chat) -> MessageId:
        """A call's id, which names the line."""
        self._serial += 1
        return f"{chat.user.removeprefix('+')}-{self._serial:x}"

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """An event of the line's call; its type stands for a text."""
        call, at = self._calls[chat.user], _time(heard.at_ms)
        over, answered = heard.text in ("call.ended", "call.missed"), call.answered_ms
        ends = {"from": BANK, "to": chat.user} if call.outbound else {"from": chat.user, "to": BANK}
        told: dict[str, Any] = {"id": call.id, "direction": "outbound" if call.outbound else "inbound", **ends}
        told |= {"queue": None if call.outbound or heard.text == "call.started" else self._queue, "ivr_path": []}
        told |= {"started_at": _time(call.started_ms), "answered_at": _time(answered) if answered else None}
        told |= {"ended_at": at if over else None, "wait_s": ((answered or heard.at_ms) - call.started_ms) // 1000}
        told |= {"disposition": ("answered" if answered else "abandoned") if over else None}
        told |= {"hangup_cause": NORMAL_CLEARING if over else None, "callback_requested": heard.text == "call.missed"}
        event = {"event_id": f"{call.id}-{heard.text}", "type": heard.text, "occurred_at": at, "call": told}
        return orjson.dumps(event)

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes:
        """The call in the menu before the queue."""
        return self.said(chat, heard._replace(text="call.started"))

    def called(self, request: Request) -> bytes | Pending:
        """`POST /calls/<id>/connect` and `POST /calls`."""
        if not self.may(request):
            return self.refuse("token")
        order = orjson.loads(request.body)
        if not order["operator"]:
            return self.refuse("bad")
        match request.method, request.path.split("/")[1:]:
            case "POST", ["calls"]:
                return self.take(Send(order["to"], order["request_id"], once=order["request_id"]), request)
            case "POST", ["calls", call, "connect"]:
                user = f"+{call.partition('-')[0]}"
                return self.take(Send(user, order["request_id"], once=order["request_id"], id=call), request)
        return self.refuse("method")

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """The call that is connected, or dialled."""
        return reply(200, orjson.dumps({"call": {"id": message_id}}))

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """Words; a 429 also says how long to wait."""
        headers = f"Retry-After: {wait_s}\r\n" if wait_s else ""
        return reply(refusal.status, orjson.dumps({"error": refusal.text}), headers)

    # --- the caller's side -------------------------------------------------------------------------------------------

    def is_busy(self, line: Line) -> bool:
        """Whether the line has a call."""
        return line.user in self._calls

    def ring(self, line: Line, intended_ns: int) -> None:
        """A call comes in; now and then the exchange tells of its menu, too."""
        call = self._calls[line.user] = Call(str(self.new_id(line)), outbound=False)
        if share_of(f"other:{call.id}") < self._settings.other_share:
            menu = self.other(line, Heard(call.id, "", "", call.started_ms), edit=False)
            self.post_event(line, Update(f"{call.id}:menu", menu, self._posted.other), late=True)
        self._tell(line, call, "call.queued", "ringing", intended_ns)

    def hang_up(self, line: Line, intended_ns: int) -> None:
        """The caller ends the call."""
        if self._calls[line.user].answered_ms:
            self._over(line, "call.ended", "finished", intended_ns)
        else:
            self._over(line, "call.missed", "abandoned", intended_ns)

    def carry_out(self, line: Line, name: str) -> None:
        """Connect the line's call, once, whoever of the operators it is passed to; dial if there is none."""
        call = self._calls.get(line.user)
        if call is None:
            call = self._calls[line.user] = Call(name, outbound=True)
            wait_ns = self._world.wall(spread(self._settings.read_ms, call.id))
        else:
            wait_ns = self._world.wall(spread(self._settings.connect_ms, call.id))
        if call.timer is None:
            due_ns = now_ns() + wait_ns
            call.timer = self._world.clock.at(due_ns, partial(self._picked_up, line, call, due_ns))

    def _picked_up(self, line: Line, call: Call, due_ns: int) -> None:
        alone = call.outbound and share_of(f"failed:{call.id}") < self._settings.failed_share
        if alone or line.customer is None:
            self._over(line, "call.ended", "unreached", due_ns)
            line.tell("call", "unreached")
            return
        call.answered_ms = now_ms()
        self._tell(line, call, "call.answered", "answered", due_ns)
        line.tell("call", "answered")

    def _over(self, line: Line, kind: str, state: str, intended_ns: int) -> None:
        call = self._calls[line.user]
        self._tell(line, call, kind, state, intended_ns)
        del self._calls[line.user]
        if call.timer is not None:
            call.timer.cancel()

    def _tell(self, line: Line, call: Call, kind: str, state: str, intended_ns: int) -> None:
        """Post an event."""
        news = News(line, call.id, state, intended_ns)
        content = self.said(line, Heard(call.id, kind, "", now_ms()))
        update = Update(f"{call.id}:{state}", content, partial(self._told, news))
        news.intended_ns += self.post_event(line, update, late=True)

    def _told(self, news: News, update: Update, outcome: int, done_ns: int, reason: str) -> None:
        """An event was posted: recorded, and a caller who is let into the queue counts from then."""
        self._actor.row(
            codes.CALL, outcome, news.line.subject, update.started_ns, intended=news.intended_ns,
            started=update.started_ns, done=done_ns, provider_id=provider_number(news.call), attempt=update.attempt,
            reason=self._world.recorder.text(news.state),
        )  # fmt: skip
        tally = self._world.tally
        if update.attempt == 1:
            tally.lag(update.started_ns - news.intended_ns)
        if outcome != codes.OK:
            tally.fail("call", self._method, reason)
        elif not update.repeated:
            tally.add("call", self._method, done_ns - news.intended_ns)
            if news.state == "ringing":
                news.line.tell("queued")

    # --- the platform's side -----------------------------------------------------------------------------------------

    def _problem(self, chat: Chat, send: Send, stamp_ns: int) -> tuple[Problem | None, int]:
        """A call that is over cannot be connected, and a line that is busy not be dialled."""
        call = self._calls.get(chat.user)
        if send.id and (call is None or call.id != send.id):
            return "user", 0
        if call is not None and not send.id:
            return "blocked", 0
        return super()._problem(chat, send, stamp_ns)


def spread(mean: float, call: str) -> float:
    """Somewhere about the mean, by the call's id."""
    return mean * (0.5 + share_of(call))


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
