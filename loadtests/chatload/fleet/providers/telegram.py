"""The simulated Telegram: real Updates to the platform's webhook, and the Bot API with its limits and refusals."""

from typing import Any, ClassVar, Final

import orjson

from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send
from chatload.fleet.providers.profiles import TELEGRAM
from chatload.fleet.providers.provider import Provider, Refusal, now_ms
from chatload.fleet.providers.settings import Settings
from chatload.fleet.server import Pending, Request, reply
from chatload.fleet.world import World

_NAME: Final = "Анна"
_ATTACHED: Final = {"sendphoto": "photo", "senddocument": "document"}


class Telegram(Provider):
    """Bot API: one Update a request, in order per chat; a message it takes is delivered, and nothing more is told."""

    channel = "telegram"
    profile = TELEGRAM
    edits = True
    refusals: ClassVar = {
        "token": Refusal(401, 401, "Unauthorized"),
        "method": Refusal(404, 404, "Not Found: method not found"),
        "bad": Refusal(400, 400, "Bad Request: chat_id and text are required"),
        "user": Refusal(400, 400, "Bad Request: chat not found"),
        "empty": Refusal(400, 400, "Bad Request: message text is empty"),
        "long": Refusal(400, 400, "Bad Request: message is too long"),
        "blocked": Refusal(403, 403, "Forbidden: bot was blocked by the user"),
        "many": Refusal(429, 429, "Too Many Requests: retry after"),
    }

    def __init__(self, world: World, account: str, settings: Settings, worker: int = 0, workers: int = 1) -> None:
        super().__init__(world, account, settings, worker, workers)
        self._update_id = (worker + 1) * 100_000_000

    def headers(self) -> dict[str, str]:
        """The secret that was given to `setWebhook`."""
        return {"X-Telegram-Bot-Api-Secret-Token": self.keys.webhook_secret}

    def new_id(self, chat: Chat) -> MessageId:
        """Numbers of the chat's own."""
        return chat.take_id()

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """`message`, with a text, a photo or a document."""
        return self._update("message", self._message(chat, heard))

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes:
        """`edited_message` or `message_reaction`."""
        message = self._message(chat, heard)
        if edit:
            return self._update("edited_message", message | {"edit_date": message["date"]})
        reaction = {"chat": message["chat"], "user": message["from"], "date": message["date"], "message_id": heard.id}
        reaction |= {"old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👍"}]}
        return self._update("message_reaction", reaction)

    def called(self, request: Request) -> bytes | Pending:
        """`/bot<token>/<method>` and `/file/bot<token>/<path>`."""
        if request.path.startswith(f"/file/bot{self.keys.token}/"):
            return self.download(request)
        own, _, method = request.path.removeprefix("/").partition("/")
        if own != f"bot{self.keys.token}":
            return self.refuse("token")
        body = orjson.loads(request.body) if request.method == "POST" else {}
        match method.lower():
            case "sendmessage" if request.method == "POST":
                return self.take(Send(str(body["chat_id"]), _text(body["text"])), request)
            case "sendphoto" | "senddocument" as method:
                link = _text(body[_ATTACHED[method]])
                return self.take(Send(str(body["chat_id"]), _text(body.get("caption", "")), link), request)
            case "getfile":
                return self._file(body["file_id"])
            case "sendchataction":
                return reply(200, b'{"ok":true,"result":true}')
        return self.refuse("method")

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """The message as the bot sent it."""
        message = self._message(chat, Heard(message_id, send.text, "", now_ms()))
        message["from"] = {"id": 1, "is_bot": True, "first_name": "Bank"}
        return reply(200, orjson.dumps({"ok": True, "result": message}))

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """`ok: false` with a code and words; a 429 also says how long to wait, in header and body."""
        body: dict[str, Any] = {"ok": False, "error_code": refusal.code, "description": refusal.text}
        if not wait_s:
            return reply(refusal.status, orjson.dumps(body))
        body |= {"description": f"{refusal.text} {wait_s}", "parameters": {"retry_after": wait_s}}
        return reply(refusal.status, orjson.dumps(body), f"Retry-After: {wait_s}\r\n")

    def _update(self, kind: str, content: dict[str, Any]) -> bytes:
        self._update_id += 1
        return orjson.dumps({"update_id": self._update_id, kind: content})

    @staticmethod
    def _message(chat: Chat, heard: Heard) -> dict[str, Any]:
        user, username = int(chat.user), f"u{chat.user}"
        message = {
            "message_id": heard.id,
            "date": heard.at_ms // 1000,
            "text": heard.text,
            "from": {
                "id": user, "first_name": _NAME, "username": username, "is_bot": False, "language_code": "ru",
            },
            "chat": {"id": user, "first_name": _NAME, "username": username, "type": "private"},
        }  # fmt: skip
        if heard.media:
            message["caption"] = message.pop("text")
            message |= _attached(heard.media)
        return message

    def _file(self, file_id: str) -> bytes:
        size = media.size_of(file_id)
        if size < 0:
            return reply(400, b'{"ok":false,"error_code":400,"description":"Bad Request: invalid file_id"}')
        found = {"file_id": file_id, "file_unique_id": file_id[-16:], "file_size": size}
        return reply(200, orjson.dumps({"ok": True, "result": found | {"file_path": f"documents/{file_id}"}}))


def _attached(name: str) -> dict[str, Any]:
    about = {"file_id": name, "file_unique_id": name[-16:], "file_size": media.size_of(name)}
    if media.is_image(name):
        small = about | {"file_id": f"small-{name}", "file_size": 90, "width": 90, "height": 51}
        return {"photo": [small, about | {"width": 1280, "height": 720}]}
    return {"document": about | {"file_name": name, "mime_type": media.TYPES["pdf"]}}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
