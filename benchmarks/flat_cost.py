"""Whether a message costs the core as much late in a long run as early in it.

    python -m benchmarks.flat_cost

Dialogs open, say eight messages and are closed by their operators, wave after wave, with new customers each time. A
core plays nine times as many waves as a short run has; then its waves and those of a core that has just begun come in
turns, a short run's number of each a round, so that both see the same machine. What is compared is the CPU time a
message of whole rounds: single waves differ by half, as snapshots fall into some of them. A new core every round.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop
from benchmarks.core_side import CLIENT_CPU, Core, Crew, Floor, until, update
from benchmarks.sides import pinned, tell

OPERATORS, DIALOGS, MESSAGES_EACH, CONNECTIONS = 50, 500, 8, 50
WARM_UP, SHORT = 3, 10
LONGER = 10
ROUNDS = 5
AT_LEAST_PERCENT, AIM_PERCENT = 10, 0


class Run:
    """A core with its desks and customers, and how many waves it has seen."""

    def __init__(self, core: Core) -> None:
        self._core, self._floor, self._crew = core, Floor(), Crew()
        self._waves = 0

    async def begin(self) -> None:
        """Connect."""
        await self._floor.open(self._core, OPERATORS)
        await self._crew.connect(self._core.port, CONNECTIONS)

    async def wave(self) -> float:
        """Play one wave of dialogs to their end; the core's CPU microseconds a message."""
        first, self._waves = 1_000_000 + self._waves * DIALOGS, self._waves + 1
        before_s, floor = self._core.cpu_s(), self._floor

        def requests() -> Iterator[bytes]:
            for message in range(MESSAGES_EACH):
                for chat in range(first, first + DIALOGS):
                    yield update((message + 1) * 100_000_000 + chat, chat)

        floor.seen_s.clear()
        await self._crew.post(requests(), DIALOGS * MESSAGES_EACH)
        await until(lambda: len(floor.owned) == DIALOGS)
        for dialog, (desk, assignment) in floor.owned.items():
            desk.send({"op": "close", "dialog": dialog, "number": assignment})
        await until(lambda: not floor.owned)
        return (self._core.cpu_s() - before_s) / (DIALOGS * MESSAGES_EACH) * 1e6


async def play(old: Run, new: Run) -> tuple[float, float]:
    """Microseconds a message early in the new run and late in the old one, their waves in turns."""
    await new.begin()
    for _ in range(WARM_UP):
        await new.wave()
    early, late = zip(*[(await new.wave(), await old.wave()) for _ in range(SHORT)], strict=True)
    return statistics.mean(early), statistics.mean(late)


async def grow(old: Run) -> None:
    """As many waves as come before the last tenth of the long run."""
    await old.begin()
    for number in range(WARM_UP + SHORT * (LONGER - 1)):
        cost_us = await old.wave()
        if number % SHORT == 0:
            print(f"wave {number + 1:3}: {cost_us:6.1f} us a message", flush=True)


@contextmanager
def started() -> Iterator[Run]:
    """A core of its own."""
    with tempfile.TemporaryDirectory() as folder:
        core = Core(Path(folder), OPERATORS, DIALOGS // OPERATORS)
        try:
            core.start()
            yield Run(core)
        finally:
            core.kill()


async def measure() -> list[tuple[float, float]]:
    """(early, late) of each round."""
    with started() as old:
        await grow(old)
        found = []
        for _ in range(ROUNDS):
            with started() as new:
                found.append(await play(old, new))
        return found


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    with pinned(CLIENT_CPU):
        found = uvloop.run(measure())
    growth = [round((late / early - 1) * 100, 1) for early, late in found]
    early_us, late_us = (round(statistics.median(side), 1) for side in zip(*found, strict=True))
    print(f"{early_us} us a message early, {late_us} us late; growth by round, %: {growth}")
    tell(
        "cost per message, 10× longer run", value=statistics.median(growth), unit="%", low=min(growth),
        high=max(growth), at_least=AT_LEAST_PERCENT, aim=AIM_PERCENT,
        details={"early us": early_us, "late us": late_us, "rounds": ROUNDS},
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
