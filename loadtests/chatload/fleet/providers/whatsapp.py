"""The simulated WhatsApp Cloud API: signed batches of messages and statuses, sends by phone number id."""

import base64
import hashlib
from typing import Any, ClassVar

import orjson

from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.meta import Meta, escaped
from chatload.fleet.providers.profiles import META_WHATSAPP
from chatload.fleet.providers.provider import Refusal
from chatload.fleet.server import Pending, Request, reply

_BUSINESS = "102290129340398"
_FAILED = {"code": 131026, "title": "Message undeliverable", "message": "Message undeliverable"}
_FAILED["error_data"] = {"details": "Message Undeliverable."}


class WhatsApp(Meta):
    """No order at all; three statuses a reply, one by one."""

    channel = "whatsapp"
    profile = META_WHATSAPP
    statuses = ("sent", "delivered", "read", "failed")
    refusals: ClassVar = {
        "token": Refusal(401, 190, "Invalid OAuth access token."),
        "method": Refusal(404, 100, "Unsupported post request."),
        "bad": Refusal(400, 100, "(#100) Invalid parameter"),
        "user": Refusal(400, 131026, "(#131026) Message undeliverable"),
        "empty": Refusal(400, 100, "(#100) The parameter text['body'] is required."),
        "long": Refusal(400, 100, "(#100) Param text['body'] must be at most 4096 characters long."),
        "blocked": Refusal(400, 131026, "(#131026) Message undeliverable"),
        "window": Refusal(400, 131047, "(#131047) Re-engagement message"),
        "many": Refusal(429, 130429, "(#130429) Rate limit hit"),
    }

    def envelope(self, events: list[bytes]) -> bytes:
        """Messages in one change, statuses in another; each event is what stands before and after its line's end."""
        parts = [event.split(b"\n") for event in events]
        contacts = b",".join(contact for contact, _ in parts if contact)
        messages = b",".join(message for contact, message in parts if contact)
        statuses = b",".join(status for contact, status in parts if not contact)
        number = self.keys.sender
        about = escaped({"display_phone_number": number, "phone_number_id": number})
        head = b'{"field":"messages","value":{"messaging_product":"whatsapp","metadata":%b,' % about
        changes = []
        if messages:
            changes.append(head + b'"contacts":[%b],"messages":[%b]}}' % (contacts, messages))
        if statuses:
            changes.append(head + b'"statuses":[%b]}}' % statuses)
        entry = b'{"id":"%b","changes":[%b]}' % (_BUSINESS.encode(), b",".join(changes))
        return b'{"object":"whatsapp_business_account","entry":[%b]}' % entry

    def new_id(self, chat: Chat) -> MessageId:
        """A text."""
        self._serial += 1
        return "wamid." + base64.b64encode(f"{chat.user}\x15{self._serial:x}".encode()).decode()

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """A text, an image or a document."""
        return self._event(chat, heard, self._content(heard))

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """A reaction, or a kind that the Cloud API does not support; it tells of no edits."""
        reacted = Heard(self.new_id(chat), "", "", heard.at_ms)
        if edit:
            why = {"code": 131051, "title": "Unsupported message type", "message": "Message type unknown"}
            return self._event(chat, reacted, {"type": "unsupported", "errors": [why]})
        return self._event(chat, reacted, {"type": "reaction", "reaction": {"message_id": heard.id, "emoji": "👍"}})

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """A status of one reply."""
        (sent,) = covered
        event: dict[str, Any] = {"id": sent.id, "status": status, "timestamp": str(at_ms // 1000)}
        event["recipient_id"] = chat.user
        if status == "failed":
            event["errors"] = [_FAILED]
        else:
            event["conversation"] = {"id": "c1", "origin": {"type": "service"}}
            event["pricing"] = {"billable": True, "pricing_model": "PMP", "category": "service"}
        if sent.send.echo:
            event["biz_opaque_callback_data"] = sent.send.echo
        return b"\n" + escaped(event)

    def called(self, request: Request) -> bytes | Pending:
        """`POST /v…/<number>/messages` and `/media`, `GET /v…/<media>`."""
        if not self.may(request):
            return self.refuse("token")
        match request.method, request.path.split("/")[2:]:
            case "POST", [self.keys.sender, "messages"]:
                return self._messages(orjson.loads(request.body), request)
            case "POST", [self.keys.sender, "media"]:
                return reply(200, orjson.dumps({"id": self._files.upload(request.body)}))
            case "GET", [name] if media.size_of(name) >= 0:
                return self._media(name)
        return self.refuse("method")

    def download(self, request: Request) -> bytes:
        """An attachment's URL needs the token, too."""
        return super().download(request) if self.may(request) else self.refuse("token")

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """Taken, not delivered: the statuses tell the rest."""
        contacts = [{"input": send.user, "wa_id": send.user}]
        answer = {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": message_id}]}
        return reply(200, orjson.dumps(answer))

    def _messages(self, body: dict[str, Any], request: Request) -> bytes | Pending:
        if body.get("status") == "read":
            return reply(200, b'{"success":true}')
        kind = body["type"]
        content, echo = body[kind], str(body.get("biz_opaque_callback_data", ""))
        user = str(body["to"]).removeprefix("+")
        match kind:
            case "text":
                return self.take(Send(user, str(content["body"]), echo=echo), request)
            case "image" | "document":
                caption, link, upload = (str(content.get(key, "")) for key in ("caption", "link", "id"))
                return self.take(Send(user, caption, link, upload, echo=echo), request)
            case "template":
                texts = [given["text"] for part in content.get("components", []) for given in part["parameters"]]
                return self.take(Send(user, texts[0] if texts else content["name"], echo=echo, template=True), request)
        return self.refuse("bad")

    def _media(self, name: str) -> bytes:
        data = media.content(name)
        found = {"messaging_product": "whatsapp", "url": self.media_url(name), "mime_type": media.TYPES[name[-3:]]}
        found |= {"sha256": hashlib.sha256(data).hexdigest(), "file_size": str(len(data)), "id": name}
        return reply(200, orjson.dumps(found))

    @staticmethod
    def _content(heard: Heard) -> dict[str, Any]:
        if not heard.media:
            return {"type": "text", "text": {"body": heard.text}}
        digest = base64.b64encode(hashlib.sha256(media.content(heard.media)).digest()).decode()
        file = {"mime_type": media.TYPES[heard.media[-3:]], "sha256": digest, "id": heard.media, "caption": heard.text}
        if media.is_image(heard.media):
            return {"type": "image", "image": file}
        return {"type": "document", "document": file | {"filename": heard.media}}

    @staticmethod
    def _event(chat: Chat, heard: Heard, content: dict[str, Any]) -> bytes:
        contact = {"profile": {"name": "Анна"}, "wa_id": chat.user}
        message = {"from": chat.user, "id": heard.id, "timestamp": str(heard.at_ms // 1000), **content}
        return escaped(contact) + b"\n" + escaped(message)
