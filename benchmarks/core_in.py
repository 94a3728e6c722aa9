"""Durable messages a second, from a messenger's webhook to its operator's screen, beside a bare aiohttp + orjson echo.

    python -m benchmarks.core_in [ROUNDS]

Both sides get the same requests from the same client, over as many kept-alive connections, on the same CPU, in turns.
A message counts when it was acknowledged and was seen on the desk of the operator who owns its dialog.
"""

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path

import orjson
import uvloop
from aiohttp import web
from benchmarks.core_side import (
    CLIENT_CPU,
    CORE_CPU,
    HOOK,
    TELEGRAM,
    Core,
    Crew,
    Floor,
    free_port,
    until,
    update,
)
from benchmarks.sides import pinned, ratios, tell

OPERATORS, DIALOGS, CONNECTIONS = 50, 500, 100
MESSAGES = 20_000
FIRST_CHAT = 100_000
AT_LEAST, AIM = 0.35, 0.7


def serve_echo(port: int) -> None:
    """The bare server: one static route, decode and encode, no access log."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(orjson.loads(await request.read())), content_type="application/json")

    app = web.Application()
    app.add_routes([web.post(HOOK, echo)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


class Bench:
    """Both sides, up and connected; each `…_round` gives its rate a second."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.floor = Floor()
        self.to_core, self.to_echo = Crew(), Crew()
        self.number = 0
        self.sent_s: dict[int, float] = {}
        self.delivery_s: list[float] = []

    async def prepare(self, echo_port: int) -> None:
        """Open all dialogs and have each owned by an operator."""
        await self.floor.open(self.core, OPERATORS)
        await self.to_core.connect(self.core.port, CONNECTIONS)
        await self.to_echo.connect(echo_port, CONNECTIONS)
        await self.to_core.post(self._requests(DIALOGS), DIALOGS)
        await until(lambda: len(self.floor.owned) == DIALOGS)

    def _requests(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            self.number += 1
            self.sent_s[self.number] = time.perf_counter()
            yield update(self.number, FIRST_CHAT + self.number % DIALOGS)

    async def core_round(self) -> float:
        """Messages acknowledged and seen."""
        seen_s = self.floor.seen_s
        numbers = range(self.number + 1, self.number + 1 + MESSAGES)
        await self.to_core.post(self._requests(MESSAGES), MESSAGES)
        acked_s = time.perf_counter()
        await until(lambda: numbers[-1] in seen_s and all(number in seen_s for number in numbers))
        if self.floor.twice:
            raise SystemExit(f"{self.floor.twice} messages were seen twice")
        self.delivery_s += [seen_s[number] - self.sent_s[number] for number in numbers]
        ended_s = max(acked_s, *(seen_s[number] for number in numbers))
        return MESSAGES / (ended_s - self.sent_s[numbers[0]])

    async def echo_round(self) -> float:
        """Requests answered by the bare server."""
        return MESSAGES / await self.to_echo.post(self._requests(MESSAGES), MESSAGES)


async def measure(core: Core, echo_port: int, rounds: int) -> dict[str, list[float]]:
    """The rates of `rounds` alternating rounds, after one that does not count, and the delivery times."""
    bench = Bench(core)
    await bench.prepare(echo_port)
    gc.disable()
    found: dict[str, list[float]] = {"core": [], "echo": []}
    for _ in range(rounds + 1):
        found["echo"].append(await bench.echo_round())
        found["core"].append(await bench.core_round())
        gc.collect()
    return {side: values[1:] for side, values in found.items()} | {"delivery_s": bench.delivery_s[MESSAGES:]}


@contextmanager
def beside_an_echo(account: Mapping[str, str] = TELEGRAM) -> Iterator[tuple[Core, int]]:
    """A core, and the port of an echo on the same CPU; the caller is on the client's meanwhile."""
    echo_port = free_port()
    echo = Process(target=serve_echo, args=(echo_port,), daemon=True)
    with tempfile.TemporaryDirectory() as folder:
        core = Core(Path(folder), OPERATORS, DIALOGS // OPERATORS, account)
        try:
            with pinned(CORE_CPU):
                echo.start()
            core.start()
            with pinned(CLIENT_CPU):
                yield core, echo_port
        finally:
            core.kill()
            echo.terminate()
            echo.join()


def main(argv: Sequence[str]) -> None:
    """Measure and print; the last line is the result as JSON."""
    rounds = int(argv[0]) if argv else 7
    with beside_an_echo() as (core, echo_port):
        found = uvloop.run(measure(core, echo_port, rounds))
    p50_ms, p99_ms = (statistics.quantiles(found["delivery_s"], n=100)[at] * 1e3 for at in (49, 98))
    print(f"delivery, webhook to screen, at full load: p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms")
    delivery = {"delivery_p50_ms": round(p50_ms, 2), "delivery_p99_ms": round(p99_ms, 2)}
    report("core, in", found, delivery, at_least=AT_LEAST, aim=AIM)


def report(line: str, found: Mapping[str, list[float]], more: Mapping[str, float], **bounds: float) -> None:
    """Print both sides, their ratio, and the result."""
    for side in ("echo", "core"):
        rates = found[side]
        print(f"{side:6} {statistics.median(rates):10,.0f} /s   ({min(rates):,.0f} to {max(rates):,.0f})")
    details = {f"{side}_per_s": round(statistics.median(found[side])) for side in ("core", "echo")}
    rounds = {"rounds": len(found["core"])}
    tell(line, **bounds, **ratios(found["core"], found["echo"]), details={**details, **more, **rounds})


if __name__ == "__main__":
    main(sys.argv[1:])
