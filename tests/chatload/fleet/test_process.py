"""The fleet as a process over pipes: its protocol, and that it always ends, with its ledger written."""

import asyncio
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatload.scenario import load
from chatreport.rundir import Outcome, What, read_ledger
from tests.chatload.fleet.stub_core import BOT_TOKEN, HOOK_SECRET, StubCore

Message = dict[str, Any]
WITHIN_S = 60.0


class Driven:
    """A fleet process and our ends of its pipes."""

    def __init__(self, folder: Path) -> None:
        down_read, self.down = os.pipe()
        self.up, up_write = os.pipe()
        self.folder = folder
        with (folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chatload.fleet", "--in", str(down_read), "--out", str(up_write)],
                pass_fds=(down_read, up_write),
                stderr=stderr,
            )
        os.close(down_read)
        os.close(up_write)
        self._rest = b""
        self._came: list[Message] = []

    def send(self, **message: Any) -> None:
        os.write(self.down, json.dumps(message).encode() + b"\n")

    def wait(self, kind: str) -> Message:
        """The next message of this kind; others are passed over."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            for position, message in enumerate(self._came):
                if message["is"] == kind:
                    del self._came[: position + 1]
                    return message
            self._read(deadline)

    def _read(self, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.up, selectors.EVENT_READ)
            assert selector.select(deadline - time.monotonic()), f"nothing came in time: {self._came}"
        data = os.read(self.up, 1 << 20)
        assert data, f"the fleet ended: {(self.folder / 'stderr').read_text()}"
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._came += [json.loads(line) for line in lines]

    def arm(self, opens: str = "00:00", **changes: Any) -> Message:
        scenario = load("smoke").scenario.model_dump(mode="json")
        scenario["operators"]["shifts"] = [{"from": opens, "to": "24:00", "share": 1, "overtime": "0 s"}]
        plan = {"seed": 1, "part": "peak", "load": 1.0, "speed": 60.0, "duration_s": 5.0, "ramp_s": 0.0, "operators": 2}
        config = {
            "scenario": scenario,
            "plan": plan,
            "run": "abc123",
            "rundir": str(self.folder),
        }
        self.send(do="arm", config=config | {"epoch": 4} | changes)
        return self.wait("armed")


@contextmanager
def driven(folder: Path) -> Iterator[Driven]:
    """A fleet that has said hello; it is gone afterwards, whatever happened."""
    fleet = Driven(folder)
    try:
        assert fleet.wait("hello")["pid"] == fleet.process.pid
        yield fleet
    finally:
        fleet.process.kill()
        fleet.process.wait()
        os.close(fleet.up)


def test_it_says_who_it_is_and_what_it_will_play(tmp_path: Path) -> None:
    """Hello carries its process id; armed the number of dialogs, the callback URLs and the provider's settings."""
    with driven(tmp_path) as fleet:
        armed = fleet.arm(provider={"time_scale": 60.0})
        assert armed["dialogs"] > 10
        assert armed["callbacks"]["tg"].startswith("http://127.0.0.1:")
        telegram = armed["provider"]["telegram"]
        assert (telegram["time_scale"], telegram["chat_rate_per_s"]) == (60.0, 1.0)
        report = fleet.wait("report")
        assert (report["epoch"], report["stats"]) == (4, [])
        fleet.send(do="finish")
        assert fleet.wait("bye") == {"is": "bye", "rows": 0}
        assert fleet.process.wait(WITHIN_S) == 0


@pytest.mark.parametrize("how", ["eof", "term"])
def test_the_end_of_whoever_steers_is_an_orderly_end(tmp_path: Path, how: str) -> None:
    """At the end of the pipe and at SIGTERM, in the middle of playing, the ledger is written and the process gone."""
    with driven(tmp_path) as fleet:
        fleet.arm()
        fleet.send(do="target", wire={"url": "http://127.0.0.1:9", "secret": "s"})  # nobody listens there
        fleet.wait("targeted")
        fleet.send(do="go", t0_ns=time.monotonic_ns())
        while not fleet.wait("report")["gauges"]["open"]:
            pass
        if how == "eof":
            os.close(fleet.down)
        else:
            fleet.process.send_signal(signal.SIGTERM)
        rows = fleet.wait("bye")["rows"]
        assert fleet.process.wait(WITHIN_S) == 0
    found = read_ledger(tmp_path).to_pylist()
    assert len(found) == rows > 0
    assert {What.DIALOG, What.CONNECT, What.MIRROR} <= {row["what"] for row in found}


@contextmanager
def stub_core() -> Iterator[StubCore]:
    """The stub platform on a thread of its own."""
    bot = load("smoke").scenario.bot
    answers = {keyword: answer.text for answer in bot.answers for keyword in answer.keywords}
    core, started, loops = StubCore(answers, tuple(bot.handover)), threading.Event(), []

    async def serve() -> None:
        await core.start()
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        started.set()
        await stop.wait()
        await core.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(WITHIN_S)
    yield core
    ((loop, stop),) = loops
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_a_whole_run_over_the_pipe(tmp_path: Path) -> None:
    """From arm to bye: seats come and go when told, every planned dialog ends in one row, and the report adds up."""
    with stub_core() as core, driven(tmp_path) as fleet:
        armed = fleet.arm(provider={"other_share": 0.5})
        core.api = armed["callbacks"]["tg"]
        telegram = {"tg": {"token": BOT_TOKEN, "webhook_secret": HOOK_SECRET}}
        fleet.send(do="target", wire={"url": core.url, "secret": "s", "accounts": telegram})
        fleet.wait("targeted")
        for n in range(1, 13):
            fleet.send(do="seat", n=n, on=True)
        assert sorted(fleet.wait("seated")["n"] for _ in range(12)) == list(range(1, 13))
        fleet.send(do="go", t0_ns=time.monotonic_ns())
        gauges: Message = {"started": 0}
        while gauges["started"] < armed["dialogs"]:
            gauges = fleet.wait("report")["gauges"]
        assert (gauges["seats"], gauges["planned"]) == (12, armed["dialogs"])
        fleet.send(do="drain", deadline_s=3)
        drained = fleet.wait("drained")
        fleet.send(do="seat", n=3, on=False)
        assert fleet.wait("seated") == {"is": "seated", "n": 3, "on": False}
        fleet.send(do="finish")
        rows = fleet.wait("bye")["rows"]
        assert fleet.process.wait(WITHIN_S) == 0
    found = read_ledger(tmp_path).to_pylist()
    assert len(found) == rows
    ends = [row for row in found if row["what"] == What.DIALOG]
    assert len({row["plan"] for row in ends}) == len(ends) == armed["dialogs"]
    assert drained["unsent"] == len([row for row in found if row["what"] == What.UNSENT])
    assert drained["clean"] == all(row["outcome"] != Outcome.IN_FLIGHT for row in ends)
    assert {row["outcome"] for row in found if row["what"] == What.PROBE} == {Outcome.OK}


def test_a_floor_opens_when_the_scenario_says_so(tmp_path: Path) -> None:
    """Seated means logged on; on duty are the operators once that much business time has passed since t0."""
    with stub_core() as core, driven(tmp_path) as fleet:
        fleet.arm(opens="00:04")
        fleet.send(do="target", wire={"url": core.url, "secret": "s"})
        fleet.send(do="seat", n=1, on=True)
        fleet.wait("seated")
        assert (core.away, core.online) == ({"o1"}, set())
        four_minutes_ns = 4_000_000_000  # at speed 60
        fleet.send(do="go", t0_ns=time.monotonic_ns() - four_minutes_ns)
        while not fleet.wait("report")["gauges"]["seats"]:
            pass
        assert (core.away, core.online) == (set(), {"o1"})
        fleet.send(do="finish")
        fleet.wait("bye")
    reasons = [row["reason"] for row in read_ledger(tmp_path).to_pylist() if row["what"] == What.PRESENCE]
    assert reasons[:2] == ["away", "online"]


def test_an_interrupt_is_not_meant_for_it(tmp_path: Path) -> None:
    """SIGINT, which a terminal sends to the whole group, changes nothing."""
    with driven(tmp_path) as fleet:
        fleet.process.send_signal(signal.SIGINT)
        fleet.arm()
        fleet.process.send_signal(signal.SIGINT)
        fleet.send(do="finish")
        assert fleet.wait("bye")["rows"] == 0


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Killing the parent without warning ends the fleet, even while somebody else still holds the pipe open."""
    down_read, down = os.pipe()
    up, up_write = os.pipe()
    code = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-m', 'chatload.fleet', '--in', '{down_read}', '--out', '{up_write}'],"
        f" pass_fds=({down_read}, {up_write}))\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], pass_fds=(down_read, up_write))
    os.close(down_read)
    os.close(up_write)
    assert json.loads(os.read(up, 1 << 16).splitlines()[0])["is"] == "hello"
    parent.kill()
    parent.wait()
    last = b""
    while data := os.read(up, 1 << 16):  # ends when the fleet, which alone holds the other end, is gone
        last = data
    assert json.loads(last.splitlines()[-1]) == {"is": "bye", "rows": 0}
    os.close(down)
    os.close(up)


NONSENSE: list[tuple[Message, str]] = [
    ({"do": "dance"}, "not understood"),
    ({"do": "go", "t0_ns": 1}, "send arm first"),
    ({"do": "seat", "n": 1, "on": True}, "send arm first"),
    ({}, "not understood"),
]


def test_what_makes_no_sense_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """Each order out of place, or none at all, is answered with an error; the next one is carried out."""
    with driven(tmp_path) as fleet:
        for message, says in NONSENSE:
            fleet.send(**message)
            assert says in fleet.wait("error")["text"], message
        fleet.arm()
        fleet.send(do="finish")
        fleet.wait("bye")
        assert fleet.process.wait(WITHIN_S) == 1


def test_a_config_that_is_not_valid_ends_it_with_2(tmp_path: Path) -> None:
    """What cannot be armed is told in one line."""
    with driven(tmp_path) as fleet:
        fleet.send(do="arm", config={"scenario": {}, "plan": {}, "run": "abc123", "rundir": str(tmp_path)})
        assert fleet.wait("error")["text"].startswith("arm: ")
        assert fleet.process.wait(WITHIN_S) == 2


def test_it_refuses_to_run_beside_gevent() -> None:
    """A process that gevent could have patched is no place for the fleet."""
    code = "import sys, gevent, asyncio; from chatload.fleet.process import main; asyncio.run(main(0, 1))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "start the fleet as a process of its own" in found.stderr
