"""The simulated Infobip, for WhatsApp and for SMS: `results` of one kind a request, reports of delivery and reading."""

import base64
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import orjson

from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.profiles import INFOBIP, INFOBIP_SMS
from chatload.fleet.providers.provider import Problem, Provider, Refusal
from chatload.fleet.server import Pending, Request, reply

USER: Final = "infobip"
_PRICE: Final = {"pricePerMessage": 0, "currency": "EUR"}
_PENDING: Final = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "Sent"}
_DELIVERED: Final = {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"}
_FAILED: Final = {"groupId": 2, "groupName": "UNDELIVERABLE", "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED"}
_NO_ERROR: Final = {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "", "permanent": False}
_ERROR: Final = {"groupId": 1, "groupName": "HANDSET_ERRORS", "id": 27, "name": "EC_ABSENT_SUBSCRIBER"}
_REFUSALS: Final[dict[Problem, Refusal]] = {
    "token": Refusal(401, "E401", "The request lacks valid authentication credentials."),
    "method": Refusal(404, "E404", "The requested resource was not found."),
    "bad": Refusal(400, "E400", "Request cannot be processed."),
    "user": Refusal(400, "E400", "Unknown destination."),
    "empty": Refusal(400, "E400", "content must not be empty."),
    "long": Refusal(400, "E400", "text is too long."),
    "blocked": Refusal(400, "E400", "The destination has blocked the sender."),
    "window": Refusal(400, "E400", "No session: more than 24 hours since the last message."),
    "many": Refusal(429, "E429", "Too many requests sent."),
}


class Infobip(Provider):
    """WhatsApp through Infobip. `token` is the API key; `webhook_secret` the password of its webhooks."""

    channel = "infobip"
    profile = INFOBIP
    statuses: tuple[str, ...] = ("delivered", "read", "failed")
    refusals: ClassVar = _REFUSALS

    def headers(self) -> dict[str, str]:
        """Infobip signs nothing unless a subscription says so: Basic, as the bank set it up."""
        password = base64.b64encode(f"{USER}:{self.keys.webhook_secret}".encode()).decode()
        return {"Authorization": f"Basic {password}"}

    def envelope(self, events: list[bytes]) -> bytes:
        """Some `results`, all messages or all reports of one kind."""
        return b'{"results":[%b],"messageCount":%d,"pendingMessageCount":0}' % (b",".join(events), len(events))

    def new_id(self, chat: Chat) -> MessageId:
        """A text."""
        self._serial += 1
        return f"{self._serial:08x}-ib"

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """A text, an image or a document."""
        content = {"type": "TEXT", "text": heard.text}
        if heard.media:
            kind = "IMAGE" if media.is_image(heard.media) else "DOCUMENT"
            content = {"type": kind, "url": self.media_url(heard.media), "caption": heard.text}
        return self._event(chat, heard, content)

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """A reaction, or a place; Infobip tells of no edits."""
        content: dict[str, Any] = {"type": "REACTION", "emoji": "👍", "reactedMessageId": heard.id}
        if edit:
            content = {"type": "LOCATION", "latitude": 55.75, "longitude": 37.62}
        return self._event(chat, Heard(self.new_id(chat), "", "", heard.at_ms), content)

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """A delivery report, or that a reply was seen."""
        (sent,) = covered
        about = {"messageId": sent.id, "to": chat.user, "sentAt": _time(sent.at_ms)}
        if status == "read":
            return orjson.dumps(about | {"from": self.keys.sender, "seenAt": _time(at_ms)})
        failed = status == "failed"
        report: dict[str, Any] = {"bulkId": "b1", "messageCount": 1, "doneAt": _time(at_ms), "price": _PRICE}
        report |= {"status": _FAILED if failed else _DELIVERED, "error": _ERROR if failed else _NO_ERROR}
        if sent.send.echo:
            report["callbackData"] = sent.send.echo
        return orjson.dumps(about | report)

    def may(self, request: Request) -> bool:
        """The key in Infobip's own scheme."""
        return request.headers.get(b"authorization") == b"App " + self.keys.token.encode()

    def called(self, request: Request) -> bytes | Pending:
        """`POST /whatsapp/1/message/…`."""
        if not self.may(request):
            return self.refuse("token")
        match request.method, request.path.split("/")[1:]:
            case "POST", ["whatsapp", "1", "message", "text" | "image" | "document"]:
                body = orjson.loads(request.body)
                content, echo = body["content"], str(body.get("callbackData", ""))
                text = content.get("text") or content.get("caption", "")
                link, name = str(content.get("mediaUrl", "")), str(body.get("messageId", ""))
                return self.take(Send(str(body["to"]), str(text), link, echo=echo, id=name), request)
            case "POST", ["whatsapp", "1", "message", "template"]:
                (message,) = orjson.loads(request.body)["messages"]
                texts = message["content"]["templateData"]["body"]["placeholders"]
                text, name = (
                    str(texts[0] if texts else message["content"]["templateName"]),
                    message.get("messageId", ""),
                )
                echo = str(message.get("callbackData", ""))
                return self.take(Send(str(message["to"]), text, echo=echo, template=True, id=str(name)), request)
            case "POST", ["whatsapp", "1", "senders", _, "message", _, "read"]:
                return reply(200, b"{}")
        return self.refuse("method")

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """Pending: the report tells the rest."""
        answer = {"to": send.user, "messageCount": 1, "messageId": message_id, "status": _PENDING}
        return reply(200, orjson.dumps(answer))

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """The newer of Infobip's two shapes."""
        answer: dict[str, Any] = {"errorCode": refusal.code, "description": refusal.text, "action": ""}
        return reply(refusal.status, orjson.dumps(answer | {"violations": [], "resources": []}))

    def _event(self, chat: Chat, heard: Heard, content: dict[str, Any]) -> bytes:
        return orjson.dumps(
            self._about(chat, heard)
            | {"integrationType": "WHATSAPP", "message": content, "contact": {"name": "Анна"}, "pairedMessageId": None}
        )

    def _about(self, chat: Chat, heard: Heard) -> dict[str, Any]:
        about = {"from": chat.user, "to": self.keys.sender, "receivedAt": _time(heard.at_ms), "messageId": heard.id}
        return about | {"callbackData": None, "price": _PRICE}


class Sms(Infobip):
    """SMS through Infobip: texts only, and delivery reports."""

    channel = "sms"
    profile = INFOBIP_SMS
    statuses = ("delivered", "failed")

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """A text, in parts of 67 characters."""
        parts = -(-len(heard.text) // 67)
        about = self._about(chat, heard) | {"text": heard.text, "cleanText": heard.text, "keyword": ""}
        return orjson.dumps(about | {"smsCount": parts})

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """There is nothing but texts."""
        return None

    def called(self, request: Request) -> bytes | Pending:
        """`POST /sms/3/messages`, one message to one number a call."""
        if not self.may(request):
            return self.refuse("token")
        if request.method != "POST" or request.path != "/sms/3/messages":
            return self.refuse("method")
        (message,) = orjson.loads(request.body)["messages"]
        (destination,) = message["destinations"]
        echo = str(message.get("webhooks", {}).get("callbackData", ""))
        text, name = str(message["content"]["text"]), str(destination.get("messageId", ""))
        return self.take(Send(str(destination["to"]), text, echo=echo, id=name), request)

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """One message in a bulk."""
        message = {"messageId": message_id, "status": _PENDING, "destination": send.user}
        return reply(200, orjson.dumps({"bulkId": "b1", "messages": [message]}))


def _time(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}+0000"
