"""Webhooks and REST: every request is answered with 200 at once."""

from typing import Final
from urllib.parse import parse_qs

import orjson

from chatload.fleet.server import Request, plain, reply
from chatload.targets.nullserver.dialects import DIALECTS
from chatload.targets.nullserver.hall import Hall

_NO_HISTORY: Final = reply(200, b'{"entries":[],"cursor":"0.0","more":false}')


def answer(hall: Hall, request: Request) -> bytes:
    """The answer to a request; what cannot be read is refused."""
    try:
        return _answer(hall, request)
    except (ValueError, LookupError, TypeError, AttributeError):
        return reply(400, b"{}")


def _answer(hall: Hall, request: Request) -> bytes:
    if request.path.startswith("/webhooks/"):
        _, _, channel, account = request.path.split("/")
        return _webhook(hall, channel, account, request)
    if request.path.startswith("/v1/state"):
        return reply(200, orjson.dumps({"unsettled": hall.unsettled}))
    return _NO_HISTORY  # whoever adds operators reads nothing


def _webhook(hall: Hall, channel: str, account: str, request: Request) -> bytes:
    """Take what customers say, or answer a messenger's handshake."""
    dialect = DIALECTS[channel]
    if request.method == "GET":
        return plain(parse_qs(request.query)["hub.challenge"][0].encode(), "text/plain")
    body = orjson.loads(request.body)
    if body.get("type") == "confirmation":
        return plain(hall.config.messengers[account].keys.verify_token.encode(), "text/plain")
    for user, message_id, text in dialect.heard(body):
        contact = hall.contact(f"{account}/{user}")
        if hall.hear(contact, message_id, text):
            hall.react(contact, text)
    return reply(200, dialect.thanks)
