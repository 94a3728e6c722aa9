"""The two sides of the fleet's benchmarks: each a process of its own on one CPU, against one server on another."""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import Any, Final

import uvloop

from chatload.draws import Draws
from chatload.fleet.clock import Clock, now_ns
from chatload.fleet.live import Live
from chatload.fleet.process import GC_THRESHOLD, SWITCH_S
from chatload.fleet.recorder import Recorder
from chatload.fleet.tally import Tally
from chatload.fleet.world import MessengerAccount, Target, World
from chatload.plan import Dialog, Plan
from chatload.plan.dialogs import Dialogs
from chatload.plan.roster import Roster
from chatload.plan.texts import Texts
from chatload.scenario import load, shape_of

ROOT: Final = Path(__file__).parent.parent
CPUS: Final = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]
AT_ONCE: Final = 50  # users of Locust, dialogs of the fleet: sockets on either side
WARM_UP_S, MEASURED_S = 1.0, 3.0
ROUNDS: Final = 5
RUN: Final = "be0c4"
HOUR_MS: Final = 3_600_000.0


def dialog(index: int, user: str, channel: Any, turns: Any) -> Dialog:
    """A planned dialog without thinking times that nobody gives up."""
    return Dialog(
        index=index, user=user, channel=channel, phase="main", start_ms=0.0, hold_ms=0.0, turns=turns, contained=True,
        patience_ms=HOUR_MS, reply_patience_ms=HOUR_MS, silent=True,
    )  # fmt: skip


def world_of(folder: Path, dialogs: list[Dialog], url: str) -> World:
    """A fleet's surroundings as `Fleet` makes them, around these dialogs; inside a running loop."""
    scenario, draws = load("tbank").scenario, Draws(1)
    details = Dialogs(scenario, shape_of(scenario), draws)
    nobody = Roster(scenario, "peak", draws, HOUR_MS, 0)
    plan = Plan(scenario, dialogs, details, Texts(scenario, draws), HOUR_MS, nobody)
    world = World(Clock(), Recorder(folder, "w0"), Tally(), plan, RUN, 1.0)
    world.target = Target(url, "secret", {"tg": MessengerAccount("42:token", "hook")})
    world.t0_ns = now_ns()
    return world


def fleet_rate(play: Callable[[Path], Awaitable[tuple[World, Live]]]) -> None:
    """Print what a fleet does that `play` sets going, and end this process: its dialogs have no end."""

    async def measure() -> None:
        with tempfile.TemporaryDirectory() as folder:
            world, _live = await play(Path(folder))

            def report() -> None:  # as the fleet's process does every second
                world.tally.report()
                world.clock.at(now_ns() + 1_000_000_000, report)

            report()
            await asyncio.sleep(WARM_UP_S)
            before, wall_s, cpu_s = world.tally.messages, time.perf_counter(), time.process_time()
            await asyncio.sleep(MEASURED_S)
            steps = world.tally.messages - before
            wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            print(json.dumps({"per_s": steps / wall_s, "cpu_us": cpu_s / max(1, steps) * 1e6}), flush=True)
            world.recorder.close()
        os._exit(0)

    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_S)
    uvloop.run(measure())


@contextmanager
def server(serve: Callable[[int], None], port: int) -> Iterator[None]:
    """`serve(port)` in a process on its own CPU."""
    process = Process(target=_pinned, args=(serve, port), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _pinned(serve: Callable[[int], None], port: int) -> None:
    os.sched_setaffinity(0, {SERVER_CPU})
    serve(port)


def side(module: str, *arguments: object, timeout_s: float = 60) -> dict[str, float]:
    """What one side prints, run as a process of its own on the client's CPU."""
    found = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, check=True,
        timeout=timeout_s, preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CPU}),
    )  # fmt: skip
    measured: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return measured


def compare(line: str, how: str, serve: Callable[[int], None], port: int, rounds: int) -> None:
    """Fleet and Locust in turns against one server; the last line printed is the result as JSON."""
    modules = {"fleet": (f"benchmarks.fleet_{how}", "fleet"), "locust": ("benchmarks.fleet_peers", how)}
    sides: dict[str, list[dict[str, float]]] = {name: [] for name in modules}
    with server(serve, port):
        time.sleep(0.5)
        for number in range(rounds):
            for name, measured in sides.items():
                measured.append(side(*modules[name], port))
                print(f"round {number + 1}, {name:6} {measured[-1]['per_s']:9,.0f} steps/s", flush=True)
    ratios = [ours["per_s"] / theirs["per_s"] for ours, theirs in zip(sides["fleet"], sides["locust"], strict=True)]
    details = {
        f"{name}_{key}": round(statistics.median(one[key] for one in measured), 1)
        for name, measured in sides.items()
        for key in ("per_s", "cpu_us")
    }
    result = {
        "line": line, "ratio": round(statistics.median(ratios), 2), "low": round(min(ratios), 2),
        "high": round(max(ratios), 2), "at_least": 1.5, "aim": 3,
        "details": details | {"rounds": rounds, "at_once": AT_ONCE},
    }  # fmt: skip
    print(json.dumps(result))


def rounds_of(argv: Sequence[str]) -> int:
    """How many rounds were asked for."""
    return int(argv[0]) if argv else ROUNDS
