"""VK's side of the tests: its events, its errors, and an API that says what was sent."""

from typing import Any
from urllib.parse import parse_qs

import orjson

from chatcore.config import Account
from tests.chatcore.client import HOOK_SECRET, Frame
from tests.chatcore.cores import Inside
from tests.chatcore.provider import Answer, Asked, Provider

TOKEN = "vk1.a.token"
ACCOUNT = Account(
    "vk",
    "vk",
    api="https://api.vk.com",
    token=TOKEN,
    webhook_secret=HOOK_SECRET,
    sender="1001",
    verify_token="c0nf1rm",
)
FORM = (("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", f"Bearer {TOKEN}"))
SIZES = [
    {"type": "m", "url": "https://sun1.userapi.com/m.jpg", "width": 130, "height": 87},
    {"type": "w", "url": "https://sun1.userapi.com/w.jpg", "width": 1080, "height": 720},
    {"type": "s", "url": "https://sun1.userapi.com/s.jpg", "width": 75, "height": 50},
]
DOC: Frame = {
    "type": "doc",
    "doc": {
        "id": 66,
        "owner_id": 5001,
        "title": "паспорт.pdf",
        "size": 14854,
        "ext": "pdf",
        "url": "https://psv4.userapi.com/d.pdf",
        "access_key": "b2",
        "type": 1,
    },
}
READ = {"from_id": 5001, "peer_id": 5001, "read_message_id": 40, "conversation_message_id": 6}


def event(kind: str, content: Any, **changes: Any) -> Frame:
    """A callback event of our community."""
    about = {"type": kind, "group_id": 1001, "event_id": "e1f0", "v": "5.199", "secret": HOOK_SECRET}
    return about | {"object": content} | changes


def written(text: str = "Здравствуйте", *attachments: Frame, **changes: Any) -> Frame:
    """A message as VK describes it."""
    return {
        "id": 41,
        "date": 1767225600,
        "peer_id": 5001,
        "from_id": 5001,
        "out": 0,
        "version": 10000041,
        "conversation_message_id": 7,
        "text": text,
        "random_id": 0,
        "attachments": attachments,
    } | changes


def new(message: Frame, **changes: Any) -> Frame:
    """The event of a new message."""
    client = {"button_actions": ["text"], "keyboard": True, "inline_keyboard": True, "carousel": True, "lang_id": 0}
    return event("message_new", {"message": message, "client_info": client}, **changes)


def error(code: int, words: str = "") -> Frame:
    """An error as VK tells it, with status 200."""
    return {"error": {"error_code": code, "error_msg": words, "request_params": [{"key": "v", "value": "5.199"}]}}


class Vk(Provider):
    """VK's API: it sends what it takes, once for each random_id, and has pictures and an upload server.

    `loses`: how many messages it sends next without saying so; `denied`: the user has forbidden to write to them.
    """

    def __init__(self) -> None:
        super().__init__(self._say)
        self.sent: dict[str, Frame] = {}
        self.loses = 0
        self.denied = False

    def account(self) -> Frame:
        """Ours, as a configuration has it; its limits are out of the way."""
        about = {"id": "vk", "channel": "vk", "api": self.api, "token": TOKEN, "webhook_secret": HOOK_SECRET}
        return about | {"sender": "1001", "verify_token": "c0nf1rm", "rate_per_s": 1_000.0, "chat_rate_per_s": 1_000.0}

    def _say(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return 200, asked.path.encode()
        if asked.path == "/upload":
            return 200, {"file": "743|pdf"}
        assert (asked.headers["authorization"], asked.headers["content-type"]) == (FORM[1][1], FORM[0][1])
        form = {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}
        assert form.pop("v") == "5.199"
        match asked.path.removeprefix("/method/"), form:
            case "docs.getMessagesUploadServer", {"peer_id": "5001"}:
                return 200, {"response": {"upload_url": f"{self.api}/upload"}}
            case "docs.save", {"file": "743|pdf"}:
                return 200, {"response": {"type": "doc", "doc": {"id": 66, "owner_id": -1001}}}
            case "messages.send", {"peer_id": "5001"}:
                return self._send(form)
        raise AssertionError(asked)

    def _send(self, form: Frame) -> Answer:
        if self.denied:
            return 200, error(901, "Can't send messages for users without permission")
        self.sent.setdefault(form.pop("random_id"), form)
        if self.loses:
            self.loses -= 1
            return 502, b""
        return 200, {"response": 42 + len(self.sent)}


async def take(core: Inside, body: Frame) -> tuple[int, bytes]:
    """Post an event as VK does."""
    return await core.client.hook("vk/vk", orjson.dumps(body), {})
