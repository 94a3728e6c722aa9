"""The simulated MAX: one update a request with a secret in a header, sends by user or chat, no receipts."""

from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

import orjson

from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send
from chatload.fleet.providers.profiles import MAX
from chatload.fleet.providers.provider import Provider, Refusal, now_ms
from chatload.fleet.server import Pending, Request, reply

_CHATS: Final = 4_000_000_000  # a dialog's chat id, apart from its user's


class Max(Provider):
    """A message it takes is delivered, and nothing more is told."""

    channel = "max"
    profile = MAX
    edits = True
    refusals: ClassVar = {
        "token": Refusal(401, "verify.token", "Invalid access_token"),
        "method": Refusal(404, "not.found", "Unknown method"),
        "bad": Refusal(400, "proto.payload", "Cannot read the request"),
        "user": Refusal(404, "chat.not.found", "Chat not found"),
        "empty": Refusal(400, "proto.payload", "text: must not be empty"),
        "long": Refusal(400, "proto.payload", "text: size must be between 0 and 4000"),
        "blocked": Refusal(403, "chat.denied", "error.dialog.suspended"),
        "many": Refusal(429, "too.many.requests", "Too many requests"),
    }

    def headers(self) -> dict[str, str]:
        """The secret of the subscription."""
        return {"X-Max-Bot-Api-Secret": self.keys.webhook_secret}

    def new_id(self, chat: Chat) -> MessageId:
        """A text."""
        self._serial += 1
        return f"mid.{self._serial:016x}"

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """`message_created`."""
        return self._event("message_created", self._message(chat, heard, from_bank=False), heard.at_ms)

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes:
        """`message_edited` or `bot_started`."""
        if edit:
            return self._event("message_edited", self._message(chat, heard, from_bank=False), now_ms())
        user = {"user_id": int(chat.user), "name": "Анна", "is_bot": False}
        content = {"chat_id": int(chat.user) + _CHATS, "user": user, "payload": None}
        return orjson.dumps({"update_type": "bot_started", "timestamp": heard.at_ms, **content})

    def called(self, request: Request) -> bytes | Pending:
        """`POST /messages`, `/uploads` and what they name."""
        if request.path.startswith("/upload/"):
            token = self._files.upload(request.body)
            answer: dict[str, Any] = {"token": token}
            if request.path.endswith("/image"):
                answer = {"photos": {"p1": {"token": token}}}
            return reply(200, orjson.dumps(answer))
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        shown = request.headers.get(b"authorization", b"").decode() or query.get("access_token")
        if shown != self.keys.token:
            return self.refuse("token")
        match request.method, request.path.split("/")[1:]:
            case "POST", ["messages"]:
                return self._send(query, orjson.loads(request.body), request)
            case "POST", ["uploads"]:
                return reply(200, orjson.dumps({"url": f"{self.url}/upload/{query['type']}"}))
            case "POST", ["chats", _, "actions"]:
                return reply(200, b'{"success":true}')
        return self.refuse("method")

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """The message as the bot sent it."""
        message = self._message(chat, Heard(message_id, send.text, "", now_ms()), from_bank=True)
        return reply(200, orjson.dumps({"message": message}))

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """A code and a message."""
        return reply(refusal.status, orjson.dumps({"code": refusal.code, "message": refusal.text}))

    def _send(self, query: dict[str, str], body: dict[str, Any], request: Request) -> bytes | Pending:
        user = query.get("user_id") or str(int(query["chat_id"]) - _CHATS)
        link = upload = ""
        for attached in body.get("attachments") or []:
            payload = attached["payload"]
            link, upload = str(payload.get("url", "")), _token(payload)
        return self.take(Send(user, str(body.get("text") or ""), link, upload), request)

    def _message(self, chat: Chat, heard: Heard, from_bank: bool) -> dict[str, Any]:
        user = {"user_id": int(chat.user), "name": "Анна", "is_bot": False}
        bank = {"user_id": 1, "name": "Bank", "is_bot": True}
        to = int(chat.user) if from_bank else 1
        attached = [self._attached(heard.media)] if heard.media else []
        body = {"mid": heard.id, "seq": self._serial, "text": heard.text, "attachments": attached}
        recipient = {"chat_id": int(chat.user) + _CHATS, "chat_type": "dialog", "user_id": to}
        return {
            "sender": bank if from_bank else user, "recipient": recipient, "timestamp": heard.at_ms, "body": body,
        }  # fmt: skip

    def _attached(self, name: str) -> dict[str, Any]:
        payload = {"token": name, "url": self.media_url(name)}
        if media.is_image(name):
            return {"type": "image", "payload": payload | {"photo_id": 1}}
        return {"type": "file", "payload": payload, "filename": name, "size": media.size_of(name)}

    @staticmethod
    def _event(kind: str, message: dict[str, Any], at_ms: int) -> bytes:
        update = {"update_type": kind, "timestamp": at_ms, "user_locale": "ru", "message": message}
        return orjson.dumps(update)


def _token(payload: dict[str, Any]) -> str:
    """An uploaded file's token: its own, or that of the photos it makes."""
    photos = payload.get("photos") or {}
    return str(payload.get("token") or next((photo["token"] for photo in photos.values()), ""))
