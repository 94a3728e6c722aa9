"""The bank as an administrator of the platform: notes who agreed to be written to, and has notices sent.

Each request leaves one NOTICE row; what had no answer is asked for again, under the same id.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from chatload.fleet import codes
from chatload.fleet.clock import Timer
from chatload.fleet.frames import encode
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.identity import CUSTOMER
from chatload.fleet.ledger import Actor, Subject
from chatload.fleet.providers.provider import Provider
from chatload.fleet.world import World
from chatload.plan.notices import FIRST, Letter

CONNECTIONS: Final = 4
TIMEOUT_S: Final = 10.0
AGAIN_NS: Final = 1_000_000_000
NOT_NOW: Final = (429, 503)


class _Noticed(msgspec.Struct):
    accepted: bool
    reason: str = ""


class _Notices(msgspec.Struct):
    notices: list[_Noticed]


_answer: Final = msgspec.json.Decoder(_Notices)


class _Request(NamedTuple):
    """A letter on its way, and when it was due."""

    letter: Letter
    subject: Subject
    due_ns: int
    attempt: int = 1


class Notices:
    """Sends this worker's share of what is planned, from `begin` on; after the target is known."""

    def __init__(self, world: World, planned: Iterable[Letter], providers: Iterable[Provider]) -> None:
        self._world = world
        self._actor = Actor(world, "bank")
        self._planned = iter(planned)
        self._providers = {provider.channel: provider for provider in providers}
        self._http = Http(world.clock, world.target.url, CONNECTIONS, TIMEOUT_S)
        self._headers = {
            "Authorization": f"Bearer {world.token('admin', 'bank')}",
            "Content-Type": "application/json",
        }
        self._timer: Timer | None = None
        self._stopped = False

    def begin(self) -> None:
        """Have the next one sent when it is due."""
        letter = next(self._planned, None)
        if letter is not None:
            due_ns = self._world.when(letter.at_ms)
            self._timer = self._world.clock.at(due_ns, partial(self._come, letter, due_ns))

    def stop(self) -> None:
        """Send no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    async def close(self) -> None:
        """Give up what is under way."""
        self.stop()
        await self._http.close()

    def _come(self, letter: Letter, due_ns: int) -> None:
        self.begin()
        contact = f"{self._world.account(letter.notice.channel)}/{letter.user}"
        subject = Subject(self._world, contact, letter.index)
        role = "n" if letter.index >= FIRST else CUSTOMER
        self._providers[letter.notice.channel].know(Actor(self._world, f"{role}{letter.index}"), subject)
        self._ask(_Request(letter, subject, due_ns))

    def _ask(self, request: _Request) -> None:
        """First that they agree, if they do; then the notice."""
        if request.letter.agrees and request.attempt == 1:
            account, _, user = request.subject.contact.partition("/")
            head = self._http.head("PUT", f"/v1/consent/{account}/{quote(user, safe='')}", self._headers)
            self._http.ask(head, partial(self._agreed, request), b"")
        else:
            self._send(request)

    def _agreed(self, request: _Request, answer: Answer | NoAnswer) -> None:
        if isinstance(answer, Answer) and answer.ok:
            self._send(request)
        else:
            self._again(request)

    def _send(self, request: _Request) -> None:
        letter = request.letter
        body = {"template": letter.notice.name, "id": f"{self._world.run}-{letter.notice.name}"}
        head = self._http.head("POST", "/v1/notices", self._headers)
        sent = encode({**body, "contacts": [request.subject.contact]})
        self._http.ask(head, partial(self._answered, request, self._world.clock.now_ns()), sent)

    def _answered(self, request: _Request, started_ns: int, answer: Answer | NoAnswer) -> None:
        outcome, done_ns, reason = _became(answer)
        text, letter = self._world.recorder.text, request.letter
        self._actor.row(
            codes.NOTICE, outcome, request.subject, started_ns, intended=request.due_ns, started=started_ns,
            done=done_ns, attempt=request.attempt, size=letter.may, rule=text(letter.notice.name), reason=text(reason),
        )  # fmt: skip
        if not isinstance(answer, Answer) or answer.status in NOT_NOW:
            self._again(request._replace(attempt=request.attempt + 1))

    def _again(self, request: _Request) -> None:
        if not self._stopped:
            self._world.clock.at(self._world.clock.now_ns() + AGAIN_NS, partial(self._ask, request))


def _became(answer: Answer | NoAnswer) -> tuple[int, int, str]:
    """What became of a notice, when that was said, and why."""
    if isinstance(answer, NoAnswer):
        return codes.INDETERMINATE, -1, answer.reason
    if not answer.ok:
        return codes.REJECTED, answer.stamp_ns, f"http {answer.status}"
    try:
        (noticed,) = _answer.decode(answer.body).notices
    except (msgspec.DecodeError, ValueError):
        return codes.INDETERMINATE, -1, "not understood"
    return (codes.OK if noticed.accepted else codes.REJECTED), answer.stamp_ns, noticed.reason
