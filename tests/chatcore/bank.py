"""The bank's own service: it knows some accounts, and answers as a test tells it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from tests.chatcore.post import Relay, account
from tests.chatcore.service import Service, listening

TOKEN = "the bank's token"
EMAIL = "anna@home.example"
PERSONS = {"40817": "anna", "+7 900": "anna", "40818": "boris"}


class Bank(Service):
    """Knows whose accounts are; `hold` keeps answers back until `release`; `status` other than 200 breaks it."""

    def __init__(self) -> None:
        super().__init__()
        self.api = ""
        self.asked: list[tuple[str, Any]] = []
        self.status = 200
        self.body: bytes | None = None

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        body = orjson.loads(await request.read())
        self.asked.append((request.path.removeprefix("/bank/"), body))
        await self._open.wait()
        if self.status != 200 or self.body is not None:
            return web.Response(status=self.status, body=self.body or b"")
        if request.path.endswith("/accounts"):
            person = PERSONS.get(body["account"])
            found = {"person": person, "email": EMAIL}
            return web.json_response(found if person else {}, status=200 if person else 404)
        return web.json_response({"text": f"{body['person']} has 42 roubles."})


@asynccontextmanager
async def serving() -> AsyncIterator[Bank]:
    """The service on a free loopback port."""
    bank = Bank()
    routes = web.post("/bank/accounts", bank.handle), web.post("/bank/operations/{name}", bank.handle)
    async with listening(bank, *routes) as url:
        bank.api = f"{url}/bank"
        yield bank


def knowing(bank: Bank, relay: Relay, *accounts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The settings of a core that asks `bank` and mails codes through `relay`."""
    return {
        "accounts": [*accounts, account(relay.url)],
        "bot": {"misses": 99},
        "answers": str(Path(__file__).parent / "bank_answers.json"),
        "bank": {"api": bank.api, "token": TOKEN, "mail_account": "mail", **changes},
        "smtp_port": 0,
    }


def code_in(mail: str) -> str:
    """The code that a mail tells."""
    found = re.search(r"^\d{6}$", mail.replace("\r", ""), re.MULTILINE)
    assert found is not None, mail
    return found[0]
