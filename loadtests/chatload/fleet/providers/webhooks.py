"""Webhooks as a messenger posts them: in order per lane, the failed head stays at the head, lanes side by side.

A lane is a chat where the messenger keeps an order, and a single event where it keeps none. One failing lane blocks
only itself. Events of several lanes may share a request, where the messenger does that.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import msgspec

from chatload.fleet import codes
from chatload.fleet.clock import now_ns
from chatload.fleet.http import Answer, Done, Http, NoAnswer
from chatload.fleet.providers.limits import SECOND_NS, Profile, retry_ns, share_of, told_ns
from chatload.fleet.providers.settings import Settings
from chatload.fleet.world import World

_NOT_DECIDED: Final = "not_stored"  # this 503 says that nothing was decided


class Update:
    """One event, already encoded: `settled(update, outcome, done_ns, reason)` is told about each attempt.

    Only events of the same `stream` share a request.
    """

    __slots__ = ("attempt", "content", "first_ns", "key", "repeated", "settled", "started_ns", "stream")

    def __init__(self, key: str, content: bytes, settled: "Settled", stream: str = "") -> None:
        self.stream = stream
        self.key = key
        self.content = content
        self.settled = settled
        self.attempt = 0
        self.first_ns = self.started_ns = -1
        self.repeated = False


Settled = Callable[[Update, int, int, str], None]


class Lane:
    """Updates that must arrive in order."""

    __slots__ = ("busy", "failures", "updates")

    def __init__(self) -> None:
        self.updates: list[Update] = []  # a few at most, and most of the time none: an empty deque takes 0.7 KB
        self.failures = 0
        self.busy = False


class Wrapping(Protocol):
    """How a messenger makes requests of events."""

    def envelope(self, events: list[bytes]) -> bytes:
        """The body that carries these events."""

    def lines(self, body: bytes, attempt: int) -> bytes:
        """Header lines that depend on the body, such as a signature; each begins with a line's end."""


class Carrier(Protocol):
    """What takes requests to the platform."""

    def carry(self, body: bytes, attempt: int, done: Done) -> None:
        """Send a request; `done` is called once, later."""

    async def close(self) -> None:
        """Send nothing more; what is under way gets no answer."""


class Hook:
    """Carries requests to a webhook: `head` and what depends on the body, then the body."""

    def __init__(self, http: Http, head: bytes, wrapping: Wrapping) -> None:
        self._http = http
        self._head = head
        self._wrapping = wrapping
        self.close = http.close

    def carry(self, body: bytes, attempt: int, done: Done) -> None:
        """Post it."""
        self._http.ask(self._head + self._wrapping.lines(body, attempt), done, body)


class _Error(msgspec.Struct):
    error: str = ""


_error: Final = msgspec.json.Decoder(_Error)


class Webhooks:
    """Posts the updates of all lanes over a bounded number of connections, again and again until they are accepted.

    Some accepted updates are posted once more, as if the answer had been lost: in their place where the messenger keeps
    an order, and late where it does not. Nothing is posted before `begin`.
    """

    def __init__(self, world: World, profile: Profile, settings: Settings, wrapping: Wrapping) -> None:
        self._world = world
        self._profile = profile
        self._settings = settings
        self._wrapping = wrapping
        self._connections = settings.connections or profile.connections
        self._carrier: Carrier | None = None
        self._ready: deque[Lane] = deque()
        self._busy = 0
        self._gathering = False

    def begin(self, carrier: Callable[[int, float], Carrier]) -> None:
        """Post from now on, by what is made with the number of connections and the seconds to wait for an answer."""
        self._carrier = carrier(self._connections, self._profile.answer_within_s / self._settings.time_scale)

    def post(self, lane: Lane, update: Update) -> None:
        """Append an update to its lane."""
        lane.updates.append(update)
        if not lane.busy:
            lane.busy = True
            self._make_ready(lane)

    async def close(self) -> None:
        """Stop posting; what is under way stays without an answer."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            await carrier.close()

    def _make_ready(self, lane: Lane) -> None:
        self._ready.append(lane)
        if self._profile.batch == 1:
            self._go_on()
        elif not self._gathering:  # what is ready in the same turn of the loop may share a request
            self._gathering = True
            self._world.clock.soon(self._gathered)

    def _gathered(self) -> None:
        self._gathering = False
        self._go_on()

    def _go_on(self) -> None:
        """Post the heads of lanes, as far as connections are free."""
        while self._ready and self._busy < self._connections and self._carrier is not None:
            lanes, events, attempt = self._next(), [], 0
            started_ns = now_ns()
            for lane in lanes:
                update = lane.updates[0]
                update.attempt = attempt = update.attempt + 1
                update.started_ns = started_ns
                if attempt == 1:
                    update.first_ns = started_ns
                events.append(update.content)
            body = self._wrapping.envelope(events)
            self._busy += 1
            self._carrier.carry(body, attempt, partial(self._answered, lanes))

    def _next(self) -> list[Lane]:
        """The lanes whose heads make the next request."""
        lane, most = self._ready.popleft(), self._profile.batch
        lanes = [lane]
        if most > 1 and self._ready and share_of(f"batch:{lane.updates[0].key}") < self._settings.batch_share:
            stream = lane.updates[0].stream
            while self._ready and len(lanes) < most and self._ready[0].updates[0].stream == stream:
                lanes.append(self._ready.popleft())
        return lanes

    def _answered(self, lanes: list[Lane], answer: Answer | NoAnswer) -> None:
        self._busy -= 1
        for lane in lanes:
            self._after(lane, self._settle(lane, lane.updates[0], answer))
        self._go_on()

    def _after(self, lane: Lane, wait_ns: int) -> None:
        """Go on with a lane whose head was answered."""
        if wait_ns < 0:
            del lane.updates[0]
            lane.failures = 0
        if not lane.updates:
            lane.busy = False
        elif wait_ns > 0:
            self._world.clock.at(now_ns() + wait_ns, partial(self._make_ready, lane))
        else:
            self._ready.append(lane)

    def _settle(self, lane: Lane, update: Update, answer: Answer | NoAnswer) -> int:
        """Tell what became of the attempt; -1 if the update is done with, else how long until it is posted again."""
        if isinstance(answer, NoAnswer):
            update.settled(update, codes.INDETERMINATE, -1, answer.reason)
            return self._failed(lane, update, 0, None)
        outcome, reason = outcome_of(answer, self._profile)
        update.settled(update, outcome, answer.stamp_ns, reason)
        if outcome != codes.OK:
            return self._failed(lane, update, answer.status, answer.header("Retry-After"))
        if not update.repeated and share_of(f"repeat:{update.key}") < self._settings.repeat_share:
            update.repeated = True
            late_ms = 0 if self._profile.ordered else self._settings.late_ms * share_of(f"late:{update.key}")
            return self._world.wall(late_ms)
        return -1

    def _failed(self, lane: Lane, update: Update, status: int, retry_after: str | None) -> int:
        scale = self._settings.time_scale
        if self._profile.success == "250" and status >= 500:
            self._world.tally.fail("webhook", self._profile.name, "refused for good")
            return -1
        wait_ns = told_ns(self._profile, status, retry_after, scale)
        if wait_ns is None:
            lane.failures += 1
            wait_ns = retry_ns(self._profile, lane.failures, update.key, scale)
        horizon_ns = self._profile.horizon_s * SECOND_NS / scale
        if wait_ns is None or now_ns() + wait_ns > update.first_ns + horizon_ns:
            self._world.tally.fail("webhook", self._profile.name, "given up")
            return -1
        return wait_ns


def outcome_of(answer: Answer, profile: Profile) -> tuple[int, str]:
    """What an answer says about the event: stored, surely not stored, or nobody knows; and the reason."""
    if profile.success == "250":  # any refusal of a mail says that it was not taken
        return (codes.OK, "") if answer.ok else (codes.REJECTED, f"smtp {answer.status}")
    if answer.ok:
        if profile.success == "2xx" or (answer.status == 200 and (profile.success == "200" or answer.body == b"ok")):
            return codes.OK, ""
        return codes.INDETERMINATE, f"http {answer.status}" if answer.status != 200 else "the body is not ok"
    try:
        error = _error.decode(answer.body).error
    except msgspec.DecodeError:
        error = ""
    refused = 400 <= answer.status <= 499 or error == _NOT_DECIDED
    return codes.REJECTED if refused else codes.INDETERMINATE, error or f"http {answer.status}"
