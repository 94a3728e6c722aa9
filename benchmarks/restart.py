"""How long a restart after `kill -9` takes, from the start of the process to ready, with a million messages stored.

    python -m benchmarks.restart [MESSAGES]

The journal is filled by the real owners in a process that kills itself: dialogs of fifteen messages, offered, accepted,
answered, delivered and closed. Then the core starts and is killed several times; the files are in the page cache.
"""

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import Process
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.core_side import Core
from benchmarks.sides import tell

from chatcore.edges.hub import Hub
from chatcore.edges.messages import digest
from chatcore.journal.sqlite import SqliteJournal
from chatcore.machines import commands as c
from chatcore.machines.contacts import Contact
from chatcore.machines.events import Hired, Presence
from chatcore.runtime.core import Core as Runtime
from chatcore.server import die, now_ms

MESSAGES, DIALOGS_AT_ONCE, TURNS = 1_000_000, 1_000, 7
OPERATORS = 50
STARTS = 5
AT_LEAST_S, AIM_S = 3, 1


async def fill(data: Path, messages: int) -> None:
    """Play whole dialogs on the owners until the journal holds so many messages, then end as by a power failure."""
    hour = 3_600_000
    runtime = Runtime(SqliteJournal(data), 1, c.Rules(hour, hour, hour), Hub(), now_ms, die)
    await runtime.start()
    operators = [f"o{number}" for number in range(OPERATORS)]
    runtime.floor.submit(c.Hire([Hired(name, ("general",), DIALOGS_AT_ONCE // OPERATORS) for name in operators]))
    for name in operators:
        runtime.floor.submit(c.SetPresence(name, Presence.ONLINE))
    for first in range(0, messages // (2 * TURNS + 1), DIALOGS_AT_ONCE):
        await _play(runtime, [f"tg/{1_000_000 + first + index}" for index in range(DIALOGS_AT_ONCE)])
    os.kill(os.getpid(), signal.SIGKILL)


async def _play(runtime: Runtime, keys: list[str]) -> None:
    """One customer's message and seven answered ones in each of these dialogs, then their closings."""
    owner = runtime.partitions[0]
    contacts = owner.state.by_key

    async def submit(make: Callable[[Contact], Any], over: Iterable[Contact]) -> None:
        for contact in list(over):
            owner.submit(make(contact))
        while not runtime.quiet:
            await asyncio.gather(*(each.settled() for each in runtime.owners))

    def says(key: str, turn: int) -> c.Receive:
        text = f"{turn:010} could you tell me when my card arrives, please?"
        return c.Receive(key, True, "general", str(turn), digest(text), text, None)

    def replies(to: Contact) -> c.Reply:
        text = f"{to.seq:010} your card arrives on Tuesday by courier, before noon."
        return c.Reply(to.key, to.number, to.assignment, to.operator, str(to.seq), digest(text), text)

    for key in keys:
        owner.submit(says(key, 0))
    mine = [contacts[key] for key in keys]
    await submit(lambda to: says(to.key, 1), mine)
    await submit(lambda to: c.Accept(to.key, to.number, to.assignment, to.operator), mine)
    for turn in range(TURNS):
        await submit(replies, mine)
        await submit(lambda to: c.Settle(to.id, to.unsettled[0].number, to.unsettled[0].seq, str(to.seq)), mine)
        if turn < TURNS - 1:
            await submit(lambda to, turn=turn: says(to.key, turn + 2), mine)  # type: ignore[misc]  # a bound default
    await submit(lambda to: c.Close(to.key, to.number, to.assignment, to.operator), mine)


def _filling(data: Path, messages: int) -> None:
    uvloop.run(fill(data, messages))


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    messages = int(argv[0]) if argv else MESSAGES
    with tempfile.TemporaryDirectory() as folder:
        core = Core(Path(folder), 0, 0)
        started = time.perf_counter()
        filling = Process(target=_filling, args=(core.data, messages))
        filling.start()
        filling.join()
        if filling.exitcode != -signal.SIGKILL:
            raise SystemExit(f"the journal could not be filled: exit code {filling.exitcode}")
        size_mb = sum(file.stat().st_size for file in core.data.iterdir()) / 1e6
        print(f"filled in {time.perf_counter() - started:.0f} s: {size_mb:.0f} MB")
        found = []
        for _ in range(STARTS):
            found.append(core.start())
            core.kill()
    print("ready after", ", ".join(f"{each:.2f} s" for each in found))
    took = {"value": round(statistics.median(found), 2), "unit": "s"}
    tell(f"restart after kill -9, {messages:,} messages", **took, at_least=AT_LEAST_S, aim=AIM_S)


if __name__ == "__main__":
    main(sys.argv[1:])
