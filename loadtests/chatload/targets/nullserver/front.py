"""Webhooks and REST: every request is answered with 200 at once."""

from typing import Any

import orjson

from chatload.fleet.server import Request, reply
from chatload.targets.nullserver.hall import Hall


def answer(hall: Hall, request: Request) -> bytes:
    """The answer to a request."""
    return reply(200, orjson.dumps(_content(hall, request)))


def _content(hall: Hall, request: Request) -> dict[str, Any]:
    if request.path.startswith("/webhooks/"):
        if message := orjson.loads(request.body).get("message"):
            contact = hall.contact(f"{request.path.rpartition('/')[2]}/{message['from']['id']}")
            if hall.hear(contact, str(message["message_id"]), message["text"]):
                hall.react(contact, message["text"])
        return {}
    if request.path.startswith("/v1/state"):
        return {"unsettled": hall.unsettled}
    return {"entries": [], "cursor": "0.0", "more": False}  # a history; whoever adds operators reads nothing
