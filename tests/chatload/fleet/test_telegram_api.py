"""The Bot API that the simulated Telegram serves: replies, limits, refusals."""

from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.chatload.fleet.messengers import Listener, Platform, join, posted
from tests.chatload.fleet.stage import Stage, columns, dialog, of, played
from tests.chatload.fleet.stub_core import BOT_TOKEN


async def call(url: str, body: Any, token: str = BOT_TOKEN, method: str = "sendMessage") -> tuple[int, Any, str | None]:
    """Call the simulated Bot API: status, body, Retry-After."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/bot{token}/{method}", data=orjson.dumps(body)) as response,
    ):
        return response.status, await response.json(), response.headers.get("Retry-After")


def refusal(code: int, description: str) -> tuple[int, dict[str, Any], None]:
    """An error in the Bot API's shape."""
    return code, {"ok": False, "error_code": code, "description": description}, None


def test_a_reply_reaches_its_customer(tmp_path: Path) -> None:
    """An answered reply is an attempt, an entry of the customer, and gets the chat's next message id."""
    customer = Listener()
    answers: list[Any] = []

    async def act(stage: Stage) -> None:
        join(stage, 1, customer)
        answers.append(await call(stage.core.api, {"chat_id": 5_000_000_001, "text": "[abc123:o3:7] good day"}))

    ledger = posted(tmp_path, Platform(), act)
    ((status, body, _),) = answers
    assert (status, body["ok"], body["result"]["text"]) == (200, True, "[abc123:o3:7] good day")
    names = ("who", "sender", "counter", "provider_id", "contact", "outcome")
    message_id = body["result"]["message_id"]
    assert columns(of(ledger, "ATTEMPT"), *names) == [("telegram", "o3", 7, message_id, "tg/5000000001", "OK")]
    assert columns(of(ledger, "ENTRY"), *names) == [("c1", "o3", 7, message_id, "tg/5000000001", "OK")]
    assert customer.saw_texts == ["[abc123:o3:7] good day"]


def test_a_reply_that_comes_twice_is_recorded_twice_and_told_once(tmp_path: Path) -> None:
    """The record is written before any dedupe; the customer reads the same answer once."""
    customer = Listener()

    async def act(stage: Stage) -> None:
        join(stage, 1, customer)
        for _ in range(2):
            await call(stage.core.api, {"chat_id": 5_000_000_001, "text": "[abc123:o3:7] good day"})

    ledger = posted(tmp_path, Platform(), act)
    assert columns(of(ledger, "ATTEMPT"), "attempt", "outcome") == [(1, "OK"), (2, "OK")]
    assert len(of(ledger, "ENTRY")) == 2
    assert len(customer.saw_texts) == 1


@pytest.mark.parametrize(
    "body, changes, expected",
    [
        ({"chat_id": 5_000_000_001, "text": "x"}, {"token": "no"}, refusal(401, "Unauthorized")),
        ({"chat_id": 5_000_000_001, "text": "x"}, {"method": "sendVideo"}, refusal(404, "Not Found: method not found")),
        ({"chat_id": 77, "text": "x"}, {}, refusal(400, "Bad Request: chat not found")),
        ({"chat_id": 5_000_000_001, "text": ""}, {}, refusal(400, "Bad Request: message text is empty")),
        ({"chat_id": 5_000_000_001, "text": "x" * 4097}, {}, refusal(400, "Bad Request: message is too long")),
        ({"text": "x"}, {}, refusal(400, "Bad Request: chat_id and text are required")),
    ],
    ids=["wrong token", "unknown method", "unknown chat", "no text", "long text", "no chat"],
)
def test_bad_requests_are_refused_as_telegram_does(
    tmp_path: Path, body: dict[str, Any], changes: dict[str, str], expected: Any
) -> None:
    """Each mistake gets Telegram's own status and description, and no message."""
    found: list[Any] = []

    async def act(stage: Stage) -> None:
        _, send = join(stage, 1)
        send(1)  # so that there is something in the ledger
        found.append(await call(stage.core.api, body, **changes))

    ledger = posted(tmp_path, Platform(), act)
    assert found == [expected]
    assert of(ledger, "ATTEMPT", outcome="OK") == []


def test_too_many_messages_get_429_in_the_real_shape(tmp_path: Path) -> None:
    """The fourth message of a burst in one chat is told to wait, in header and body, and is no message."""
    found: list[Any] = []

    async def act(stage: Stage) -> None:
        join(stage, 1)
        join(stage, 2)
        for n in range(4):
            found.append(await call(stage.core.api, {"chat_id": 5_000_000_001, "text": f"[abc123:o3:{n}] x"}))
        found.append(await call(stage.core.api, {"chat_id": 5_000_000_002, "text": "[abc123:o3:9] x"}))

    ledger = posted(tmp_path, Platform(), act, chat_rate_per_s=0.01)
    assert [status for status, _, _ in found] == [200, 200, 200, 429, 200]
    _, body, header = found[3]
    assert header == "100"
    assert body == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 100",
        "parameters": {"retry_after": 100},
    }
    assert columns(of(ledger, "ATTEMPT", outcome="REJECTED"), "counter", "reason", "provider_id") == [(3, "429", -1)]


def test_the_bots_own_limit_counts_over_all_chats(tmp_path: Path) -> None:
    """One message a second for the whole bot: the second chat waits for the first."""
    statuses: list[int] = []

    async def act(stage: Stage) -> None:
        join(stage, 1)
        join(stage, 2)
        for chat in (5_000_000_001, 5_000_000_002):
            statuses.append((await call(stage.core.api, {"chat_id": chat, "text": "x"}))[0])

    posted(tmp_path, Platform(), act, rate_per_s=0.01)
    assert statuses == [200, 429]


def test_a_whole_dialog_over_telegram(tmp_path: Path) -> None:
    """Webhook, queue, operator, sendMessage and receipt: the customer's last answer completes the dialog."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()
        await stage.until(lambda: stage.core.contact("tg/5000000005").state == "closed")

    ledger = played(tmp_path, [dialog(5, "handover", "operator", channel="telegram")], act)
    assert columns(of(ledger, "DIALOG"), "outcome", "counter", "channel") == [("COMPLETED", 2, "TELEGRAM")]
    assert columns(of(ledger, "SEND", sender="c5"), "who", "counter") == [("telegram", 1), ("telegram", 2)]
    attempts = of(ledger, "ATTEMPT")
    assert columns(attempts, "sender", "counter", "plan") == [("o1", 1, 5), ("o1", 2, 5)]
    assert columns(of(ledger, "ENTRY", who="c5"), "provider_id") == columns(attempts, "provider_id")
    assert columns(of(ledger, "RECEIPT"), "provider_id", "reason") == [(row["provider_id"], "sent") for row in attempts]
