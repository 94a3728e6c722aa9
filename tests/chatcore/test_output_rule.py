"""Nothing leaves the core before the state behind it is durable, and nothing after a commit of unknown outcome."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatcore.journal.memory import Disk, Fault
from chatcore.machines import dialog
from chatcore.server import EXIT_INDETERMINATE
from tests.chatcore.client import Client, Peer, message, plain, token, until, update
from tests.chatcore.cores import Inside, Steered, inside, play, restarting, running, telegram
from tests.chatcore.provider import serving


async def shown_so_far(*peers: Peer) -> list[list[dict[str, Any]]]:
    """What each peer was shown until the answer to a ping; unlike `asked`, without waiting for commits."""
    found = []
    for peer in peers:
        before = len(peer.taken)
        await peer.send(op="ping")
        await peer.until(op="pong")
        found.append(peer.taken[before:-1])
    return found


def applied(core: Inside) -> dict[str, int]:
    """How many records each log has, durable or not."""
    return {owner.log: owner.position for owner in core.core.owners}


def test_a_held_commit_releases_nothing() -> None:
    """While a commit is held no acknowledgement, push, refusal, read or provider's call leaves; then all, in order."""

    async def acts() -> None:
        async with serving() as provider, inside(accounts=[*ACCOUNTS, telegram(provider.api)]) as core:
            client, journal = core.client, core.journal
            desk = await client.desk("o1", presence="online")
            sender, watcher = await client.customer("web/u1", "a"), await client.customer("web/u1", "b")
            await client.webhook(update(1, "hello"))
            offer = await desk.until(op="offered", dialog="tg/77#1")
            await desk.accept(offer)
            await sender.say("c0", "balance")
            await sender.until(author="bot")
            await watcher.until(author="bot")
            before = applied(core)
            journal.hold()
            for frame in ("c1", "balance"), ("c2", "and now?"), ("c1", "balance"), ("c1", "other"):
                await sender.send(op="send", cid=frame[0], text=frame[1])
            await desk.send(op="send", dialog="tg/77#1", number=offer["number"], cid="m1", text="Hi")
            await desk.send(op="presence", state="away")
            reading = [
                asyncio.create_task(client.rest("GET", "/v1/history/web/u1")),
                asyncio.create_task(client.rest("GET", "/v1/state")),
                asyncio.create_task(client.webhook(update(2, "more"))),
            ]
            resuming = asyncio.create_task(client.customer("web/u1", "c", "1.0"))
            wanted = {"dialogs-0": before["dialogs-0"] + 4, "floor": before["floor"] + 1}
            await until(lambda: applied(core) == wanted and len(core.gateway.hub.customers_of["web/u1"]) == 3)
            assert await shown_so_far(sender, watcher, desk) == [[], [], []]
            assert (provider.calls, [task.done() for task in (*reading, resuming)]) == ([], [False] * 4)
            journal.release()
            answers = [
                message("web/u1#1", 4, "bot", "42 roubles.", cause={"seq": 3, "rule": "bot:balance"}),
                message("web/u1#1", 6, "bot", "Pardon?", cause={"seq": 5, "rule": "bot:again"}),
            ]
            ack = {"op": "ack", "dialog": "web/u1#1"}
            assert [plain(frame) for frame in await sender.asked()] == [
                ack | {"cid": "c1", "seq": 3}, answers[0], ack | {"cid": "c2", "seq": 5}, answers[1],
                ack | {"cid": "c1", "seq": 3}, {"op": "refused", "cid": "c1", "reason": "conflict"},
            ]  # fmt: skip
            assert [plain(frame) for frame in await watcher.asked()] == [
                message("web/u1#1", 3, "customer", "balance", "c1"), answers[0],
                message("web/u1#1", 5, "customer", "and now?", "c2"), answers[1],
            ]  # fmt: skip
            ops = [frame["op"] for frame in await desk.asked()]
            assert sorted(ops) == ["ack", "entry", "presence", "receipt"]
            assert provider.calls == [(77, "Hi")]
            (_, history), _, webhook = [await task for task in reading]
            third = await resuming
            assert webhook == (200, {})
            assert [entry["seq"] for entry in history["entries"]] == [1, 2, 3, 4, 5, 6]
            assert [frame["seq"] for frame in await third.asked()] == [1, 2, 3, 4, 5, 6]

    play(acts)


ACCOUNTS: list[dict[str, Any]] = [{"id": "web", "channel": "web", "bot": "keywords"}]


@pytest.mark.parametrize("fault", [Fault.ABSENT, Fault.PRESENT])
def test_a_failed_commit_releases_nothing(fault: Fault) -> None:
    """After a failed commit nothing leaves; the next start says what the log holds, and so is a repeat answered."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, accounts=ACCOUNTS) as core:
            customer = await core.client.customer("web/u1")
            await customer.say("c1", "balance")
            await customer.until(author="bot")
            core.journal.fault_next(fault)
            await customer.send(op="send", cid="c2", text="balance")
            await until(lambda: core.fatal)
            await customer.send(op="send", cid="c1", text="balance")
            assert await shown_so_far(customer) == [[]]
        async with restarting(disk, accounts=ACCOUNTS) as core:
            stored = [entry["seq"] for entry in await core.client.history("web/u1")]
            assert stored == ([1, 2, 3, 4] if fault is Fault.PRESENT else [1, 2])
            customer = await core.client.customer("web/u1")
            place = {"op": "ack", "dialog": "web/u1#1", "seq": 3}
            assert await customer.say("c2", "balance") == place | {"cid": "c2"}
            assert [entry["seq"] for entry in await core.client.history("web/u1")] == [1, 2, 3, 4]

    play(acts)


@pytest.mark.parametrize("how, stored", [("ABSENT", 2), ("PRESENT", 4), ("HANG", 4)])
def test_an_indeterminate_commit_ends_the_process(how: str, stored: int, tmp_path: Path) -> None:
    """A commit that fails or hangs ends the process with 70 and no answer; a restart recovers what is stored."""

    async def acts() -> None:
        async with running(tmp_path, "tests.chatcore.faulty_child", commit_timeout_s=0.5) as core:
            async with Client(core.url) as client:
                customer = await client.customer("web/u1")
                await customer.say("c1", "balance")
                await customer.until(author="bot")
                seen = len(customer.taken)
                await customer.send(op="send", cid="c2", text=f"FAIL {how} balance")
                assert await core.ended() == EXIT_INDETERMINATE
                assert (await customer.ended(), customer.taken[seen:]) == (None, [])
            (line,) = core.log()
            assert "the journal failed" in line
            await core.start(module="chatcore")
            async with Client(core.url) as client:
                assert [entry["seq"] for entry in await client.history("web/u1")] == list(range(1, stored + 1))
                customer = await client.customer("web/u1")
                assert (await customer.say("c2", f"FAIL {how} balance"))["seq"] == 3

    play(acts)


RECOVERING = {"error": "recovering", "detail": "come back in a moment"}


def test_nothing_is_decided_while_recovering() -> None:
    """Until a probe has committed every door answers 503 not_stored, and nothing of what was asked is applied."""

    async def acts() -> None:
        journal = Steered()
        journal.hold()
        async with inside(journal, wait=False, accounts=[*ACCOUNTS, telegram("http://127.0.0.1:9")]) as core:
            client = core.client
            await until(lambda: core.core.partitions[0].position)
            before = (applied(core), core.states())
            assert await client.rest("GET", "/healthz") == (503, RECOVERING)
            told = [
                await client.webhook(update(1)),
                await client.rest("POST", "/v1/operators", {"operators": [{"id": "o9"}]}),
                await client.rest("GET", "/v1/history/web/u1", bearer=token("customer", "web/u1")),
                await client.rest("GET", "/v1/audit/0"),
                await client.rest("GET", "/v1/state"),
                await client.rest("GET", "/v1/chat"),
                await client.rest("GET", "/v1/desk"),
            ]
            assert {(status, answer["error"]) for status, answer in told} == {(503, "not_stored")}
            assert (applied(core), core.states()) == before
            journal.release()
            await until(lambda: core.gateway.ready)
            assert await client.webhook(update(1)) == (200, {})

    play(acts)


def test_a_poisoned_command_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message on which `decide` raises is stored as an inert entry and answered; its contact and all others go on."""
    decide = dialog.decide

    def poisoned(state: Any, command: Any, now: int) -> Any:
        if "POISON" in getattr(command, "text", ""):
            raise ZeroDivisionError("told to")
        return decide(state, command, now)

    monkeypatch.setattr(dialog, "decide", poisoned)

    async def acts() -> None:
        disk = Disk()
        accounts = [*ACCOUNTS, telegram("http://127.0.0.1:9")]
        async with restarting(disk, accounts=accounts) as core:
            client = core.client
            customer = await client.customer("web/u1")
            assert await client.webhook(update(1, "before")) == (200, {})
            assert await client.webhook(update(2, "POISON")) == (200, {})
            assert await client.webhook(update(3, "after")) == (200, {})
            poison = {"op": "refused", "cid": "c1", "reason": "unprocessable"}
            assert await customer.say("c1", "POISON") == poison
            assert (await customer.say("c2", "balance"))["seq"] == 1
            found = await client.state()
            assert (found["inert"], found["counters"]) == (2, {"webhook_unprocessable": 1, "refused_unprocessable": 1})
            texts = [entry.get("text") for entry in await client.history("tg/77")]
            assert texts == ["before", None, "after"]
        async with restarting(disk, accounts=accounts) as core:
            assert [entry.get("text") for entry in await core.client.history("tg/77")] == texts
            assert await core.client.webhook(update(4, "and on")) == (200, {})

    play(acts)


def test_a_defect_in_a_view_costs_a_frame_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """When showing an entry raises, it is still stored, the floor still hears of it, and what is behind it leaves."""

    def defective(*_: object) -> None:
        raise ZeroDivisionError("told to")

    async def acts() -> None:
        async with inside(accounts=ACCOUNTS) as core:
            desk = await core.client.desk("o1", presence="online")
            customer = await core.client.customer("web/u1")
            with monkeypatch.context() as patch:
                patch.setattr(core.gateway.hub, "customers", defective)
                assert (await customer.say("c1", "operator"))["seq"] == 1
                offer = await desk.until(op="offered")
            entries = (await desk.accept(offer))["entries"]
            assert entries == await core.client.history("web/u1")
            assert [entry["kind"] for entry in entries] == ["message", "queued", "assigned"]

    play(acts)
