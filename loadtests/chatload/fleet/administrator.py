"""The platform's REST for notices, as an administrator uses it over HTTP."""

from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec

from chatload.fleet import codes
from chatload.fleet.frames import encode
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.notices import Became
from chatload.fleet.world import World

CONNECTIONS: Final = 4
TIMEOUT_S: Final = 10.0
NOT_NOW: Final = (429, 503)


class _Noticed(msgspec.Struct):
    accepted: bool
    reason: str = ""


class _Notices(msgspec.Struct):
    notices: list[_Noticed]


_answer: Final = msgspec.json.Decoder(_Notices)


class RestAdministrator:
    """Asks the target, which is known by then; `close` gives up what is under way."""

    def __init__(self, world: World) -> None:
        self._http = Http(world.clock, world.target.url, CONNECTIONS, TIMEOUT_S)
        self._headers = {
            "Authorization": f"Bearer {world.token('admin', 'bank')}",
            "Content-Type": "application/json",
        }

    def agree(self, contact: str, told: Callable[[bool], None]) -> None:
        """Note that a contact agrees to be written to; `told` whether that is noted."""
        account, _, user = contact.partition("/")
        head = self._http.head("PUT", f"/v1/consent/{account}/{quote(user, safe='')}", self._headers)
        self._http.ask(head, lambda answer: told(isinstance(answer, Answer) and answer.ok), b"")

    def notify(self, contact: str, template: str, notice_id: str, told: Callable[[Became], None]) -> None:
        """Have a template sent to a contact, once under this id."""
        head = self._http.head("POST", "/v1/notices", self._headers)
        body = encode({"template": template, "id": notice_id, "contacts": [contact]})
        self._http.ask(head, partial(self._answered, told), body)

    async def close(self) -> None:
        """Ask nothing more."""
        await self._http.close()

    @staticmethod
    def _answered(told: Callable[[Became], None], answer: Answer | NoAnswer) -> None:
        told(_became(answer))


def _became(answer: Answer | NoAnswer) -> Became:
    if isinstance(answer, NoAnswer):
        return Became(codes.INDETERMINATE, -1, answer.reason, again=True)
    if not answer.ok:
        return Became(codes.REJECTED, answer.stamp_ns, f"http {answer.status}", answer.status in NOT_NOW)
    try:
        (noticed,) = _answer.decode(answer.body).notices
    except (msgspec.DecodeError, ValueError):
        return Became(codes.INDETERMINATE, -1, "not understood")
    return Became(codes.OK if noticed.accepted else codes.REJECTED, answer.stamp_ns, noticed.reason)
