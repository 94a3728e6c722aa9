"""WhatsApp's side: bodies as Meta posts them, and its API."""

from typing import Any

import orjson

from chatcore.config import Account
from tests.chatcore.provider import Answer, Asked, Provider

API = "https://graph.facebook.com"
ACCOUNT = Account(
    "wa", "whatsapp", api=API, token="t0ken", webhook_secret="secret", sender="1101", verify_token="shared"
)
ANN, BOB = "79990000001", "79990000002"
BEARER = ("Authorization", "Bearer t0ken")
JSON = ("Content-Type", "application/json")
PICTURE = b"\x89PNG\r\n" + bytes(range(256))


def change(field: str = "messages", number: str = "1101", **value: Any) -> dict[str, Any]:
    """A change of our number, unless told otherwise."""
    about = {"display_phone_number": "74951234567", "phone_number_id": number}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": about} | value}


def envelope(*entries: list[dict[str, Any]]) -> bytes:
    """A webhook's body: entries of changes."""
    found = [{"id": "2202", "changes": changes} for changes in entries]
    return orjson.dumps({"object": "whatsapp_business_account", "entry": found})


def said(number: int, user: str = ANN, kind: str = "text", **content: Any) -> dict[str, Any]:
    """A customer's message."""
    about = {"from": user, "id": f"wamid.in{number}", "timestamp": "1767225600", "type": kind}
    return about | {kind: content or {"body": f"text {number}"}}


def status(wamid: str, state: str, user: str = ANN, **more: Any) -> dict[str, Any]:
    """A status of a reply."""
    found = {"id": wamid, "status": state, "timestamp": "1767225605", "recipient_id": user}
    return found | {"biz_opaque_callback_data": "trace-77"} | more


def refusal(code: int, text: str = "words", **more: Any) -> bytes:
    """An error as Meta gives it."""
    data = {"messaging_product": "whatsapp", "details": "<text>"}
    error = {"message": f"(#{code}) {text}", "type": "OAuthException", "code": code, "error_data": data}
    return orjson.dumps({"error": error | {"fbtrace_id": "AbC"} | more})


class Graph(Provider):
    """Meta's side: it takes messages, unless `errors` holds codes to be said first, and has one picture to give."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.errors: list[int] = []
        self.sent: list[dict[str, Any]] = []

    @property
    def account(self) -> dict[str, Any]:
        """An account of ours here, its limits out of the way."""
        given = {name: getattr(ACCOUNT, name) for name in ("id", "channel", "token", "webhook_secret", "sender")}
        limits = {"rate_per_s": 10_000.0, "chat_rate_per_s": 1_000.0, "burst": 100}
        return given | {"verify_token": ACCOUNT.verify_token, "api": self.api} | limits

    def _say(self, asked: Asked) -> Answer:
        assert asked.headers["authorization"] == BEARER[1]
        match asked.method, asked.path:
            case "POST", "/v23.0/1101/messages" if self.errors:
                return 400, orjson.loads(refusal(self.errors.pop(0)))
            case "POST", "/v23.0/1101/messages":
                self.sent.append(asked.json())
                return 200, {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{len(self.sent)}"}]}
            case "GET", "/v23.0/880":
                return 200, {"url": f"{self.api}/media/880?ext=1", "mime_type": "image/png", "id": "880"}
            case "GET", "/media/880":
                return 200, PICTURE
        return 404, orjson.loads(refusal(100))
