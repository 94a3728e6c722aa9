"""VK: callback events are told apart as documented; replies are forms that name a repeat, attachments are uploads."""

from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.channels import vk
from chatcore.channels.shapes import Call, Consent, Enclosure, Event, File, Inbound, Outbound, Outcome, Receipt
from tests.chatcore.bodies import check_parse, hostile
from tests.chatcore.calls import Part, parts, played
from tests.chatcore.client import HOOK_SECRET, Frame
from tests.chatcore.cores import play
from tests.chatcore.vk_api import ACCOUNT, DOC, FORM, READ, SIZES, TOKEN, error, event, new, written

BIG = 2**53 + 1
PHOTO = {"type": "photo", "photo": {"id": 457, "owner_id": 5001, "access_key": "a1", "sizes": SIZES}}
STICKER = {"type": "sticker", "sticker": {"sticker_id": 9, "images": []}}
IMAGE = File("image", "photo.jpg", "image/jpeg", "https://sun1.userapi.com/w.jpg")
PASSPORT = File("document", "паспорт.pdf", "application/octet-stream", "https://psv4.userapi.com/d.pdf", size=14854)
SERVER = {"response": {"upload_url": "https://pu.vk.com/c1/upload.php?act=do", "album_id": -3, "group_id": 0}}
REPLY = Outbound("5001", "Здравствуйте & 100%", "vk/5001#1.4")
RANDOM_ID = "2055415050"


def fields(**changes: str) -> dict[str, list[str]]:
    """What a form to VK holds."""
    return {name: [value] for name, value in ({"v": "5.199"} | changes).items()}


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
    "an edit": (
        event("message_edit", written("иначе", update_time=7, version=9)),
        [Inbound("5001", "41", "иначе", edits="41", revision=(7 << 32) + 9)],
    ),
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
