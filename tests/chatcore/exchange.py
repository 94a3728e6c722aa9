"""The bank's telephone exchange: signed events of calls, and an API that connects and dials."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from chatcore.config import Account
from tests.chatcore.client import Client
from tests.chatcore.service import Service, listening

ACCOUNT = Account("ph", "phone", api="http://127.0.0.1:9", token="t0ken", webhook_secret="secret")
CALLER = "+79990000001"
BANK = "+74951234567"
AT = "2026-01-01T00:00:31.000Z"


def event(kind: str, call: str = "c-1", direction: str = "inbound", **more: Any) -> dict[str, Any]:
    """An event as the exchange writes it."""
    ends = {"from": CALLER, "to": BANK} if direction == "inbound" else {"from": BANK, "to": CALLER}
    answered = AT if kind == "call.answered" else None
    told = {"id": call, "direction": direction, **ends, "queue": None, "answered_at": answered}
    return {"event_id": f"ev-{call}-{kind}", "type": kind, "occurred_at": AT, "call": told | more}


def signed(body: bytes, secret: str = ACCOUNT.webhook_secret, at: str = "1767225631") -> dict[str, str]:
    """The headers of an event's first attempt."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    return {"X-PS-Signature": f"t={at},v1={made}", "X-PS-Event-Id": "ev-1", "X-PS-Attempt": "1"}


def account(api: str, **changes: Any) -> dict[str, Any]:
    """The account whose exchange is at `api`; its limits are out of the way."""
    given = {"id": "ph", "channel": "phone", "api": api, "token": "t0ken", "webhook_secret": "secret"}
    return given | {"rate_per_s": 1_000.0, "chat_rate_per_s": 1_000.0, "burst": 100} | changes


class Exchange(Service):
    """Takes every order, unless `answers` holds what is said next; the calls that it dials are d-1, d-2 and so on.

    A repeat of an order is answered as the order was. `hold` keeps answers back until `release`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.orders: list[tuple[str, dict[str, Any]]] = []  # path, body
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self._known: dict[str, dict[str, Any]] = {}
        self._dialled = 0

    async def connect(self, request: web.Request) -> web.Response:
        return await self._take(request, request.match_info["call"])

    async def dial(self, request: web.Request) -> web.Response:
        return await self._take(request, "")

    async def _take(self, request: web.Request, call: str) -> web.Response:
        assert request.headers["Authorization"] == "Bearer t0ken"
        body = orjson.loads(await request.read())
        self.orders.append((request.path, body))
        await self._open.wait()
        if self.answers:
            status, told = self.answers.pop(0)
            return web.json_response(told, status=status)
        if body["request_id"] not in self._known:
            self._dialled += not call
            self._known[body["request_id"]] = {"call": {"id": call or f"d-{self._dialled}"}}
        return web.json_response(self._known[body["request_id"]])

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Where each order went, and for which operator."""
        return [(path, body["operator"]) for path, body in self.orders]


@asynccontextmanager
async def serving() -> AsyncIterator[Exchange]:
    """An exchange's API on a free loopback port."""
    exchange = Exchange()
    routes = web.post("/calls", exchange.dial), web.post("/calls/{call}/connect", exchange.connect)
    async with listening(exchange, *routes) as exchange.url:
        yield exchange


async def tell(client: Client, *events: dict[str, Any], secret: str = "secret") -> list[int]:
    """Post events as the exchange does, their time being now; the statuses."""
    found = []
    for each in events:
        body = orjson.dumps(each)
        url = f"{client.url}/webhooks/phone/ph"
        async with client.http.post(url, data=body, headers=signed(body, secret)) as answer:
            found.append(answer.status)
    return found
