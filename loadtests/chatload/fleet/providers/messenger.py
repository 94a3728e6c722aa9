"""The simulated Facebook Messenger: signed batches of messaging events, the Send API, receipts by watermark."""

from typing import Any, ClassVar
from urllib.parse import parse_qs

import orjson

from chatload.fleet.ledger import Message
from chatload.fleet.providers import media
from chatload.fleet.providers.chat import Chat, Heard, MessageId, Send, Sent
from chatload.fleet.providers.meta import Meta, escaped
from chatload.fleet.providers.profiles import META_PAGE
from chatload.fleet.providers.provider import Refusal, now_ms
from chatload.fleet.server import Pending, Request, reply

_A_ENTRY = 2  # events in one entry of a batch


class Messenger(Meta):
    """Events in order per customer; each reply is echoed, then delivered and read up to a watermark."""

    channel = "messenger"
    profile = META_PAGE
    edits = True
    statuses = ("sent", "delivered", "read")
    watermarks = frozenset({"delivered", "read"})
    refusals: ClassVar = {
        "token": Refusal(400, 190, "Invalid OAuth access token."),
        "method": Refusal(400, 100, "Unsupported post request."),
        "bad": Refusal(400, 100, "(#100) Invalid parameter"),
        "user": Refusal(400, 100, "(#100) No matching user found", 2018001),
        "empty": Refusal(400, 100, "(#100) Message cannot be empty"),
        "long": Refusal(400, 100, "(#100) Length of param message[text] must be less than or equal to 2000"),
        "blocked": Refusal(400, 551, "(#551) This person isn't available right now.", 1545041),
        "window": Refusal(400, 10, "(#10) This message is sent outside of allowed window.", 2018278),
        "many": Refusal(400, 613, "(#613) Calls to this API have exceeded the rate limit."),
    }

    def envelope(self, events: list[bytes]) -> bytes:
        """Entries of one or two events each."""
        page = self.keys.sender.encode()
        entries = (
            b'{"id":"%b","time":%d,"messaging":[%b]}' % (page, now_ms(), b",".join(events[at : at + _A_ENTRY]))
            for at in range(0, len(events), _A_ENTRY)
        )
        return b'{"object":"page","entry":[%b]}' % b",".join(entries)

    def new_id(self, chat: Chat) -> MessageId:
        """A text."""
        self._serial += 1
        return f"m_{self._serial:x}"

    def posted_id(self, chat: Chat, message: Message) -> MessageId:
        """Of a file the message's own id: an id means nothing to a platform, and no caption says whose file it is."""
        return message.cid if message.attachment else self.new_id(chat)

    def said(self, chat: Chat, heard: Heard) -> bytes:
        """A text, or a file without one: Messenger knows no captions."""
        message: dict[str, Any] = {"mid": heard.id, "text": heard.text}
        if heard.media:
            attached = {"type": "image" if media.is_image(heard.media) else "file"}
            message = {"mid": heard.id, "attachments": [attached | {"payload": {"url": self.media_url(heard.media)}}]}
        return self._event(chat.user, self.keys.sender, heard.at_ms, message=message)

    def other(self, chat: Chat, heard: Heard, edit: bool) -> bytes | None:
        """`message_edit` or a reaction; a file has no words to edit."""
        if edit and heard.media:
            return None
        if edit:
            changed = {"mid": heard.id, "text": heard.text, "num_edit": 1}
            return self._event(chat.user, self.keys.sender, heard.at_ms, message_edit=changed)
        reaction = {"mid": heard.id, "action": "react", "reaction": "love", "emoji": "❤"}
        return self._event(chat.user, self.keys.sender, heard.at_ms, reaction=reaction)

    def told(self, chat: Chat, status: str, covered: list[Sent], at_ms: int) -> bytes:
        """The echo of a reply, or how far all are delivered or read; the ids may be absent, and are when many are."""
        last = covered[-1]
        if status == "sent":
            echo = {"is_echo": True, "app_id": 1, "mid": last.id, "text": last.send.text}
            return self._event(self.keys.sender, chat.user, at_ms, message=echo)
        event: dict[str, Any] = {"watermark": last.at_ms}
        if status == "delivered" and len(covered) == 1:
            event["mids"] = [last.id]
        name = "delivery" if status == "delivered" else "read"
        return self._event(chat.user, self.keys.sender, at_ms, **{name: event})

    def called(self, request: Request) -> bytes | Pending:
        """`POST /v…/<page>/messages`."""
        shown = parse_qs(request.query).get("access_token", [""])[0]
        if shown != self.keys.token and not self.may(request):
            return self.refuse("token")
        if request.method != "POST" or request.path.split("/")[2:] not in (
            [self.keys.sender, "messages"],
            ["me", "messages"],
        ):
            return self.refuse("method")
        body = orjson.loads(request.body)
        user = str(body["recipient"]["id"])
        if "sender_action" in body:
            return reply(200, orjson.dumps({"recipient_id": user}))
        message = body["message"]
        attached = message.get("attachment")
        link = str(attached["payload"]["url"]) if attached else ""
        return self.take(Send(user, str(message.get("text", "")), link, template="tag" in body), request)

    def accepted(self, chat: Chat, send: Send, message_id: MessageId) -> bytes:
        """Both ids."""
        return reply(200, orjson.dumps({"recipient_id": send.user, "message_id": message_id}))

    @staticmethod
    def _event(sender: str, recipient: str, at_ms: int, **content: Any) -> bytes:
        return escaped({"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at_ms, **content})
