"""REST for attachments: customers and operators store them first, and name them in a message."""

import time
from typing import Final, cast
from urllib.parse import quote

from aiohttp import web

from chatcore.edges import views as v
from chatcore.edges.api import Call
from chatcore.edges.files import Link
from chatcore.edges.gateway import Gateway
from chatcore.errors import Problem, Unauthorized
from chatcore.tokens import sign, verify

LINK_LASTS_S: Final = 86_400


def linker(gateway: Gateway) -> Link:
    """Makes addresses at which a provider may fetch an attachment for a day, without a token of its own."""

    def link(ref: str, name: str) -> str:
        token = sign(gateway.config.secret, "file", ref, int(time.time()) + LINK_LASTS_S)
        return f"{gateway.public_url}/v1/files/{ref}/{quote(name, safe='')}?token={token}"

    return link


async def upload(call: Call) -> v.Uploaded:
    """Store the body; the answer's `ref` goes into a message."""
    if not call.body:
        raise Problem(400, "empty", "the body is the attachment")
    return v.Uploaded(await call.gateway.files.keep(call.body), len(call.body))


async def download(call: Call) -> bytes:
    """The bytes, to whoever was shown their `ref`."""
    data = await call.gateway.files.read(cast(v.FilePath, call.path).ref)
    if data is None:
        raise Problem(404, "unknown_file")
    return data


async def linked(call: Call) -> bytes:
    """The bytes, for a provider that was given their address."""
    return await download(call)


def has_link(gateway: Gateway, request: web.Request) -> bool:
    """Admits who shows the token of the attachment's address.

    Raises:
        Unauthorized: another token.
    """
    token = request.query.get("token")
    if token is None:
        return False
    if verify(gateway.config.secret, token, time.time()) != ("file", request.match_info["ref"]):
        raise Unauthorized
    return True
