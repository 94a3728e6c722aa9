"""WhatsApp and SMS through Infobip: batches are read whole, errors are told apart by code, reports find their reply."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.channels import infobip, sms
from chatcore.channels.shapes import (
    Answer,
    Call,
    Enclosure,
    Event,
    Fetched,
    File,
    Inbound,
    Outbound,
    Outcome,
    Receipt,
    Template,
)
from tests.chatcore.bodies import check_parse, hostile
from tests.chatcore.infobip import (
    ACCOUNT,
    ANN,
    API,
    APP,
    BOB,
    JSON,
    PENDING,
    basic,
    envelope,
    newer,
    older,
    report,
    said,
    seen,
    texted,
)

EXAMPLE = """{"results": [{"from": "79990000001", "to": "74951234567", "integrationType": "WHATSAPP",
   "receivedAt": "2026-01-01T00:00:00.000+0000", "messageId": "ib-in-1",
   "pairedMessageId": null, "callbackData": null,
   "message": {"type": "TEXT", "text": "Здравствуйте"},
   "contact": {"name": "Анна"},
   "price": {"pricePerMessage": 0, "currency": "EUR"}}],
 "messageCount": 1, "pendingMessageCount": 0}"""
REPORT = """{"results": [{"bulkId": "b1", "messageId": "m1", "to": "79990000001", "messageCount": 1,
   "sentAt": "2026-01-01T00:00:01.000+0000", "doneAt": "2026-01-01T00:00:03.000+0000",
   "price": {"pricePerMessage": 0, "currency": "EUR"},
   "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET", "description": "..."},
   "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "...",
             "permanent": false}}]}"""


def test_the_documented_bodies_are_read() -> None:
    """The examples of the documentation, whole."""
    assert infobip.parse(ACCOUNT, EXAMPLE.encode()) == [Inbound(ANN, "ib-in-1", "Здравствуйте")]
    assert infobip.parse(ACCOUNT, REPORT.encode()) == [Receipt(ANN, "delivered", "m1")]
    assert sms.parse(ACCOUNT, REPORT.encode()) == [Receipt(ANN, "delivered", "m1")]


def test_every_element_of_a_batch_is_an_event() -> None:
    """A thousand messages and reports of several users come in their order."""
    pairs = [(number, (ANN, BOB)[number % 2]) for number in range(500)]
    body = envelope(*(result for number, user in pairs for result in (said(number, user), seen(f"m{number}", user))))
    told: list[Event] = []
    for number, user in pairs:
        told += [Inbound(user, f"ib-in-{number}", f"text {number}"), Receipt(user, "read", f"m{number}")]
    assert infobip.parse(ACCOUNT, body) == told


def test_an_sms_is_its_whole_text() -> None:
    """Its keyword is part of it; an empty one tells nothing, nor does nobody's."""
    nothing = [texted(3, text=""), {"messageId": "sms-in-4", "text": "nobody's"}]
    body = envelope(texted(1, text="K счёт"), *nothing, texted(2, BOB), report("m1", "DELIVERED", BOB))
    assert sms.parse(ACCOUNT, body) == [
        Inbound(ANN, "sms-in-1", "K счёт"),
        Inbound(BOB, "sms-in-2", "hello"),
        Receipt(BOB, "delivered", "m1"),
    ]


PICTURE, DOCUMENT = f"{API}/whatsapp/1/senders/7/media/1", f"{API}/whatsapp/1/senders/7/media/2"


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            {"type": "IMAGE", "url": PICTURE, "caption": "my card"},
            ("my card", (File("image", "photo.jpg", "image/jpeg", PICTURE),)),
        ),
        (
            {"type": "DOCUMENT", "url": DOCUMENT, "caption": None},
            ("", (File("document", "document", "application/octet-stream", DOCUMENT),)),
        ),
        ({"type": "IMAGE", "url": None, "caption": "lost"}, ("lost", ())),
        ({"type": "BUTTON", "text": "Yes", "payload": "p"}, ("Yes", ())),
        ({"type": "INTERACTIVE_BUTTON_REPLY", "id": "1", "title": "No"}, ("No", ())),
        ({"type": "INTERACTIVE_LIST_REPLY", "id": "2", "title": "Card", "description": "d"}, ("Card", ())),
        ({"type": "TEXT", "text": "yes", "context": {"from": "7", "id": "m1"}}, ("yes", ())),
    ],
    ids=["image", "document", "image without address", "button", "button reply", "list reply", "reply"],
)
def test_messages_carry_texts_and_attachments(message: dict[str, Any], expected: tuple[str, tuple[File, ...]]) -> None:
    """Captions, buttons and choices are texts; an attachment is named by its address."""
    assert infobip.parse(ACCOUNT, envelope(said(1, **message))) == [Inbound(ANN, "ib-in-1", *expected)]


IGNORED = {
    "a reaction": said(1, type="REACTION", emoji="👍", reactedMessageId="m1"),
    "a place": said(1, type="LOCATION", latitude=55.75, longitude=37.62, url="https://maps.test"),
    "a kind of next year": said(1, type="LEVITATION", text={"height": 3}, url=7),
    "a text that is none": said(1, type="TEXT", text={"height": 3}),
    "an unsupported kind": said(1, type="UNSUPPORTED"),
    "a report that says no more than the answer": report("m1", "PENDING"),
    "a report of a group of next year": report("m1", "LEVITATING"),
    "an SMS on WhatsApp's account": texted(1),
    "a message of nobody": {key: value for key, value in said(1).items() if key != "from"},
    "a report about nobody": {key: value for key, value in seen("m1").items() if key != "to"},
}


@pytest.mark.parametrize("kind", IGNORED)
def test_what_tells_nothing_is_no_event(kind: str) -> None:
    """Kinds without words, reports of what the send's answer told, and nobody's messages."""
    assert infobip.parse(ACCOUNT, envelope(IGNORED[kind])) == infobip.parse(ACCOUNT, envelope()) == []


def test_a_message_on_whatsapp_is_no_sms() -> None:
    """An account of one channel takes nothing of the other."""
    assert sms.parse(ACCOUNT, envelope(said(1))) == []


@pytest.mark.parametrize(
    "result, expected",
    [
        (report("m1", "DELIVERED", error="OK"), Receipt(ANN, "delivered", "m1")),
        (seen("m1"), Receipt(ANN, "read", "m1")),
        (
            report("m1", "UNDELIVERABLE", error="Absent subscriber"),
            Receipt(ANN, "failed", "m1", reason="UNDELIVERABLE_X: Absent subscriber"),
        ),
        (report("m1", "EXPIRED"), Receipt(ANN, "failed", "m1", reason="EXPIRED_X: words")),
        (report("m1", "REJECTED", description=None), Receipt(ANN, "failed", "m1", reason="REJECTED_X")),
    ],
    ids=["delivered", "seen", "undeliverable", "expired", "rejected"],
)
def test_reports_are_receipts(result: dict[str, Any], expected: Receipt) -> None:
    """By the group of the status; a failure gives the status and the error's words."""
    assert infobip.parse(ACCOUNT, envelope(result)) == [expected]


ANY = envelope(said(1, type="IMAGE", url=PICTURE), texted(2), seen("m1"), report("m2", "EXPIRED", error="words"))


@given(hostile([orjson.loads(body) for body in (EXAMPLE, REPORT, ANY)]))
def test_no_bytes_do_harm(body: bytes) -> None:
    """Whatever comes is events or unreadable, also a body with one place spoilt."""
    check_parse(infobip, ACCOUNT, body)
    check_parse(sms, ACCOUNT, body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"results":7}', b'{"results":[{"from":"7"}]}'])
def test_what_is_no_envelope_is_unreadable(body: bytes) -> None:
    """It is refused, for Infobip to send it again."""
    for channel in (infobip, sms):
        with pytest.raises(ValueError, match=r"."):
            channel.parse(ACCOUNT, body)


def test_webhooks_must_know_the_password() -> None:
    """User and password as the subscription was given them; anything else, and nothing, is not Infobip."""
    assert infobip.verify(ACCOUNT, basic("infobip:secret"), b"{}")
    assert infobip.verify(
        ACCOUNT, {"authorization": basic("infobip:secret")["authorization"].replace("B", "b", 1)}, b""
    )
    wrong = [basic("infobip:Secret"), basic("other:secret"), basic("infobip:"), {}, {"authorization": "App k3y"}]
    wrong += [{"authorization": "Bearer " + basic("infobip:secret")["authorization"][6:]}, {"authorization": "Basic ж"}]
    assert [headers for headers in wrong if infobip.verify(ACCOUNT, headers, b"{}")] == []


FILE = ("https://bank.test/v1/files/ab/x", b"bytes")


def sent(channel: Any, message: Outbound, answer: dict[str, Any]) -> tuple[Call, Outcome]:
    """The one call of a send, and how it ended with this answer."""
    steps = channel.send(ACCOUNT, message)
    call = next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(200, {}, orjson.dumps(answer)))
    return call, end.value.value


@pytest.mark.parametrize(
    "message, path, content",
    [
        (Outbound(ANN, "Добрый день", "ib/7#1.4"), "text", {"text": "Добрый день"}),
        (
            Outbound(ANN, "", "ib/7#1.4", Enclosure("image", "card.png", "image/png", *FILE)),
            "image",
            {"mediaUrl": FILE[0]},
        ),
        (
            Outbound(ANN, "", "ib/7#1.4", Enclosure("document", "№7.pdf", "application/pdf", *FILE)),
            "document",
            {"mediaUrl": FILE[0], "filename": "№7.pdf"},
        ),
    ],
    ids=["text", "image", "document"],
)
def test_a_reply_on_whatsapp_is_one_call(message: Outbound, path: str, content: dict[str, Any]) -> None:
    """Each kind has its path; the reply's key comes back with the report, and the message id is ours."""
    name = infobip.message_id(message)
    answer = {"to": ANN, "messageCount": 1, "messageId": name, "status": PENDING}
    call, outcome = sent(infobip, message, answer)
    about = {"from": "74951234567", "to": ANN, "messageId": name, "callbackData": "ib/7#1.4"}
    assert orjson.loads(call.body) == about | {"content": content}
    assert call == Call(f"{API}/whatsapp/1/message/{path}", call.body, (JSON, APP))
    assert outcome == Outcome("taken", name)


def test_a_template_on_whatsapp_is_a_bulk_of_one() -> None:
    """It goes by its name, its language and what takes its places, under an id of ours."""
    message = Outbound(ANN, "Due on 5 May.", "ib/7#0.1", template=Template("due", "ru", ("5 May",)))
    name = infobip.message_id(message)
    told = {"to": ANN, "messageCount": 1, "messageId": name, "status": PENDING}
    call, outcome = sent(infobip, message, {"messages": [told], "bulkId": "b1"})
    content = {"templateName": "due", "templateData": {"body": {"placeholders": ["5 May"]}}, "language": "ru"}
    about = {"from": "74951234567", "to": ANN, "messageId": name, "callbackData": "ib/7#0.1"}
    assert orjson.loads(call.body) == {"messages": [about | {"content": content}]}
    assert call == Call(f"{API}/whatsapp/1/message/template", call.body, (JSON, APP))
    assert outcome == Outcome("taken", name)


def test_a_reply_by_sms_is_one_call() -> None:
    """A bulk of one message with one destination, under an id of ours."""
    message = Outbound(ANN, "Добрый день", "sms/7#1.4")
    name = infobip.message_id(message)
    messages = [{"messageId": name, "status": PENDING, "destination": ANN}]
    call, outcome = sent(sms, message, {"bulkId": "b1", "messages": messages})
    text: dict[str, Any] = {"sender": "74951234567", "destinations": [{"to": ANN, "messageId": name}]}
    text |= {"content": {"text": "Добрый день"}, "webhooks": {"callbackData": "sms/7#1.4"}}
    assert orjson.loads(call.body) == {"messages": [text]}
    assert call == Call(f"{API}/sms/3/messages", call.body, (JSON, APP))
    assert outcome == Outcome("taken", name)


def test_an_sms_carries_no_attachments() -> None:
    """Such a reply fails without a call."""
    message = Outbound(ANN, "", "sms/7#1.4", Enclosure("image", "card.png", "image/png", *FILE))
    with pytest.raises(StopIteration) as end:
        next(sms.send(ACCOUNT, message))
    assert end.value.value == Outcome("failed", reason="SMS carries no attachments")


@given(st.text(max_size=300), st.text(max_size=300), st.integers(1, 12))
def test_a_repeat_names_the_same_message(key: str, other: str, attempt: int) -> None:
    """The id depends on the reply's key alone, and is short and plain."""
    name = infobip.message_id(Outbound(ANN, "hello", key))
    assert name == infobip.message_id(Outbound(ANN, "hello", key, attempt=attempt))
    assert (name == infobip.message_id(Outbound(ANN, "hello", other))) == (key == other)
    assert (len(name), set(name) - set("0123456789abcdef")) == (32, set())


@pytest.mark.parametrize(
    "body, code, kind, sentence",
    [
        (newer("E429"), "E429", "again", "a limit was passed"),
        (newer("E500"), "E500", "again", "trouble on Infobip's side"),
        (newer("E400"), "E400", "failed", "the request cannot be processed"),
        (newer("E401"), "E401", "failed", "the key is wrong"),
        (newer("E403"), "E403", "failed", "the key may not do this"),
        (newer("E404"), "E404", "failed", "the sender is unknown"),
        (older("TOO_MANY_REQUESTS"), "TOO_MANY_REQUESTS", "again", "a limit was passed"),
        (older("GENERAL_ERROR"), "GENERAL_ERROR", "again", "trouble on Infobip's side"),
        (older("BAD_REQUEST"), "BAD_REQUEST", "failed", "the request cannot be processed"),
        (older("UNAUTHORIZED"), "UNAUTHORIZED", "failed", "the key is wrong"),
        (older("FORBIDDEN"), "FORBIDDEN", "failed", "the key may not do this"),
        (older("NOT_FOUND"), "NOT_FOUND", "failed", "the sender is unknown"),
    ],
)
@pytest.mark.parametrize("answered", [200, 400, 429, 500])
def test_an_errors_code_decides(answered: int, body: bytes, code: str, kind: Any, sentence: str) -> None:
    """In either shape and whatever the HTTP status; the reason holds code and words."""
    assert infobip.outcome(ACCOUNT, Answer(answered, {}, body)) == Outcome(kind, reason=f"{code}: words"), sentence


@pytest.mark.parametrize(
    "answered, body, kind",
    [
        (200, b"{}", "again"),
        (200, b"\xff", "again"),
        (200, orjson.dumps({"messageId": "", "status": PENDING}), "again"),
        (503, b"<html>", "again"),
        (500, orjson.dumps({"messageId": "m1", "status": PENDING}), "again"),
        (503, newer("E503"), "again"),
        (429, b"", "again"),
        (409, newer("E409"), "failed"),
        (404, b"", "failed"),
        (302, b"", "failed"),
    ],
)
def test_without_a_known_code_the_status_decides(answered: int, body: bytes, kind: str) -> None:
    """Nonsense and trouble on the provider's side are tried again, the rest has failed."""
    assert infobip.outcome(ACCOUNT, Answer(answered, {}, body)).kind == kind


def test_a_message_may_be_rejected_at_once() -> None:
    """A 200 whose status is of a group of failures has failed, in its words."""
    status = {
        "groupId": 5,
        "groupName": "REJECTED",
        "id": 12,
        "name": "REJECTED_NOT_ENOUGH_CREDITS",
        "description": "No",
    }
    for body in ({"messageId": "m1", "status": status}, {"messages": [{"messageId": "m1", "status": status}]}):
        outcome = infobip.outcome(ACCOUNT, Answer(200, {}, orjson.dumps(body)))
        assert outcome == Outcome("failed", reason="REJECTED_NOT_ENOUGH_CREDITS: No")


@pytest.mark.parametrize(
    "source, headers",
    [
        (PICTURE, (APP,)),
        ("https://elsewhere.test/1", ()),
        (f"{API}.elsewhere.test/1", ()),
        (f"{API}@elsewhere.test", ()),
    ],
)
def test_the_key_is_shown_to_infobip_alone(source: str, headers: Any) -> None:
    """An attachment is read from its address; only the account's own API gets the key."""
    steps = infobip.fetch(ACCOUNT, source)
    assert next(steps) == Call(source, headers=headers, method="GET")
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(200, {"content-type": "image/png"}, b"png"))
    assert end.value.value == Fetched(b"png", "image/png")
