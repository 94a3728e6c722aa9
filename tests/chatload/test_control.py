"""Locust as the control plane: seats, tables, exit codes, nothing left over. The fleet is a stub, the core is real."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatload.process import cpu_shares, free_port, own_cpus
from tests.chatload.processes import ROOT, Command, chatload, done, family, fetch, running, seats_on, told, until

LAUNCH = [str(ROOT / "tests/chatload/launch.py"), "smoke"]
LOCUST = ["-m", "locust", "-f", str(ROOT / "tests/chatload/locustfile_with_stub.py"), "--scenario", "smoke"]


def manifest(rundir: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((rundir / "manifest.json").read_text())
    return loaded


@pytest.mark.slow
def test_a_run_keeps_its_order(tmp_path: Path) -> None:
    """Arm, target, every seat on, go, drain, every seat off, finish; then the audit after one more kill."""
    out = tmp_path / "run"
    with running([*LAUNCH, "1s", "0.2s", str(out)], tmp_path) as run:
        run.wait(60)
        assert not family(run)
    words = [message["do"] + ("" if message.get("on", True) else " off") for message in told(out)]
    assert words == ["arm", "target", *["seat"] * 3, "go", "drain", *["seat off"] * 3, "finish"]
    found = manifest(out)
    assert found["finished"] == "whole"
    check_isolation(found["isolation"])
    assert found["audit"] == {"read": True, "reason": "", "restarted": True, "rows": 2}
    assert found["drain"] == {"clean": True, "deadline_s": 16.0, "unsent": 0}
    assert (out / "timeseries.parquet").exists()
    assert (out / "verdict.json").exists()


def check_isolation(found: dict[str, Any]) -> None:
    """Platform and fleet on CPUs of their own where there are two, Locust giving way; the kernel's counts are there."""
    core_cpus, fleet_cpus = (cpus or own_cpus() for cpus in cpu_shares())
    places = {name: (process["cpus"], process["policy"]) for name, process in found["processes"].items()}
    assert places == {
        "core": (core_cpus, "normal"), "w0": (fleet_cpus, "normal"), "locust": (own_cpus(), "batch"),
    }  # fmt: skip
    used = {"cpus", "policy", "niceness", "ran_s", "waited_s", "wait_share", "preempted"}
    assert all(set(process) == used for process in found["processes"].values())
    assert found["processes"]["locust"]["ran_s"] > 0
    assert {"siblings", "governor", "mhz", "load_average", "steal_share", "quota_cpus", "throttled"} <= set(found)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle(tmp_path: Path, number: signal.Signals) -> None:
    """What was recorded is judged as partial, the exit code is 130, no process is left."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out)], tmp_path) as run:
        until(lambda: done(out, "go"))
        run.send_signal(number)
        assert run.wait(60) == 130
        assert not family(run)
    assert manifest(out)["finished"] == "interrupted"
    assert (out / "verdict.json").exists()


def test_interrupted_twice_ends_at_once(tmp_path: Path) -> None:
    """Exit code 130, and still no process left."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out)], tmp_path, FLAW="slow") as run:
        until(lambda: done(out, "go"))
        run.send_signal(signal.SIGINT)
        until(lambda: "once more ends at once" in run.line())
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        until(lambda: not family(run))


def test_interrupted_before_it_began(tmp_path: Path) -> None:
    """While the fleet still makes its plan: 130, no process, no directory."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out)], tmp_path, FLAW="deaf") as run:
        until(lambda: done(out, "arm"))
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
        assert not family(run)
    assert not out.exists()


def test_killed_without_a_chance(tmp_path: Path) -> None:
    """Kill -9 of the command ends fleet and core."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out)], tmp_path) as run:
        until(lambda: done(out, "go"))
        assert len(family(run)) == 3
        run.kill()
        until(lambda: not family(run))


def test_only_locust_gives_way(tmp_path: Path) -> None:
    """Its own process interrupts neither fleet nor core, and a core that comes back in between is none the slower."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out)], tmp_path) as run:
        until(lambda: done(out, "go"))
        policies = {process.pid: os.sched_getscheduler(process.pid) for process in family(run)}
        assert policies.pop(run.pid) == os.SCHED_BATCH
        assert list(policies.values()) == [os.SCHED_OTHER] * 2
        [core] = cores(run)
        core.kill()
        [again] = until(lambda: [process for process in cores(run) if process.pid != core.pid])
        assert os.sched_getscheduler(again.pid) == os.SCHED_OTHER


def cores(run: Command) -> list[psutil.Process]:
    """The running cores of a command."""
    return [process for process in family(run) if "chatcore" in " ".join(process.cmdline())]


def test_a_fleet_that_dies_makes_the_run_worthless(tmp_path: Path) -> None:
    """Exit code 3, with its last words; the core ends, too."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out)], tmp_path, FLAW="dies") as run:
        output, _ = run.communicate(timeout=60)
        assert run.returncode == 3
        assert "the stub was told to die" in output
        assert not family(run)
    assert manifest(out)["finished"] == "failed"


@pytest.mark.slow
def test_a_core_that_dies_is_started_again_and_it_is_recorded(tmp_path: Path) -> None:
    """The suite supervises it: the run goes on, and the ledger says when."""
    out = tmp_path / "run"
    with running([*LAUNCH, "3s", "0.2s", str(out)], tmp_path) as run:
        until(lambda: done(out, "go"))
        [core] = cores(run)
        core.kill()
        run.wait(60)
        assert not family(run)
    assert manifest(out)["audit"] == {"read": True, "reason": "", "restarted": True, "rows": 4}


@pytest.mark.slow
def test_plain_locust_headless(tmp_path: Path) -> None:
    """One user is one seat, the run ends by itself with the verdict's code, and the tables have the fleet's figures."""
    out = tmp_path / "run"
    options = ["--headless", "--users", "4", "--duration", "2s", "--ramp", "0.2s", "--out", str(out)]
    csv = ["--csv", str(tmp_path / "table")]
    with running([*LOCUST, *options, *csv], tmp_path) as locust:
        output, _ = locust.communicate(timeout=90)
        assert not family(locust)
    assert len({message["n"] for message in told(out) if message["do"] == "seat"}) == 4
    assert seats_on(out) == set()
    assert manifest(out)["finished"] == "whole"
    assert locust.returncode == json.loads((out / "verdict.json").read_text()).get("exit_code", locust.returncode), (
        output
    )
    reports = [
        line for line in (tmp_path / "table_stats.csv").read_text().splitlines() if line.startswith("WEB,deliver_in")
    ]
    count, failures = map(int, reports[0].split(",")[2:4])
    assert count == 3 * failures > 0
    assert "refused: too_long" in (tmp_path / "table_failures.csv").read_text()


@pytest.mark.slow
def test_plain_locust_with_its_page(tmp_path: Path) -> None:
    """Started from the page; users added and removed are seats logged on and off; stopped, judged, started again."""
    out, port = tmp_path / "run", free_port()
    page = f"http://127.0.0.1:{port}"
    options = ["--web-host", "127.0.0.1", "--web-port", str(port), "--duration", "300s", "--ramp", "0.2s"]
    with running([*LOCUST, *options], tmp_path) as locust:
        until(lambda: _up(page))
        fetch(f"{page}/swarm", user_count=5, spawn_rate=50, load="-1")
        assert "error: --load -1: must be a number above 0" in until(lambda: _said(locust, "error:"))
        until(lambda: fetch(f"{page}/stats/requests")["state"] == "stopped")
        fetch(f"{page}/swarm", user_count=5, spawn_rate=50, load="1", out=str(out))
        until(lambda: done(out, "go"))
        assert seats_on(out) == {1, 2, 3, 4, 5}
        fetch(f"{page}/swarm", user_count=2, spawn_rate=50)
        until(lambda: len(seats_on(out)) == 2)
        fetch(f"{page}/swarm", user_count=4, spawn_rate=50)
        until(lambda: len(seats_on(out)) == 4)
        rows = until(lambda: [row for row in fetch(f"{page}/stats/requests")["stats"] if row["name"] == "deliver_in"])
        assert rows[0]["num_requests"] == 3 * rows[0]["num_failures"] > 0
        fetch(f"{page}/stop", now="yes")
        until((out / "verdict.json").exists)
        assert manifest(out)["finished"] == "interrupted"
        fetch(f"{page}/swarm", user_count=1, spawn_rate=50, out=str(tmp_path / "again"))
        until(lambda: done(tmp_path / "again", "go"))
        locust.send_signal(signal.SIGINT)
        assert locust.wait(60) == 130
        assert not family(locust)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending_plain_locust_ends_fleet_and_core(tmp_path: Path, number: signal.Signals) -> None:
    """However it ends."""
    out = tmp_path / "run"
    options = ["--headless", "--users", "3", "--duration", "300s", "--ramp", "0.2s", "--out", str(out)]
    with running([*LOCUST, *options], tmp_path) as locust:
        until(lambda: done(out, "go"))
        locust.send_signal(number)
        locust.wait(60)
        until(lambda: not family(locust))


@pytest.mark.parametrize(
    "options, line",
    [
        (["--load", "-1"], "error: --load -1: must be a number above 0"),
        (["--load", "much"], "error: --load much: not a number"),
        (["--scenario", "tbnk"], 'error: no scenario "tbnk"; did you mean "tbank"?'),
    ],
)
def test_bad_input_to_plain_locust(tmp_path: Path, options: list[str], line: str) -> None:
    """One line and 2, before the page opens."""
    with running([*LOCUST, "--headless", *options], tmp_path) as locust:
        output, _ = locust.communicate(timeout=60)
    assert locust.returncode == 2
    assert line in output
    assert "Traceback" not in output


def _said(command: Command, word: str) -> str:
    """The next line if it has this word in it."""
    line = command.line()
    return line if word in line else ""


def _up(page: str) -> bool:
    try:
        fetch(f"{page}/stats/requests")
    except OSError:
        return False
    return True


def test_help_is_quick_to_come(tmp_path: Path) -> None:
    """It is printed without Locust, Arrow, numpy, or what only makes text colourful: they take longer than it does."""
    heavy = "{'locust', 'gevent', 'pyarrow', 'numpy', 'pydantic', 'rich', 'pygments', 'markdown_it'}"
    code = f"import atexit, sys; atexit.register(lambda: print(sorted({heavy} & set(sys.modules)))); "
    with running(
        ["-c", code + "sys.argv[1:] = ['--help']; from chatload.cli import main; main()"], tmp_path
    ) as process:
        output, _ = process.communicate(timeout=30)
    assert output.splitlines()[0].startswith("Usage: ")
    assert output.splitlines()[-1] == "[]"
    assert "capacity" not in chatload("--help", cwd=tmp_path).stdout
