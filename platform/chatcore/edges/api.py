"""How a row of the route table becomes a handler: who may call, what is taken, what is given, in that order."""

import ipaddress
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from chatcore.edges.files import MAX_FILE
from chatcore.edges.gateway import GATEWAY, MAX_BODY, Gateway
from chatcore.edges.views import NoQuery
from chatcore.errors import Problem
from chatcore.tokens import Role

JSON = "application/json"
BYTES = "application/octet-stream"


class Call(NamedTuple):
    """An admitted call: path, query and body are of the types that its row names."""

    gateway: Gateway
    role: str
    subject: str
    path: Any
    query: Any
    body: Any


class Route(NamedTuple):
    """A row of the table. `roles` None: no token is needed; `admits`: who needs none either.

    A `body` of bytes has no schema and may be as large as an attachment.
    """

    method: str
    path: str
    roles: tuple[Role, ...] | None
    handler: Callable[[Call], Awaitable[Any]]
    answer: Any
    variables: type | None = None
    query: type = NoQuery
    body: type | None = None
    admits: Callable[[Gateway, web.Request], bool] | None = None
    status: int = 200
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def handler(route: Route) -> Handler:
    """What aiohttp calls for `route`."""
    return partial(_handle, route)


async def _handle(route: Route, request: web.Request) -> web.Response:
    gateway = request.app[GATEWAY]
    role, subject = _caller(route, gateway, request)
    path = _path(route, request)
    call = Call(gateway, role, subject, path, _query(route, request), await _body(route, request))
    answer = await route.handler(call)
    body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
    return web.Response(status=route.status, body=body, headers={"Content-Type": route.media, **dict(route.headers)})


def _caller(route: Route, gateway: Gateway, request: web.Request) -> tuple[str, str]:
    if route.roles is None or (route.admits is not None and route.admits(gateway, request)):
        return "", ""
    role, subject = gateway.bearer(request)
    if role not in route.roles:
        raise Problem(403, "forbidden", f"this is for the role {' or '.join(route.roles)}")
    return role, subject


def on_loopback(gateway: Gateway, request: web.Request) -> bool:
    """Admits who shows no token, on a core that listens on loopback only."""
    return "Authorization" not in request.headers and is_loopback(gateway.config.host)


def is_loopback(host: str) -> bool:
    """Whether a host that is listened on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path(route: Route, request: web.Request) -> Any:
    try:
        return route.variables and msgspec.convert(dict(request.match_info), route.variables, strict=False)
    except msgspec.ValidationError as fault:
        raise Problem(404, "not_found", str(fault)) from fault


def _query(route: Route, request: web.Request) -> Any:
    try:
        if len(set(request.query)) < len(request.query):
            raise Problem(400, "bad_query", "a parameter occurs twice")
        return msgspec.convert(dict(request.query), route.query, strict=False)
    except msgspec.ValidationError as fault:
        raise Problem(400, "bad_query", str(fault)) from fault


async def _body(route: Route, request: web.Request) -> Any:
    if route.body is None:
        return None
    data = await _read(request, MAX_FILE if route.body is bytes else MAX_BODY)
    if route.body is bytes:
        return data
    try:
        return msgspec.json.decode(data, type=route.body)
    except (ValueError, RecursionError) as fault:
        raise Problem(400, "unreadable", str(fault)) from fault


async def _read(request: web.Request, most: int) -> bytes:
    data = bytearray()
    async for part in request.content.iter_any():
        data += part
        if len(data) > most:
            raise Problem(413, "too_big", f"the body holds at most {most} bytes")
    return bytes(data)
