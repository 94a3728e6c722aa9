"""Sockets break: who comes back with a cursor sees all of it once, in order, and only the newest connection counts."""

import asyncio
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from chatcore.journal.memory import MemoryHistory
from chatcore.journal.port import Row
from tests.chatcore.client import Client, Frame, Peer, message, plain, system, token, until
from tests.chatcore.cores import Steered, inside, play, running
from tests.chatcore.raw import raw

PARTITIONS = pytest.mark.parametrize("partitions", [1, 4])


def cursor_after(frames: list[Frame]) -> str:
    """The cursor of a client that has seen these frames."""
    last = [frame for frame in frames if frame["op"] == "entry"][-1]
    return f"{last['dialog'].rpartition('#')[2]}.{last['seq']}"


@PARTITIONS
def test_missed_entries_come_once_and_in_order(partitions: int) -> None:
    """Behind the welcome a cursor brings what was missed, over several dialogs; without one nothing old is shown."""

    async def acts() -> None:
        async with inside(partitions=partitions) as core:
            client = core.client
            writer = await client.customer("web/u1", "writer")
            await writer.say("c1", "balance")
            await writer.until(author="bot")
            await writer.send(op="end")
            await writer.until(kind="closed")
            await writer.say("c2", "operator")
            await writer.until(kind="queued")
            whole = await client.history("web/u1")
            places = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
            for index, (number, seq) in enumerate([(0, 0), *places]):
                reader = await client.customer("web/u1", f"r{index}", f"{number}.{seq}")
                assert reader.welcome == {
                    "op": "welcome", "contact": "web/u1", "dialog": 2, "state": "queued", "cursor": "2.2",
                }  # fmt: skip
                assert await reader.asked() == whole[index:]
            assert await (await client.customer("web/u1", "new")).asked() == []

    play(acts)


@PARTITIONS
def test_nothing_is_missed_or_repeated_while_messages_arrive(partitions: int) -> None:
    """A reader who breaks off and comes back amid a stream of messages, again and again, sees each entry once."""
    chance = random.Random(7)

    async def acts() -> None:
        async with inside(partitions=partitions) as core:
            writer = await core.client.customer("app/u1", "writer")
            await writer.say("c0", "start")

            async def write() -> None:
                for number in range(1, 400):
                    await writer.send(op="send", cid=f"c{number}", text=f"text {number}")
                    await asyncio.sleep(0)

            writing = asyncio.create_task(write())
            seen: list[Frame] = []
            cursor = "0.0"
            while len(seen) < 401:
                reader = await core.client.customer("app/u1", "reader", cursor)
                seen += [await reader.next() for _ in range(min(chance.randint(1, 60), 401 - len(seen)))]
                cursor = cursor_after(seen)
                await reader.hang_up()
            await writing
            assert seen == await core.client.history("app/u1")
            assert [frame["seq"] for frame in seen] == list(range(1, 402))

    play(acts)


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/desk"])
def test_the_newest_connection_fences_the_one_before(path: str) -> None:
    """The old connection of a session is closed with 4001 before the new one gets its first frame."""

    async def acts() -> None:
        async with inside() as core:
            role, subject = ("customer", "web/u1") if path == "/v1/chat" else ("operator", "o1")
            hello: dict[str, Any] = {"token": token(role, subject), "session": "s1", "cursors": {}}
            old = await raw(core.client.url, path, **hello)
            await until(old.take_now)
            new = Peer(core.client, await core.client.socket(path))
            await new.send(op="hello", **hello)
            assert (await new.next())["op"] == "welcome"
            old.take_now()
            assert ([frame["op"] for frame in old.texts()], old.close_codes()) == (["welcome"], [4001])
            assert await new.asked() == []
            operators = (await core.client.state())["operators"]
            assert operators["lost"] == 0, "a fenced desk is not a lost one"
            old.socket.close()

    play(acts)


@PARTITIONS
def test_a_desk_resumes_its_dialogs_and_offers(partitions: int) -> None:
    """A desk gets the entries behind its cursors, dialogs without a cursor from the start, and its open offers."""

    async def acts() -> None:
        async with inside(partitions=partitions, operators=[{"id": "o1", "slots": 3}]) as core:
            client = core.client
            desk = await client.desk("o1", presence="online")
            customers = [await client.customer(f"app/u{n}") for n in range(3)]
            offers = []
            for customer in customers:
                await customer.say("c1", "help")
                offers.append(await desk.until(op="offered"))
            for offer in offers[:2]:
                await desk.accept(offer)
            await desk.hang_up()
            await client.until_state(lambda found: found["operators"]["lost"] == 1)
            for customer in customers:
                await customer.say("c2", "hello?")
            back = await client.desk("o1", {"app/u0#1": 3, "app/u9#1": 5})
            shown = [*back.welcome["open"], *await back.asked()]
            first = [
                {"dialog": "app/u0#1", "number": 1, "state": "assigned", "seq": 4},
                message("app/u0#1", 4, "customer", "hello?", "c2"),
            ]
            second = [
                {"dialog": "app/u1#1", "number": 2, "state": "assigned", "seq": 4},
                message("app/u1#1", 1, "customer", "help", "c1"),
                system("app/u1#1", 2, "queued", department="general"),
                system("app/u1#1", 3, "assigned", operator="o1", number=2),
                message("app/u1#1", 4, "customer", "hello?", "c2"),
            ]
            third = [{"dialog": "app/u2#1", "number": 3, "state": "offered", "seq": 3}, offers[2]]
            for dialog, wanted in zip(("app/u0#1", "app/u1#1", "app/u2#1"), (first, second, third), strict=True):
                assert [plain(frame) for frame in shown if frame["dialog"] == dialog] == wanted
            assert len(shown) == len(first + second + third)

    play(acts)


class HeldHistory(MemoryHistory):
    """A history whose reads wait for `answers`."""

    answers: asyncio.Event

    def entries(self, log: str, contact: int, after: tuple[int, int], limit: int) -> asyncio.Future[list[Row]]:
        found = super().entries(log, contact, after, limit)

        async def wait() -> list[Row]:
            await self.answers.wait()
            return await found

        return asyncio.ensure_future(wait())


def test_an_acknowledgement_never_overtakes_an_entry() -> None:
    """While a hand-over is read, acknowledgements wait behind the entries before them: a cursor never skips one."""

    async def acts() -> None:
        journal = Steered()
        history = journal._history = HeldHistory(journal._disk)
        history.answers = asyncio.Event()
        history.answers.set()
        async with inside(journal) as core:
            client = core.client
            desk = await client.desk("o1", presence="online")
            first, second = await client.customer("app/u1"), await client.customer("app/u2")
            await first.say("c1", "help")
            owned = await desk.until(op="offered")
            await desk.accept(owned)
            await second.say("c1", "help")
            offer = await desk.until(op="offered")
            history.answers.clear()
            await desk.send(op="accept", dialog=offer["dialog"], number=offer["number"])
            await desk.until(op="accepted")
            await first.say("c2", "one more")
            await desk.send(op="send", dialog=owned["dialog"], number=owned["number"], cid="m1", text="yes?")
            await until(lambda: core.core.partitions[0].state.by_key["app/u1"].seq == 5)
            history.answers.set()
            ops = [(await desk.next()) for _ in range(3)]
            assert [(frame["op"], frame.get("seq")) for frame in ops] == [("entries", None), ("entry", 4), ("ack", 5)]

    play(acts)


def test_a_slow_reader_is_cut_and_can_resume() -> None:
    """Who does not read is closed with 4008; with its cursor it gets the rest, each entry once."""

    async def acts() -> None:
        async with inside() as core:
            client = core.client
            slow = await raw(client.url, "/v1/chat", token=token("customer", "app/u1"), session="slow")
            writer = await client.customer("app/u1", "writer")
            count = 0
            while len(core.gateway.hub.customers_of["app/u1"]) == 2:
                count += 1
                assert count < 1_500, "it should have been cut by now"
                await writer.say(f"c{count}", "😀" * 4_000)
            await slow.take_all()
            slow.socket.close()
            got = [frame for frame in slow.texts() if frame["op"] == "entry"]
            assert slow.close_codes() == [4008]
            back = await client.customer("app/u1", "slow", cursor_after(got))
            whole = await client.history("app/u1")
            assert [*got, *await back.asked()] == whole
            assert [entry["seq"] for entry in whole] == list(range(1, count + 2))

    play(acts)


def test_a_long_absence_is_caught_up_without_being_cut(tmp_path: Path) -> None:
    """A reader who reads gets a backlog larger than any buffer in one piece."""

    async def acts() -> None:
        async with inside() as core:
            writer = await core.client.customer("app/u1", "writer")
            for number in range(700):
                await writer.send(op="send", cid=f"c{number}", text="😀" * 4_000)
            await writer.until(cid="c699")
            reader = await core.client.customer("app/u1", "reader", "0.0")
            assert [(await reader.next())["seq"] for _ in range(701)] == list(range(1, 702))

    play(acts)


def test_resume_after_a_kill(tmp_path: Path) -> None:
    """After `kill -9` what was acknowledged is there, a cursor brings it once, and a repeat returns its place."""

    async def acts() -> None:
        async with running(tmp_path, partitions=4) as core:
            async with Client(core.url) as client:
                desk = await client.desk("o1", presence="online")
                customer = await client.customer("web/u1")
                await customer.say("c1", "operator")
                offer = await desk.until(op="offered")
                await desk.accept(offer)
                acks = [await customer.say(f"c{n}", f"text {n}") for n in range(2, 30)]
                await core.end()
                assert await customer.ended() is None
            await core.start()
            async with Client(core.url) as client:
                back = await client.customer("web/u1", cursor="1.3")
                seen = [plain(await back.next()) for _ in acks]
                assert seen == [message("web/u1#1", n + 2, "customer", f"text {n}", f"c{n}") for n in range(2, 30)]
                assert [await back.say(f"c{n}", f"text {n}") for n in range(2, 30)] == acks
                desk = await client.desk("o1", {"web/u1#1": 3})
                assert (desk.welcome["presence"], desk.welcome["open"]) == (
                    "online",
                    [{"dialog": "web/u1#1", "number": offer["number"], "state": "assigned", "seq": 31}],
                )
                assert [plain(await desk.next()) for _ in acks] == seen
                assert (await desk.say(offer, "m1", "back"))["seq"] == 32

    play(acts)


def test_an_orderly_end_tells_connections_to_come_back(tmp_path: Path) -> None:
    """SIGTERM: what was decided is acknowledged, connections end with 1012, the process with 0 and promptly."""

    async def acts() -> None:
        async with running(tmp_path) as core, Client(core.url) as client:
            desk = await client.desk("o1", presence="online")
            customer = await client.customer("web/u1")
            await client.socket("/v1/chat")  # never says hello
            for number in range(50):
                await customer.send(op="send", cid=f"c{number}", text="balance")
            await customer.until(cid="c0")
            assert await core.end(signal.SIGTERM) == 0
            assert [await customer.ended(), await desk.ended()] == [1012, 1012]
            acked = [frame["cid"] for frame in customer.taken if frame["op"] == "ack"]
            refused = [frame["cid"] for frame in customer.taken if frame["op"] == "refused"]
            await core.start()
            async with Client(core.url) as after:
                stored = [entry["id"] for entry in await after.history("web/u1") if entry["author"] == "customer"]
                assert stored == acked
                assert not set(stored) & set(refused)
            assert core.log() == []

    play(acts)
