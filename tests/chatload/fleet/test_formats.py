"""Each messenger's own formats: documented bodies, signatures, handshakes, uploads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest

from chatload.fleet.providers import media
from chatload.fleet.providers.meta import escaped
from chatload.fleet.world import MessengerAccount, Target
from tests.chatload.fleet.bank import KEYS, Bank, Person, ask, at_a_bank, send
from tests.chatload.fleet.stage import Stage, columns, of

BEARER = {"Authorization": f"Bearer {KEYS.token}"}
TEXT = "[abc123:c1:1] Привет"
ID, AT = "an id", "a time"

BODIES: dict[str, Callable[[str], Any]] = {
    "messenger": lambda user: {
        "object": "page",
        "entry": [{"id": "1001", "time": AT, "messaging": [{
            "sender": {"id": user}, "recipient": {"id": "1001"}, "timestamp": AT, "message": {"mid": ID, "text": TEXT},
        }]}],
    },
    "whatsapp": lambda user: {
        "object": "whatsapp_business_account",
        "entry": [{"id": ID, "changes": [{"field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "1001", "phone_number_id": "1001"},
            "contacts": [{"profile": {"name": "Анна"}, "wa_id": user}],
            "messages": [{"from": user, "id": ID, "timestamp": AT, "type": "text", "text": {"body": TEXT}}],
        }}]}],
    },
    "viber": lambda user: {
        "event": "message", "timestamp": AT, "chat_hostname": "SN-CHAT-01_", "message_token": ID,
        "sender": {"id": user, "name": "Анна", "country": "RU", "language": "ru", "api_version": 10},
        "message": {"type": "text", "text": TEXT, "tracking_data": ""}, "silent": False,
    },
    "vk": lambda user: {
        "type": "message_new", "group_id": 1001, "event_id": ID, "v": "5.199", "secret": "secret",
        "object": {
            "message": {
                "id": ID, "date": AT, "peer_id": int(user), "from_id": int(user), "out": 0, "version": 10000041,
                "conversation_message_id": 0, "text": TEXT, "random_id": 0, "attachments": [],
            },
            "client_info": {
                "button_actions": ["text"], "keyboard": True, "inline_keyboard": True, "carousel": True, "lang_id": 0,
            },
        },
    },
    "infobip": lambda user: {
        "results": [{
            "from": user, "to": "1001", "integrationType": "WHATSAPP", "receivedAt": AT, "messageId": ID,
            "pairedMessageId": None, "callbackData": None, "message": {"type": "TEXT", "text": TEXT},
            "contact": {"name": "Анна"}, "price": {"pricePerMessage": 0, "currency": "EUR"},
        }],
        "messageCount": 1, "pendingMessageCount": 0,
    },
    "sms": lambda user: {
        "results": [{
            "from": user, "to": "1001", "receivedAt": AT, "messageId": ID, "callbackData": None, "text": TEXT,
            "cleanText": TEXT, "keyword": "", "smsCount": 1, "price": {"pricePerMessage": 0, "currency": "EUR"},
        }],
        "messageCount": 1, "pendingMessageCount": 0,
    },
    "max": lambda user: {
        "update_type": "message_created", "timestamp": AT, "user_locale": "ru",
        "message": {
            "sender": {"user_id": int(user), "name": "Анна", "is_bot": False},
            "recipient": {"chat_id": int(user) + 4_000_000_000, "chat_type": "dialog", "user_id": 1},
            "timestamp": AT, "body": {"mid": ID, "seq": 0, "text": TEXT, "attachments": []},
        },
    },
}  # fmt: skip

HEADERS: dict[str, dict[str, str]] = {
    "infobip": {"Authorization": "Basic aW5mb2JpcDpzZWNyZXQ="},
    "sms": {"Authorization": "Basic aW5mb2JpcDpzZWNyZXQ="},
    "max": {"X-Max-Bot-Api-Secret": "secret"},
}


def without_chance(found: Any, expected: Any) -> Any:
    """`found`, with ids and times where `expected` has them, and numbers of the messenger's own at 0."""
    if expected in (ID, AT):
        assert found
        return expected
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: without_chance(value, expected.get(key)) for key, value in found.items()}
    if isinstance(expected, list) and isinstance(found, list):
        return [without_chance(one, other) for one, other in zip(found, expected, strict=True)]
    return 0 if isinstance(found, int) and expected == 0 and not isinstance(found, bool) else found


@pytest.mark.parametrize("channel", sorted(BODIES))
def test_a_message_looks_like_the_messengers(channel: str, tmp_path: Path) -> None:
    """The body has the documented keys and no others; constant headers are the account's."""
    bank = Bank(channel)
    users: list[str] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        users.append(person.user)
        person.say(1)
        await stage.until(lambda: len(bank.calls) == 1)

    at_a_bank(tmp_path, bank, act)
    expected = BODIES[channel](users[0])
    assert without_chance(bank.calls[0].body, expected) == expected
    headers = HEADERS.get(channel, {})
    assert {name: bank.calls[0].headers[name] for name in headers} == headers


VECTOR = "aa9e2e3575f5d7098b6caccd790888c36d5fdb63342a73bada2d6a51747a8494"
ESCAPED = rb'{"t":"\u041f\u0440\u0438\u0432\u0435\u0442"}'
ESCAPED_VECTOR = "36698e30ea020835e92a7a73e1d0346a572d188592aaab036b301f649cff595d"


@pytest.mark.parametrize(
    "channel, keys, line",
    [
        ("whatsapp", MessengerAccount("t", "secret"), "X-Hub-Signature-256: sha256="),
        ("messenger", MessengerAccount("t", "secret"), "X-Hub-Signature-256: sha256="),
        ("viber", MessengerAccount("secret", "s"), "X-Viber-Content-Signature: "),
    ],
)
def test_signatures_are_those_of_the_known_vectors(
    channel: str, keys: MessengerAccount, line: str, tmp_path: Path
) -> None:
    """HMAC-SHA256 of the raw body; Meta's JSON escapes what is not ASCII, and the escapes are signed."""
    lines: list[bytes] = []

    async def act(stage: Stage) -> None:
        stage.provider.keys = keys
        lines.extend(stage.provider.lines(body, 1) for body in (b'{"a":1}', ESCAPED))

    at_a_bank(tmp_path, Bank(channel), act)
    assert lines == [f"\r\n{line}{VECTOR}".encode(), f"\r\n{line}{ESCAPED_VECTOR}".encode()]
    assert escaped({"t": "Привет"}) == ESCAPED


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "viber", "vk"])
def test_the_handshake_is_made_once_and_must_be_answered_right(channel: str, tmp_path: Path) -> None:
    """Meta's challenge, VK's confirmation, Viber's first event; a platform that fails it cannot be played against."""
    bank = Bank(channel)
    failures: list[str] = []

    async def act(stage: Stage) -> None:
        await stage.provider.greet()
        stage.world.target = Target("http://127.0.0.1:9", "s", stage.world.target.accounts)
        try:
            await stage.provider.greet()
        except ValueError as error:
            failures.append(str(error))
        Person(stage, channel, 1).say(1)
        await stage.until(lambda: len(bank.calls) == 2)

    at_a_bank(tmp_path, bank, act)
    (failure,) = failures
    assert f"the platform did not answer {channel}'s handshake right" in failure
    call = bank.calls[0]
    if channel in ("whatsapp", "messenger"):
        assert call.query["hub.mode"] == "subscribe"
        assert call.query["hub.verify_token"] == "verify"
    elif channel == "vk":
        assert call.body == {"type": "confirmation", "group_id": 1001}
    else:
        assert call.body["event"] == "webhook"


def test_vibers_tokens_are_numbers_that_a_double_cannot_hold(tmp_path: Path) -> None:
    """In the webhook and in the answer to a send."""
    bank = Bank("viber")
    answers: list[Any] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, "viber", 1)
        person.say(1)
        answers.append((await send(stage, person.user, "x"))[1])
        await stage.until(lambda: len(bank.calls) == 1)

    at_a_bank(tmp_path, bank, act, delivered_ms=600_000.0)
    for token in (bank.calls[0].body["message_token"], answers[0]["message_token"]):
        assert isinstance(token, int)
        assert token > 1 << 53


def test_vk_sends_the_same_random_id_once(tmp_path: Path) -> None:
    """The second time it answers with the first message's id, and the customer sees one message; 0 checks nothing."""
    people: list[Person] = []
    ids: list[int] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "vk", 1))
        for random_id in (77, 77, 0, 0):
            form = {"peer_id": people[0].user, "message": f"[abc123:o1:{len(ids)}] x", "random_id": random_id}
            _, answer = await ask(
                stage, f"/method/messages.send?v=5.199&access_token={KEYS.token}", body=urlencode(form).encode()
            )
            ids.append(orjson.loads(answer)["response"])

    ledger = at_a_bank(tmp_path, Bank("vk"), act, chat_rate_per_s=1000.0, burst=9, delivered_ms=600_000.0)
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert people[0].heard.saw_texts == [f"[abc123:o1:{n}] x" for n in (0, 2, 3)]
    assert len(of(ledger, "ATTEMPT", outcome="OK")) == 4


def test_vks_receipts_are_an_echo_and_a_watermark(tmp_path: Path) -> None:
    """`message_reply` with the community as sender, then `message_read` with the reply's id."""
    bank = Bank("vk")
    ids: list[int] = []
    users: list[int] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, "vk", 1)
        users.append(int(person.user))
        ids.append((await send(stage, person.user, "[abc123:o1:1] x"))[1]["response"])
        await stage.until(lambda: len(bank.calls) == 2)

    at_a_bank(tmp_path, bank, act, read_share=1.0, delivered_ms=1.0, read_ms=1.0)
    echo, read = sorted((call.body for call in bank.calls), key=lambda body: body["type"], reverse=True)
    assert (echo["type"], echo["object"]["id"], echo["object"]["out"], echo["object"]["from_id"]) == (
        "message_reply", ids[0], 1, -1001,
    )  # fmt: skip
    assert read["object"] == {
        "from_id": users[0], "peer_id": users[0], "read_message_id": ids[0], "conversation_message_id": ids[0],
    }  # fmt: skip


async def uploaded(stage: Stage, url: str, name: str, headers: dict[str, str] | None = None) -> Any:
    """What an upload of this file is answered with."""
    form = aiohttp.FormData()
    form.add_field("file", media.content(name), filename=name)
    return orjson.loads((await ask(stage, url, headers, form))[1])


def test_vk_takes_a_picture_in_four_steps(tmp_path: Path) -> None:
    """Upload server, upload, save, send; a damaged file is not saved."""
    people: list[Person] = []
    refused: list[Any] = []

    async def method(stage: Stage, name: str, **form: Any) -> Any:
        data = urlencode({"v": "5.199", "access_token": KEYS.token, **form}).encode()
        return orjson.loads((await ask(stage, f"/method/{name}", body=data))[1])

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "vk", 1))
        server = (await method(stage, "photos.getMessagesUploadServer", peer_id=people[0].user))["response"]
        found = await uploaded(stage, server["upload_url"], "abc123-o1-1-900.png")
        (photo,) = (await method(stage, "photos.saveMessagesPhoto", **found))["response"]
        attached = f"photo{photo['owner_id']}_{photo['id']}_{photo['access_key']}"
        sent = {"peer_id": people[0].user, "random_id": 1, "message": "[abc123:o1:1] x", "attachment": attached}
        assert isinstance((await method(stage, "messages.send", **sent))["response"], int)
        refused.append(await method(stage, "docs.save", file="up9"))

    at_a_bank(tmp_path, Bank("vk"), act, delivered_ms=600_000.0)
    assert people[0].heard.saw_texts == ["[abc123:o1:1] x"]
    assert refused[0]["error"]["error_code"] == 100


def test_max_takes_an_uploaded_file(tmp_path: Path) -> None:
    """`/uploads` names the place, the place gives a token, the message carries it; an unknown token is refused."""
    people: list[Person] = []
    statuses: list[int] = []
    headers = {"Authorization": KEYS.token}

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "max", 1))
        place = orjson.loads((await ask(stage, "/uploads?type=file", headers))[1])["url"]
        token = (await uploaded(stage, place, "abc123-o1-1-900.pdf"))["token"]
        for given in (token, "up9"):
            body = {"text": "[abc123:o1:1] x", "attachments": [{"type": "file", "payload": {"token": given}}]}
            statuses.append((await ask(stage, f"/messages?user_id={people[0].user}", headers, body))[0])

    at_a_bank(tmp_path, Bank("max"), act)
    assert statuses == [200, 400]
    assert people[0].heard.saw_texts == ["[abc123:o1:1] x"]


def test_whatsapp_takes_an_uploaded_file_and_echoes_what_the_send_carried(tmp_path: Path) -> None:
    """`/media` gives an id for the message; `biz_opaque_callback_data` comes back in every status."""
    bank = Bank("whatsapp")

    async def act(stage: Stage) -> None:
        person = Person(stage, "whatsapp", 1)
        person.say(1)
        found = await uploaded(stage, f"/v23.0/{KEYS.sender}/media", "abc123-o1-1-900.png", BEARER)
        body = {"to": f"+{person.user}", "type": "image", "image": {"id": found["id"], "caption": "[abc123:o1:1] x"}}
        status, _ = await ask(
            stage, f"/v23.0/{KEYS.sender}/messages", BEARER, body | {"biz_opaque_callback_data": "t-7"}
        )
        assert status == 200
        await stage.until(lambda: len(statuses(bank)) == 3)

    at_a_bank(tmp_path, bank, act, read_share=1.0, delivered_ms=1.0, read_ms=1.0)
    assert sorted(status["status"] for status in statuses(bank)) == ["delivered", "read", "sent"]
    assert {status["biz_opaque_callback_data"] for status in statuses(bank)} == {"t-7"}


def statuses(bank: Bank) -> list[Any]:
    """The statuses in all calls."""
    values = [change["value"] for call in bank.calls for change in call.body["entry"][0]["changes"]]
    return [status for value in values for status in value.get("statuses", [])]


def test_templates_are_taken_outside_the_window(tmp_path: Path) -> None:
    """A customer who has not written gets a template, and no text."""
    found: list[int] = []
    template = {"name": "hello", "language": {"code": "ru"}}
    parameters = [{"type": "body", "parameters": [{"type": "text", "text": "[abc123:o1:1] x"}]}]

    async def act(stage: Stage) -> None:
        person = Person(stage, "whatsapp", 1)
        for content in ({"type": "text", "text": {"body": "x"}}, {"type": "template", "template": template}):
            if "template" in content:
                content["template"] = template | {"components": parameters}
            found.append(
                (await ask(stage, f"/v23.0/{KEYS.sender}/messages", BEARER, {"to": person.user, **content}))[0]
            )

    ledger = at_a_bank(tmp_path, Bank("whatsapp"), act, delivered_ms=600_000.0)
    assert found == [400, 200]
    assert columns(of(ledger, "ATTEMPT"), "outcome", "reason") == [("REJECTED", "131047"), ("OK", "")]
