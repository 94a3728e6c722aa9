"""A core that starts again is where its logs say it was, and goes on with what was under way."""

import asyncio
import copy
import random
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chatcore.errors import OtherPartitions
from chatcore.journal.memory import Disk, MemoryJournal
from chatcore.journal.port import Done, Snapshot
from chatcore.machines import commands as c
from chatcore.machines import events as e
from chatcore.machines.commands import Rules
from chatcore.machines.contacts import Contact
from chatcore.runtime.core import Core
from tests.chatcore.client import Client, Desk, until, update
from tests.chatcore.cores import Inside, Steered, inside, play, restarting, running, states, telegram
from tests.chatcore.provider import serving

PARTITIONS = pytest.mark.parametrize("partitions", [1, 4])


def replayed(disk: Disk, partitions: int) -> dict[str, Any]:
    """The states that recovery builds from a disk, before anything new is decided."""
    journal = MemoryJournal(copy.deepcopy(disk))
    core = Core(journal, partitions, Rules(), audience=None, now_ms=int, fatal=print)  # type: ignore[arg-type]  # nothing is shown
    found = journal.open([owner.log for owner in core.owners])
    for owner in core.owners:
        owner.restore(found[owner.log])
    return states(core)


def without_snapshots(disk: Disk) -> Disk:
    bare = copy.deepcopy(disk)
    for stored in bare.values():
        stored.snapshot = None
        stored.pieces.clear()
        stored.numbers.clear()
    return bare


class Crowd:
    """Customers and operators who do whatever a seeded chance says, through the core's own doors."""

    def __init__(self, core: Core, seed: int) -> None:
        self._core = core
        self._chance = random.Random(seed)
        self._sent = 0

    def act(self) -> None:
        """One random command; refusals are part of life."""
        chance = self._chance
        with suppress(c.Refused):
            if chance.random() < 0.15:
                self._operator(f"o{chance.randint(1, 3)}")
            else:
                self._customer(f"web/u{chance.randint(1, 30)}")

    def _operator(self, operator: str) -> None:
        presence = self._chance.choice([e.Presence.ONLINE] * 4 + [e.Presence.AWAY, e.Presence.OFFLINE])
        command = self._chance.choice(
            [c.SetPresence(operator, presence)] * 3 + [c.LoseSeat(operator), c.FindSeat(operator)]
        )
        self._core.floor.submit(command)

    def _customer(self, key: str) -> None:
        self._sent += 1
        partition = self._core.partition_of(key)
        contact = partition.state.by_key.get(key)
        chance = self._chance.random()
        if contact is None or not contact.operator or chance < 0.3:
            choice = self._chance.choice(
                [c.Choice("handover"), c.Choice("answer", "bot:x", "…"), c.Choice("miss", "bot:again", "?")]
            )
            message_id = f"m{self._sent if chance > 0.1 else 1}"
            partition.submit(c.Receive(key, False, "general", message_id, 1, "text", choice))
        elif chance < 0.35:
            partition.submit(c.Leave(key))
        else:
            partition.submit(self._owner(contact, chance))

    def _owner(self, contact: Contact, chance: float) -> Any:
        held = (contact.key, contact.number, contact.assignment, contact.operator)
        if contact.state is e.State.OFFERED:
            return c.Accept(*held)
        return c.Close(*held) if chance > 0.8 else c.Reply(*held, f"r{self._sent}", 2, "reply")


def test_a_large_state_is_stored_less_often() -> None:
    """The next snapshot comes after `snapshot_every` records, or one for each 400 bytes of the last if that is more."""

    async def acts() -> None:
        sizes: list[tuple[int, int]] = []

        class Noting(Steered):
            def snapshot(self, log: str, position: int, version: int, blob: bytes, pieces: Any, done: Done) -> None:
                if log == "dialogs-0":
                    sizes.append((position, len(blob)))
                super().snapshot(log, position, version, blob, pieces, done)

        disk = Disk()
        for first in (1, 1_001):
            async with inside(Noting(disk), snapshot_every=3, accounts=[telegram("http://127.0.0.1:9")]) as core:
                for number in range(first, first + 150):
                    await core.client.webhook(update(number, chat=100_000_000 + number))
        assert sizes[-1][1] > 10 * 400
        assert [later - earlier for (earlier, _), (later, _) in pairwise(sizes)] == [
            max(3, size // 400) for _, size in sizes[:-1]
        ]

    play(acts)


@PARTITIONS
def test_snapshots_and_replay_agree(partitions: int) -> None:
    """The state is the same live, from snapshots every 50 records and their tails, and from the first record."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, partitions=partitions, snapshot_every=50) as core:
            crowd = Crowd(core.core, seed=partitions)
            for _ in range(3_000):
                crowd.act()
                await asyncio.sleep(0)
            await until(lambda: core.core.quiet)
            live = core.states()
            assert all(stored.snapshot for stored in disk.values())
            assert replayed(disk, partitions) == live
            assert replayed(without_snapshots(disk), partitions) == live
        async with restarting(disk, partitions=partitions, snapshot_every=50) as core:
            again = core.states()
            assert any(disk[log].pieces for log in live.keys() - {"floor"}), "some rest and have left memory"
            for log in live.keys() - {"floor"}:
                count, dialogs, active = live[log][0]
                after = again[log][0]
                assert again[log][-1] == live[log][-1]
                assert [*after[:2], [contact[:7] for contact in after[2]]] == [count, dialogs, [
                    [*contact[:4], e.State.QUEUED if contact[4] == e.State.OFFERED else contact[4], *contact[5:7]]
                    for contact in active
                ]], "all that changes is that open offers are taken back"  # fmt: skip

    play(acts)


def test_a_snapshot_of_another_version_is_passed_over() -> None:
    """What an older or newer core wrote as a snapshot is not looked into; the log is replayed from its beginning."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, snapshot_every=50) as core:
            crowd = Crowd(core.core, seed=1)
            for _ in range(300):
                crowd.act()
                await asyncio.sleep(0)
            await until(lambda: core.core.quiet)
            live = core.states()
        for stored in disk.values():
            assert stored.snapshot is not None
            stored.snapshot = Snapshot(stored.snapshot.position, stored.snapshot.version - 1, b"another form")
            stored.pieces = {number: (*piece[:3], b"another form") for number, piece in stored.pieces.items()}
        assert replayed(disk, 1) == live

    play(acts)


async def waiting_desk(client: Client) -> Desk:
    """The desk of o1, online already or again."""
    desk = await client.desk("o1")
    if desk.welcome["presence"] != "online":
        await desk.presence("online")
    return desk


async def hand_over(core: Inside, stage: str) -> None:
    """Bring web/u1 with o1 to where `stage` was decided and made durable, while the other machine stores nothing."""
    desk = await core.client.desk("o1", presence="online")
    customer = await core.client.customer("web/u1")
    if stage == "queued":
        core.journal.hold_log("floor")
    await customer.say("c1", "operator")
    if stage == "queued":
        return
    offer = await desk.until(op="offered")
    if stage == "accepted":
        core.journal.hold_log("floor")
    await desk.accept(offer)
    if stage == "closed":
        await until(lambda: core.core.quiet)
        core.journal.hold_log("floor")
        await desk.end(offer)


@PARTITIONS
@pytest.mark.parametrize("stage", ["queued", "accepted", "closed"])
def test_no_hand_over_is_lost_between_two_logs(stage: str, partitions: int) -> None:
    """A crash after one log stored its part and before the other did: the rest follows, and slots are right."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, partitions=partitions) as core:
            await hand_over(core, stage)
            await until(lambda: core.core.partition_of("web/u1").durable == core.core.partition_of("web/u1").position)
            assert core.core.floor.durable < core.core.floor.position
            await core.crash()
        async with restarting(disk, partitions=partitions) as core:
            desk = await waiting_desk(core.client)
            state = {"queued": e.State.OFFERED, "accepted": e.State.ASSIGNED, "closed": e.State.CLOSED}[stage]
            contact = core.core.partition_of("web/u1").state.by_key["web/u1"]
            await until(lambda: core.core.quiet and contact.state is state)
            assert core.core.floor.state.operators["o1"].used == len(core.core.floor.state.assignments)
            assert len(core.core.floor.state.assignments) == (0 if stage == "closed" else 1)
            if stage == "queued":
                offer = await desk.until(op="offered")
                assert (offer["dialog"], offer["place"]) == ("web/u1#1", 1)
                assert [entry["seq"] for entry in (await desk.accept(offer))["entries"]] == [1, 2, 3]
            kinds = [entry["kind"] for entry in await core.client.history("web/u1")]
            assert kinds == ["message", "queued", "assigned", "closed"][: 4 if stage == "closed" else 3]

    play(acts)


@PARTITIONS
def test_an_offer_that_only_the_floor_stored_is_made_again(partitions: int) -> None:
    """A crash after the floor stored an offer and before the dialog did: it is offered again, at its old place."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, partitions=partitions) as core:
            customer = await core.client.customer("web/u1")
            await customer.say("c1", "operator")
            await until(lambda: core.core.quiet and core.core.floor.state.waiting == 1)
            core.journal.hold_log(core.core.partition_of("web/u1").log)
            await core.client.desk("o1", presence="online")
            await until(
                lambda: core.core.floor.state.assignments and core.core.floor.durable == core.core.floor.position
            )
            await core.crash()
        async with restarting(disk, partitions=partitions) as core:
            desk = await waiting_desk(core.client)
            offer = await desk.until(op="offered")
            assert (offer["dialog"], offer["place"], offer["number"] > 1) == ("web/u1#1", 1, True)
            assert [entry["seq"] for entry in (await desk.accept(offer))["entries"]] == [1, 2, 3]

    play(acts)


@PARTITIONS
def test_open_offers_go_back_to_their_old_places(partitions: int) -> None:
    """After a crash what was on offer is offered in the old order, before what came later, under new numbers."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, partitions=partitions) as core:
            desk = await core.client.desk("o1", presence="online")
            before = []
            for number in (1, 2):
                await (await core.client.customer(f"web/u{number}")).say("c1", "operator")
                before.append(await desk.until(op="offered"))
            await (await core.client.customer("web/u3")).say("c1", "operator")
            await until(lambda: core.core.quiet and core.core.floor.state.waiting == 1)
            await core.crash()
        async with restarting(disk, partitions=partitions) as core:
            await until(lambda: core.core.floor.state.waiting == 3)
            desk = await waiting_desk(core.client)
            after = [await desk.until(op="offered") for _ in before]
            assert sorted(frame["place"] for frame in after) == [1, 2]
            assert {frame["dialog"] for frame in after} == {frame["dialog"] for frame in before}
            assert min(frame["number"] for frame in after) > 2

    play(acts)


def test_unsettled_replies_are_tried_again_as_logged_attempts() -> None:
    """A reply whose end was not known at the crash is sent again, once, after its attempt was stored."""

    async def acts() -> None:
        disk = Disk()
        async with serving() as provider:
            accounts = [{"id": "web", "channel": "web", "bot": "keywords"}, telegram(provider.api, bot="keywords")]
            async with restarting(disk, accounts=accounts) as core:
                provider.hold()
                await core.client.webhook({"update_id": 1, "message": {
                    "message_id": 1, "chat": {"id": 77, "type": "private"}, "text": "balance"}})  # fmt: skip
                await until(lambda: provider.calls)
                assert (await core.client.state())["unsettled"] == 1
                await core.crash()
            provider.release()
            async with restarting(disk, accounts=accounts) as core:
                await core.client.until_state(lambda found: found["unsettled"] == 0)
                events = [event for _, record in core.core.partitions[0].records(0) for event in record.events]
                tries = [event for event in events if isinstance(event, e.Attempted | e.Sent)]
                assert [type(event) for event in tries] == [e.Attempted, e.Sent]
                assert tries[0] == e.Attempted(1, 1, 2, 2, tries[0].at)
            assert provider.calls == [(77, "42 roubles.")] * 2

    play(acts)


def test_dialogs_that_end_while_replies_are_taken_up_again_disturb_nothing(tmp_path: Path) -> None:
    """Overdue dialogs are closed, and their contacts laid to rest, in the middle of taking up unsettled replies."""

    async def acts() -> None:
        async with serving() as provider:
            accounts = [{"id": "web", "channel": "web", "bot": "keywords"}, telegram(provider.api, bot="keywords")]
            provider.hold()
            async with running(tmp_path, accounts=accounts, timers_ms={"inactivity": 500}) as core:
                async with Client(core.url) as client:
                    for number in range(1, 31):
                        await client.webhook(update(number, "balance", chat=number))
                        await (await client.customer(f"web/u{number}")).say("c1", "balance")
                await core.end()
                provider.release()
                await asyncio.sleep(0.6)  # until all of them are overdue
                await core.start()
                async with Client(core.url) as client:
                    found = await client.until_state(lambda found: found["unsettled"] == 0 and not found["open"])
                    assert found["dialogs"]["closed"] == 60

    play(acts)


@pytest.mark.parametrize("first, then", [(1, 4), (4, 1), (4, 2)])
def test_another_number_of_partitions_is_refused(first: int, then: int) -> None:
    """Data written with another number of partitions is refused before anything is decided."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk, partitions=first) as core:
            for number in range(8):
                await (await core.client.customer(f"web/u{number}")).say("c1", "operator")
        async with restarting(disk, partitions=then, wait=False) as core:
            await asyncio.wait([core.serving])
            assert isinstance(core.serving.exception(), OtherPartitions)
        async with restarting(disk, partitions=first) as core:
            assert (await core.client.state())["waiting"] == 8

    play(acts)


def test_deadlines_outlive_a_restart() -> None:
    """A silent customer's dialog is closed after a restart when its time has come, and a lost operator's grace ends."""

    async def acts() -> None:
        disk = Disk()
        async with restarting(disk) as core:
            desk = await core.client.desk("o1", presence="online")
            await (await core.client.customer("web/u1")).say("c1", "operator")
            await desk.accept(await desk.until(op="offered"))
            await (await core.client.customer("web/u2")).say("c1", "balance")
            await core.crash()
        timers = {"grace": 200, "inactivity": 1}
        async with restarting(disk, timers_ms=timers) as core:
            await core.client.until_state(lambda found: found["dialogs"] == {
                "bot": 1, "queued": 1, "offered": 0, "assigned": 0, "closed": 0, "on_hold": 0,
                "callback": 0})  # fmt: skip
            contact = core.core.partition_of("web/u2").state.by_key["web/u2"]
            assert contact.deadline, "deadlines are in the log; a changed configuration concerns new ones"
            assert (await core.client.state())["operators"]["offline"] == 3

    play(acts)
