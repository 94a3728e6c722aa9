"""The simulated Telegram against a real HTTP platform: order, retries, repeats, secrets."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import orjson
from aiohttp import web

from chatload.fleet.clock import MS
from chatload.fleet.identity import edited, parse
from chatload.fleet.world import Target
from tests.chatload.fleet.messengers import Listener, Platform, join, posted
from tests.chatload.fleet.stage import Stage, columns, of
from tests.chatload.fleet.stub_core import HOOK_SECRET


async def aim_at(stage: Stage, handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.AppRunner:
    """Have the messenger post to this handler instead."""
    app = web.Application()
    app.router.add_post("/webhooks/telegram/tg", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stage.world.target = Target(f"http://127.0.0.1:{runner.addresses[0][1]}", "s", stage.world.target.accounts)
    stage.provider.begin()
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
        await stage.provider.close()
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
    again = asyncio.Event()

    async def act(stage: Stage) -> None:
        async def slow(request: web.Request) -> web.Response:
            platform.calls.append((0, {}, {}))
            if len(platform.calls) == 1:
                await again.wait()
            again.set()
            return web.json_response({})

        runner = await aim_at(stage, slow)
        _, send = join(stage, 1)
        send(1)
        await stage.until(lambda: stage.recorder.rows == 2)
        await runner.cleanup()

    ledger = posted(tmp_path, platform, act, patient=False, time_scale=60.0)
    first, second = of(ledger, "SEND")
    assert [(row["attempt"], row["outcome"], row["reason"]) for row in (first, second)] == [
        (1, "INDETERMINATE", "timeout"), (2, "OK", ""),
    ]  # fmt: skip
    assert second["started"] - first["started"] >= 1_000 * MS


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


def test_edits_have_other_words_and_are_recorded_and_reactions_are_not(tmp_path: Path) -> None:
    """With a share of one each message is followed by an edit, under its identity, or by a reaction."""
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
    assert len(of(ledger, "SEND", kind="MESSAGE")) == 20
    updates = [update for *_, update in platform.calls]
    messages = [update["message"] for update in updates if "message" in update]
    said = {message["message_id"]: message["text"] for message in messages}
    edits = [update["edited_message"] for update in updates if "edited_message" in update]
    assert [edit["text"] for edit in edits] == [edited(said[edit["message_id"]], 1) for edit in edits]
    rows = columns(of(ledger, "SEND", kind="EDITED"), "sender", "counter", "cursor", "provider_id", "outcome")
    named = [(parse(edit["text"]), edit["message_id"]) for edit in edits]
    assert rows == [(name.sender, name.counter, 1, message_id, "OK") for name, message_id in named if name]
    assert rows
