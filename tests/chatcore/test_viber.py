"""Viber: callbacks signed with the bot's token, `send_message` that answers 200 always, receipts by 64-bit token."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson
import pytest
from hypothesis import given

from chatcore.channels import viber
from chatcore.channels.shapes import Answer, Call, Consent, Enclosure, Event, File, Inbound, Outbound, Outcome, Receipt
from chatcore.config import Account
from tests.chatcore.bodies import check_parse, hostile
from tests.chatcore.client import Client, Desk, Frame, message, plain, token
from tests.chatcore.cores import inside, play
from tests.chatcore.provider import Answer as Said
from tests.chatcore.provider import Asked, Provider, serve

USER = "u+1=="
TOKEN = 5741311803571721087
PICTURE = b"\x89PNG\r\n" + bytes(range(256))
KEYS = {"id": "vb", "channel": "viber", "token": "secret", "sender": "Bank"}
ACCOUNT = msgspec.convert(KEYS | {"api": "https://chatapi.viber.com"}, Account)
HEADERS = (("Content-Type", "application/json"), ("X-Viber-Auth-Token", "secret"))


def callback(name: str, number: int = TOKEN, **more: Any) -> Frame:
    """A callback's body."""
    return {"event": name, "timestamp": 1767225600100, "chat_hostname": "SN-CHAT-01_", "message_token": number} | more


def said(number: int, **content: Any) -> Frame:
    """A customer's message."""
    sender = {"id": USER, "name": "Анна", "country": "RU", "language": "ru", "api_version": 10}
    return callback("message", number, sender=sender, message={"tracking_data": ""} | content, silent=False)


ANNA = {"id": USER, "name": "Анна", "avatar": "https://media.test/a.jpg", "country": "RU"}
MEDIA = "https://media.test/1"
TOLD: dict[str, tuple[Frame, list[Event]]] = {
    "a text, its token kept to the last digit": (
        said(TOKEN, type="text", text="Здравствуйте"),
        [Inbound(USER, "5741311803571721087", "Здравствуйте")],
    ),
    "a picture with its caption": (
        said(TOKEN, type="picture", media=MEDIA, thumbnail=MEDIA, text="my card", file_name="card.jpg"),
        [Inbound(USER, str(TOKEN), "my card", (File("image", "card.jpg", "image/jpeg", MEDIA),))],
    ),
    "a picture without a name": (
        said(TOKEN, type="picture", media=MEDIA),
        [Inbound(USER, str(TOKEN), "", (File("image", "picture.jpg", "image/jpeg", MEDIA),))],
    ),
    "a file": (
        said(TOKEN, type="file", media=MEDIA, file_name="contract.pdf", size=9_000),
        [Inbound(USER, str(TOKEN), "", (File("document", "contract.pdf", "application/octet-stream", MEDIA, 9_000),))],
    ),
    "a sticker is none": (said(TOKEN, type="sticker", sticker_id=40126), []),
    "a place is none": (said(TOKEN, type="location", location={"lat": 1.5, "lon": 2.5}), []),
    "a delivery is of one": (callback("delivered", user_id=USER), [Receipt(USER, "delivered", str(TOKEN))]),
    "seen is of all sent before": (callback("seen", user_id=USER), [Receipt(USER, "read", str(TOKEN), "order")]),
    "a failure has a reason": (
        callback("failed", user_id=USER, desc="no device"),
        [Receipt(USER, "failed", str(TOKEN), reason="no device")],
    ),
    "who only opens the chat may not be written to": (
        callback("conversation_started", type="open", context="", user=ANNA, subscribed=False),
        [Consent(USER, False)],
    ),
    "who opens the chat again may": (
        callback("conversation_started", type="open", user=ANNA, subscribed=True),
        [Consent(USER, True)],
    ),
    "who subscribes may": (callback("subscribed", user=ANNA), [Consent(USER, True)]),
    "who leaves may not": (callback("unsubscribed", user_id=USER), [Consent(USER, False)]),
    "the event of set_webhook is none": (callback("webhook"), []),
    "a kind of next year is none": (callback("levitated", user_id=USER), []),
    "a receipt of nobody is none": (callback("delivered"), []),
}


@pytest.mark.parametrize("kind", TOLD)
def test_what_a_callback_tells(kind: str) -> None:
    """Each kind of callback becomes what it tells, whole."""
    told, events = TOLD[kind]
    assert viber.parse(ACCOUNT, orjson.dumps(told)) == events


@given(hostile([told for told, _ in TOLD.values()]))
def test_no_body_breaks_parsing(body: bytes) -> None:
    """Whatever comes is unreadable, or events with users and ids of bounded length."""
    check_parse(viber, ACCOUNT, body)


@pytest.mark.parametrize("name", ["", "x" * 1_001])
def test_ids_are_bounded(name: str) -> None:
    """A user without a name, or with an endless one, makes a body unreadable."""
    for told in (callback("seen", user_id=name), callback("subscribed", user={"id": name})):
        with pytest.raises(ValueError, match="length"):
            viber.parse(ACCOUNT, orjson.dumps(told))


HEX = "aa9e2e3575f5d7098b6caccd790888c36d5fdb63342a73bada2d6a51747a8494"
ESCAPED = "36698e30ea020835e92a7a73e1d0346a572d188592aaab036b301f649cff595d"


@pytest.mark.parametrize(
    "headers, body, right",
    [
        ({"x-viber-content-signature": HEX}, b'{"a":1}', True),
        ({"x-viber-content-signature": ESCAPED}, rb'{"t":"\u041f\u0440\u0438\u0432\u0435\u0442"}', True),
        ({"x-viber-content-signature": ESCAPED}, '{"t":"Привет"}'.encode(), False),
        ({"x-viber-content-signature": HEX}, b'{"a":1} ', False),
        ({"x-viber-content-signature": f"sha256={HEX}"}, b'{"a":1}', False),
        ({"x-viber-content-signature": HEX.upper()}, b'{"a":1}', False),
        ({"x-viber-content-signature": "ж" + HEX[1:]}, b'{"a":1}', False),
        ({"x-viber-content-signature": "\udcff"}, b'{"a":1}', False),
        ({"x-viber-content-signature": ""}, b'{"a":1}', False),
        ({}, b'{"a":1}', False),
    ],
)
def test_a_callback_is_signed_over_its_raw_body(headers: dict[str, str], body: bytes, right: bool) -> None:
    """Only lower-case hex without a prefix is taken: the HMAC of the bytes under the bot's token."""
    assert viber.verify(ACCOUNT, headers, body) is right
    assert not viber.verify(msgspec.structs.replace(ACCOUNT, token="other"), headers, body)


def enclosure(kind: str) -> Enclosure:
    return Enclosure(kind, "contract.pdf", "application/pdf", "https://bank.test/f/1", b"%PDF")


@pytest.mark.parametrize(
    "file, content",
    [
        (None, {"type": "text", "text": "Здравствуйте"}),
        (enclosure("image"), {"type": "picture", "text": "", "media": "https://bank.test/f/1"}),
        (
            enclosure("document"),
            {"type": "file", "media": "https://bank.test/f/1", "size": 4, "file_name": "contract.pdf"},
        ),
    ],
)
def test_a_reply_is_one_call(file: Enclosure | None, content: Frame) -> None:
    """A text or an attachment is one message in the account's name, whose answer ends it."""
    text = "Здравствуйте" if file is None else ""
    sending = viber.send(ACCOUNT, Outbound(USER, text, "vb/u+1==#1.4", file))
    call = next(sending)
    assert call == Call("https://chatapi.viber.com/pa/send_message", call.body, HEADERS)
    assert orjson.loads(call.body) == {"receiver": USER, "sender": {"name": "Bank"}} | content
    with pytest.raises(StopIteration) as end:
        sending.send(Answer(200, {}, b'{"status":0,"status_message":"ok","message_token":5741311803571721087}'))
    assert end.value.value == Outcome("taken", provider_id="5741311803571721087")


REFUSALS = {
    1: "invalidUrl",
    2: "invalidAuthToken",
    3: "badData",
    4: "missingData",
    5: "receiverNotRegistered",
    6: "receiverNotSubscribed",
    7: "receiverBlocked",
    8: "notFound",
    9: "publicAccountSuspended",
    10: "webhookNotSet",
    11: "receiverNoSuitableDevice",
    13: "apiVersionNotSupported",
}
ENDS: dict[str, tuple[int, Any, Outcome]] = {
    "too many": (
        200,
        {"status": 12, "status_message": "tooManyRequests"},
        Outcome("again", "", "12 tooManyRequests", 10.0),
    ),
    "a token in their words is not in ours": (
        200,
        {"status": 2, "status_message": "unknown token secret"},
        Outcome("failed", "", "2 unknown token ..."),
    ),
    "taken without a token": (200, {"status": 0, "status_message": "ok"}, Outcome("again")),
    "taken with nonsense": (200, b"ok", Outcome("again")),
    "their trouble": (502, b"<html>", Outcome("again")),
    "no JSON, too many": (429, b"", Outcome("again")),
    "no JSON, refused": (403, b"<html>", Outcome("failed", "", "status 403")),
}
ENDS |= {
    words: (200, {"status": status, "status_message": words}, Outcome("failed", "", f"{status} {words}"))
    for status, words in REFUSALS.items()
}


@pytest.mark.parametrize("kind", ENDS)
def test_the_status_in_the_answer_decides(kind: str) -> None:
    """Whatever the HTTP status: too many are tried again, the rest has failed in the provider's number and words."""
    status, body, end = ENDS[kind]
    answer = Answer(status, {}, body if isinstance(body, bytes) else orjson.dumps(body))
    assert viber.outcome(ACCOUNT, answer) == end


class Api(Provider):
    """Viber's side: it has a picture, and numbers the messages that it takes."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.taken = 0

    def _say(self, asked: Asked) -> Said:
        if asked.path == "/pictures/1.png":
            return 200, PICTURE
        if asked.json().get("text") == "too much":
            return 200, {"status": 6, "status_message": "receiverNotSubscribed"}
        self.taken += 1
        return 200, {"status": 0, "status_message": "ok", "message_token": TOKEN + self.taken, "billing_status": 1}


def receipt(seq: int, status: str, provider_id: int | str = "", reason: str = "") -> Frame:
    """The receipt of a reply, without its time."""
    place = {"op": "receipt", "dialog": f"vb/{USER}#1", "seq": seq}
    return place | {"status": status, "provider_id": str(provider_id), "reason": reason}


async def post(client: Client, told: Frame) -> tuple[int, bytes]:
    """Post a signed callback."""
    data = orjson.dumps(told)
    signature = hmac.digest(b"secret", data, "sha256").hex()
    return await client.hook("viber/vb", data, {"X-Viber-Content-Signature": signature})


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Api, Client, Desk, Frame]]:
    """Viber's side, a core, and an operator who owns the dialog in which the customer said hello."""
    async with serve(Api()) as api, inside(accounts=[KEYS | {"api": api.api}], operators=[{"id": "o1"}]) as core:
        desk = await core.client.desk("o1", presence="online")
        assert await post(core.client, said(TOKEN, type="text", text="hello")) == (200, b"{}")
        yield api, core.client, desk, await desk.own(f"vb/{USER}#1")


def test_the_address_answers_its_event() -> None:
    """What follows `set_webhook` gets 200 if it is signed rightly; who asks with GET is refused."""

    async def acts() -> None:
        async with inside(accounts=[KEYS | {"api": "http://127.0.0.1:9"}]) as core:
            client, hello = core.client, callback("webhook")
            assert await post(client, hello) == (200, b"{}")
            wrong = {"X-Viber-Content-Signature": HEX}
            assert (await client.hook("viber/vb", orjson.dumps(hello), wrong))[0] == 401
            async with client.http.get(f"{client.url}/webhooks/viber/vb") as given:
                assert given.status == 403
            assert (await client.state())["counters"] == {"webhook_ignored": 1, "webhook_secret_wrong": 1}

    play(acts)


def test_a_conversation() -> None:
    """Messages whose tokens differ in the last digit, replies out, delivered one by one, seen all at once, failed."""

    async def acts() -> None:
        async with talking() as (api, client, desk, offer):
            for number, text in ((1, "my card"), (1, "my card"), (2, "is lost")):
                assert await post(client, said(TOKEN + number, type="text", text=text)) == (200, b"{}")
            assert [plain(await desk.until(op="entry")) for _ in range(2)] == [
                message(offer["dialog"], 4, "customer", "my card", "5741311803571721088"),
                message(offer["dialog"], 5, "customer", "is lost", "5741311803571721089"),
            ]
            for number, text in ((1, "first"), (2, "second")):
                await desk.say(offer, f"r{number}", text)
                assert plain(await desk.until(op="receipt")) == receipt(5 + number, "sent", TOKEN + number)
            await desk.say(offer, "r3", "too much")
            assert plain(await desk.until(op="receipt")) == receipt(8, "failed", "", "6 receiverNotSubscribed")
            assert [asked.headers["x-viber-auth-token"] for asked in api.asked] == ["secret"] * 3
            await post(client, callback("failed", TOKEN + 2, user_id=USER, desc="no device"))
            await post(client, callback("delivered", TOKEN + 1, user_id=USER))
            await post(client, callback("seen", TOKEN + 2, user_id=USER))
            assert [plain(await desk.until(op="receipt")) for _ in range(4)] == [
                receipt(7, "failed", reason="no device"),
                receipt(6, "delivered"),
                receipt(6, "read"),
                receipt(7, "read"),
            ]

    play(acts)


def test_attachments_both_ways() -> None:
    """A customer's picture is fetched from its address; an operator's document goes out by one, with its size."""

    async def acts() -> None:
        async with talking() as (api, client, desk, offer):
            picture = {"type": "picture", "media": f"{api.api}/pictures/1.png", "text": "", "file_name": "card.jpg"}
            await post(client, said(TOKEN + 1, **picture))
            stored = await desk.until(op="attachment")
            assert (stored["status"], stored["size"], stored["mime"]) == ("stored", len(PICTURE), "image/png")
            ref = await client.store(b"%PDF contract", token("operator", "o1"))
            file = {"kind": "document", "ref": ref, "name": "contract.pdf", "mime": "application/pdf"}
            await desk.send(op="send", dialog=offer["dialog"], number=1, cid="1", text="", files=[file])
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", TOKEN + 1)
            sent = api.asked[-1].json()
            address = urlsplit(sent.pop("media"))
            named = {"type": "file", "file_name": "contract.pdf", "size": 13}
            assert sent == {"receiver": USER, "sender": {"name": "Bank"}} | named
            assert await client.bytes(f"{address.path}?{address.query}") == (200, b"%PDF contract")

    play(acts)
