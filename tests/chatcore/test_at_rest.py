"""Customers whose contacts have left the core's memory, over the wire."""

import asyncio
from typing import Any

import pytest

from chatcore.journal import SnapshotUnreadable
from chatcore.journal.memory import Disk
from chatcore.machines import commands as c
from chatcore.runtime.core import Core
from chatcore.runtime.owner import Poisoned
from tests.chatcore.client import Client
from tests.chatcore.cores import Steered, inside, play, restarting


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("crashes", [False, True])
def test_a_customer_whose_contact_has_left_memory_is_known(partitions: int, crashes: bool) -> None:
    """A repeat keeps its place, an id with other content is refused, and what is new opens the next dialog.

    Nor does a crash between snapshots take it back, and memory holds nobody who rests.
    """

    async def acts() -> None:
        disk, options = Disk(), {"partitions": partitions, "snapshot_every": 1}
        first: dict[str, Any] = {}
        again: dict[str, Any] = {}
        async with restarting(disk, **options) as core:
            for key in ("web/u1", "web/u2", "web/u3"):
                customer = await core.client.customer(key)
                first[key] = await customer.say("c1", "balance")
                await customer.send(op="end")
                await customer.until(kind="closed")
            await all_left(core.core)
            await asyncio.gather(*(_write_again(core.client, key, again) for key in first))
            if crashes:
                await core.crash()
        async with restarting(disk, **options) as core:
            for key, said in first.items():
                customer = await core.client.customer(key)
                assert await customer.say("c1", "balance") == said
                assert await customer.say("c2", "balance") == again[key]
                assert (await customer.say("c1", "something else"))["reason"] == "conflict"
            assert {(answer["dialog"], answer["seq"]) for answer in again.values()} == {
                (f"{key}#2", 1) for key in first
            }
            assert [len(await core.client.history(key)) for key in first] == [5, 5, 5]

    play(acts)


async def _write_again(client: Client, key: str, answers: dict[str, Any]) -> None:
    answers[key] = await (await client.customer(key)).say("c2", "balance")


async def all_left(core: Core) -> None:
    """Wait until no contact is in memory, with empty records as the occasion for snapshots."""
    while any(partition.state.contacts.active or partition.state.contacts.unstored() for partition in core.partitions):
        await asyncio.gather(*(partition.probe() for partition in core.partitions))


def test_a_contact_that_cannot_be_read_ends_the_process() -> None:
    """Whatever would be decided without it, nobody is told: the next start makes it again from the log."""

    class Broken(Steered):
        def piece(self, log: str, name: int | str) -> bytes | None:
            raise SnapshotUnreadable("here", "told to fail")

    async def acts() -> None:
        async with inside(Broken()) as core:
            with pytest.raises(Poisoned):
                core.core.partitions[0].submit(c.Receive("web/u1", False, "general", "m1", 1, "text", None))
            assert [str(error) for error in core.fatal] == [str(SnapshotUnreadable("here", "told to fail"))]

    play(acts)
