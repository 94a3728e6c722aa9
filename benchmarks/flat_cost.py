"""Whether a message costs the core as much late in a long run as early in it.

    python -m benchmarks.flat_cost

Dialogs open, say eight messages and are closed by their operators, wave after wave, with new customers each time. The
core's CPU time a message over the first waves is compared with that over as many waves at the end of a run ten times
as long, in one process.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop
from benchmarks.core_side import CLIENT_CPU, Core, Crew, Floor, until, update
from benchmarks.sides import pinned, tell

OPERATORS, DIALOGS, MESSAGES_EACH, CONNECTIONS = 50, 500, 8, 50
WARM_UP, SHORT = 3, 10
LONGER = 10
AT_LEAST_PERCENT, AIM_PERCENT = 10, 0


async def wave(number: int, core: Core, floor: Floor, crew: Crew) -> float:
    """Play one wave of dialogs to their end; the core's CPU microseconds a message."""
    before_s = core.cpu_s()
    chats = range(1_000_000 + number * DIALOGS, 1_000_000 + (number + 1) * DIALOGS)

    def requests() -> Iterator[bytes]:
        for message in range(MESSAGES_EACH):
            for chat in chats:
                yield update((message + 1) * 100_000_000 + chat, chat)

    floor.seen_s.clear()
    await crew.post(requests(), DIALOGS * MESSAGES_EACH)
    await until(lambda: len(floor.owned) == DIALOGS)
    for dialog, (desk, assignment) in floor.owned.items():
        desk.send({"op": "close", "dialog": dialog, "number": assignment})
    await until(lambda: not floor.owned)
    return (core.cpu_s() - before_s) / (DIALOGS * MESSAGES_EACH) * 1e6


async def measure(core: Core) -> list[float]:
    """Microseconds a message of each wave after the warm-up."""
    floor, crew = Floor(), Crew()
    await floor.open(core, OPERATORS)
    await crew.connect(core.port, CONNECTIONS)
    costs = [await wave(number, core, floor, crew) for number in range(WARM_UP + SHORT * LONGER)]
    return costs[WARM_UP:]


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        core = Core(Path(folder), OPERATORS, DIALOGS // OPERATORS)
        try:
            core.start()
            with pinned(CLIENT_CPU):
                costs = uvloop.run(measure(core))
        finally:
            core.kill()
    for first in range(0, len(costs), SHORT):
        cost_us = statistics.mean(costs[first : first + SHORT])
        print(f"waves {first + 1:3} to {first + SHORT:3}: {cost_us:6.1f} us a message")
    early, late = statistics.mean(costs[:SHORT]), statistics.mean(costs[-SHORT:])
    growth = (late / early - 1) * 100
    print(f"{early:.1f} us a message early, {late:.1f} us late: {growth:+.1f} %")
    bounds = {"at_least": AT_LEAST_PERCENT, "aim": AIM_PERCENT}
    tell("cost per message, 10× longer run", value=round(growth, 1), unit="%", **bounds)


if __name__ == "__main__":
    main(sys.argv[1:])
