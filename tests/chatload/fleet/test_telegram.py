"""The simulated Telegram against a real HTTP platform: order, retries, repeats, secrets, limits, refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from chatload.fleet.clock import MS, now_ns
from chatload.fleet.ledger import Actor, Message, Subject
from chatload.fleet.providers.telegram import Chat
from chatload.fleet.session import Customer
from chatload.fleet.world import BotAccount, Target
from tests.chatload.fleet.stage import Row, Stage, columns, dialog, of, played
from tests.chatload.fleet.stub_core import BOT_TOKEN, HOOK_SECRET

Answers = list[int | tuple[int, dict[str, str]] | None]


class Platform:
    """Answers webhooks with prepared statuses per chat (None breaks the connection), then 200; keeps what came."""

    def __init__(self, answers: dict[int, Answers] | None = None) -> None:
        self.answers = answers or {}
        self.calls: list[tuple[int, dict[str, Any], Any]] = []  # when, headers, update
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/webhooks/telegram/tg", self._called)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _called(self, request: web.Request) -> web.Response:
        update = orjson.loads(await request.read())
        self.calls.append((now_ns(), dict(request.headers), update))
        message = update.get("message") or update.get("edited_message") or {"chat": {"id": 0}}
        prepared = self.answers.get(message["chat"]["id"], [])
        answer = prepared.pop(0) if prepared else 200
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
        status, headers = answer if isinstance(answer, tuple) else (answer or 200, {})
        error = {"error": "not_stored"} if status == 503 else {}
        return web.json_response(error, status=status, headers=headers)

    def messages(self, chat: int) -> list[int]:
        """The counters of the messages that came from a chat, in order."""
        texts = [update["message"]["text"] for _, _, update in self.calls if "message" in update]
        ids = [update["message"]["chat"]["id"] for _, _, update in self.calls if "message" in update]
        return [
            int(text.split("]")[0].rsplit(":", 1)[1]) for text, found in zip(texts, ids, strict=True) if found == chat
        ]


class Listener:
    """A customer without a script: remembers what it is told."""

    def __init__(self) -> None:
        self.acknowledged_counters: list[int] = []
        self.saw_texts: list[str] = []

    def acknowledged(self, message: Message, stamp_ns: int) -> None:
        self.acknowledged_counters.append(message.counter)

    def saw(self, entry: Any, identity: Any, stamp_ns: int) -> None:
        self.saw_texts.append(entry.text)

    def failed(self, reason: str) -> None:
        raise AssertionError(reason)


def join(stage: Stage, index: int, customer: Customer | None = None) -> tuple[Chat, Callable[[int], None]]:
    """A chat, and how its customer sends the n-th message."""
    actor = Actor(stage.world, f"c{index}")
    subject = Subject(stage.world, f"tg/{5_000_000_000 + index}", index)
    chat = stage.telegram.join(actor, subject, customer or Listener())

    def send(counter: int) -> None:
        chat.send(actor.message(subject, counter, "words", now_ns()))

    return chat, send


def posted(folder: Path, platform: Platform, act: Callable[[Stage], Awaitable[None]], **settings: Any) -> list[Row]:
    """The ledger after `act` on a stage whose messenger posts to `platform`."""

    async def aimed(stage: Stage) -> None:
        await platform.start()
        stage.world.target = Target(platform.url, "secret", {"tg": BotAccount(BOT_TOKEN, HOOK_SECRET)})
        stage.telegram.begin()
        try:
            await act(stage)
        finally:
            await platform.stop()

    return played(folder, [dialog(n, "handover", channel="telegram") for n in (1, 2)], aimed, speed=1.0, **settings)


async def aim_at(stage: Stage, handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.AppRunner:
    """Have the messenger post to this handler instead."""
    app = web.Application()
    app.router.add_post("/webhooks/telegram/tg", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stage.world.target = Target(f"http://127.0.0.1:{runner.addresses[0][1]}", "s", stage.world.target.telegram)
    stage.telegram.begin()
    return runner


def test_an_update_looks_like_telegrams(tmp_path: Path) -> None:
    """Body and headers are those of the Bot API: secret, growing update ids, message, sender and private chat."""
    platform = Platform()

    async def act(stage: Stage) -> None:
        _, send = join(stage, 1)
        send(1)
        send(2)
        await stage.until(lambda: stage.recorder.rows == 2)

    ledger = posted(tmp_path, platform, act)
    (_, headers, first), (_, _, second) = platform.calls
    assert headers["X-Telegram-Bot-Api-Secret-Token"] == HOOK_SECRET
    assert headers["Content-Type"] == "application/json"
    assert second["update_id"] == first["update_id"] + 1
    message = first["message"]
    person = {"id": 5_000_000_001, "first_name": "Анна", "username": "u5000000001"}
    assert message["from"] == person | {"is_bot": False, "language_code": "ru"}
    assert message["chat"] == person | {"type": "private"}
    assert message["text"] == "[abc123:c1:1] words"
    assert second["message"]["message_id"] == message["message_id"] + 1
    assert columns(of(ledger, "SEND"), "who", "sender", "counter", "provider_id", "attempt", "outcome") == [
        ("telegram", "c1", 1, message["message_id"], 1, "OK"),
        ("telegram", "c1", 2, message["message_id"] + 1, 1, "OK"),
    ]


def test_a_failing_chat_keeps_its_order_and_blocks_only_itself(tmp_path: Path) -> None:
    """The failed head is posted again before anything behind it; another chat goes on meanwhile."""
    platform = Platform({5_000_000_001: [500, None, 503]})

    async def act(stage: Stage) -> None:
        (_, first), (_, second) = join(stage, 1), join(stage, 2)
        for counter in (1, 2, 3):
            first(counter)
        await stage.until(lambda: len(platform.messages(5_000_000_001)) == 2)
        for counter in (1, 2, 3):
            second(counter)
        await stage.until(lambda: stage.recorder.rows == 9)

    ledger = posted(tmp_path, platform, act, time_scale=100.0)
    assert platform.messages(5_000_000_001) == [1, 1, 1, 1, 2, 3]
    assert platform.messages(5_000_000_002) == [1, 2, 3]
    rows = of(ledger, "SEND", sender="c1", counter=1)
    assert columns(rows, "attempt", "outcome", "reason") == [
        (1, "INDETERMINATE", "http 500"),
        (2, "INDETERMINATE", "disconnected"),
        (3, "REJECTED", "not_stored"),
        (4, "OK", ""),
    ]
    assert len({row["provider_id"] for row in rows}) == 1
    gaps_s = [(after["started"] - max(before["started"], before["done"])) / 1e9 for before, after in pairwise(rows)]
    assert all(gap >= wait / 100 for gap, wait in zip(gaps_s, (0, 2, 4), strict=True))


def test_the_end_leaves_what_waited_unposted_and_what_was_under_way_indeterminate(tmp_path: Path) -> None:
    """With one connection, held by the first chat's update, the second chat's is never posted, and has no row."""
    platform = Platform()
    held = asyncio.Event()

    async def act(stage: Stage) -> None:
        async def hold(request: web.Request) -> web.Response:
            platform.calls.append((0, {}, orjson.loads(await request.read())))
            held.set()
            await asyncio.sleep(3600)
            return web.json_response({})

        runner = await aim_at(stage, hold)
        for index in (1, 2):
            join(stage, index)[1](1)
        await held.wait()
        await stage.telegram.close()
        await runner.cleanup()

    ledger = posted(tmp_path, platform, act, connections=1)
    assert columns(of(ledger, "SEND"), "sender", "outcome", "reason") == [("c1", "INDETERMINATE", "left")]
    assert [platform.messages(5_000_000_000 + index) for index in (1, 2)] == [[1], []]


def test_retry_after_takes_the_place_of_the_doubling(tmp_path: Path) -> None:
    """A refusal that says when to come back is taken at its word."""
    platform = Platform({5_000_000_001: [(429, {"Retry-After": "3"})]})

    async def act(stage: Stage) -> None:
        _, send = join(stage, 1)
        send(1)
        await stage.until(lambda: stage.recorder.rows == 2)

    ledger = posted(tmp_path, platform, act, time_scale=100.0)
    first, second = of(ledger, "SEND")
    assert (first["outcome"], first["reason"]) == ("REJECTED", "http 429")
    assert second["started"] - first["done"] >= 30 * MS


def test_an_answer_after_the_time_allowed_is_a_failure(tmp_path: Path) -> None:
    """Sixty seconds, divided by the time scale, without an answer: indeterminate, and posted again."""
    platform = Platform()

    async def act(stage: Stage) -> None:
        async def slow(request: web.Request) -> web.Response:
            if len(platform.calls) == 0:
                platform.calls.append((0, {}, {}))
                await asyncio.sleep(0.5)
            return web.json_response({})

        runner = await aim_at(stage, slow)
        _, send = join(stage, 1)
        send(1)
        await stage.until(lambda: stage.recorder.rows == 2)
        await runner.cleanup()

    ledger = posted(tmp_path, platform, act, time_scale=600.0)
    assert columns(of(ledger, "SEND"), "attempt", "outcome") == [(1, "INDETERMINATE"), (2, "OK")]


def test_accepted_updates_are_repeated_in_their_place(tmp_path: Path) -> None:
    """With a share of one every accepted update comes once more, with the same id, before the next of its chat."""
    platform = Platform()
    customer = Listener()

    async def act(stage: Stage) -> None:
        _, send = join(stage, 1, customer)
        send(1)
        send(2)
        await stage.until(lambda: stage.recorder.rows == 4)

    ledger = posted(tmp_path, platform, act, repeat_share=1.0)
    assert platform.messages(5_000_000_001) == [1, 1, 2, 2]
    ids = [update["update_id"] for _, _, update in platform.calls]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert columns(of(ledger, "SEND"), "counter", "attempt", "outcome") == [
        (1, 1, "OK"), (1, 2, "OK"), (2, 1, "OK"), (2, 2, "OK"),
    ]  # fmt: skip
    assert customer.acknowledged_counters == [1, 2]


def test_other_kinds_of_updates_are_posted_and_are_no_messages(tmp_path: Path) -> None:
    """With a share of one each message is followed by an edit or a reaction, of which the ledger knows nothing."""
    platform = Platform()

    async def act(stage: Stage) -> None:
        _, send = join(stage, 1)
        for counter in range(1, 21):
            send(counter)
        await stage.until(lambda: len(platform.calls) == 40)

    ledger = posted(tmp_path, platform, act, other_share=1.0)
    kinds = [key for _, _, update in platform.calls for key in update if key != "update_id"]
    assert kinds.count("message") == 20
    assert set(kinds) == {"message", "edited_message", "message_reaction"}
    assert len(of(ledger, "SEND")) == 20


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
    assert columns(of(ledger, "RECEIPT"), "provider_id", "reason") == [
        (row["provider_id"], "delivered") for row in attempts
    ]
