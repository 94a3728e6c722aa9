"""What an open dialog costs the core in memory, without sockets: 60,000 of them at once, each owned by an operator.

    python -m benchmarks.memory_core

The dialogs come in as webhooks, with several messages each, so that what the core remembers of message ids counts.
Resident memory is read before and after, in a quiet moment; the desks' sockets are open at both.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop
from benchmarks.core_side import CLIENT_CPU, Core, Crew, Floor, until, update
from benchmarks.sides import pinned, tell

OPERATORS, CONNECTIONS = 50, 50
WARM_UP, DIALOGS, MESSAGES_EACH = 1_000, 60_000, 5
QUIET_S = 2.0
AT_LEAST_KB, AIM_KB = 8, 3


async def measure(core: Core) -> float:
    """KB of resident memory a dialog."""
    floor, crew = Floor(), Crew()
    await floor.open(core, OPERATORS)
    await crew.connect(core.port, CONNECTIONS)
    await _open(floor, crew, range(WARM_UP))
    before_kb = core.rss_kb()
    await _open(floor, crew, range(WARM_UP, WARM_UP + DIALOGS))
    return (core.rss_kb() - before_kb) / DIALOGS


async def _open(floor: Floor, crew: Crew, chats: range) -> None:
    def requests() -> Iterator[bytes]:
        for message in range(MESSAGES_EACH):
            for chat in chats:
                yield update((message + 1) * 10_000_000 + chat, 1_000_000 + chat)

    await crew.post(requests(), len(chats) * MESSAGES_EACH)
    await until(lambda: len(floor.owned) == chats.stop)
    await asyncio.sleep(QUIET_S)  # until the history is written, so that only what stays is counted


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        core = Core(Path(folder), OPERATORS, (WARM_UP + DIALOGS) // OPERATORS)
        try:
            core.start()
            with pinned(CLIENT_CPU):
                kb = uvloop.run(measure(core))
        finally:
            core.kill()
    print(f"{DIALOGS:,} open dialogs of {MESSAGES_EACH} messages, each with an operator: {kb:.2f} KB each")
    tell("open dialogs: memory, core", value=round(kb, 2), unit="KB", at_least=AT_LEAST_KB, aim=AIM_KB)


if __name__ == "__main__":
    main(sys.argv[1:])
