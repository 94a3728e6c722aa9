"""WhatsApp Cloud API: batches are read whole, errors are told apart by code, statuses find their reply."""

from typing import Any

import orjson
import pytest
from hypothesis import given

from chatcore.channels import whatsapp
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
from tests.chatcore.whatsapp import ACCOUNT, ANN, API, BEARER, BOB, JSON, change, envelope, refusal, said, status

CONVERSATION = {"id": "c1", "origin": {"type": "service"}}
PRICING = {"billable": True, "pricing_model": "PMP", "category": "service"}
EXAMPLE = """{"object": "whatsapp_business_account",
 "entry": [{"id": "2202",
  "changes": [{"field": "messages",
   "value": {"messaging_product": "whatsapp",
    "metadata": {"display_phone_number": "74951234567", "phone_number_id": "1101"},
    "contacts": [{"profile": {"name": "Анна"}, "wa_id": "79990000001"}],
    "messages": [{"from": "79990000001", "id": "wamid.AAA=", "timestamp": "1767225600",
                  "type": "text", "text": {"body": "Здравствуйте"}}]}}]}]}"""


def events(*messages: dict[str, Any]) -> list[Event]:
    """What one change with these messages tells."""
    return whatsapp.parse(ACCOUNT, envelope([change(messages=list(messages))]))


def test_the_documented_envelope_is_one_message() -> None:
    """The example of the documentation, whole, as it is and as Meta escapes it."""
    expected = [Inbound("79990000001", "wamid.AAA=", "Здравствуйте")]
    escaped = EXAMPLE.encode("ascii", "backslashreplace")
    assert b"\\u0417" in escaped
    assert whatsapp.parse(ACCOUNT, EXAMPLE.encode()) == whatsapp.parse(ACCOUNT, escaped) == expected


def test_every_element_of_a_batch_is_an_event() -> None:
    """A thousand messages and statuses of several users over entries and changes come in their order."""
    pairs = [(number, (ANN, BOB)[number % 2]) for number in range(800)]
    messages = [said(*pair) for pair in pairs]
    statuses = [status(f"wamid.{number}", "read", BOB) for number in range(200)]
    body = envelope(
        [change(messages=messages[:1]), change(messages=messages[1:500])],
        [change(statuses=statuses[:150]), change(messages=messages[500:])],
        [],
        [change(statuses=statuses[150:])],
    )
    told = [Inbound(user, f"wamid.in{number}", f"text {number}") for number, user in pairs]
    receipts = [Receipt(BOB, "read", f"wamid.{number}") for number in range(200)]
    assert whatsapp.parse(ACCOUNT, body) == [*told[:500], *receipts[:150], *told[500:], *receipts[150:]]


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            said(1, kind="image", caption="my card", mime_type="image/png", sha256="a=", id="880"),
            ("my card", (File("image", "photo.png", "image/png", "880"),)),
        ),
        (said(1, kind="image", id="880"), ("", (File("image", "photo.jpeg", "", "880"),))),
        (
            said(1, kind="document", caption="see", filename="договор.pdf", mime_type="application/pdf", id="881"),
            ("see", (File("document", "договор.pdf", "application/pdf", "881"),)),
        ),
        (
            said(1, kind="document", id="881"),
            ("", (File("document", "document", "application/octet-stream", "881"),)),
        ),
        (said(1, kind="button", payload="p", text="Yes") | {"context": {"from": "1", "id": "wamid.X"}}, ("Yes", ())),
        (said(1, kind="interactive", type="button_reply", button_reply={"id": "1", "title": "No"}), ("No", ())),
        (
            said(1, kind="interactive", type="list_reply", list_reply={"id": "2", "title": "Card", "description": "d"}),
            ("Card", ()),
        ),
        (said(1) | {"context": {"from": "1", "id": "wamid.X", "forwarded": True}}, ("text 1", ())),
    ],
    ids=["image", "bare image", "document", "bare document", "button", "button reply", "list reply", "reply"],
)
def test_messages_carry_texts_and_attachments(message: dict[str, Any], expected: tuple[str, tuple[File, ...]]) -> None:
    """Captions, buttons and choices are texts; an attachment is named by its media id."""
    assert events(message) == [Inbound(ANN, "wamid.in1", *expected)]


UNSUPPORTED = {"code": 131051, "title": "Unsupported message type"}
IGNORED = {
    "a reaction": change(messages=[said(1, kind="reaction", message_id="wamid.X", emoji="👍")]),
    "a kind of next year": change(messages=[said(1, kind="levitation", height=3)]),
    "an empty text": change(messages=[said(1, body="")]),
    "a flow": change(messages=[said(1, kind="interactive", type="nfm_reply", nfm_reply={"name": "flow"})]),
    "an unsupported kind": change(messages=[said(1, kind="unsupported") | {"errors": [UNSUPPORTED]}]),
    "errors": change(errors=[UNSUPPORTED]),
    "statuses that say no more than the answer": change(statuses=[status("wamid.B", "sent")]),
    "statuses of other kinds": change(statuses=[status("wamid.B", "played"), status("wamid.B", "flown")]),
    "another number": change(number="1102", messages=[said(1)], statuses=[status("wamid.B", "read")]),
    "another subscription": {"field": "account_update", "value": {"event": "BAN"}},
    "a subscription of next year": {"field": "levitation", "value": 7},
}


@pytest.mark.parametrize("kind", IGNORED)
def test_what_tells_nothing_is_no_event(kind: str) -> None:
    """Kinds without words, statuses that the send's answer told, other numbers of the app, and other subscriptions."""
    assert whatsapp.parse(ACCOUNT, envelope([IGNORED[kind]])) == whatsapp.parse(ACCOUNT, envelope()) == []


def test_another_product_tells_nothing() -> None:
    """What the app hears of its pages is not WhatsApp's."""
    assert whatsapp.parse(ACCOUNT, EXAMPLE.replace("whatsapp_business_account", "page").encode()) == []


def test_statuses_are_receipts() -> None:
    """One wamid in three statuses; a failure gives the code and the title of its first error."""
    failure = {"code": 131026, "title": "Message undeliverable", "message": "m", "error_data": {"details": "d"}}
    told = [
        status("wamid.BBB=", "sent", conversation=CONVERSATION | {"expiration_timestamp": "1767312000"}),
        status("wamid.BBB=", "delivered", conversation=CONVERSATION, pricing=PRICING),
        status("wamid.BBB=", "read"),
        status("wamid.CCC=", "failed", BOB, errors=[failure | {"href": "https://developers.facebook.com"}]),
        status("wamid.DDD=", "failed", BOB),
    ]
    assert whatsapp.parse(ACCOUNT, envelope([change(statuses=told)])) == [
        Receipt(ANN, "delivered", "wamid.BBB="),
        Receipt(ANN, "read", "wamid.BBB="),
        Receipt(BOB, "failed", "wamid.CCC=", reason="131026 Message undeliverable"),
        Receipt(BOB, "failed", "wamid.DDD="),
    ]


ANY = envelope(
    [
        change(
            messages=[
                said(1, kind="image", id="880"),
                said(2, kind="document", id="881"),
                said(3, kind="button", text="Yes"),
            ]
        )
    ],
    [change(statuses=[status("wamid.B", "read"), status("wamid.C", "failed", errors=[UNSUPPORTED])])],
)


@given(hostile([orjson.loads(EXAMPLE), orjson.loads(ANY)]))
def test_no_bytes_do_harm(body: bytes) -> None:
    """Whatever comes is events or unreadable, also a body with one place spoilt."""
    check_parse(whatsapp, ACCOUNT, body)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"object":7}', b'{"object":"x","entry":[{"changes":[7]}]}']
)
def test_what_is_no_envelope_is_unreadable(body: bytes) -> None:
    """It is refused, for the provider to send it again."""
    with pytest.raises(ValueError, match=r"."):
        whatsapp.parse(ACCOUNT, body)


FILE = ("https://bank.test/v1/files/ab/x", b"bytes")


@pytest.mark.parametrize(
    "message, content",
    [
        (
            Outbound(ANN, "Добрый день", "wa/7#1.4"),
            {"type": "text", "text": {"body": "Добрый день", "preview_url": False}},
        ),
        (
            Outbound(ANN, "", "wa/7#1.4", Enclosure("image", "card.png", "image/png", *FILE)),
            {"type": "image", "image": {"link": FILE[0]}},
        ),
        (
            Outbound(ANN, "", "wa/7#1.4", Enclosure("document", "№7.pdf", "application/pdf", *FILE)),
            {"type": "document", "document": {"link": FILE[0], "filename": "№7.pdf"}},
        ),
        (
            Outbound(ANN, "Due on 5 May.", "wa/7#1.4", template=Template("due", "ru", ("5 May",))),
            {
                "type": "template",
                "template": {
                    "name": "due",
                    "language": {"code": "ru"},
                    "components": [{"type": "body", "parameters": [{"type": "text", "text": "5 May"}]}],
                },
            },
        ),
    ],
    ids=["text", "image", "document", "template"],
)
def test_a_reply_is_one_call(message: Outbound, content: dict[str, Any]) -> None:
    """Texts and attachments by link go to the number's messages, with the reply's key; the answer names the wamid."""
    steps = whatsapp.send(ACCOUNT, message)
    call = next(steps)
    about = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": ANN}
    assert orjson.loads(call.body) == about | content | {"biz_opaque_callback_data": "wa/7#1.4"}
    assert call == Call(f"{API}/v23.0/1101/messages", call.body, (JSON, BEARER))
    contacts = [{"input": f"+{ANN}", "wa_id": ANN}]
    answer = {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": "wamid.BBB="}]}
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(200, {}, orjson.dumps(answer)))
    assert end.value.value == Outcome("taken", "wamid.BBB=")


def outcome(answered: int, body: bytes, attempt: int = 1) -> Outcome:
    """How an attempt with this answer ended."""
    return whatsapp.outcome(ACCOUNT, Outbound(ANN, "hello", "wa/7#1.4", attempt=attempt), Answer(answered, {}, body))


@pytest.mark.parametrize(
    "code, kind, sentence",
    [
        (130429, "again", "the number's throughput is used up, and passes"),
        (80007, "again", "the business account's limit passes"),
        (4, "again", "the app's limit passes"),
        (131000, "again", "something went wrong at Meta"),
        (131016, "again", "the service is unavailable"),
        (135000, "again", "something went wrong at Meta"),
        (131052, "again", "Meta could not fetch the attachment this time"),
        (131057, "again", "maintenance ends"),
        (131047, "failed", "the window of 24 hours is over"),
        (131026, "failed", "the user has no WhatsApp"),
        (131048, "failed", "the number's quality is low, and repeats make it worse"),
        (131049, "failed", "Meta withholds it, and repeats do not help"),
        (131050, "failed", "the user opted out"),
        (131051, "failed", "the type is not supported"),
        (131053, "failed", "the attachment cannot be uploaded"),
        (132000, "failed", "the template has other parameters"),
        (130472, "failed", "the user is in an experiment"),
        (131031, "failed", "the account is locked"),
        (368, "failed", "the account is blocked"),
        (190, "failed", "the token has expired"),
        (999999, "failed", "a code of next year is final"),
    ],
)
@pytest.mark.parametrize("answered", [400, 429, 500])
def test_an_errors_code_decides(answered: int, code: int, kind: Any, sentence: str) -> None:
    """Whatever the HTTP status, and the reason holds code and words."""
    assert outcome(answered, refusal(code)) == Outcome(kind, reason=f"{code} (#{code}) words"), sentence


def test_the_pause_between_messages_to_one_user_grows_fourfold() -> None:
    """After 131056 the next attempt comes 4^X seconds later, X growing with each, and ends with a burst's worth."""
    found = [outcome(400, refusal(131056), attempt) for attempt in (1, 2, 3, 4, 5, 6, 12)]
    assert {(each.kind, each.reason) for each in found} == {("again", "131056 (#131056) words")}
    assert [each.after_s for each in found] == [1, 4, 16, 64, 256, 256, 256]


@pytest.mark.parametrize(
    "answered, body, kind",
    [
        (200, b"{}", "again"),
        (200, b'{"messages":[]}', "again"),
        (200, b"\xff", "again"),
        (502, b"<html>", "again"),
        (500, b'{"messages":[{"id":"wamid.B"}]}', "again"),
        (429, b"", "again"),
        (400, b'{"error":7}', "failed"),
        (404, b"", "failed"),
    ],
)
def test_without_a_code_the_status_decides(answered: int, body: bytes, kind: str) -> None:
    """Nonsense and trouble on the provider's side are tried again, the rest has failed."""
    assert outcome(answered, body).kind == kind


def test_an_attachment_is_two_calls() -> None:
    """The media id says an address, which wants the token, too; an address that cannot be had says why."""
    steps = whatsapp.fetch(ACCOUNT, "88/0")
    assert next(steps) == Call(f"{API}/v23.0/88%2F0", headers=(BEARER,), method="GET")
    place = {
        "url": "https://lookaside.fbsbx.com/x",
        "mime_type": "image/png",
        "sha256": "a",
        "file_size": 3,
        "id": "880",
    }
    call = steps.send(Answer(200, {}, orjson.dumps(place | {"messaging_product": "whatsapp"})))
    assert call == Call("https://lookaside.fbsbx.com/x", headers=(BEARER,), method="GET")
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(200, {"content-type": "image/png"}, b"png"))
    assert end.value.value == Fetched(b"png", "image/png")


@pytest.mark.parametrize(
    "answered, body, again", [(400, refusal(100), False), (200, b"[]", False), (503, b"", True), (429, b"", True)]
)
def test_an_address_that_cannot_be_had(answered: int, body: bytes, again: bool) -> None:
    """Trouble on the provider's side is tried again, an unknown media id is not."""
    steps = whatsapp.fetch(ACCOUNT, "880")
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(answered, {}, body))
    assert end.value.value == Fetched(reason=f"media: status {answered}", again=again)
