"""WhatsApp Cloud API: batches are read whole, errors are told apart by code, statuses find their reply."""

import hmac
from functools import partial
from itertools import pairwise
from pathlib import Path
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
)
from chatcore.config import Account
from tests.chatcore import provider
from tests.chatcore.client import Client, Desk, Frame, token, until
from tests.chatcore.cores import inside, play
from tests.chatcore.hostile import bodies, damaged, harmless
from tests.chatcore.provider import Asked, Provider, serve

API = "https://graph.facebook.com"
ACCOUNT = Account(
    "wa", "whatsapp", api=API, token="t0ken", webhook_secret="secret", sender="1101", verify_token="shared"
)
ANN, BOB = "79990000001", "79990000002"
BEARER = ("Authorization", "Bearer t0ken")
JSON = ("Content-Type", "application/json")
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


def change(field: str = "messages", number: str = "1101", **value: Any) -> dict[str, Any]:
    """A change of our number, unless told otherwise."""
    about = {"display_phone_number": "74951234567", "phone_number_id": number}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": about} | value}


def envelope(*entries: list[dict[str, Any]]) -> bytes:
    """A webhook's body: entries of changes."""
    found = [{"id": "2202", "changes": changes} for changes in entries]
    return orjson.dumps({"object": "whatsapp_business_account", "entry": found})


def said(number: int, user: str = ANN, kind: str = "text", **content: Any) -> dict[str, Any]:
    """A customer's message."""
    about = {"from": user, "id": f"wamid.in{number}", "timestamp": "1767225600", "type": kind}
    return about | {kind: content or {"body": f"text {number}"}}


def status(wamid: str, state: str, user: str = ANN, **more: Any) -> dict[str, Any]:
    """A status of a reply."""
    found = {"id": wamid, "status": state, "timestamp": "1767225605", "recipient_id": user}
    return found | {"biz_opaque_callback_data": "trace-77"} | more


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


@given(bodies("entry", "changes", "value", "field", "messages", "metadata") | damaged(EXAMPLE))
def test_no_bytes_do_harm(body: bytes) -> None:
    """Whatever comes is events or unreadable, also the documented body with any part replaced."""
    harmless(partial(whatsapp.parse, ACCOUNT), body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"entry":7}', b'{"entry":[{"changes":[7]}]}'])
def test_what_is_no_envelope_is_unreadable(body: bytes) -> None:
    """It is refused, for the provider to send it again."""
    with pytest.raises(ValueError, match=r"."):
        whatsapp.parse(ACCOUNT, body)


@pytest.mark.parametrize(
    "body, digest",
    [
        (b'{"a":1}', "aa9e2e3575f5d7098b6caccd790888c36d5fdb63342a73bada2d6a51747a8494"),
        (
            rb'{"t":"\u041f\u0440\u0438\u0432\u0435\u0442"}',
            "36698e30ea020835e92a7a73e1d0346a572d188592aaab036b301f649cff595d",
        ),
    ],
)
def test_the_signature_is_of_the_raw_body(body: bytes, digest: str) -> None:
    """The known vectors hold under the app secret; another digest, body, scheme or none does not."""
    header = "x-hub-signature-256"
    assert whatsapp.verify(ACCOUNT, {header: f"sha256={digest}"}, body)
    for given_, over in ((f"sha256={digest[::-1]}", body), (digest, body), (f"sha256={digest}", body + b" ")):
        assert not whatsapp.verify(ACCOUNT, {header: given_}, over)
    assert not whatsapp.verify(ACCOUNT, {}, body)


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
    ],
    ids=["text", "image", "document"],
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


def refusal(code: int, text: str = "words", **more: Any) -> bytes:
    """An error as Meta gives it."""
    data = {"messaging_product": "whatsapp", "details": "<text>"}
    error = {"message": f"(#{code}) {text}", "type": "OAuthException", "code": code, "error_data": data}
    return orjson.dumps({"error": error | {"fbtrace_id": "AbC"} | more})


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


# --- over the wire ---------------------------------------------------------------------------------------------------

PICTURE = b"\x89PNG\r\n" + bytes(range(256))
CONTRACT = b"%PDF contract"
BUSY = [{"id": "o1", "slots": 100}]


class Graph(Provider):
    """Meta's side: it takes messages, unless `errors` holds codes to be said first, and has one picture to give."""

    def __init__(self) -> None:
        super().__init__(self._say)
        self.errors: list[int] = []
        self.sent: list[dict[str, Any]] = []

    @property
    def account(self) -> dict[str, Any]:
        """An account of ours here, its limits out of the way."""
        given_ = {name: getattr(ACCOUNT, name) for name in ("id", "channel", "token", "webhook_secret", "sender")}
        limits = {"rate_per_s": 10_000.0, "chat_rate_per_s": 1_000.0, "burst": 100}
        return given_ | {"verify_token": ACCOUNT.verify_token, "api": self.api} | limits

    def _say(self, asked: Asked) -> provider.Answer:
        assert asked.headers["authorization"] == BEARER[1]
        match asked.method, asked.path:
            case "POST", "/v23.0/1101/messages" if self.errors:
                return 400, orjson.loads(refusal(self.errors.pop(0)))
            case "POST", "/v23.0/1101/messages":
                self.sent.append(asked.json())
                return 200, {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{len(self.sent)}"}]}
            case "GET", "/v23.0/880":
                return 200, {"url": f"{self.api}/media/880?ext=1", "mime_type": "image/png", "id": "880"}
            case "GET", "/media/880":
                return 200, PICTURE
        return 404, orjson.loads(refusal(100))


async def post(client: Client, body: bytes, secret: str = "secret") -> tuple[int, bytes]:
    """Post a webhook as Meta does."""
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    return await client.hook("whatsapp/wa", body, {"X-Hub-Signature-256": f"sha256={signature}"})


async def own(desk: Desk, user: str = ANN) -> Frame:
    """Accept the offer of a user's dialog."""
    offer = await desk.until(op="offered", dialog=f"wa/{user}#1")
    await desk.accept(offer)
    return offer


async def wrote(client: Client, user: str) -> list[tuple[str, str]]:
    """Ids and texts of a user's messages in the history."""
    entries = await client.history(f"wa/{user}")
    return [(entry["id"], entry["text"]) for entry in entries if entry["author"] == "customer"]


async def told(desk: Desk, seq: int) -> tuple[str, str, str]:
    """The next receipt of Ann's dialog: state, provider's id, reason."""
    frame = await desk.until(op="receipt", dialog=f"wa/{ANN}#1")
    assert frame["seq"] == seq
    return frame["status"], frame["provider_id"], frame["reason"]


def test_a_conversation(tmp_path: Path) -> None:
    """Meta makes sure of us; two users write in one batch; replies, faster statuses, a picture and a document pass."""

    async def acts() -> None:
        async with (
            serve(Graph()) as graph,
            inside(accounts=[graph.account], operators=BUSY, data=str(tmp_path)) as core,
        ):
            client, desk = core.client, await core.client.desk("o1", presence="online")
            asked = "/webhooks/whatsapp/wa?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
            assert await client.bytes(asked + "shared") == (200, b"1158201444")
            assert (await client.bytes(asked + "other"))[0] == 403
            body = envelope([change(messages=[said(1), said(2, BOB)]), change(messages=[said(3)])])
            assert (await post(client, body, "wrong"))[0] == 401
            assert await post(client, body) == await post(client, body) == (200, b"{}")
            offer = await own(desk)
            assert await wrote(client, ANN) == [("wamid.in1", "text 1"), ("wamid.in3", "text 3")]
            assert await wrote(client, BOB) == [("wamid.in2", "text 2")]

            graph.hold()
            await desk.say(offer, "r1", "Добрый день")
            await until(lambda: graph.asked)
            early = [status("wamid.1", "read"), status("wamid.1", "delivered"), status("wamid.1", "sent")]
            assert await post(client, envelope([change(statuses=early)])) == (200, b"{}")
            graph.release()
            assert [await told(desk, 5) for _ in range(2)] == [("sent", "wamid.1", ""), ("read", "", "")]
            assert [frame for frame in await desk.asked() if frame["op"] == "receipt"] == []

            await desk.say(offer, "r2", "second")
            assert await told(desk, 6) == ("sent", "wamid.2", "")
            failure = status("wamid.2", "failed", errors=[{"code": 131026, "title": "Message undeliverable"}])
            for found in (failure, failure, status("wamid.2", "delivered"), failure, status("wamid.2", "read")):
                assert await post(client, envelope([change(statuses=[found])])) == (200, b"{}")
            assert [await told(desk, 6) for _ in range(3)] == [
                ("failed", "", "131026 Message undeliverable"),
                ("delivered", "", ""),
                ("read", "", ""),
            ]

            picture = said(4, kind="image", caption="my card", mime_type="image/png", id="880")
            await post(client, envelope([change(messages=[picture])]))
            kept = await desk.until(op="attachment")
            assert (kept["status"], kept["size"], kept["mime"]) == ("stored", len(PICTURE), "image/png")

            ref = (await client.rest("POST", "/v1/files", CONTRACT, token("operator", "o1")))[1]["ref"]
            file = {"kind": "document", "ref": ref, "name": "№7.pdf", "mime": "application/pdf"}
            place = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="send", **place, cid="r3", text="", files=[file])
            assert await told(desk, 8) == ("sent", "wamid.3", "")
            async with client.http.get(graph.sent[2]["document"]["link"]) as answer:
                assert await answer.read() == CONTRACT
            assert [(each["to"], each["type"], each["biz_opaque_callback_data"]) for each in graph.sent] == [
                (ANN, "text", f"wa/{ANN}#1.5"),
                (ANN, "text", f"wa/{ANN}#1.6"),
                (ANN, "document", f"wa/{ANN}#1.8"),
            ]

    play(acts)


def test_replies_to_one_user_wait_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts after 131056 keep the growing pause; a window that is over fails at once, and the next reply goes."""
    monkeypatch.setattr(whatsapp, "PAUSE_S", 1.2)

    async def acts() -> None:
        async with serve(Graph()) as graph, inside(accounts=[graph.account], operators=BUSY) as core:
            desk = await core.client.desk("o1", presence="online")
            await post(core.client, envelope([change(messages=[said(1)])]))
            offer = await own(desk)
            graph.errors = [131056, 131056, 131056, 131047]
            for number in (1, 2, 3):
                await desk.say(offer, f"r{number}", f"reply {number}")
            assert await told(desk, 4) == ("failed", "", "131047 (#131047) words")
            assert [await told(desk, seq) for seq in (5, 6)] == [("sent", "wamid.1", ""), ("sent", "wamid.2", "")]
            gaps_s = [later - sooner for sooner, later in pairwise(graph.at_s[:4])]
            assert [gap_s >= pause_s for gap_s, pause_s in zip(gaps_s, (1, 1.2, 1.44), strict=True)] == [True] * 3

    play(acts)
