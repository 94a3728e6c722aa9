"""The simulated VK community: Callback API events with a secret in the body, and the methods of `messages`."""

from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

import orjson

from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.profiles import VK
from chatload.fleet.providers.provider import Hello, Provider, Refusal
from chatload.fleet.server import Pending, Request, reply

VERSION: Final = "5.199"
_CLIENT: Final = {"button_actions": ["text"], "keyboard": True, "inline_keyboard": True, "carousel": True, "lang_id": 0}


class Vk(Provider):
    """`sender` is the group, `verify_token` the confirmation string; a reply is echoed, and read up to a message."""

    channel = "vk"
    profile = VK
    edits = True
    statuses = ("sent", "read")
    watermarks = frozenset({"read"})
    refusals: ClassVar = {
        "token": Refusal(200, 5, "User authorization failed: invalid access_token (4)."),
        "method": Refusal(200, 3, "Unknown method passed."),
        "bad": Refusal(200, 100, "One of the parameters specified was missing or invalid"),
        "user": Refusal(200, 901, "Can't send messages for users without permission"),
        "empty": Refusal(200, 100, "One of the parameters specified was missing or invalid: message is empty"),
        "long": Refusal(200, 914, "Message is too long"),
        "blocked": Refusal(200, 901, "Can't send messages for users without permission"),
        "many": Refusal(200, 6, "Too many requests per second"),
    }

    def hello(self) -> Hello:
        """The confirmation string as the whole answer."""
        body = orjson.dumps({"type": "confirmation", "group_id": int(self.keys.sender)})
        return Hello("POST", "", body, self.keys.verify_token.encode())

    def lines(self, body: bytes, attempt: int) -> bytes:
        """The number of the repeat."""
        return b"\r\nX-Retry-Counter: %d" % (attempt - 1) if attempt > 1 else b""

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """`message_new`, with a photo or a document now and then."""
        message = self._message(chat, heard.id, heard.text, heard.at_ms, 0)
        if heard.media:
            message["attachments"] = [self._attached(int(chat.user), heard.media)]
        return self._event("message_new", {"message": message, "client_info": _CLIENT})

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes:
        """`message_edit` or `message_typing_state`."""
        if edit:
            message = self._message(chat, heard.id, heard.text, heard.at_ms, 0)
            return self._event("message_edit", message | {"update_time": heard.at_ms // 1000})
        typing = {"from_id": int(chat.user), "to_id": -int(self.keys.sender), "state": "typing"}
        return self._event("message_typing_state", typing)

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """`message_reply`, the community's own message; or `message_read` up to the last."""
        last = covered[-1]
        if status == "sent":
            return self._event("message_reply", self._message(chat, last.id, last.send.text, at_ms, 1))
        read = {"from_id": int(chat.user), "peer_id": int(chat.user), "read_message_id": last.id}
        return self._event("message_read", read | {"conversation_message_id": last.id})

    def called(self, request: Request) -> bytes | Pending:
        """`POST /method/<name>` as a form, and `/upload/<kind>`."""
        if request.path.startswith("/upload/"):
            token, kind = self._files.upload(request.body), request.path.rpartition("/")[2]
            answer = {"server": 1, "photo": token, "hash": "h"} if kind == "photo" else {"file": token}
            return reply(200, orjson.dumps(answer))
        form = {name: values[0] for name, values in parse_qs(request.body.decode(), True).items()}
        form = {name: values[0] for name, values in parse_qs(request.query).items()} | form
        if form.get("access_token") != self.keys.token and not self.may(request):
            return self.refuse("token")
        if not request.path.startswith("/method/") or "v" not in form:
            return self.refuse("method" if "v" in form else "bad")
        return self._method_called(request.path.removeprefix("/method/"), form, request)

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """The message's id."""
        return _response(message_id)

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """HTTP 200 and an `error` object."""
        error: dict[str, Any] = {"error_code": refusal.code, "error_msg": refusal.text, "request_params": []}
        return reply(refusal.status, orjson.dumps({"error": error}))

    def _method_called(self, method: str, form: dict[str, str], request: Request) -> bytes | Pending:
        match method:
            case "messages.send":
                return self._send(form, request)
            case "photos.getMessagesUploadServer" | "docs.getMessagesUploadServer":
                kind = "photo" if method.startswith("photos") else "doc"
                return _response({"upload_url": f"{self.url}/upload/{kind}", "user_id": 0, "album_id": 0})
            case "photos.saveMessagesPhoto":
                return _response([self._saved(form["photo"])])
            case "docs.save":
                return _response({"type": "doc", "doc": self._saved(form["file"])})
            case "messages.setActivity" | "messages.markAsRead":
                return _response(1)
        return self.refuse("method")

    def _send(self, form: dict[str, str], request: Request) -> bytes | Pending:
        user, once, attached = form.get("peer_id") or form["user_id"], form["random_id"], form.get("attachment", "")
        upload = attached.split("_")[-1] if attached else ""
        send = Send(user, form.get("message", ""), upload=upload, once="" if int(once) == 0 else once)
        return self.take(send, request)

    def _saved(self, token: str) -> dict[str, Any]:
        """What was uploaded, as it is named in a send: `photo<owner>_<id>_<key>`."""
        if not self._files.uploaded(token):
            raise ValueError("nothing whole was uploaded")
        return {"id": int(token.removeprefix("up")), "owner_id": -int(self.keys.sender), "access_key": token}

    def _attached(self, owner: int, name: str) -> dict[str, Any]:
        about = {"id": 1, "owner_id": owner, "access_key": name, "url": self.media_url(name)}
        if media.is_image(name):
            size = {"type": "x", "url": about.pop("url"), "width": 604, "height": 403}
            return {"type": "photo", "photo": about | {"sizes": [size]}}
        return {"type": "doc", "doc": about | {"title": name, "size": media.size_of(name), "ext": "pdf", "type": 1}}

    def _message(self, chat: Chat, message_id: MessageId, text: str, at_ms: int, out: int) -> dict[str, Any]:
        user = int(chat.user)
        return {
            "id": message_id, "date": at_ms // 1000, "peer_id": user, "out": out, "text": text, "random_id": 0,
            "from_id": -int(self.keys.sender) if out else user, "version": 10_000_041, "attachments": [],
            "conversation_message_id": message_id,
        }  # fmt: skip

    def _event(self, kind: str, content: dict[str, Any]) -> bytes:
        self._serial += 1
        about = {"type": kind, "group_id": int(self.keys.sender), "event_id": f"{self._serial:x}", "v": VERSION}
        return orjson.dumps(about | {"secret": self.keys.webhook_secret, "object": content})


def _response(content: Any) -> bytes:
    return reply(200, orjson.dumps({"response": content}))
