"""MAX: updates are told apart as documented; replies are JSON, files uploads that may not be ready at once."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given

from chatcore.channels import max as max_messenger
from chatcore.channels.shapes import Call, Consent, Enclosure, Event, File, Inbound, Outbound, Outcome
from chatcore.config import Account
from chatcore.edges import outbox
from tests.chatcore.bodies import check_parse, hostile
from tests.chatcore.calls import Part, parts, played
from tests.chatcore.client import HOOK_SECRET, Frame, plain, token, until
from tests.chatcore.cores import Inside, inside, play
from tests.chatcore.provider import Answer, Asked, Provider, serve

TOKEN = "max-token"
API = "https://platform-api.max.ru"
ACCOUNT = Account("max", "max", api=API, token=TOKEN, webhook_secret=HOOK_SECRET)
HEADERS = (("Content-Type", "application/json"), ("Authorization", TOKEN))
BEARER = token("operator", "o1")
BIG = 2**53 + 1
ANN = {"user_id": 5001, "name": "Анна", "is_bot": False}
PHOTO: Frame = {"type": "image", "payload": {"photo_id": 8, "token": "t8", "url": "https://i.oneme.ru/i?r=a"}}
FILE: Frame = {
    "type": "file",
    "payload": {"token": "t9", "url": "https://fd.oneme.ru/f?id=9"},
    "filename": "паспорт.pdf",
    "size": 14854,
}
STICKER = {"type": "sticker", "payload": {"url": "https://i.oneme.ru/s", "code": "1a2"}, "width": 9, "height": 9}
PLACE = {"type": "location", "latitude": 55.75, "longitude": 37.62}
KEYBOARD = {"type": "inline_keyboard", "payload": {"buttons": [[{"type": "link", "text": "a", "url": "b"}]]}}
IMAGE = File("image", "photo.jpg", "image/jpeg", "https://i.oneme.ru/i?r=a")
PASSPORT = File("document", "паспорт.pdf", "application/octet-stream", "https://fd.oneme.ru/f?id=9", 14854)


def written(text: str | None = "Здравствуйте", *attachments: Frame, mid: str = "mid.1", **changes: Any) -> Frame:
    """A message of a dialog as MAX describes it."""
    return {
        "sender": ANN,
        "recipient": {"chat_id": 9001, "chat_type": "dialog", "user_id": 1},
        "timestamp": 1767225600100,
        "body": {"mid": mid, "seq": 115, "text": text, "attachments": attachments},
    } | changes


def update(kind: str, **content: Any) -> Frame:
    """An update of any kind."""
    return {"update_type": kind, "timestamp": 1767225600100, "user_locale": "ru"} | content


def new(*given: Any, **changes: Any) -> Frame:
    """The update of a new message."""
    return update("message_created", message=written(*given, **changes))


GROUP = {"chat_id": -77, "chat_type": "chat"}
CHANNEL = {"chat_id": -78, "chat_type": "channel"}
TOLD: dict[str, tuple[Frame, list[Event]]] = {
    "a message": (new(), [Inbound("5001", "mid.1", "Здравствуйте")]),
    "ids above 2^53": (new("a", sender=ANN | {"user_id": BIG}), [Inbound("9007199254740993", "mid.1", "a")]),
    "an image": (new(None, PHOTO), [Inbound("5001", "mid.1", "", (IMAGE,))]),
    "several attachments": (
        new("вот", PHOTO, STICKER, PLACE, KEYBOARD, FILE),
        [Inbound("5001", "mid.1", "вот", (IMAGE, PASSPORT))],
    ),
    "attachments that are null": (
        new(body={"mid": "mid.1", "text": "a", "attachments": None}),
        [Inbound("5001", "mid.1", "a")],
    ),
    "an edit": (
        update("message_edited", message=written("иначе")),
        [Inbound("5001", "mid.1", "иначе", edits="mid.1", revision=1767225600100)],
    ),
    "a start": (update("bot_started", chat_id=9001, user=ANN, payload="promo"), [Consent("5001", True)]),
    "a stop": (update("bot_stopped", chat_id=9001, user=ANN), [Consent("5001", False)]),
    "a group's message": (new(recipient=GROUP), []),
    "a channel's post": (new(recipient=CHANNEL, sender=None), []),
    "a bot's message": (new(sender=ANN | {"is_bot": True}), []),
    "a sticker": (new(None, STICKER), []),
    "a forwarded message": (new(body=None, link={"type": "forward", "message": {"mid": "mid.0"}}), []),
    "a removal": (update("message_removed", message_id="mid.1", chat_id=9001, user_id=5001), []),
    "a pressed button": (update("message_callback", callback={"callback_id": "c", "user": ANN}, message=written()), []),
    "a kind of next year": (update("levitation", user=ANN), []),
}
BROKEN = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"{}",
    b'{"update_type":1}',
    b'{"update_type":"bot_started","user":7}',
]
BROKEN += [
    orjson.dumps(each)
    for each in (new(mid=""), new(mid="m" * 1_001), new(sender={}), new(sender={"user_id": 2**63}), new(recipient=None))
]
BROKEN += [orjson.dumps(new("TEXT")).replace(b"TEXT", b"\\ud800")]


@pytest.mark.parametrize("kind", TOLD)
def test_updates(kind: str) -> None:
    """What a person does in a dialog is told; groups, channels, bots and other kinds are not."""
    body, told = TOLD[kind]
    assert max_messenger.parse(ACCOUNT, orjson.dumps(body)) == told


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_no_update_is_unreadable(body: bytes) -> None:
    """Broken JSON, missing fields and wrong types are refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the decoder's
        max_messenger.parse(ACCOUNT, body)


@given(body=hostile([body for body, _ in TOLD.values()]))
def test_no_body_does_harm(body: bytes) -> None:
    """Whatever a body holds, it is told, ignored or unreadable."""
    check_parse(max_messenger, ACCOUNT, body)


@pytest.mark.parametrize("given", ["", "wrong", "ж", HOOK_SECRET])
def test_the_secret_is_in_a_header(given: str) -> None:
    """Only who shows the subscription's secret is MAX; nothing is asked for before updates come."""
    assert max_messenger.verify(ACCOUNT, {"x-max-bot-api-secret": given}, b"") is (given == HOOK_SECRET)
    assert not max_messenger.verify(ACCOUNT, {}, b"")
    assert max_messenger.handshake(ACCOUNT, {}, b"") is None


REPLY = Outbound("5001", "Здравствуйте", "max/5001#1.4")
SENT: Frame = {"message": written() | {"body": {"mid": "mid.2", "seq": 116, "text": "Здравствуйте"}}}
SERVER: Frame = {"url": "https://iu.oneme.ru/upload?sig=1"}
NOT_READY = (400, {"code": "attachment.not.ready", "message": "Key: errors.process.attachment.file.not.processed"})
MESSAGES = f"{API}/messages?user_id=5001"


def test_a_text_is_one_call() -> None:
    """A reply goes to the user, with the token in a header; MAX's answer names its mid."""
    calls, outcome = played(max_messenger.send(ACCOUNT, REPLY), (200, SENT))
    assert calls == [Call(MESSAGES, orjson.dumps({"text": "Здравствуйте"}), HEADERS)]
    assert outcome == Outcome("taken", "mid.2")


UPLOADS: list[Any] = [
    (Enclosure("image", "card.png", "image/png", "", b"\x89PNG"), "image", {"photos": {"8/x=": {"token": "t8"}}}, "t8"),
    (
        Enclosure("document", "a.pdf", "application/pdf", "", b"%PDF"),
        "file",
        {"fileId": BIG, "token": "t9"},
        "t9",
    ),
]


@pytest.mark.parametrize("file, kind, uploaded, named", UPLOADS, ids=["image", "document"])
def test_an_attachment_is_uploaded_first(file: Enclosure, kind: str, uploaded: Frame, named: str) -> None:
    """MAX names a server, which takes the bytes without our token and gives the one that the message needs."""
    reply = Outbound("5001", "", "k", file)
    calls, outcome = played(max_messenger.send(ACCOUNT, reply), (200, SERVER), (200, uploaded), (200, SENT))
    body = orjson.dumps({"attachments": [{"type": kind, "payload": {"token": named}}]})
    assert calls[::2] == [Call(f"{API}/uploads?type={kind}", b"", HEADERS), Call(MESSAGES, body, HEADERS)]
    assert calls[1].url == SERVER["url"]

    async def acts() -> None:
        found = await parts(dict(calls[1].headers), calls[1].body)
        assert found == [Part("data", file.data, file.name, file.mime)]
        assert TOKEN not in str(calls[1].headers)

    play(acts)
    assert outcome == Outcome("taken", "mid.2")


def test_a_file_that_is_not_ready_is_waited_for() -> None:
    """The same message is posted again after growing pauses, without another upload; in the end the outbox waits."""
    file, _, uploaded, _ = UPLOADS[1]
    for times, end in ((1, (200, SENT)), (4, (200, SENT)), (4, NOT_READY), (1, (400, {"message": "no"}))):
        answers = [(200, SERVER), (200, uploaded), *[NOT_READY] * times, end]
        calls, outcome = played(max_messenger.send(ACCOUNT, Outbound("5001", "", "k", file)), *answers)
        assert [call.after_s for call in calls[3:]] == [1.0, 2.0, 4.0, 8.0][:times]
        assert {call._replace(after_s=0.0) for call in calls[2:]} == {calls[2]}
        waits = Outcome("again", "", NOT_READY[1]["message"])
        expected = {200: Outcome("taken", "mid.2"), 400: Outcome("failed", "", "no")}
        assert outcome == (waits if end == NOT_READY else expected[end[0]])


ENDS: dict[str, tuple[int, Any, Outcome]] = {
    "too many requests pass": (
        429,
        {"code": "too.many.requests", "message": "Too many"},
        Outcome("again", "", "Too many"),
    ),
    "a service that is away passes": (
        503,
        {"code": "service.unavailable"},
        Outcome("again", "", "service.unavailable"),
    ),
    "a gateway's words pass": (502, b"<html>", Outcome("again", "", "status 502")),
    "nonsense passes": (200, b"<html>", Outcome("again")),
    "an answer without a mid passes": (200, {"message": {"body": {}}}, Outcome("again")),
    "nesting without end passes": (200, b'{"x":' + b"[" * 100_000, Outcome("again")),
    "a wrong token fails": (
        401,
        {"code": "verify.token", "message": f"Invalid {TOKEN}"},
        Outcome("failed", "", "Invalid ..."),
    ),
    "a stopped bot fails": (403, {"code": "chat.denied", "message": "denied"}, Outcome("failed", "", "denied")),
    "an unknown user fails": (404, {"code": "chat.not.found"}, Outcome("failed", "", "chat.not.found")),
    "a wrong method fails": (405, b"", Outcome("failed", "", "status 405")),
    "a text too long fails": (
        400,
        {"code": "proto.payload", "message": "text: size"},
        Outcome("failed", "", "text: size"),
    ),
}


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("case", ENDS)
def test_how_a_send_ends(case: str, before: int) -> None:
    """Limits and trouble are tried again; what MAX refuses fails in its words; the same holds for an upload's steps."""
    status, answer, outcome = ENDS[case]
    if before != 2 and case == "an answer without a mid passes":
        answer = {"url": 7, "token": 7}
    file, _, uploaded, _ = UPLOADS[0]
    steps = max_messenger.send(ACCOUNT, Outbound("5001", "", "k", file))
    answers = [(200, SERVER), (200, uploaded)][:before]
    assert played(steps, *answers, (status, answer))[1] == outcome


def test_an_upload_without_a_token_fails() -> None:
    """There is nothing to send then."""
    steps = max_messenger.send(ACCOUNT, Outbound("5001", "", "k", UPLOADS[0][0]))
    assert played(steps, (200, SERVER), (200, {}))[1] == Outcome("failed", "", "upload: no token")


class Max(Provider):
    """MAX's API: it takes every message, has pictures and an upload server; `busy` is how often it has no time."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.sent: list[Frame] = []
        self.busy = 0
        self.not_ready = 0

    def account(self) -> Frame:
        """Ours, as a configuration has it; its limits are out of the way."""
        about = {"id": "max", "channel": "max", "api": self.api, "token": TOKEN, "webhook_secret": HOOK_SECRET}
        return about | {"rate_per_s": 1_000.0, "chat_rate_per_s": 1_000.0}

    def _say(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return 200, asked.path.encode()
        if asked.path == "/upload":
            return 200, {"fileId": 9, "token": "t9"}
        assert asked.headers["authorization"] == TOKEN
        if asked.path == "/uploads":
            assert asked.query == {"type": "file"}
            return 200, {"url": f"{self.api}/upload"}
        assert (asked.path, asked.query) == ("/messages", {"user_id": "5001"})
        return self._take(asked.json())

    def _take(self, body: Frame) -> Answer:
        if self.busy:
            self.busy -= 1
            return 429, {"code": "too.many.requests", "message": "Too many"}
        if self.not_ready:
            self.not_ready -= 1
            return NOT_READY
        self.sent.append(body)
        return 200, {"message": {"body": {"mid": f"mid.{100 + len(self.sent)}"}}}


async def take(core: Inside, body: Any, secret: str = HOOK_SECRET) -> tuple[int, bytes]:
    """Post an update as MAX does."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return await core.client.hook("max/max", data, {"X-Max-Bot-Api-Secret": secret})


def test_a_customer_writes() -> None:
    """Messages and their repeats are taken once, files are fetched, edits append; what is not MAX's is refused."""

    async def acts() -> None:
        async with serve(Max()) as provider, inside(accounts=[provider.account()]) as core:
            assert (await take(core, new(), "wrong"))[0] == 401
            assert (await take(core, b'{"object":' + b"[" * 60_000))[0] == 400
            for _ in range(3):
                assert await take(core, new("один")) == (200, b"{}")
            desk = await core.client.desk("o1", presence="online")
            await desk.own("max/5001#1")
            photo = PHOTO | {"payload": {"url": f"{provider.api}/card.png", "token": "t"}}
            file = FILE | {"payload": {"url": f"{provider.api}/passport.pdf", "token": "t"}}
            assert await take(core, new("вот", photo, file, mid="mid.2")) == (200, b"{}")
            told = [await desk.until(op="attachment") for _ in range(2)]
            fetched = {each["index"]: await core.client.bytes(f"/v1/files/{each['ref']}", BEARER) for each in told}
            assert fetched == {0: (200, b"/card.png"), 1: (200, b"/passport.pdf")}
            for kind in ("bot_started", "bot_stopped"):
                assert await take(core, update(kind, chat_id=9001, user=ANN)) == (200, b"{}")
            assert await take(core, update("message_edited", message=written("два"))) == (200, b"{}")
            texts = [entry.get("text") for entry in await core.client.history("max/5001")]
            assert [text for text in texts if text is not None] == ["один", "вот", "два"]

    play(acts)


def receipt(seq: int, status: str, provider_id: str = "", reason: str = "") -> Frame:
    """The receipt of a reply to 5001, without its time."""
    about = {"op": "receipt", "dialog": "max/5001#1", "seq": seq, "status": status}
    return about | {"provider_id": provider_id, "reason": reason}


def test_an_operator_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies go out after a 429, and a document after its upload, once it is ready; MAX's mids come back."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(max_messenger, "READY_AFTER_S", (0.01, 0.01, 0.01))

    async def acts() -> None:
        async with serve(Max()) as provider, inside(accounts=[provider.account()]) as core:
            desk = await core.client.desk("o1", presence="online")
            await take(core, new())
            offer = await desk.own("max/5001#1")
            provider.busy = 2
            await desk.say(offer, "m1", "Чем помочь?")
            assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "mid.101")
            provider.not_ready = 3
            ref = await core.client.store(b"%PDF", BEARER)
            file = {"kind": "document", "ref": ref, "name": "договор.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", cid="m2", text="", files=[file], **place)
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", "mid.102")
            document = {"attachments": [{"type": "file", "payload": {"token": "t9"}}]}
            assert provider.sent == [{"text": "Чем помочь?"}, document]
            paths = [asked.path for asked in provider.asked]
            assert paths == ["/messages"] * 3 + ["/uploads", "/upload"] + ["/messages"] * 4
            uploaded = provider.asked[4]
            assert await parts({"Content-Type": uploaded.headers["content-type"]}, uploaded.body) == [
                Part("data", b"%PDF", "договор.pdf", "application/pdf")
            ]

    play(acts)


def test_what_waits_to_be_ready_ends_with_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is to be posted later is not posted any more once the core is told to stop."""
    monkeypatch.setattr(max_messenger, "READY_AFTER_S", (0.01,))

    async def acts() -> None:
        async with serve(Max()) as provider, inside(accounts=[provider.account()]) as core:
            desk = await core.client.desk("o1", presence="online")
            await take(core, new())
            offer = await desk.own("max/5001#1")
            provider.not_ready = 1
            provider.hold()
            await desk.say(offer, "m1", "Чем помочь?")
            await until(lambda: len(provider.asked) == 1)
            assert core.gateway.hub.outbox is not None
            messages = core.gateway.hub.outbox._of["max"]
            closing = asyncio.create_task(messages.close())
            await until(lambda: messages._closing)
            provider.release()
            await closing
            assert (messages._under_way, len(provider.asked), provider.sent) == (0, 1, [])

    play(acts)
