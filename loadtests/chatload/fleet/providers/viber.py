"""The simulated Viber: signed events, 64-bit message tokens, an API that answers everything with HTTP 200."""

import hmac
from typing import Any, ClassVar, Final

import orjson

from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.profiles import VIBER
from chatload.fleet.providers.provider import Hello, Provider, Refusal, now_ms
from chatload.fleet.server import Pending, Request, reply

HOST: Final = "SN-CHAT-01_"
_FIRST_TOKEN: Final = 5_741_311_803_571_721_087  # over 2^53, as Viber's are


class Viber(Provider):
    """`delivered` a reply, `seen` once for all that were unread; the auth token also keys the signature."""

    channel = "viber"
    profile = VIBER
    statuses = ("delivered", "read", "failed")
    watermarks = frozenset({"read"})
    refusals: ClassVar = {
        "token": Refusal(200, 2, "invalidAuthToken"),
        "method": Refusal(404, 0, "notFound"),
        "bad": Refusal(200, 3, "badData"),
        "user": Refusal(200, 5, "receiverNotRegistered"),
        "empty": Refusal(200, 4, "missingData"),
        "long": Refusal(200, 3, "badData"),
        "blocked": Refusal(200, 6, "receiverNotSubscribed"),
        "many": Refusal(200, 12, "tooManyRequests"),
    }

    def hello(self) -> Hello:
        """The event that follows `set_webhook`, which must get 200."""
        event = {"event": "webhook", "timestamp": now_ms(), "message_token": _FIRST_TOKEN, "chat_hostname": HOST}
        return Hello("POST", "", orjson.dumps(event), None)

    def lines(self, body: bytes, attempt: int) -> bytes:
        """HMAC-SHA256 of the body, keyed with the bot's token, without a prefix."""
        return b"\r\nX-Viber-Content-Signature: " + hmac.digest(self.keys.token.encode(), body, "sha256").hex().encode()

    def new_id(self, chat: Chat) -> MessageId:
        """A number that a double cannot hold."""
        self._serial += 1
        return _FIRST_TOKEN + self._serial

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """A text, a picture or a file."""
        message: dict[str, Any] = {"type": "text", "text": heard.text, "tracking_data": ""}
        if heard.media:
            kind = "picture" if media.is_image(heard.media) else "file"
            message |= {"type": kind, "media": self.media_url(heard.media), "file_name": heard.media}
            message |= {"size": media.size_of(heard.media)}
        sender = {"id": chat.user, "name": "Анна", "country": "RU", "language": "ru", "api_version": 10}
        content = {"sender": sender, "message": message, "silent": False}
        return self._event("message", heard.id, heard.at_ms, **content)

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """`subscribed`, or a sticker; Viber tells of no edits."""
        if edit:
            return self._event("subscribed", self.new_id(chat), heard.at_ms, user={"id": chat.user, "name": "Анна"})
        sticker = {"sender": {"id": chat.user}, "message": {"type": "sticker", "sticker_id": 40126}}
        return self._event("message", self.new_id(chat), heard.at_ms, **sticker)

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """`delivered`, `seen` or `failed`, with the token of the last reply."""
        more = {"desc": "failed to deliver"} if status == "failed" else {}
        name = "seen" if status == "read" else status
        return self._event(name, covered[-1].id, at_ms, user_id=chat.user, **more)

    def called(self, request: Request) -> bytes | Pending:
        """`POST /pa/<method>`; the token stands in a header or in the body."""
        body = orjson.loads(request.body)
        if self.keys.token not in (request.headers.get(b"x-viber-auth-token", b"").decode(), body.get("auth_token")):
            return self.refuse("token")
        if request.path == "/pa/set_webhook":
            return reply(200, b'{"status":0,"status_message":"ok"}')
        if request.method != "POST" or request.path != "/pa/send_message":
            return self.refuse("method")
        text, link = str(body.get("text", "")), str(body.get("media", ""))
        if not body["sender"]["name"] or (body["type"] == "text") == bool(link) or (link and not _whole(body)):
            return self.refuse("bad")
        return self.take(Send(str(body["receiver"]), text, link), request)

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """Status 0 and the message's token."""
        answer = {"status": 0, "status_message": "ok", "message_token": message_id, "chat_hostname": HOST}
        return reply(200, orjson.dumps(answer | {"billing_status": 1}))

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """A status other than 0."""
        answer = {"status": refusal.code, "status_message": refusal.text, "chat_hostname": HOST}
        return reply(refusal.status, orjson.dumps(answer))

    @staticmethod
    def _event(name: str, token: MessageId, at_ms: int, **content: Any) -> bytes:
        event = {"event": name, "timestamp": at_ms, "chat_hostname": HOST, "message_token": token}
        return orjson.dumps(event | content)


def _whole(body: dict[str, Any]) -> bool:
    """Whether an attachment has what its type needs."""
    return body["type"] == "picture" or (body["type"] == "file" and body["size"] > 0 and bool(body["file_name"]))
