"""A target that stops for a moment: the probes tell how long it was, a naive client tells of one slow answer."""

import asyncio
import math
import os
import signal
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import psutil
import pytest

from chatload.fleet.probes import PER_S
from chatload.run import directory
from chatload.run.ending import Ending
from chatload.run.settings import Settings, settle
from chatload.scenario import load
from chatload.targets import tokens
from chatload.targets.null import Null
from chatreport.judge import judge
from chatreport.rundir import What, read_ledger
from tests.chatload.fleet.test_process import Driven, driven
from tests.chatload.processes import until

RUN_S, STALL_S, STALLS_AFTER_S = 14.0, 1.4, 6.0
NS = 1_000_000_000
RUN = "abc123"
HISTOGRAM_ERROR = 0.01


class Stall(NamedTuple):
    """When the target stood still, from `stopped` to `resuming` for certain, and when it had caught up.

    `recovered`: a request made right after it went on, behind all that waited, had its answer.
    """

    stopped: int
    resuming: int
    recovered: int


def settings(out: Path) -> Settings:
    """Some seconds of the smoke scenario, all of it in the main part."""
    return settle(load("smoke"), target="null", speed=120, duration=f"{RUN_S:g}s", ramp="0s", out=out)


async def stall(target: Null) -> Stall:
    """Stop the target's process for a while."""
    pid = target.processes()["core"]
    await asyncio.sleep(STALLS_AFTER_S)
    os.kill(pid, signal.SIGSTOP)
    await asyncio.to_thread(until, lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    stopped = time.monotonic_ns()
    await asyncio.sleep(STALL_S)
    resuming = time.monotonic_ns()
    os.kill(pid, signal.SIGCONT)
    await asyncio.to_thread(lambda: urllib.request.urlopen(f"{target.wire()['url']}/v1/state").close())
    return Stall(stopped, resuming, time.monotonic_ns())


async def naive(target: Null, until_ns: int) -> dict[int, int]:
    """What a closed loop at the probes' pace measures, by when it sent: it sends only once it was answered."""
    found = {}
    async with aiohttp.ClientSession() as http, http.ws_connect(target.wire()["sockets"] + "/v1/chat") as socket:

        async def answered(op: str) -> None:
            assert orjson.loads(await socket.receive_str())["op"] == op

        hello = {"op": "hello", "token": tokens.make("", "customer", "web/naive")}
        await socket.send_str(orjson.dumps(hello).decode())
        await answered("welcome")
        while (began := time.monotonic_ns()) < until_ns:
            await socket.send_str(orjson.dumps({"op": "send", "cid": str(began), "text": "still there?"}).decode())
            await answered("ack")
            found[began] = time.monotonic_ns() - began
            await answered("entry")
            await asyncio.sleep(1 / PER_S)
    return found


def play(settings: Settings, target: Null, fleet: Driven) -> tuple[dict[str, Any], Stall, dict[int, int]]:
    """A run with a stall in it: what the manifest says of it, the stall, and the naive client's times."""
    plan = settings.plan_arguments()
    target.start(fleet.arm(plan=plan)["callbacks"])
    fleet.send(do="target", wire=target.wire())
    fleet.wait("targeted")
    for n in range(1, settings.operators + 1):
        fleet.send(do="seat", n=n, on=True)
    for _ in range(settings.operators):
        fleet.wait("seated")
    t0_ns = time.monotonic_ns()
    end_ns = t0_ns + round(settings.duration_s * NS)
    fleet.send(do="go", t0_ns=t0_ns)

    async def meanwhile() -> tuple[Stall, dict[int, int]]:
        return await asyncio.gather(stall(target), naive(target, end_ns))

    stood_still, times = asyncio.run(meanwhile())
    fleet.send(do="drain", deadline_s=settings.drain_s)
    drained = fleet.wait("drained")
    fleet.send(do="finish")
    rows = fleet.wait("bye")["rows"]
    known = {
        "t0_ns": t0_ns, "end_ns": end_ns, "drained_ns": time.monotonic_ns(), "finished": "whole",
        "drain": {"clean": True, "deadline_s": settings.drain_s, "unsent": drained["unsent"]},
        "workers": [{"name": "w0", "rows": rows, "lost": False}],
    }  # fmt: skip
    return known, stood_still, times


def rank(times: list[int], share: float) -> int:
    """The smallest of the times that `share` of them do not exceed."""
    return sorted(times)[math.ceil(share * len(times)) - 1]


@pytest.mark.slow
def test_the_probes_show_a_stall_that_a_naive_client_hides(tmp_path: Path) -> None:
    """A probe due in the stall took until the stall's end, to the judge's p99; a naive client had one slow answer."""
    run = settings(tmp_path / "run")
    rundir = directory.create(run, datetime.now(UTC))
    target = Null(run.file.scenario, run.speed, rundir / "core.log")
    try:
        with driven(rundir) as fleet:
            known, stood_still, naive_ns = play(run, target, fleet)
    finally:
        target.stop()
    manifest = directory.manifest(run, run.plan(), target, RUN, datetime.now(UTC))
    Ending(rundir).write_manifest(manifest | known)
    rows = read_ledger(rundir).to_pylist()
    took = {row["intended"]: row["done"] - row["intended"] for row in rows if row["what"] == What.PROBE}
    mirror = [row["done"] - row["intended"] for row in rows if row["what"] == What.MIRROR]

    # what the machine needs besides, as this run shows it: the target to wake up, and the fleet to take the answers
    allowed_ns = stood_still.recovered - stood_still.resuming + max(mirror)
    by_hand = {due: stood_still.resuming - due for due in took if stood_still.stopped <= due <= stood_still.resuming}
    beats = (stood_still.resuming - stood_still.stopped) * PER_S // NS
    assert len(by_hand) in {beats, beats + 1}
    wrong = {
        due: took[due] - expected
        for due, expected in by_hand.items()
        if not expected <= took[due] <= expected * (1 + HISTOGRAM_ERROR) + allowed_ns
    }
    assert wrong == {}, f"{allowed_ns} ns were allowed"

    # a busy machine makes probes outside the stall slow, too: the judge's p99 is that of them all, as they were
    p99 = round(judge(rundir).generator["probe_ms"]["p99"] * 1e6)
    assert p99 == pytest.approx(rank(list(took.values()), 0.99), rel=HISTOGRAM_ERROR)

    # with the stall alone, and no time for all else, the probes' p99 would show it, and the naive client's would not
    half_ns = round(STALL_S / 2 * NS)
    assert half_ns < rank([by_hand.get(due, 0) for due in took], 0.99) <= p99 * (1 + HISTOGRAM_ERROR)
    slow = {sent: took_ns for sent, took_ns in naive_ns.items() if sent < stood_still.resuming < sent + took_ns}
    assert [took_ns > half_ns for took_ns in slow.values()] == [True]
    assert rank([slow.get(sent, 0) for sent in naive_ns], 0.99) == 0
