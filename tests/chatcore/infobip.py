"""Infobip's side: bodies as it posts them, for WhatsApp and SMS, and its API."""

import base64
from typing import Any

import orjson

from chatcore.config import Account
from tests.chatcore.provider import Answer, Asked, Provider

API = "https://x1.api.infobip.com"
ACCOUNT = Account("ib", "infobip", api=API, token="k3y", webhook_secret="secret", sender="74951234567")
ANN, BOB = "79990000001", "79990000002"
APP = ("Authorization", "App k3y")
JSON = ("Content-Type", "application/json")
PRICE = {"pricePerMessage": 0, "currency": "EUR"}
PENDING = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "Sent"}
PNG = b"\x89PNG\r\n" + bytes(range(256))


def envelope(*results: dict[str, Any]) -> bytes:
    """A webhook's body."""
    return orjson.dumps({"results": results, "messageCount": len(results), "pendingMessageCount": 0})


def said(number: int, user: str = ANN, **message: Any) -> dict[str, Any]:
    """A customer's message on WhatsApp."""
    about = {"from": user, "to": "74951234567", "integrationType": "WHATSAPP", "messageId": f"ib-in-{number}"}
    return about | {"message": message or {"type": "TEXT", "text": f"text {number}"}, "price": PRICE}


def texted(number: int, user: str = ANN, text: str = "hello") -> dict[str, Any]:
    """A customer's SMS."""
    about = {"messageId": f"sms-in-{number}", "from": user, "to": "74951234567", "text": text, "cleanText": "clean"}
    return about | {"keyword": "K", "receivedAt": "2026-01-01T00:00:00.000+0000", "smsCount": 1, "price": PRICE}


def report(message_id: str, group: str, user: str = ANN, error: str | None = None, **status: Any) -> dict[str, Any]:
    """A delivery report."""
    about: dict[str, Any] = {"bulkId": "b1", "messageId": message_id, "to": user, "messageCount": 1, "price": PRICE}
    found = {"groupId": 3, "groupName": group, "id": 5, "name": f"{group}_X", "description": "words"} | status
    return about | {"status": found} | ({} if error is None else {"error": {"name": "EC_X", "description": error}})


def seen(message_id: str, user: str = ANN) -> dict[str, Any]:
    """A seen report."""
    times = {"sentAt": "2026-01-01T00:00:01.000+0000", "seenAt": "2026-01-01T00:00:05.000+0000"}
    return {"messageId": message_id, "from": "74951234567", "to": user} | times


def basic(words: str) -> dict[str, str]:
    """The header of Basic authentication."""
    return {"authorization": "Basic " + base64.b64encode(words.encode()).decode()}


def newer(code: str) -> bytes:
    """An error in the shape of today."""
    error = {"errorCode": code, "description": "words", "action": "do", "violations": [], "resources": []}
    return orjson.dumps(error)


def older(code: str) -> bytes:
    """An error in the shape before."""
    return orjson.dumps({"requestError": {"serviceException": {"messageId": code, "text": "words"}}})


class Api(Provider):
    """Infobip's side: it takes what it is sent, unless `errors` holds bodies to be said first, and has one picture."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.errors: list[bytes] = []
        self.sent: list[dict[str, Any]] = []

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """An account of each channel here, its limits out of the way."""
        given = {name: getattr(ACCOUNT, name) for name in ("token", "webhook_secret", "sender")} | {"api": self.api}
        limits = {"rate_per_s": 10_000.0, "chat_rate_per_s": 1_000.0, "burst": 100}
        return [{"id": "ib", "channel": "infobip"} | given | limits, {"id": "sms", "channel": "sms"} | given | limits]

    def _say(self, asked: Asked) -> Answer:
        assert asked.headers["authorization"] == APP[1]
        if asked.method == "GET":
            return 200, PNG
        if self.errors:
            return 400, orjson.loads(self.errors.pop(0))
        body = asked.json()
        self.sent.append(body)
        if asked.path.startswith("/whatsapp/1/message/"):
            return 200, {"to": body["to"], "messageCount": 1, "messageId": body["messageId"], "status": PENDING}
        (destination,) = body["messages"][0]["destinations"]
        message = {"messageId": destination["messageId"], "status": PENDING, "destination": destination["to"]}
        return 200, {"bulkId": "b1", "messages": [message]}
