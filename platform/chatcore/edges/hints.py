"""Hints for operators from a service of the bank, asked while they type; no message waits for it.

`{dialog, entries}` → `{texts}`. Nothing of it is stored or logged.
"""

import asyncio
from typing import Annotated, Any, Final

import msgspec

from chatcore import wire
from chatcore.channels.shapes import Answer, Call
from chatcore.config import Hints
from chatcore.edges.providers import Providers, service_headers
from chatcore.machines.commands import Refused

AT_ONCE: Final = 16
LONGEST: Final = 4_096
ENTRIES: Final = 20  # the last of the dialog; the service sees no more


class Said(msgspec.Struct):
    """The service's answer."""

    texts: Annotated[list[Annotated[str, msgspec.Meta(max_length=LONGEST)]], msgspec.Meta(max_length=5)]


class HintService:
    """At most one question a dialog is under way, and `AT_ONCE` together."""

    def __init__(self, config: Hints, providers: Providers) -> None:
        self._url = config.url
        self._headers = service_headers(config.token)
        self._timeout_s = config.timeout_ms / 1000
        self._providers = providers
        self._under_way: set[str] = set()

    def begin(self, dialog: str) -> None:
        """Take a place for a question about a dialog; `ask` gives it back.

        Raises:
            Refused: there is no such service, or too much is under way.
        """
        if not self._url:
            raise Refused("no_hints")
        if dialog in self._under_way or len(self._under_way) >= AT_ONCE:
            raise Refused("busy")
        self._under_way.add(dialog)

    def end(self, dialog: str) -> None:
        """Give the place back."""
        self._under_way.discard(dialog)

    async def ask(self, dialog: str, entries: list[dict[str, Any]]) -> list[str]:
        """What the service suggests after these entries; nothing, if it is slow, broken or wrong."""
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        call = Call(self._url, wire.dumps({"dialog": dialog, "entries": entries}), self._headers)
        self._providers.call(call, lambda answer: None if answered.done() else answered.set_result(answer))
        try:
            answer = await asyncio.wait_for(answered, self._timeout_s)
            return msgspec.json.decode(answer.body, type=Said).texts if answer and answer.status == 200 else []
        except (TimeoutError, ValueError):
            return []
