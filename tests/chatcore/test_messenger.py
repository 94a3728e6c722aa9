"""Facebook Messenger: signed batches in, the Send API out, receipts by id or by watermark."""

import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson
import pytest
from hypothesis import given

from chatcore.channels import messenger
from chatcore.channels.shapes import Answer, Call, Enclosure, Event, File, Inbound, Outbound, Outcome, Receipt
from chatcore.config import Account
from tests.chatcore.bodies import check_parse, hostile
from tests.chatcore.client import Client, Desk, Frame, message, plain, token, until
from tests.chatcore.cores import inside, play
from tests.chatcore.provider import Answer as Said
from tests.chatcore.provider import Asked, Provider, serve

PAGE, USER = "1001", "u-77"
BUSY = [{"id": "o1", "slots": 100}]
PICTURE = b"\x89PNG\r\n" + bytes(range(256))
KEYS = {
    "id": "fb",
    "channel": "messenger",
    "token": "EAAB|to/ken",
    "webhook_secret": "secret",
    "sender": PAGE,
    "verify_token": "a verify token",
}
ASKS = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "a verify token"}
ACCOUNT = msgspec.convert(KEYS | {"api": "https://graph.facebook.com"}, Account)
URL = "https://graph.facebook.com/v25.0/1001/messages?access_token=EAAB%7Cto%2Fken"
CDN = "https://cdn.test/v/t59/77/contract%20%E2%84%967.pdf?oh=1&oe=2"


def event(sender: str = USER, **content: Any) -> Frame:
    """A messaging event of the page."""
    recipient = PAGE if sender == USER else USER
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": 1767225600100} | content


def said(mid: str, text: str | None = None, *attachments: Frame) -> Frame:
    """A customer's message."""
    content: Frame = {"mid": mid} | ({} if text is None else {"text": text})
    return event(message=content | ({"attachments": list(attachments)} if attachments else {}))


def attached(kind: str, url: str) -> Frame:
    return {"type": kind, "payload": {"url": url}}


def envelope(*entries: list[Frame], page: str = PAGE) -> Frame:
    """A webhook's body with so many entries."""
    listed = [{"id": page, "time": 1767225600123, "messaging": entry} for entry in entries]
    return {"object": "page", "entry": listed}


PHOTO = File("image", "photo.jpg", "image/jpeg", "https://cdn.test/1.png")
VOICE = File("document", "1.mp4", "application/octet-stream", "https://cdn.test/1.mp4")
CONTRACT = File("document", "contract №7.pdf", "application/octet-stream", CDN)
TOLD: dict[str, tuple[Frame, list[Event]]] = {
    "a text": (said("m_1", "Здравствуйте"), [Inbound(USER, "m_1", "Здравствуйте")]),
    "a pressed quick reply is its text": (
        event(message={"mid": "m_1", "text": "Yes", "quick_reply": {"payload": "YES"}}),
        [Inbound(USER, "m_1", "Yes")],
    ),
    "an answer to a message is a message": (
        event(message={"mid": "m_2", "text": "this one", "reply_to": {"mid": "m_1"}}),
        [Inbound(USER, "m_2", "this one")],
    ),
    "an image has no name of its own": (
        said("m_1", None, attached("image", PHOTO.source)),
        [Inbound(USER, "m_1", "", (PHOTO,))],
    ),
    "a file is named in its address": (
        said("m_1", None, attached("file", CDN)),
        [Inbound(USER, "m_1", "", (CONTRACT,))],
    ),
    "several attachments stay one message, in their order": (
        said("m_1", None, attached("image", PHOTO.source), attached("audio", VOICE.source), attached("file", CDN)),
        [Inbound(USER, "m_1", "", (PHOTO, VOICE, CONTRACT))],
    ),
    "what has no address is no attachment": (
        said("m_1", "here I am", {"type": "location", "payload": {"coordinates": {"lat": 1.5, "long": 2.5}}}),
        [Inbound(USER, "m_1", "here I am")],
    ),
    "an edit names the message": (
        event(message_edit={"mid": "m_1", "text": "my card is lost", "num_edit": 1}),
        [Inbound(USER, "m_1", "my card is lost", edits="m_1", revision=1)],
    ),
    "a delivery names its messages": (
        event(delivery={"mids": ["m_2", "m_3"], "watermark": 1767225600200}),
        [Receipt(USER, "delivered", "m_2"), Receipt(USER, "delivered", "m_3")],
    ),
    "a delivery without ids is of all until its watermark": (
        event(delivery={"watermark": 1767225600200}),
        [Receipt(USER, "delivered", "1767225600200", "time")],
    ),
    "all until its watermark are read": (
        event(read={"watermark": 1767225600200}),
        [Receipt(USER, "read", "1767225600200", "time")],
    ),
    "the echo of a reply is none": (
        event(PAGE, message={"is_echo": True, "app_id": 1, "mid": "m_9", "text": "Hi"}),
        [],
    ),
    "a pressed button is none": (event(postback={"title": "Start", "payload": "START"}), []),
    "a reaction is none": (event(reaction={"mid": "m_1", "action": "react", "emoji": "❤"}), []),
    "a kind of next year is none": (event(levitation={"height": 3}), []),
    "nothing said is none": (said("m_1"), []),
    "an event of nobody is none": ({"recipient": {"id": PAGE}, "optin": {"ref": "x"}}, []),
}


def parse(body: Any) -> list[Event]:
    return messenger.parse(ACCOUNT, orjson.dumps(body))


@pytest.mark.parametrize("kind", TOLD)
def test_what_an_event_tells(kind: str) -> None:
    """Each kind of event becomes what it tells, whole."""
    told, events = TOLD[kind]
    assert parse(envelope([told])) == events


def test_every_element_of_every_entry_counts() -> None:
    """A batch is all its events in their order, over all entries, whatever stands between them."""
    batch = envelope([said("m_1", "1"), event(reaction={"mid": "m_1"}), said("m_2", "2")], [], [said("m_3", "3")])
    batch["entry"][1] = {"id": PAGE, "time": 1, "changes": [{"field": "feed", "value": {}}]}
    assert parse(batch) == [Inbound(USER, f"m_{number}", str(number)) for number in (1, 2, 3)]


def test_what_another_page_tells_is_not_taken() -> None:
    """Users' ids are a page's own: an entry of another page, or another kind of object, brings nothing."""
    assert parse(envelope([said("m_1", "1")], page="1002")) == []
    assert parse(envelope([said("m_1", "1")]) | {"object": "instagram"}) == []


@given(hostile([envelope([told for told, _ in TOLD.values()], [said("m_9", "9")])]))
def test_no_body_breaks_parsing(body: bytes) -> None:
    """Whatever comes is unreadable, or events with users and ids of bounded length."""
    check_parse(messenger, ACCOUNT, body)


@pytest.mark.parametrize("name", ["", "x" * 1_001])
def test_ids_are_bounded(name: str) -> None:
    """A user or a message without a name, or with an endless one, makes a body unreadable."""
    for told in (said(name, "1"), event(name, read={"watermark": 1}), event(delivery={"mids": [name], "watermark": 1})):
        with pytest.raises(ValueError, match="length"):
            parse(envelope([told]))


def enclosure(kind: str) -> Enclosure:
    return Enclosure(kind, "contract.pdf", "application/pdf", "https://bank.test/f/1", b"%PDF")


@pytest.mark.parametrize(
    "file, content",
    [
        (None, {"text": "Здравствуйте"}),
        (enclosure("image"), {"attachment": {"type": "image", "payload": {"url": "https://bank.test/f/1"}}}),
        (enclosure("document"), {"attachment": {"type": "file", "payload": {"url": "https://bank.test/f/1"}}}),
    ],
)
def test_a_reply_is_one_call(file: Enclosure | None, content: Frame) -> None:
    """A text or an attachment is one message of the Send API, whose answer ends it."""
    text = "Здравствуйте" if file is None else ""
    sending = messenger.send(ACCOUNT, Outbound(USER, text, "fb/u-77#1.4", file))
    call = next(sending)
    assert call == Call(URL, call.body)
    assert orjson.loads(call.body) == {"recipient": {"id": USER}, "messaging_type": "RESPONSE", "message": content}
    with pytest.raises(StopIteration) as end:
        sending.send(Answer(200, {}, b'{"recipient_id":"u-77","message_id":"m_2"}'))
    assert end.value.value == Outcome("taken", provider_id="m_2")


def error(code: int, message: str, subcode: int | None = None, **more: Any) -> Frame:
    """An error as the Graph API shows it."""
    found = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbC"}
    return {"error": found | ({} if subcode is None else {"error_subcode": subcode}) | more}


ENDS: dict[str, tuple[int, Any, Outcome]] = {
    "taken": (200, {"recipient_id": USER, "message_id": "m_2"}, Outcome("taken", "m_2")),
    "the app's limit": (400, error(4, "limit", 2018022), Outcome("again", "", "4/2018022 limit", 30.0)),
    "the page's limit": (400, error(613, "too fast"), Outcome("again", "", "613 too fast", 1.0)),
    "the same with another status": (429, error(613, "too fast"), Outcome("again", "", "613 too fast", 1.0)),
    "their trouble": (500, error(2, "later"), Outcome("again", "", "2 later")),
    "their other trouble": (400, error(1200, "later"), Outcome("again", "", "1200 later")),
    "trouble that they call transient": (400, error(99, "x", is_transient=True), Outcome("again", "", "99 x")),
    "the window is closed": (400, error(10, "outside", 2018278), Outcome("failed", "", "10/2018278 outside")),
    "blocked": (400, error(551, "unavailable", 1545041), Outcome("failed", "", "551/1545041 unavailable")),
    "no such user": (400, error(100, "no user", 2018001), Outcome("failed", "", "100/2018001 no user")),
    "too big": (400, error(100, "too big", 2018109), Outcome("failed", "", "100/2018109 too big")),
    "a bad token, with a status of trouble": (500, error(190, "expired"), Outcome("failed", "", "190 expired")),
    "a token in their words is not in ours": (
        400,
        error(190, "Malformed access token EAAB|to/ken"),
        Outcome("failed", "", "190 Malformed access token ..."),
    ),
    "endless words": (400, error(100, "x" * 9_999), Outcome("failed", "", "100 " + "x" * 496)),
    "no code, trouble": (503, {}, Outcome("again")),
    "no code, too many": (429, {"error": {}}, Outcome("again")),
    "no code, refused": (404, {"error": "no"}, Outcome("failed", "", "status 404")),
    "no JSON, refused": (403, b"<html>", Outcome("failed", "", "status 403")),
    "taken without an id": (200, {"recipient_id": USER}, Outcome("again")),
    "taken with nonsense": (200, b"ok", Outcome("again")),
    "an error in a 200": (200, error(613, "too fast"), Outcome("again", "", "613 too fast", 1.0)),
}


@pytest.mark.parametrize("kind", ENDS)
def test_the_errors_code_decides(kind: str) -> None:
    """What passes is tried again after its time; the rest has failed, in the provider's code and words."""
    status, body, end = ENDS[kind]
    answer = Answer(status, {}, body if isinstance(body, bytes) else orjson.dumps(body))
    assert messenger.outcome(ACCOUNT, answer) == end


def answer(asked: Asked) -> Said:
    """Meta's side: it has a picture, and numbers the messages that it takes."""
    if asked.path == "/pictures/1.png":
        return 200, PICTURE
    return 200, {"recipient_id": USER, "message_id": f"m_{asked.json()['message'].get('text', 'file')}"}


def receipt(seq: int, status: str, provider_id: str = "") -> Frame:
    """The receipt of a reply, without its time."""
    place = {"op": "receipt", "dialog": f"fb/{USER}#1", "seq": seq}
    return place | {"status": status, "provider_id": provider_id, "reason": ""}


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Provider, Client, Desk, Frame]]:
    """Meta's side, a core, and an operator who owns the dialog in which the customer said hello."""
    async with (
        serve(Provider(answer)) as provider,
        inside(accounts=[KEYS | {"api": provider.api}], operators=BUSY) as core,
    ):
        desk = await core.client.desk("o1", presence="online")
        assert await post(core.client, said("m_a", "hello")) == (200, b"{}")
        yield provider, core.client, desk, await desk.own(f"fb/{USER}#1")


async def post(client: Client, *events: Frame) -> tuple[int, bytes]:
    """Post a signed batch of events."""
    data = orjson.dumps(envelope(list(events)))
    return await client.hook("messenger/fb", data, {"X-Hub-Signature-256": sign(data)})


def sign(data: bytes) -> str:
    return "sha256=" + hmac.digest(b"secret", data, "sha256").hex()


def test_the_address_proves_itself() -> None:
    """A GET with the verify token gets the challenge, one without is refused, and so is a webhook signed wrongly."""

    async def acts() -> None:
        async with inside(accounts=[KEYS | {"api": "http://127.0.0.1:9"}]) as core:
            client, address = core.client, f"{core.client.url}/webhooks/messenger/fb"
            async with client.http.get(address, params=ASKS) as given:
                assert (given.status, given.content_type, await given.read()) == (200, "text/plain", b"1158201444")
            async with client.http.get(address, params=ASKS | {"hub.verify_token": "no"}) as given:
                assert given.status == 403
            data = orjson.dumps(envelope([said("m_1", "1")]))
            assert (await client.hook("messenger/fb", data + b" ", {"X-Hub-Signature-256": sign(data)}))[0] == 401
            assert (await client.state())["counters"] == {"webhook_secret_wrong": 1}

    play(acts)


def test_a_conversation() -> None:
    """A batch in, replies out, and what became of them: by id, and by a watermark that covers both."""

    async def acts() -> None:
        async with talking() as (provider, client, desk, offer):
            batch = (said("m_b", "my card"), said("m_c", "is lost"))
            assert [await post(client, *batch) for _ in range(2)] == [(200, b"{}")] * 2
            found = [plain(await desk.until(op="entry")) for _ in batch]
            assert found == [
                message(offer["dialog"], 4, "customer", "my card", "m_b"),
                message(offer["dialog"], 5, "customer", "is lost", "m_c"),
            ]
            for number in (1, 2):
                await desk.say(offer, f"r{number}", str(number))
                assert plain(await desk.until(op="receipt")) == receipt(5 + number, "sent", f"m_{number}")
            assert [(asked.path, asked.query, asked.json()["message"]) for asked in provider.asked] == [
                ("/v25.0/1001/messages", {"access_token": "EAAB|to/ken"}, {"text": text}) for text in ("1", "2")
            ]
            later_ms = time.time_ns() // 1_000_000
            await post(client, event(delivery={"mids": ["m_2"], "watermark": later_ms}))
            await post(client, event(read={"watermark": later_ms}))
            assert [plain(await desk.until(op="receipt")) for _ in range(3)] == [
                receipt(7, "delivered"),
                receipt(6, "read"),
                receipt(7, "read"),
            ]

    play(acts)


def test_receipts_before_the_answer() -> None:
    """What is delivered and read before the call was answered is told once it is, of that reply too."""

    async def acts() -> None:
        async with talking() as (provider, client, desk, offer):
            provider.hold()
            await desk.say(offer, "r1", "1")
            await until(lambda: provider.asked)
            await post(client, event(delivery={"mids": ["m_1"], "watermark": time.time_ns() // 1_000_000}))
            await post(client, event(read={"watermark": time.time_ns() // 1_000_000}))
            provider.release()
            assert [plain(await desk.until(op="receipt")) for _ in range(3)] == [
                receipt(4, "sent", "m_1"),
                receipt(4, "delivered"),
                receipt(4, "read"),
            ]

    play(acts)


def test_attachments_both_ways() -> None:
    """A customer's picture is fetched from its address; an operator's document goes out by one."""

    async def acts() -> None:
        async with talking() as (provider, client, desk, offer):
            await post(client, said("m_b", None, attached("image", f"{provider.api}/pictures/1.png")))
            stored = await desk.until(op="attachment")
            assert (stored["status"], stored["size"], stored["mime"]) == ("stored", len(PICTURE), "image/png")
            ref = await client.store(b"%PDF contract", token("operator", "o1"))
            file = {"kind": "document", "ref": ref, "name": "contract.pdf", "mime": "application/pdf"}
            await desk.send(op="send", dialog=offer["dialog"], number=1, cid="1", text="", files=[file])
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", "m_file")
            sent = provider.asked[-1].json()["message"]["attachment"]
            address = urlsplit(sent["payload"]["url"])
            assert (sent["type"], address.path.rpartition("/")[2]) == ("file", "contract.pdf")
            assert await client.bytes(f"{address.path}?{address.query}") == (200, b"%PDF contract")

    play(acts)
