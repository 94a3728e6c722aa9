"""Protection at the edge: who sends too much, too slowly or was blocked is refused, counted, and slows nobody."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore import server
from chatcore.edges import door
from chatcore.edges.gateway import MAX_ID
from chatcore.edges.limits import LOOKS_AT, Bucket, Buckets
from chatcore.journal.memory import Disk
from tests.chatcore.client import Client, Customer, token, update
from tests.chatcore.cores import inside, play, restarting, telegram
from tests.chatcore.scenes import PARTITIONS, owned
from tests.chatcore.test_door import HEALTH, hook, peer

NEVER = 0.000_001  # a second: what is used up stays used up for the length of a test
NOWHERE = telegram("http://127.0.0.1:9")


def limits(trusted: Sequence[str] = ("127.0.0.1",), **bursts: int) -> dict[str, Any]:
    """Limits with these bursts, which are not filled again."""
    rates = {name: {"per_s": NEVER, "burst": burst} for name, burst in bursts.items()}
    return {"trusted": list(trusted), **rates}


# --- the buckets -----------------------------------------------------------------------------------------------------


@given(
    rate=st.integers(1, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=80),
)
def test_many_buckets_are_as_many_single_ones(rate: int, burst: int, steps: list[tuple[str, int]]) -> None:
    """A key's bucket lets pass what a bucket of its own would, whatever the other keys do."""
    many, single, now_s = Buckets(rate, burst, 10), {key: Bucket(rate, burst) for key in "ab"}, 1_000.0
    for key, pause in steps:
        now_s += pause / 128 + 1e-7  # off the moments at which one more is due: there rounding decides
        wanted = single[key].wait_s(now_s) == 0
        assert many.empty(key, now_s) is not wanted
        assert many.take(key, now_s) is wanted
        if wanted:
            single[key].take(now_s)


def test_the_buckets_are_bounded_in_number() -> None:
    """However many others take, a used-up bucket is not forgotten: those with more in them are."""
    buckets = Buckets(NEVER, 2, most=4)
    assert [buckets.take("busy", 1.0) for _ in range(2)] == [True, True]
    for number in range(100):
        assert buckets.take(f"k{number}", 1.0)
        assert not buckets.take("busy", 1.0)
        assert len(buckets) <= 4
    assert buckets.empty("busy", 1.0)


def test_a_full_bucket_is_not_remembered() -> None:
    """Who has not taken anything for long costs no memory: at most as many again are kept as are not full."""
    buckets, filled_after_s = Buckets(rate_per_s=1, burst=10, most=100_000), 1
    for second in range(5_000):
        assert buckets.take(f"k{second}", float(second))
        assert len(buckets) <= LOOKS_AT + filled_after_s


# --- limits over the wire --------------------------------------------------------------------------------------------


def test_a_contact_that_writes_too_much_is_told_so_and_slows_nobody() -> None:
    """Beyond its burst a contact's messages are refused and not stored; another contact's are taken as before."""

    async def acts() -> None:
        async with inside(limits=limits(contact=3)) as core:
            client = core.client
            loud, calm = await client.customer("web/u1"), await client.customer("web/u2")
            answers = [await loud.say(f"c{number}", "balance") for number in range(5)]
            assert [answer.get("reason", answer["op"]) for answer in answers] == ["ack"] * 3 + ["too_fast"] * 2
            assert (await calm.say("c0", "balance"))["op"] == "ack"
            kept = [entry["id"] for entry in await client.history("web/u1") if "id" in entry]
            assert (kept, (await client.state())["counters"]) == (["c0", "c1", "c2"], {"refused_too_fast": 2})
            await loud.send(op="ping")
            assert await loud.ended() == 4429
            assert (await calm.say("c1", "balance"))["op"] == "ack"

    play(acts)


def test_a_messengers_user_who_writes_too_much_does_not_block_the_providers_queue() -> None:
    """Their messages are answered 200 and counted, not stored; another user's are stored."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE], limits=limits(contact=2)) as core:
            for number in range(4):
                assert await core.client.webhook(update(number)) == (200, {})
            assert await core.client.webhook(update(9, chat=78)) == (200, {})
            found = await core.client.state()
            assert (found["messages"], found["counters"]) == (3, {"webhook_too_fast": 2})

    play(acts)


def test_an_accounts_genuine_webhooks_are_limited_and_forged_ones_cost_it_nothing() -> None:
    """Beyond its burst an account's webhooks are answered 429, to come again; wrong secrets use nothing up."""

    async def acts() -> None:
        accounts = [NOWHERE, NOWHERE | {"id": "tg2"}]
        async with inside(accounts=accounts, limits=limits(account=2)) as core:
            client = core.client
            forged = [(await client.webhook(update(number), secret="wrong"))[0] for number in range(4)]
            genuine = [(await client.webhook(update(number)))[0] for number in range(4)]
            other = (await client.webhook(update(1), account="tg2"))[0]
            assert (forged, genuine, other) == ([401] * 4, [200, 200, 429, 429], 200)
            counters = (await client.state())["counters"]
            assert counters == {"webhook_secret_wrong": 4, "webhook_too_fast": 2}

    play(acts)


def test_an_address_that_is_not_trusted_is_limited() -> None:
    """Dials, REST calls and refused webhooks use up what an address has; then even its webhooks are turned away."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE], limits=limits(trusted=[], address=3)) as core:
            async with peer(core) as found:
                found.writer.write(hook(1) + hook(2, secret="wrong") + hook(3))
                assert [(await found.answer())[0] for _ in range(3)] == [200, 401, 200]
            for status in (200, 200, 429):
                async with peer(core) as found:
                    found.writer.write(HEALTH)
                    assert (await found.answer())[0] == status
            async with peer(core) as found:
                found.writer.write(hook(4))
                assert (await found.answer())[1]["error"] == "too_fast"
                assert await found.reader.read() == b""
            async with peer(core) as found:
                found.writer.write(b"GET /v1/chat HTTP/1.1\r\nHost: core\r\n\r\n")
                assert (await found.answer())[0] == 429
            assert core.gateway.counters == {"webhook_secret_wrong": 1, "connection_too_fast": 3}

    play(acts)


def test_loopback_is_trusted_unless_told_otherwise() -> None:
    """A load generator on the same machine meets no limit of its address."""

    async def acts() -> None:
        rate = {"per_s": NEVER, "burst": 1}
        async with inside(limits={"address": rate}) as core:
            assert [(await core.client.rest("GET", "/healthz"))[0] for _ in range(5)] == [200] * 5

    play(acts)


def test_a_user_or_message_with_an_endless_name_is_refused() -> None:
    """Ids of any length are answered 200 and counted; they do not become contacts."""

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core:
            body = b'{"update_id":1,"message":{"message_id":1,"text":"a","chat":{"type":"private","id":%s}}}'
            assert await core.client.webhook(body % (b"9" * (MAX_ID + 1))) == (200, {})
            assert await core.client.webhook(body % (b"9" * MAX_ID)) == (200, {})
            found = await core.client.state()
            assert (found["messages"], found["counters"]) == (1, {"webhook_bad_id": 1})

    play(acts)


@pytest.mark.parametrize("said", [b"", b"POST /webhooks/tele", HEALTH[:-2], hook(1)[:-1], hook(1) + hook(2)[:-1]])
def test_who_sends_a_request_in_endless_pieces_is_cut_off(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is not whole in time ends its connection, be it the first one or a later one."""
    monkeypatch.setattr(door, "WHOLE_WITHIN_S", 0.05)

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core, peer(core) as found:
            found.writer.write(said)
            async with asyncio.timeout(60):
                with suppress(ConnectionResetError):  # an orderly end is as good
                    await found.reader.read()
            assert core.gateway.counters["connection_too_slow"] == 1

    play(acts)


def test_a_body_in_endless_pieces_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose REST body or chunked webhook does not end is answered 408, and the connection ends."""
    monkeypatch.setattr(server, "ANSWERS_WITHIN_S", 0.05)
    chunked = b"POST /webhooks/telegram/tg HTTP/1.1\r\nHost: core\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{"
    bearer = token("admin", "tests").encode()
    rest = b"POST /v1/operators HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer %s\r\nContent-Length: 9\r\n\r\n{"

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core:
            for said in (chunked, rest % bearer):
                async with peer(core) as found:
                    found.writer.write(said)
                    status, answer = await found.answer()
                    assert (status, answer["error"]) == (408, "request_timeout")

    play(acts)


def test_a_kept_connection_may_rest_between_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between whole requests there is no hurry: a provider's connection is not cut."""
    monkeypatch.setattr(door, "WHOLE_WITHIN_S", 0.02)

    async def acts() -> None:
        async with inside(accounts=[NOWHERE]) as core, peer(core) as found, peer(core) as slow:
            found.writer.write(hook(1))
            assert (await found.answer())[0] == 200
            assert await slow.reader.read() == b""  # so long it takes
            found.writer.write(hook(2))
            assert (await found.answer())[0] == 200

    play(acts)


# --- blocked senders -------------------------------------------------------------------------------------------------


async def told(customer: Customer, cid: str, text: str = "balance") -> str:
    """What became of a message: `ack`, or why not."""
    answer = await customer.say(cid, text)
    return str(answer.get("reason", answer["op"]))


@PARTITIONS
def test_a_blocked_sender_is_refused_until_unblocked_also_after_a_crash(partitions: int) -> None:
    """Its open dialog ends; new messages are refused, an old one repeated is still acknowledged.

    A crash forgets nothing, snapshots and replay agree on it, and others write as before.
    """

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, partitions=partitions, accounts=ACCOUNTS) as core:
            client = core.client
            desk = await client.desk("o1", presence="online")
            customer, offer = await owned(client, "web/u1", desk)
            assert await blocked(client) == []
            answer = {"contact": "web/u1", "blocked": True}
            for _ in range(2):
                assert await client.rest("PUT", "/v1/blocked/web/u1", bearer=token("supervisor", "s1")) == (200, answer)
            assert (await desk.until(kind="closed"))["reason"] == "blocked"
            assert (await desk.say(offer, "r1", "are you there?"))["reason"] == "closed"
            assert [await told(customer, "c1"), await told(customer, "ask", "operator please")] == ["blocked", "ack"]
            assert await client.webhook(update(1)) == (200, {})
            assert (await client.rest("PUT", "/v1/blocked/tg/77"))[0] == 200
            assert await client.webhook(update(2)) == (200, {})
            assert (await client.state())["counters"]["webhook_blocked"] == 1
            await core.crash()
        for snapshot_every in (20_000, 1, 1):
            async with restarting(
                disk, partitions=partitions, accounts=ACCOUNTS, snapshot_every=snapshot_every
            ) as core:
                assert await blocked(core.client) == ["tg/77", "web/u1"]
                assert await told(await core.client.customer("web/u1"), f"c{snapshot_every}") == "blocked"
                await core.client.rest("PUT", "/v1/blocked/web/u1")
                assert (await core.client.rest("POST", "/v1/operators", {"operators": [{"id": "o9"}]}))[0] == 200
        async with restarting(disk, partitions=partitions, accounts=ACCOUNTS) as core:
            client = core.client
            customer, other = await client.customer("web/u1"), await client.customer("web/u2")
            assert [await told(other, "c1"), await told(customer, "c3")] == ["ack", "blocked"]
            answer = {"contact": "web/u1", "blocked": False}
            assert await client.rest("DELETE", "/v1/blocked/web/u1") == (200, answer)
            assert [await told(customer, "c3"), await blocked(client)] == ["ack", ["tg/77"]]

    play(acts)


ACCOUNTS = [{"id": "web", "channel": "web", "bot": "keywords"}, NOWHERE]


async def blocked(client: Client) -> list[str]:
    """All blocked contacts, read in pages of one."""
    found: list[str] = []
    more = True
    while more:
        after = found[-1] if found else ""
        status, page = await client.rest("GET", f"/v1/blocked?limit=1&after={after}")
        assert status == 200
        found, more = found + page["contacts"], page["more"]
    return found


def test_the_record_says_who_blocked() -> None:
    """The log holds the decision with the name in the token, so that it can be asked about later."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk) as core:
            await told(await core.client.customer("web/u1"), "c1")
            await core.client.rest("PUT", "/v1/blocked/web/u1", bearer=token("supervisor", "s1"))
            await core.client.rest("DELETE", "/v1/blocked/web/u1", bearer=token("admin", "a1"))
            records = [record for _, record in core.core.partitions[0].records(0)]
            found = [
                (type(event).__name__, event.by)
                for record in records
                for event in record.events
                if hasattr(event, "by")
            ]
            assert found == [("Blocked", "s1"), ("Unblocked", "a1")]

    play(acts)
