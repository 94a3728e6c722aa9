"""Telegram: its webhooks are taken or refused as documented; replies go out in order, at its pace, to an end."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.config import load
from chatcore.edges import outbox
from chatcore.edges.limits import Bucket
from chatcore.errors import BadConfig
from chatcore.journal.memory import Disk
from tests.chatcore.client import PATIENCE_S, Client, Desk, Frame, message, plain, system, until, update
from tests.chatcore.cores import Steered, inside, play, restarting, settings, telegram
from tests.chatcore.provider import Answer, blocked, serving, too_many

NOWHERE = telegram("http://127.0.0.1:9")
BUSY = {"id": "o1", "slots": 100}
PHOTO = {"file_id": "AgAC", "file_unique_id": "AQ", "width": 90, "height": 90}
GROUP = {"id": -100, "type": "supergroup", "title": "Bank"}
IGNORED: dict[str, Frame] = {
    "callback_query": {"update_id": 1, "callback_query": {"id": "7", "from": {"id": 77}, "data": "x"}},
    "channel_post": {"update_id": 1, "channel_post": {"message_id": 1, "chat": GROUP, "text": "hello"}},
    "a kind of next year": {"update_id": 1, "levitation": {"from": {"id": 77}}},
    "a sticker": {"update_id": 1, "message": update(1, None)["message"] | {"sticker": PHOTO}},
    "an empty text": update(1, ""),
    "a group": {"update_id": 1, "message": update(1)["message"] | {"chat": GROUP}},
}


async def own(client: Client, desk: Desk, chat: int) -> Frame:
    """Let `chat` write and the desk accept; the offer."""
    assert await client.webhook(update(chat, chat=chat)) == (200, {})
    offer = await desk.until(op="offered", dialog=f"tg/{chat}#1")
    await desk.accept(offer)
    return offer


def receipt(seq: int, status: str, provider_id: str = "", reason: str = "") -> Frame:
    """The receipt of a reply to chat 77, without its time."""
    found = {"op": "receipt", "dialog": "tg/77#1", "seq": seq, "status": status}
    return found | {"provider_id": provider_id, "reason": reason}


def test_webhooks_that_are_not_telegrams_are_refused() -> None:
    """Wrong secret 401, broken JSON 400, over 3 MiB 413, unknown account 404: counted, and nothing changes."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE, {"id": "web", "channel": "web"}]) as core:
            client = core.client
            before = core.states()
            big = b'{"update_id":1,"message":{"text":"' + b"x" * 4_000_000 + b'"}}'
            broken = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"update_id":"1"}', b'{"update_id":1,"message":7}']
            broken += [orjson.dumps(update(1, "TEXT")).replace(b"TEXT", text) for text in (b"\xff", b"\\ud800", b"\n")]
            for secret in ("", "wrong", "ж"):
                assert await client.webhook(update(1), secret) == (401, {"error": "wrong_secret", "detail": ""})
            for body in broken:
                assert await client.webhook(body) == (400, {"error": "unreadable", "detail": ""})
            status, answer = await client.webhook(big)
            assert (status, answer["error"]) == (413, "request_entity_too_large")
            for account in ("web", "none"):
                status, answer = await client.webhook(update(1), account=account)
                assert (status, answer["error"]) == (404, "unknown_account")
            counters = (await client.state())["counters"]
            assert counters == {"webhook_secret_wrong": 3, "webhook_unreadable": len(broken)}
            assert core.states() == before

    play(acts)


@pytest.mark.parametrize("kind", IGNORED)
def test_other_updates_are_ignored(kind: str) -> None:
    """Kinds that carry no text of a private chat are taken with 200, counted, and change nothing."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core:
            before = core.states()
            assert await core.client.webhook(IGNORED[kind]) == (200, {})
            assert (await core.client.state())["counters"] == {"webhook_ignored": 1}
            assert core.states() == before

    play(acts)


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_repeated_update_takes_no_second_place(partitions: int) -> None:
    """The same message again is 200 and changes nothing; with another text it is 200, counted, and changes nothing."""

    async def acts() -> None:
        async with inside(partitions=partitions, accounts=[NOWHERE]) as core:
            client = core.client
            for _ in range(3):
                assert await client.webhook(update(5, "hello")) == (200, {})
                assert await client.webhook(update(6, "other", message_id=5)) == (200, {})
            assert [plain(entry) for entry in await client.history("tg/77")] == [
                message("tg/77#1", 1, "customer", "hello", "5"),
                system("tg/77#1", 2, "queued", department="general"),
            ]
            assert (await client.state())["counters"] == {"webhook_conflict": 3}

    play(acts)


def test_replies_leave_in_order_one_at_a_time() -> None:
    """A chat has one call in flight and its replies in order, chats do not wait for others, each gets a receipt."""

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[telegram(provider.api)]) as core:
            desk = await core.client.desk("o1", presence="online")
            offers = {chat: await own(core.client, desk, chat) for chat in (77, 78)}
            provider.hold()
            for number in range(1, 6):
                for chat, offer in offers.items():
                    await desk.say(offer, f"m{chat}-{number}", f"reply {number}")
            await until(lambda: len(provider.calls) == 2)
            assert sorted(provider.calls) == [(77, "reply 1"), (78, "reply 1")]
            provider.release()
            await core.client.until_state(lambda found: found["unsettled"] == 0)
            assert dict(provider.most_in_flight) == {77: 1, 78: 1}
            for chat in offers:
                texts = [text for called, text in provider.calls if called == chat]
                assert texts == [f"reply {number}" for number in range(1, 6)]
            receipts = [plain(frame) for frame in await desk.asked() if frame["op"] == "receipt"]
            receipts += [
                plain(frame) for frame in desk.taken if frame["op"] == "receipt" and plain(frame) not in receipts
            ]
            ids = {(chat, text): str(1_001 + index) for index, (chat, text) in enumerate(provider.taken)}
            assert sorted((frame for frame in receipts if frame["dialog"] == "tg/77#1"), key=lambda f: f["seq"]) == [
                receipt(3 + number, "sent", ids[77, f"reply {number}"]) for number in range(1, 6)
            ]

    play(acts)


def test_a_429_is_waited_for() -> None:
    """After 429 nothing goes to that chat before `retry_after` has passed; then the same reply goes out again."""

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[telegram(provider.api)]) as core:
            desk = await core.client.desk("o1", presence="online")
            offer = await own(core.client, desk, 77)
            provider.answers[77] = [too_many(0.3), too_many(0.2)]
            await desk.say(offer, "m1", "first")
            await desk.say(offer, "m2", "second")
            assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "1001")
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", "1002")
            assert [text for _, text in provider.calls] == ["first", "first", "first", "second"]
            first, second, third = (round(1000 * at_s) for at_s in provider.at_s[:3])  # the loop counts whole ms
            assert second - first >= 300
            assert third - second >= 200

    play(acts)


def test_trouble_on_the_providers_side_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """5xx, nonsense and a refused connection are retried with growing pauses until the provider takes the reply."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.02)

    async def acts() -> None:
        async with serving() as provider:
            port = int(provider.api.rpartition(":")[2])
            nonsense: list[Answer] = [
                (502, {}),
                (500, {"ok": False}),
                (200, {"ok": True}),
                (200, {"ok": False, "result": []}),
            ]
            provider.answers[77] = [*nonsense]
            async with inside(accounts=[telegram(provider.api)]) as core:
                desk = await core.client.desk("o1", presence="online")
                offer = await own(core.client, desk, 77)
                await desk.say(offer, "m1", "first")
                assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "1001")
                assert len(provider.calls) == len(nonsense) + 1
        async with inside(accounts=[telegram(f"http://127.0.0.1:{port}")]) as core:
            desk = await core.client.desk("o1", presence="online")
            offer = await own(core.client, desk, 77)
            await desk.say(offer, "m1", "first")
            contact = core.core.partitions[0].state.by_key["tg/77"]
            await until(lambda: contact.unsettled[0].attempt >= 2)
            async with serving(port) as later:
                assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "1001")
                assert later.calls == [(77, "first")]

    play(acts)


def test_a_connection_that_breaks_is_a_logged_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider hangs up on a kept connection before any answer: the reply goes out again once that is logged."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.02)

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[telegram(provider.api)]) as core:
            desk = await core.client.desk("o1", presence="online")
            offer = await own(core.client, desk, 77)
            await desk.say(offer, "m1", "first")
            assert plain(await desk.until(op="receipt")) == receipt(4, "sent", "1001")
            provider.hang_up()
            await desk.say(offer, "m2", "second")
            await until(lambda: len(provider.calls) == 2)
            core.journal.hold()
            provider.release()
            contact = core.core.partitions[0].state.by_key["tg/77"]
            await until(lambda: contact.unsettled[0].attempt == 2)
            for _ in range(20):  # turns of the loop in which it would go out
                await desk.send(op="ping")
                await desk.until(op="pong")
            assert len(provider.calls) == 2, "the attempt is decided and not durable yet"
            core.journal.release()
            assert plain(await desk.until(op="receipt")) == receipt(5, "sent", "1002")
            assert [text for _, text in provider.calls] == ["first", "second", "second"]

    play(acts)


def test_an_account_has_few_replies_under_way() -> None:
    """However many chats have one, no more than AT_ONCE are with the provider; the rest follow in their order."""

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[telegram(provider.api)], operators=[BUSY]) as core:
            desk = await core.client.desk("o1", presence="online")
            chats = range(100, 100 + outbox.AT_ONCE + 4)
            offers = [await own(core.client, desk, chat) for chat in chats]
            provider.hold()
            for offer in offers:
                await desk.say(offer, f"m{offer['dialog']}", "reply")
            await until(lambda: len(provider.calls) == outbox.AT_ONCE)
            await core.client.settled()
            assert sorted(provider.calls) == [(chat, "reply") for chat in chats[: outbox.AT_ONCE]]
            provider.release()
            await core.client.until_state(lambda found: found["unsettled"] == 0)
            assert provider.calls[outbox.AT_ONCE :] == [(chat, "reply") for chat in chats[outbox.AT_ONCE :]]

    play(acts)


def test_chats_without_replies_are_forgotten() -> None:
    """A chat takes no memory once its pace is as good as new."""

    async def acts() -> None:
        limits = {"chat_rate_per_s": 100.0, "burst": 1}
        async with serving() as provider, inside(accounts=[telegram(provider.api, **limits)]) as core:
            desk = await core.client.desk("o1", presence="online")
            assert core.gateway.hub.outbox is not None
            lines = core.gateway.hub.outbox._of["tg"]._lines

            async def reply(chat: int) -> None:
                await desk.say(await own(core.client, desk, chat), f"m{chat}", "reply")
                await desk.until(op="receipt")

            await reply(77)
            assert set(lines) == {"tg/77"}
            rested_s = time.monotonic() + 1 / 100.0
            await until(lambda: time.monotonic() > rested_s)
            await reply(78)
            assert set(lines) == {"tg/78"}

    play(acts)


def test_an_api_that_is_no_url_is_refused(tmp_path: Path) -> None:
    """In one line that says which file and which key."""
    path = tmp_path / "core.json"
    for api in ("api.telegram.org", "ftp://a", "http://", "http://a b", "http://user:password@a", "http://a/\r\nX: y"):
        path.write_text(json.dumps(settings(accounts=[telegram(api)])))
        with pytest.raises(BadConfig, match=r"core\.json.*accounts\[0\]\.api") as refused:
            load(path)
        assert "\n" not in str(refused.value)


def test_a_reply_that_cannot_be_delivered_fails_visibly(monkeypatch: pytest.MonkeyPatch) -> None:
    """403 and 400 end a reply as failed in the provider's words, endless trouble in ours; the next goes out."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(outbox, "LONGEST_DELAY_S", 0.01)

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[telegram(provider.api)]) as core:
            desk = await core.client.desk("o1", presence="online")
            offer = await own(core.client, desk, 77)
            missing = (400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})
            provider.answers[77] = [blocked(), missing, (404, {}), *[(503, {})] * outbox.ATTEMPTS]
            for number in range(1, 6):
                await desk.say(offer, f"m{number}", f"reply {number}")
            receipts = [frame for frame in desk.taken if frame["op"] == "receipt"]
            receipts += [await desk.until(op="receipt") for _ in range(5 - len(receipts))]
            assert [plain(frame) for frame in receipts] == [
                receipt(4, "failed", reason="Forbidden: bot was blocked by the user"),
                receipt(5, "failed", reason="Bad Request: chat not found"),
                receipt(6, "failed", reason="status 404"),
                receipt(7, "failed", reason=f"given up after {outbox.ATTEMPTS} attempts"),
                receipt(8, "sent", "1001"),
            ]
            status, audit = await core.client.rest("GET", "/v1/audit/0")
            assert (status, [row for row in audit["entries"] if row["op"] == "receipt"]) == (200, receipts)

    play(acts)


def test_an_orderly_end_settles_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits a moment for the provider's answer, so that the restart does not send the reply a second time."""
    monkeypatch.setattr(outbox, "ANSWERS_WITHIN_S", PATIENCE_S)

    async def acts() -> None:
        disk = Disk()
        async with serving() as provider:
            accounts = [telegram(provider.api)]
            async with inside(Steered(disk), accounts=accounts) as core:
                desk = await core.client.desk("o1", presence="online")
                offer = await own(core.client, desk, 77)
                provider.hold()
                await desk.say(offer, "m1", "first")
                await until(lambda: provider.calls)

                async def answer_once_it_ends() -> None:
                    await until(lambda: core.gateway.stopping)
                    provider.release()

                answering = asyncio.create_task(answer_once_it_ends())
            await answering
            async with restarting(disk, accounts=accounts) as core:
                assert (await core.client.state())["unsettled"] == 0
            assert provider.calls == [(77, "first")]

    play(acts)


def simulated(times_s: list[float], bucket: Bucket) -> list[float]:
    """When the sends wanted at `times_s` happen if each waits for the bucket."""
    now_s, sent = 0.0, []
    for wanted_s in times_s:
        now_s = max(now_s, wanted_s)
        now_s += bucket.wait_s(now_s)
        bucket.take(now_s)
        sent.append(now_s)
    return sent


@given(
    gaps_s=st.lists(st.floats(0, 3), min_size=1, max_size=60),
    rate_per_s=st.floats(0.5, 50),
    burst=st.integers(1, 10),
)
def test_a_bucket_never_lets_more_pass(gaps_s: list[float], rate_per_s: float, burst: int) -> None:
    """In no window more than the burst and the rate times its length pass, and nobody waits longer than needed."""
    wanted: list[float] = []
    for gap_s in gaps_s:
        wanted.append((wanted[-1] if wanted else 1_000.0) + gap_s)
    sent = simulated(wanted, Bucket(rate_per_s, burst))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + rate_per_s * (sent[last] - sent[first]) + 1e-6
    assert sent[:burst] == wanted[:burst]


def test_a_chats_rate_is_kept() -> None:
    """On the wire: two replies may leave at once, then one each tenth of a second, however late the first arrives."""

    async def acts() -> None:
        limits: dict[str, Any] = {"rate_per_s": 20.0, "chat_rate_per_s": 10.0, "burst": 2}
        async with serving() as provider, inside(accounts=[telegram(provider.api, **limits)]) as core:
            desk = await core.client.desk("o1", presence="online")
            offers = [await own(core.client, desk, chat) for chat in (77, 78)]
            began_ms = round(1000 * asyncio.get_running_loop().time())
            for number in range(5):
                for offer in offers:
                    await desk.say(offer, f"m{offer['dialog']}{number}", f"reply {number}")
            await core.client.until_state(lambda found: found["unsettled"] == 0)
            for chat in (77, 78):
                came = zip(provider.at_s, provider.calls, strict=True)
                at_ms = [round(1000 * at_s) for at_s, (called, _) in came if called == chat]
                assert len(at_ms) == 5
                assert [at_ms[2 + more] - began_ms >= 100 * (1 + more) for more in range(3)] == [True] * 3

    play(acts)
