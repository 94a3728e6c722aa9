"""A platform's side of each messenger, as little as can be: what a webhook says, and how a reply is sent.

It checks nothing and trusts the simulated messengers, whose counterpart it is.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from chatload.fleet.world import MessengerAccount

Said = tuple[str, str, str]  # a customer, their message's id, its text
Call = tuple[str, dict[str, str], bytes]  # path, headers, body
JSON: Final = {"Content-Type": "application/json"}


class Dialect(NamedTuple):
    """One messenger: `sent` is where the id stands in its API's answer; `thanks` is the answer to a webhook."""

    heard: Callable[[Any], Iterable[Said]]
    send: Callable[[MessengerAccount, str, str], Call]
    sent: tuple[str | int, ...]
    thanks: bytes = b"{}"


def sent_id(dialect: Dialect, answer: Any) -> str:
    """The id of a reply that was taken; "" if it was refused."""
    try:
        for step in dialect.sent:
            answer = answer[step]
    except (KeyError, IndexError, TypeError):
        return ""
    return str(answer)


def _telegram(body: Any) -> Iterator[Said]:
    if message := body.get("message"):
        yield str(message["from"]["id"]), str(message["message_id"]), message.get("text") or message["caption"]


def _messenger(body: Any) -> Iterator[Said]:
    for event in (event for entry in body["entry"] for event in entry["messaging"]):
        message = event.get("message", {})
        if ("text" in message or "attachments" in message) and not message.get("is_echo"):
            yield event["sender"]["id"], message["mid"], message.get("text", "")


def _viber(body: Any) -> Iterator[Said]:
    if body["event"] == "message" and "text" in body["message"]:
        yield body["sender"]["id"], str(body["message_token"]), body["message"]["text"]


def _vk(body: Any) -> Iterator[Said]:
    if body["type"] == "message_new":
        message = body["object"]["message"]
        yield str(message["from_id"]), str(message["id"]), message["text"]


def _whatsapp(body: Any) -> Iterator[Said]:
    for change in (change for entry in body["entry"] for change in entry["changes"]):
        for message in change["value"].get("messages", []):
            content = message.get(message["type"])
            text = content.get("body") or content.get("caption") if isinstance(content, dict) else None
            if text:
                yield message["from"], message["id"], text


def _infobip(body: Any) -> Iterator[Said]:
    for result in body["results"]:
        message = result.get("message", {})
        text = result.get("text") or message.get("text") or message.get("caption")
        if text:
            yield result["from"], result["messageId"], text


def _max(body: Any) -> Iterator[Said]:
    if body["update_type"] == "message_created":
        message = body["message"]
        yield str(message["sender"]["user_id"]), message["body"]["mid"], message["body"]["text"]


def _send_telegram(keys: MessengerAccount, user: str, text: str) -> Call:
    return f"/bot{keys.token}/sendMessage", JSON, orjson.dumps({"chat_id": int(user), "text": text})


def _send_messenger(keys: MessengerAccount, user: str, text: str) -> Call:
    body = {"recipient": {"id": user}, "messaging_type": "RESPONSE", "message": {"text": text}}
    return f"/v25.0/{keys.sender}/messages", _bearer(keys), orjson.dumps(body)


def _send_viber(keys: MessengerAccount, user: str, text: str) -> Call:
    body = {"receiver": user, "type": "text", "text": text, "sender": {"name": "Bank"}}
    return "/pa/send_message", JSON | {"X-Viber-Auth-Token": keys.token}, orjson.dumps(body)


def _send_vk(keys: MessengerAccount, user: str, text: str) -> Call:
    form = urlencode({"peer_id": user, "random_id": 0, "message": text, "v": "5.199"}).encode()
    headers = _bearer(keys) | {"Content-Type": "application/x-www-form-urlencoded"}
    return "/method/messages.send", headers, form


def _send_whatsapp(keys: MessengerAccount, user: str, text: str) -> Call:
    body = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": user, "type": "text"}
    return f"/v23.0/{keys.sender}/messages", _bearer(keys), orjson.dumps(body | {"text": {"body": text}})


def _send_infobip(keys: MessengerAccount, user: str, text: str) -> Call:
    body = {"from": keys.sender, "to": user, "content": {"text": text}}
    return "/whatsapp/1/message/text", JSON | {"Authorization": f"App {keys.token}"}, orjson.dumps(body)


def _send_sms(keys: MessengerAccount, user: str, text: str) -> Call:
    message = {"sender": keys.sender, "destinations": [{"to": user}], "content": {"text": text}}
    headers = JSON | {"Authorization": f"App {keys.token}"}
    return "/sms/3/messages", headers, orjson.dumps({"messages": [message]})


def _send_max(keys: MessengerAccount, user: str, text: str) -> Call:
    return f"/messages?user_id={user}", JSON | {"Authorization": keys.token}, orjson.dumps({"text": text})


def _bearer(keys: MessengerAccount) -> dict[str, str]:
    return JSON | {"Authorization": f"Bearer {keys.token}"}


DIALECTS: Final = {
    "telegram": Dialect(_telegram, _send_telegram, ("result", "message_id")),
    "messenger": Dialect(_messenger, _send_messenger, ("message_id",)),
    "viber": Dialect(_viber, _send_viber, ("message_token",)),
    "vk": Dialect(_vk, _send_vk, ("response",), b"ok"),
    "whatsapp": Dialect(_whatsapp, _send_whatsapp, ("messages", 0, "id")),
    "infobip": Dialect(_infobip, _send_infobip, ("messageId",)),
    "sms": Dialect(_infobip, _send_sms, ("messages", 0, "messageId")),
    "max": Dialect(_max, _send_max, ("message", "body", "mid")),
}
