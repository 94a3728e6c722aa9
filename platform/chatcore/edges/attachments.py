"""REST for attachments: customers and operators store them first, and name them in a message."""

import time
from typing import Final
from urllib.parse import quote

from aiohttp import web

from chatcore.edges.files import MAX_FILE, Link
from chatcore.edges.gateway import GATEWAY, Gateway, error
from chatcore.errors import Unauthorized
from chatcore.tokens import sign, verify

LINK_LASTS_S: Final = 86_400
WRITERS: Final = ("customer", "operator")


def linker(gateway: Gateway) -> Link:
    """Makes addresses at which a provider may fetch an attachment for a day, without a token of its own."""

    def link(ref: str, name: str) -> str:
        token = sign(gateway.config.secret, "file", ref, int(time.time()) + LINK_LASTS_S)
        return f"{gateway.public_url}/v1/files/{ref}/{quote(name, safe='')}?token={token}"

    return link


async def upload(request: web.Request) -> web.Response:
    """`POST /v1/files`: store the body; the answer's `ref` goes into a message."""
    gateway = request.app[GATEWAY]
    if gateway.bearer(request)[0] not in WRITERS:
        raise Unauthorized
    data = bytearray()
    async for part in request.content.iter_any():
        data += part
        if len(data) > MAX_FILE:
            return error(413, "too_big", f"an attachment holds at most {MAX_FILE} bytes")
    if not data:
        return error(400, "empty", "the body is the attachment")
    return web.json_response({"ref": await gateway.files.keep(bytes(data)), "size": len(data)}, status=201)


async def download(request: web.Request) -> web.Response:
    """`GET /v1/files/{ref}`, and with a link's name and token: the bytes, to whoever was shown their `ref`."""
    gateway, ref = request.app[GATEWAY], request.match_info["ref"]
    token = request.query.get("token")
    if token is None:
        gateway.bearer(request)
    elif verify(gateway.config.secret, token, time.time()) != ("file", ref):
        raise Unauthorized
    data = await gateway.files.read(ref)
    if data is None:
        return error(404, "unknown_file")
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=data, content_type="application/octet-stream", headers=headers)
