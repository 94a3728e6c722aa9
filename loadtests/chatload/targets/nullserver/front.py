"""Webhooks and REST."""

import asyncio
import re
from typing import Any, Final, cast

import orjson

from chatload.targets.nullserver.hall import Hall

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Front(asyncio.Protocol):
    """One keep-alive HTTP/1.1 connection: every request is answered with 200 at once."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        buffer = self._buffer
        buffer += data
        while (end := buffer.find(b"\r\n\r\n") + 4) >= 4:
            head = bytes(buffer[:end])
            length = _LENGTH.search(head)
            whole = end + (int(length[1]) if length else 0)
            if len(buffer) < whole:
                return
            body = bytes(buffer[end:whole])
            del buffer[:whole]
            answer = orjson.dumps(self._answer(head.split(b" ", 2)[1].decode(), body))
            if self._transport is not None:
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(answer), answer)
                )

    def _answer(self, path: str, body: bytes) -> dict[str, Any]:
        if path.startswith("/webhooks/"):
            if message := orjson.loads(body).get("message"):
                contact = self._hall.contact(f"{path.rpartition('/')[2]}/{message['from']['id']}")
                if self._hall.hear(contact, str(message["message_id"]), message["text"]):
                    self._hall.react(contact, message["text"])
            return {}
        if path.startswith("/v1/state"):
            return {"unsettled": self._hall.unsettled}
        return {"entries": [], "cursor": "0.0", "more": False}  # a history; whoever adds operators reads nothing
