"""VK: callback events are told apart as documented; replies are forms that name a repeat, attachments are uploads."""

from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.channels import vk
from chatcore.channels.shapes import Call, Consent, Enclosure, Event, File, Inbound, Outbound, Outcome, Receipt
from chatcore.config import Account
from chatcore.edges import outbox
from tests.chatcore.bodies import check_parse, hostile
from tests.chatcore.calls import Part, parts, played
from tests.chatcore.client import HOOK_SECRET, Frame, plain, token
from tests.chatcore.cores import Inside, inside, play
from tests.chatcore.provider import Answer, Asked, Provider, serve

TOKEN = "vk1.a.token"
ACCOUNT = Account(
    "vk",
    "vk",
    api="https://api.vk.com",
    token=TOKEN,
    webhook_secret=HOOK_SECRET,
    sender="1001",
    verify_token="c0nf1rm",
)
FORM = (("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", f"Bearer {TOKEN}"))
BIG = 2**53 + 1
BEARER = token("operator", "o1")
SIZES = [
    {"type": "m", "url": "https://sun1.userapi.com/m.jpg", "width": 130, "height": 87},
    {"type": "w", "url": "https://sun1.userapi.com/w.jpg", "width": 1080, "height": 720},
    {"type": "s", "url": "https://sun1.userapi.com/s.jpg", "width": 75, "height": 50},
]
PHOTO = {"type": "photo", "photo": {"id": 457, "owner_id": 5001, "access_key": "a1", "sizes": SIZES}}
DOC: Frame = {
    "type": "doc",
    "doc": {
        "id": 66,
        "owner_id": 5001,
        "title": "паспорт.pdf",
        "size": 14854,
        "ext": "pdf",
        "url": "https://psv4.userapi.com/d.pdf",
        "access_key": "b2",
        "type": 1,
    },
}
STICKER = {"type": "sticker", "sticker": {"sticker_id": 9, "images": []}}
IMAGE = File("image", "photo.jpg", "image/jpeg", "https://sun1.userapi.com/w.jpg")
PASSPORT = File("document", "паспорт.pdf", "application/octet-stream", "https://psv4.userapi.com/d.pdf", size=14854)
SERVER = {"response": {"upload_url": "https://pu.vk.com/c1/upload.php?act=do", "album_id": -3, "group_id": 0}}
REPLY = Outbound("5001", "Здравствуйте & 100%", "vk/5001#1.4")
RANDOM_ID = "2055415050"


def event(kind: str, content: Any, **changes: Any) -> Frame:
    """A callback event of our community."""
    about = {"type": kind, "group_id": 1001, "event_id": "e1f0", "v": "5.199", "secret": HOOK_SECRET}
    return about | {"object": content} | changes


def written(text: str = "Здравствуйте", *attachments: Frame, **changes: Any) -> Frame:
    """A message as VK describes it."""
    return {
        "id": 41,
        "date": 1767225600,
        "peer_id": 5001,
        "from_id": 5001,
        "out": 0,
        "version": 10000041,
        "conversation_message_id": 7,
        "text": text,
        "random_id": 0,
        "attachments": attachments,
    } | changes


def new(message: Frame, **changes: Any) -> Frame:
    """The event of a new message."""
    client = {"button_actions": ["text"], "keyboard": True, "inline_keyboard": True, "carousel": True, "lang_id": 0}
    return event("message_new", {"message": message, "client_info": client}, **changes)


def fields(**changes: str) -> dict[str, list[str]]:
    """What a form to VK holds."""
    return {name: [value] for name, value in ({"v": "5.199"} | changes).items()}


READ = {"from_id": 5001, "peer_id": 5001, "read_message_id": 40, "conversation_message_id": 6}
TOLD: dict[str, tuple[Frame, list[Event]]] = {
    "a message": (new(written()), [Inbound("5001", "41", "Здравствуйте")]),
    "a pressed button": (new(written("Да", payload='{"a":1}')), [Inbound("5001", "41", "Да")]),
    "ids above 2^53": (
        new(written("a", id=BIG, peer_id=BIG + 2, from_id=BIG + 2)),
        [Inbound("9007199254740995", "9007199254740993", "a")],
    ),
    "a photo": (new(written("", PHOTO)), [Inbound("5001", "41", "", (IMAGE,))]),
    "several attachments": (
        new(written("вот", PHOTO, STICKER, DOC)),
        [Inbound("5001", "41", "вот", (IMAGE, PASSPORT))],
    ),
    "an edit": (event("message_edit", written("иначе")), [Inbound("5001", "41", "иначе", edits="41")]),
    "reading": (event("message_read", READ), [Receipt("5001", "read", "40", "number")]),
    "permission": (event("message_allow", {"user_id": 5001, "key": "k"}), [Consent("5001", True)]),
    "denial": (event("message_deny", {"user_id": 5001}), [Consent("5001", False)]),
    "a chat's message": (new(written(peer_id=2_000_000_001)), []),
    "a community's message": (new(written(peer_id=-7, from_id=-7)), []),
    "another community's event": (new(written(), group_id=1002), []),
    "the echo of our reply": (event("message_reply", written(from_id=-1001, out=1)), []),
    "our own edit": (event("message_edit", written(from_id=-1001, out=1)), []),
    "a chat that was read": (event("message_read", READ | {"peer_id": 2_000_000_001}), []),
    "typing": (event("message_typing_state", {"from_id": 5001, "to_id": -1001, "state": "typing"}), []),
    "a sticker": (new(written("", STICKER)), []),
    "a photo without sizes": (new(written("", {"type": "photo", "photo": {"id": 1, "sizes": []}})), []),
    "a confirmation": ({"type": "confirmation", "group_id": 1001}, []),
    "a kind of next year": (event("levitation", [1]), []),
}
BROKEN = [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"type":"message_new"}', b'{"type":1,"group_id":1001}']
BROKEN += [
    orjson.dumps(each)
    for each in (
        new(written(id="41")),
        new(written(id=2**63)),
        new(written() | {"text": 7}),
        new(written(peer_id=None)),
    )
]
BROKEN += [orjson.dumps(event("message_read", {})), orjson.dumps(new(written("TEXT"))).replace(b"TEXT", b"\\ud800")]


@pytest.mark.parametrize("kind", TOLD)
def test_events(kind: str) -> None:
    """What a user does in their own dialog is told; chats, echoes, other communities and other kinds are not."""
    body, told = TOLD[kind]
    assert vk.parse(ACCOUNT, orjson.dumps(body)) == told


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_no_event_is_unreadable(body: bytes) -> None:
    """Broken JSON, missing fields and wrong types are refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the decoder's
        vk.parse(ACCOUNT, body)


@given(body=hostile([body for body, _ in TOLD.values()]))
def test_no_body_does_harm(body: bytes) -> None:
    """Whatever a body holds, it is told, ignored or unreadable, and it is VK's only with the secret in it."""
    check_parse(vk, ACCOUNT, body)
    if vk.verify(ACCOUNT, {}, body):
        assert HOOK_SECRET.encode() in body or vk.parse(ACCOUNT, body) == []


@pytest.mark.parametrize(
    "body, ours",
    [
        (event("message_new", {}), True),
        (event("message_new", {}, secret="wrong"), False),
        (event("message_new", {}, secret=""), False),
        (event("message_new", {}, secret="ж"), False),
        ({"type": "message_new", "group_id": 1001, "object": {}}, False),
        ({"type": "confirmation", "group_id": 1001}, True),
        ({"type": "confirmation", "group_id": 1001, "secret": HOOK_SECRET}, True),
        ({"type": "confirmation", "group_id": 1001, "secret": "wrong"}, False),
        ([], False),
    ],
)
def test_the_secret_is_in_the_body(body: Any, ours: bool) -> None:
    """Only who knows the community's secret is VK; to confirm an address VK may leave it out."""
    assert vk.verify(ACCOUNT, {}, orjson.dumps(body)) is ours


@pytest.mark.parametrize(
    "body, answer",
    [
        (b'{"type":"confirmation","group_id":1001}', b"c0nf1rm"),
        (b'{"type":"confirmation","group_id":1002}', None),
        (orjson.dumps(new(written())), None),
        (b"", None),
    ],
)
def test_the_confirmation(body: bytes, answer: bytes | None) -> None:
    """Only who asks for our community is told the string, and nothing else; other answers are `ok`."""
    assert vk.handshake(ACCOUNT, {"type": "confirmation"}, body) == answer
    assert vk.OK == b"ok"


def test_a_text_is_a_form() -> None:
    """A reply is one form with the user, the text and the reply's number; VK's answer is the message's id."""
    calls, outcome = played(vk.send(ACCOUNT, REPLY), (200, {"response": BIG}))
    assert calls == [Call("https://api.vk.com/method/messages.send", calls[0].body, FORM)]
    assert parse_qs(calls[0].body.decode()) == fields(
        peer_id="5001", random_id=RANDOM_ID, message="Здравствуйте & 100%"
    )
    assert outcome == Outcome("taken", "9007199254740993")


@given(keys=st.sets(st.text(min_size=1), min_size=1))
def test_repeats_have_one_number(keys: set[str]) -> None:
    """The number is a positive int32, the same for the same reply, and another one for others."""
    numbers = {vk.random_id(key) for key in keys}
    assert all(0 < number < 2**31 for number in numbers)
    assert numbers == {vk.random_id(key) for key in keys}
    assert len(numbers) == len(keys)


UPLOADS: list[Any] = [
    (
        Enclosure("image", "card.png", "image/png", "", b"\x89PNG"),
        {"server": 85, "photo": '[{"photo":"x"}]', "hash": "h4"},
        {"response": [{"id": 457, "owner_id": 5001, "access_key": "a1", "album_id": -64, "sizes": SIZES}]},
        ("photos.getMessagesUploadServer", "photo", "photos.saveMessagesPhoto", "photo5001_457_a1"),
    ),
    (
        Enclosure("document", "договор №7.pdf", "application/pdf", "", b"%PDF"),
        {"file": "743|0|0|240331|pdf|14854"},
        {"response": {"type": "doc", "doc": {"id": 66, "owner_id": -1001, "title": "x", "url": "https://vk.com/d"}}},
        ("docs.getMessagesUploadServer", "file", "docs.save", "doc-1001_66"),
    ),
]


@pytest.mark.parametrize("file, uploaded, saved, way", UPLOADS, ids=["photo", "document"])
def test_an_attachment_takes_four_calls(file: Enclosure, uploaded: Frame, saved: Frame, way: tuple[str, ...]) -> None:
    """VK names a server, takes the bytes there, saves what that said, and sends what it saved."""
    reply = Outbound("5001", "", REPLY.key, file)
    answers = ((200, SERVER), (200, uploaded), (200, saved), (200, {"response": 43}))
    calls, outcome = played(vk.send(ACCOUNT, reply), *answers)
    server, field, save, attachment = way
    api = "https://api.vk.com/method/"
    assert [call.url for call in calls] == [
        api + server,
        SERVER["response"]["upload_url"],
        api + save,
        api + "messages.send",
    ]
    assert [parse_qs(calls[index].body.decode()) for index in (0, 2, 3)] == [
        fields(peer_id="5001"),
        fields(**{name: str(value) for name, value in uploaded.items()}),
        fields(peer_id="5001", random_id=RANDOM_ID, attachment=attachment),
    ]
    assert [calls[index].headers for index in (0, 2, 3)] == [FORM] * 3

    async def acts() -> None:
        found = await parts(dict(calls[1].headers), calls[1].body)
        assert found == [Part(field, file.data, file.name, file.mime)]
        assert TOKEN not in str(calls[1].headers)

    play(acts)
    assert outcome == Outcome("taken", "43")


def error(code: int, words: str = "") -> Frame:
    """An error as VK tells it, with status 200."""
    return {"error": {"error_code": code, "error_msg": words, "request_params": [{"key": "v", "value": "5.199"}]}}


FLOOD = "Flood control: too many same actions"
ENDS = {
    "an unknown error passes": (
        200,
        error(1, "Unknown error occurred"),
        Outcome("again", "", "Unknown error occurred"),
    ),
    "too many a second pass": (200, error(6, "Too many requests"), Outcome("again", "", "Too many requests")),
    "flood control passes": (200, error(9, FLOOD), Outcome("again", "", FLOOD)),
    "an internal error passes": (200, error(10, "Internal"), Outcome("again", "", "Internal")),
    "a day's limit passes": (200, error(29, "Rate limit reached"), Outcome("again", "", "Rate limit reached")),
    "a wrong token fails": (200, error(5, f"no {TOKEN}"), Outcome("failed", "", "no ...")),
    "a captcha fails": (200, error(14, "Captcha needed"), Outcome("failed", "", "Captcha needed")),
    "a blacklist fails": (200, error(900, "Black list"), Outcome("failed", "", "Black list")),
    "no permission fails": (200, error(901, "No permission"), Outcome("failed", "", "No permission")),
    "privacy settings fail": (200, error(902, "Privacy"), Outcome("failed", "", "Privacy")),
    "a text too long fails": (200, error(914, "Message is too long"), Outcome("failed", "", "Message is too long")),
    "an error without words fails": (200, error(943), Outcome("failed", "", "error 943")),
    "trouble passes": (502, b"<html>", Outcome("again")),
    "limits in front of VK pass": (429, {}, Outcome("again")),
    "nonsense passes": (200, b"<html>", Outcome("again")),
    "an empty answer passes": (200, {}, Outcome("again")),
    "an id that is none passes": (200, {"response": "x"}, Outcome("again")),
    "nesting without end passes": (200, b'{"x":' + b"[" * 100_000, Outcome("again")),
    "another status fails": (404, {}, Outcome("failed", "", "status 404")),
}


@pytest.mark.parametrize("case", ENDS)
def test_how_a_send_ends(case: str) -> None:
    """Limits and trouble are tried again; what VK refuses fails in its words, without our token."""
    status, answer, outcome = ENDS[case]
    assert played(vk.send(ACCOUNT, REPLY), (status, answer))[1] == outcome


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("case", ["too many a second pass", "privacy settings fail", "trouble passes"])
def test_a_step_of_an_upload_may_end_the_send(case: str, before: int) -> None:
    """What holds for the message holds for every call before it, but the upload, which knows no error codes."""
    status, answer, outcome = ENDS[case]
    file, uploaded, *_ = UPLOADS[1]
    if before == 1 and status == 200:
        answer, outcome = {"error": "no_file"}, Outcome("failed", "", "upload: no_file")
    answers = [(200, SERVER), (200, uploaded)][:before]
    steps = vk.send(ACCOUNT, Outbound("5001", "", "k", file))
    assert played(steps, *answers, (status, answer))[1] == outcome


@pytest.mark.parametrize(
    "answers, outcome",
    [
        ([(200, {"response": {"upload_url": "ftp://a"}})], Outcome("again")),
        ([(200, SERVER), (200, b"<html>")], Outcome("again")),
        ([(200, SERVER), (413, b"<html>")], Outcome("failed", "", "status 413")),
        ([(200, SERVER), (200, {"file": ""})], Outcome("failed", "", "upload: refused")),
        ([(200, SERVER), (200, {"file": "f"}), (200, {"response": []})], Outcome("again")),
    ],
)
def test_nonsense_within_an_upload(answers: list[tuple[int, Any]], outcome: Outcome) -> None:
    """An address that is none, an upload without a result and a result without a document are no message."""
    file = UPLOADS[1][0]
    assert played(vk.send(ACCOUNT, Outbound("5001", "", "k", file)), *answers)[1] == outcome


def receipt(seq: int, status: str, provider_id: str = "", reason: str = "") -> Frame:
    """The receipt of a reply to 5001, without its time."""
    about = {"op": "receipt", "dialog": "vk/5001#1", "seq": seq, "status": status}
    return about | {"provider_id": provider_id, "reason": reason}


class Vk(Provider):
    """VK's API: it sends what it takes, once for each random_id, and has pictures and an upload server.

    `loses`: how many messages it sends next without saying so; `denied`: the user has forbidden to write to them.
    """

    def __init__(self) -> None:
        super().__init__(self._say)
        self.sent: dict[str, Frame] = {}
        self.loses = 0
        self.denied = False

    def account(self) -> Frame:
        """Ours, as a configuration has it; its limits are out of the way."""
        about = {"id": "vk", "channel": "vk", "api": self.api, "token": TOKEN, "webhook_secret": HOOK_SECRET}
        return about | {"sender": "1001", "verify_token": "c0nf1rm", "rate_per_s": 1_000.0, "chat_rate_per_s": 1_000.0}

    def _say(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return 200, asked.path.encode()
        if asked.path == "/upload":
            return 200, {"file": "743|pdf"}
        assert (asked.headers["authorization"], asked.headers["content-type"]) == (FORM[1][1], FORM[0][1])
        form = {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}
        assert form.pop("v") == "5.199"
        match asked.path.removeprefix("/method/"), form:
            case "docs.getMessagesUploadServer", {"peer_id": "5001"}:
                return 200, {"response": {"upload_url": f"{self.api}/upload"}}
            case "docs.save", {"file": "743|pdf"}:
                return 200, {"response": {"type": "doc", "doc": {"id": 66, "owner_id": -1001}}}
            case "messages.send", {"peer_id": "5001"}:
                return self._send(form)
        raise AssertionError(asked)

    def _send(self, form: Frame) -> Answer:
        if self.denied:
            return 200, error(901, "Can't send messages for users without permission")
        self.sent.setdefault(form.pop("random_id"), form)
        if self.loses:
            self.loses -= 1
            return 502, b""
        return 200, {"response": 42 + len(self.sent)}


async def take(core: Inside, body: Frame) -> tuple[int, bytes]:
    """Post an event as VK does."""
    return await core.client.hook("vk/vk", orjson.dumps(body), {})


def test_a_customer_writes() -> None:
    """The address is confirmed, messages and their repeats are taken once, files are fetched, edits append."""

    async def acts() -> None:
        async with serve(Vk()) as provider, inside(accounts=[provider.account()]) as core:
            assert await take(core, {"type": "confirmation", "group_id": 1001}) == (200, b"c0nf1rm")
            assert await take(core, {"type": "confirmation", "group_id": 1002}) == (200, b"ok")
            assert (await take(core, new(written(), secret="wrong")))[0] == 401
            assert (await core.client.hook("vk/vk", b'{"object":' + b"[" * 60_000, {}))[0] == 401
            for event_id in ("e1", "e1", "e2"):
                assert await take(core, new(written("один"), event_id=event_id)) == (200, b"ok")
            desk = await core.client.desk("o1", presence="online")
            await desk.own("vk/5001#1")
            photo = {"type": "photo", "photo": {"sizes": [SIZES[1] | {"url": f"{provider.api}/card.png"}]}}
            doc = {"type": "doc", "doc": DOC["doc"] | {"url": f"{provider.api}/passport.pdf"}}
            assert await take(core, new(written("вот", photo, doc, id=42))) == (200, b"ok")
            told = [await desk.until(op="attachment") for _ in range(2)]
            fetched = {each["index"]: await core.client.bytes(f"/v1/files/{each['ref']}", BEARER) for each in told}
            assert fetched == {0: (200, b"/card.png"), 1: (200, b"/passport.pdf")}
            assert await take(core, event("message_edit", written("два"))) == (200, b"ok")
            texts = [entry.get("text") for entry in await core.client.history("vk/5001")]
            assert [text for text in texts if text is not None] == ["один", "вот", "два"]

    play(acts)


def test_an_operator_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply whose answer was lost goes out once, a document over the upload server; reading and refusals are told."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.01)

    async def acts() -> None:
        async with serve(Vk()) as provider, inside(accounts=[provider.account()]) as core:
            desk = await core.client.desk("o1", presence="online")
            await take(core, new(written()))
            offer = await desk.own("vk/5001#1")
            provider.loses = 2
            await desk.say(offer, "m1", "Чем помочь?")
            assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "43")
            assert (len(provider.asked), [*provider.sent.values()]) == (
                3,
                [{"peer_id": "5001", "message": "Чем помочь?"}],
            )
            ref = await core.client.store(b"%PDF", BEARER)
            file = {"kind": "document", "ref": ref, "name": "договор.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", cid="m2", text="", files=[file], **place)
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", "44")
            assert [*provider.sent.values()][1] == {"peer_id": "5001", "attachment": "doc-1001_66"}
            uploaded = next(asked for asked in provider.asked if asked.path == "/upload")
            assert await parts({"Content-Type": uploaded.headers["content-type"]}, uploaded.body) == [
                Part("file", b"%PDF", "договор.pdf", "application/pdf")
            ]
            await take(core, event("message_read", READ | {"read_message_id": 44}))
            read = [plain(await desk.until(op="receipt")) for _ in range(2)]
            assert read == [receipt(4, "read"), receipt(5, "read")]
            assert await take(core, event("message_deny", {"user_id": 5001})) == (200, b"ok")
            provider.denied = True
            await desk.say(offer, "m3", "Вы здесь?")
            words = "Can't send messages for users without permission"
            assert plain(await desk.until(op="receipt")) == receipt(6, "failed", reason=words)

    play(acts)


def test_answers_are_plain_text() -> None:
    """VK is told `ok` as text, at the door and behind it."""

    async def acts() -> None:
        async with serve(Vk()) as provider, inside(accounts=[provider.account()]) as core:
            body, url = orjson.dumps(new(written())), f"{core.client.url}/webhooks/vk/vk"
            for chunked in (False, True):
                async with core.client.http.post(url, data=body, chunked=chunked or None) as answer:
                    assert (answer.content_type, await answer.read()) == ("text/plain", b"ok")

    play(acts)
