"""Webhooks as a messenger posts them: in order per lane, the failed head stays at the head, lanes side by side.

A lane is a chat (or another key the provider orders by). One failing lane blocks only itself.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from chatload.fleet import codes
from chatload.fleet.clock import now_ns
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.providers.limits import Profile, retry_ns, share_of, told_ns
from chatload.fleet.world import World

_NOT_DECIDED: Final = "not_stored"  # this 503 says that nothing was decided


class Update:
    """One webhook call: `settled(update, outcome, done_ns, reason)` is told about each attempt."""

    __slots__ = ("attempt", "body", "key", "repeated", "settled", "started_ns")

    def __init__(self, key: str, body: bytes, settled: "Settled") -> None:
        self.key = key
        self.body = body
        self.settled = settled
        self.attempt = 0
        self.started_ns = -1
        self.repeated = False


Settled = Callable[[Update, int, int, str], None]


class Lane:
    """Updates that must arrive in order."""

    __slots__ = ("busy", "failures", "updates")

    def __init__(self) -> None:
        self.updates: list[Update] = []  # a few at most, and most of the time none: an empty deque takes 0.7 KB
        self.failures = 0
        self.busy = False


class _Error(msgspec.Struct):
    error: str = ""


_error: Final = msgspec.json.Decoder(_Error)


class Webhooks:
    """Posts the updates of all lanes over a bounded number of connections, again and again until they are accepted.

    `repeat_share` of the accepted updates are posted once more, as if the answer had been lost. Nothing is posted
    before `begin`.
    """

    def __init__(
        self, world: World, profile: Profile, connections: int, time_scale: float = 1.0, repeat_share: float = 0.0
    ) -> None:
        self._world = world
        self._profile = profile
        self._connections = connections
        self._time_scale = time_scale
        self._repeat_share = repeat_share
        self._http: Http | None = None
        self._head = b""
        self._ready: deque[Lane] = deque()
        self._busy = 0

    def begin(self, path: str, headers: Mapping[str, str]) -> None:
        """Post to `path` of the target from now on."""
        timeout_s = self._profile.answer_within_s / self._time_scale
        self._http = Http(self._world.clock, self._world.target.url, self._connections, timeout_s)
        self._head = self._http.head("POST", path, headers)

    def post(self, lane: Lane, update: Update) -> None:
        """Append an update to its lane."""
        lane.updates.append(update)
        if not lane.busy:
            lane.busy = True
            self._make_ready(lane)

    async def close(self) -> None:
        """Stop posting; what is under way stays without an answer."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def _make_ready(self, lane: Lane) -> None:
        self._ready.append(lane)
        self._go_on()

    def _go_on(self) -> None:
        """Post the heads of lanes, as far as connections are free."""
        while self._ready and self._busy < self._connections and self._http is not None:
            lane = self._ready.popleft()
            update = lane.updates[0]
            self._busy += 1
            update.attempt += 1
            update.started_ns = now_ns()
            self._http.ask(self._head, partial(self._answered, lane, update), update.body)

    def _answered(self, lane: Lane, update: Update, answer: Answer | NoAnswer) -> None:
        self._busy -= 1
        wait_ns = self._settle(lane, update, answer)
        if wait_ns < 0:
            del lane.updates[0]
            lane.failures = 0
        if not lane.updates:
            lane.busy = False
        elif wait_ns > 0:
            self._world.clock.at(now_ns() + wait_ns, partial(self._make_ready, lane))
        else:
            self._ready.append(lane)
        self._go_on()

    def _settle(self, lane: Lane, update: Update, answer: Answer | NoAnswer) -> int:
        """Tell what became of the attempt; -1 if the update is done with, else how long until it is posted again."""
        if isinstance(answer, NoAnswer):
            update.settled(update, codes.INDETERMINATE, -1, answer.reason)
            return self._failed(lane, update, None)
        outcome, reason = outcome_of(answer)
        update.settled(update, outcome, answer.stamp_ns, reason)
        if outcome != codes.OK:
            return self._failed(lane, update, answer.header("Retry-After"))
        if not update.repeated and share_of(f"repeat:{update.key}") < self._repeat_share:
            update.repeated = True
            return 0
        return -1

    def _failed(self, lane: Lane, update: Update, retry_after: str | None) -> int:
        told = told_ns(self._profile, retry_after, self._time_scale)
        if told is not None:
            return told
        lane.failures += 1
        return retry_ns(self._profile, lane.failures, update.key, self._time_scale)


def outcome_of(answer: Answer) -> tuple[int, str]:
    """What an answer says about the message: stored, surely not stored, or nobody knows; and the reason."""
    if answer.ok:
        return codes.OK, ""
    try:
        error = _error.decode(answer.body).error
    except msgspec.DecodeError:
        error = ""
    refused = 400 <= answer.status <= 499 or error == _NOT_DECIDED
    return codes.REJECTED if refused else codes.INDETERMINATE, error or f"http {answer.status}"
