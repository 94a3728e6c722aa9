"""The core of one process: its journal, its partitions and its floor, recovered, linked and proven to store."""

import asyncio
from collections.abc import Callable
from typing import Any
from zlib import crc32

from chatcore.errors import OtherPartitions
from chatcore.journal.port import Journal
from chatcore.machines import dialog, floor, links
from chatcore.machines.commands import Recover, Rules
from chatcore.runtime.floor import FloorOwner
from chatcore.runtime.owner import Owner
from chatcore.runtime.partition import Audience, PartitionOwner


class Core:
    """Owns all logs of a process. Nothing may be submitted before `start` has returned; its server says `ready`."""

    def __init__(
        self,
        journal: Journal,
        partitions: int,
        rules: Rules,
        audience: Audience,
        now_ms: Callable[[], int],
        fatal: Callable[[Exception], None],
        snapshot_every: int = 20_000,
    ) -> None:
        common: dict[str, Any] = {
            "journal": journal, "now_ms": now_ms, "fatal": fatal, "snapshot_every": snapshot_every,
        }  # fmt: skip
        self.journal = journal
        self.fatal = fatal
        self.epoch = 0
        self.ready = False
        self.partitions = [
            PartitionOwner(index, dialog.Partition(rules), audience, **common) for index in range(partitions)
        ]
        self.floor = FloorOwner(floor.Floor(rules), **common)
        for partition in self.partitions:
            partition.to_floor = self.floor.deliver
        self.floor.to_partition = self._to_partition

    @property
    def owners(self) -> list[Owner]:
        """All owners, the floor last."""
        return [*self.partitions, self.floor]

    @property
    def quiet(self) -> bool:
        """Whether everything applied is durable, so that nothing is on its way from one log to another."""
        return all(owner.durable == owner.position for owner in self.owners)

    def partition_of(self, contact: str) -> PartitionOwner:
        """The partition that a contact belongs to, always the same for the same number of partitions."""
        return self.partitions[crc32(contact.encode()) % len(self.partitions)]

    def _to_partition(self, index: int, position: int, commands: Any) -> None:
        self.partitions[index].deliver(self.floor.log, position, commands)

    async def start(self) -> None:
        """Recover all logs, deliver between them what was under way, and prove that the journal stores.

        Raises:
            JournalError: the journal cannot be opened or read.
            OtherPartitions: it was written with another number of partitions.
        """
        found = await asyncio.to_thread(self.journal.open, [owner.log for owner in self.owners])
        for owner in self.owners:
            await asyncio.to_thread(owner.restore, found[owner.log])
        for partition in self.partitions:
            partition.reproject()
        await self._check_partitions()
        self.epoch = max(recovery.epoch for recovery in found.values())
        self._redeliver()
        self.floor.submit(Recover())
        await asyncio.gather(*(owner.probe() for owner in self.owners))
        for partition in self.partitions:
            partition.resume()
        self.floor.resume()

    async def _check_partitions(self) -> None:
        """A log whose contacts belong elsewhere now, or that nobody owns any more, tells of another number."""
        left_out = self.floor.state.applied.keys() - {partition.log for partition in self.partitions}
        misplaced = False
        for partition in self.partitions:
            first = await self.journal.history.keys(partition.log, range(1, 1_001))
            misplaced = misplaced or any(self.partition_of(key) is not partition for key in first.values())
        if left_out or misplaced:
            raise OtherPartitions(len(self.partitions))

    def _redeliver(self) -> None:
        """Deliver again what a log said after the last position that its reader has stored."""
        floor_state = self.floor.state
        for partition in self.partitions:
            for position, record in partition.records(floor_state.applied.get(partition.log, 0)):
                told = links.to_floor(partition.index, record.events)
                if told:
                    self.floor.deliver(partition.log, position, told)
        behind = min(partition.state.applied.get(self.floor.log, 0) for partition in self.partitions)
        for position, record in self.floor.records(behind):
            for index, commands in links.to_partitions(record.events).items():
                self._to_partition(index, position, commands)
