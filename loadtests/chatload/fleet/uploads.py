"""Operators, and customers of the platform's own chat, store an attachment over REST before a message names it."""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import msgspec

from chatload.fleet.clock import now_ns
from chatload.fleet.http import Answer, Http, NoAnswer
from chatload.fleet.providers import media
from chatload.fleet.world import World

REST: Final = "REST"  # the "method" in Locust's tables
Stored = Callable[[dict[str, str] | None, int], None]  # what a message says of it (None: it failed), and when


class _Uploaded(msgspec.Struct):
    ref: str


_uploaded: Final = msgspec.json.Decoder(_Uploaded)


class Stores(Protocol):
    """Who stores attachments."""

    def store(self, name: str, token: str, stored: Stored) -> None:
        """Store the attachment of this name as whoever has this token."""


class Uploads:
    """Attachments on their way to the platform; each upload is counted, what becomes of the file is recorded later."""

    def __init__(self, world: World, http: Http) -> None:
        self._world = world
        self._http = http

    def store(self, name: str, token: str, stored: Stored) -> None:
        """Store the attachment of this name as whoever has this token."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        head = self._http.head("POST", "/v1/files", headers)
        self._http.ask(head, partial(self._answered, name, now_ns(), stored), media.content(name))

    def _answered(self, name: str, started_ns: int, stored: Stored, answer: Answer | NoAnswer) -> None:
        if isinstance(answer, Answer) and answer.ok:
            try:
                ref = _uploaded.decode(answer.body).ref
            except msgspec.DecodeError:
                self._failed(stored, "not understood")
                return
            self._world.tally.add("upload", REST, answer.stamp_ns - started_ns)
            kind = "image" if media.is_image(name) else "document"
            stored({"kind": kind, "ref": ref, "name": name, "mime": media.TYPES[name[-3:]]}, answer.stamp_ns)
        else:
            self._failed(stored, answer.reason if isinstance(answer, NoAnswer) else f"http {answer.status}")

    def _failed(self, stored: Stored, reason: str) -> None:
        self._world.tally.fail("upload", REST, reason)
        stored(None, now_ns())
