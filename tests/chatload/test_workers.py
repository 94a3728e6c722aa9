"""Several workers under Locust: who plays what, who is lost, nothing left over. The fleets are stubs, the core real."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatload.process import free_port
from chatload.scenario import load
from tests.chatload.processes import ROOT, Command, done, family, running, seats_on, told, until

LAUNCH = [str(ROOT / "tests/chatload/launch.py"), "smoke"]
LOCUST = ["-m", "locust", "-f", str(ROOT / "tests/chatload/locustfile_with_stub.py"), "--scenario", "smoke"]
HEADLESS = ["--headless", "--users", "4", "--spawn-rate", "50", "--ramp", "0.2s"]


def manifest(rundir: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((rundir / "manifest.json").read_text())
    return loaded


def lost(rundir: Path) -> dict[str, bool]:
    """Which workers' records are missing."""
    return {worker["name"]: worker["lost"] for worker in manifest(rundir)["workers"]}


def reasons(rundir: Path) -> tuple[str, str]:
    """The verdict, and its reasons in one line."""
    verdict = json.loads((rundir / "verdict.json").read_text())
    return verdict["verdict"], "; ".join(verdict["reasons"])


def fleets(run: Command) -> list[psutil.Process]:
    return [process for process in family(run) if "stub_fleet" in " ".join(process.cmdline()[:2])]


def workers(run: Command) -> list[psutil.Process]:
    """The worker of each fleet."""
    return [process for fleet in fleets(run) if (process := fleet.parent()) is not None]


def both(out: Path, what: str) -> bool:
    """Whether both of two workers' fleets were told this."""
    return all(done(out, what, worker) for worker in ("w0", "w1"))


SURGE = """
[surge]
after = "30 s"
load = 2
operators = 24
over = "1 min"
"""


@pytest.mark.slow
def test_who_joins_in_a_surge_logs_on_while_it_runs(tmp_path: Path) -> None:
    """Each worker's Locust users become twice as many after its fleet was told to go, and all leave at the end."""
    out, scenario = tmp_path / "run", tmp_path / "surge.toml"
    scenario.write_text(load("smoke").text + SURGE)
    command = [LAUNCH[0], str(scenario), "4s", "0.2s", str(out), "workers=2", "operators=4", "part=surge"]
    with running(command, tmp_path) as run:
        run.wait(100)
        assert not family(run)
    for name, first, joined in (("w0", {1, 3}, {5, 7}), ("w1", {2, 4}, {6, 8})):
        heard = told(out, name)
        words = [message["do"] for message in heard]
        assert words == ["arm", "target", *["seat"] * 2, "go", *["seat"] * 2, "drain", *["seat"] * 4, "finish"]
        seats = [(message["n"], message["on"]) for message in heard if message["do"] == "seat"]
        assert set(seats[:2]) == {(n, True) for n in first}
        assert set(seats[2:4]) == {(n, True) for n in joined}
        assert set(seats[4:]) == {(n, False) for n in first | joined}
    assert manifest(out)["planned"]["operators"] == 8


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_every_worker_plays_its_share(tmp_path: Path, count: int) -> None:
    """One t0, shares by rank, seats r+1, r+1+count and so on, accounts of their own; one directory at the end."""
    out = tmp_path / "run"
    with running([*LAUNCH, "1s", "0.2s", str(out), f"workers={count}", f"operators={2 * count}"], tmp_path) as run:
        assert run.wait(100) == 3
        assert not family(run)
    names = [f"w{rank}" for rank in range(count)]
    words = [[message["do"] for message in told(out, name)] for name in names]
    order = ["arm", "target", *["seat"] * 2, "go", "drain", *["seat"] * 2, "finish"]
    assert words == [order] * count
    first = [told(out, name)[0]["config"] for name in names]
    assert [(own["index"], own["count"], own["worker"]) for own in first] == [
        (rank, count, name) for rank, name in enumerate(names)
    ]
    seats = [{message["n"] for message in told(out, name) if message["do"] == "seat"} for name in names]
    assert seats == [{rank + 1, rank + 1 + count} for rank in range(count)]
    assert len({message["t0_ns"] for name in names for message in told(out, name) if message["do"] == "go"}) == 1
    wires = [message["wire"]["accounts"] for name in names for message in told(out, name) if message["do"] == "target"]
    assert [list(wire) for wire in wires] == [[f"tg-{rank}" for rank in range(count)]] * count
    found = manifest(out)
    assert (found["finished"], found["drain"]["clean"]) == ("whole", True)
    assert lost(out) == dict.fromkeys([*names, "suite"], False)
    assert {path.name.partition("-")[0] for path in (out / "ledger").iterdir()} >= set(names)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [fleets, workers], ids=["fleet", "worker"])
def test_a_death_makes_the_run_invalid_and_the_rest_is_judged(tmp_path: Path, victim: Any) -> None:
    """Killed in the middle: the others play to the end, the exit code is 3, and the verdict names who is missing."""
    out = tmp_path / "run"
    with running([*LAUNCH, "4s", "0.2s", str(out), "workers=2", "operators=4"], tmp_path) as run:
        until(lambda: both(out, "go"))
        victim(run)[0].kill()
        output, _ = run.communicate(timeout=100)
        assert run.returncode == 3
        assert not family(run)
    [name] = [name for name, is_lost in lost(out).items() if is_lost]
    other = {"w0": "w1", "w1": "w0"}[name]
    assert done(out, "drain", other) == done(out, "finish", other) == 1
    assert manifest(out)["finished"] == "whole"
    assert f"{name} is lost" in output
    assert manifest(out)["notes"] == [line for line in manifest(out)["notes"] if line.startswith(f"{name} is lost: ")]
    verdict, why = reasons(out)
    assert verdict == "invalid"
    assert f"the record of {name} is missing" in why


@pytest.mark.slow
def test_the_death_of_all_ends_the_run(tmp_path: Path) -> None:
    """There is nothing left to go on with."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out), "workers=2"], tmp_path) as run:
        until(lambda: both(out, "go"))
        for fleet in fleets(run):
            fleet.kill()
        assert run.wait(100) == 3
        assert not family(run)
    assert manifest(out)["finished"] == "failed"


def test_a_death_before_the_run_begins_ends_it(tmp_path: Path) -> None:
    """With the name of the worker, and before anything was played."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out), "workers=2"], tmp_path, FLAW="deaf") as run:
        until(lambda: both(out, "arm"))
        fleets(run)[0].kill()
        output, _ = run.communicate(timeout=60)
        assert run.returncode == 3
        assert not family(run)
    assert "error: the fleet of w" in output
    assert "did not make its plan" in output


@pytest.mark.slow
def test_interrupted_once(tmp_path: Path) -> None:
    """All workers drain, what was recorded is judged as partial, the exit code is 130."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out), "workers=2"], tmp_path) as run:
        until(lambda: both(out, "go"))
        run.send_signal(signal.SIGINT)
        assert run.wait(100) == 130
        assert not family(run)
    assert both(out, "drain")
    assert both(out, "finish")
    assert manifest(out)["finished"] == "interrupted"
    assert lost(out) == {"w0": False, "w1": False, "suite": False}


def test_interrupted_twice(tmp_path: Path) -> None:
    """Everything ends at once."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out), "workers=2"], tmp_path, FLAW="slow") as run:
        until(lambda: both(out, "go"))
        run.send_signal(signal.SIGINT)
        until(lambda: "once more ends at once" in run.line())
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        until(lambda: not family(run))


def test_a_killed_master_leaves_nobody(tmp_path: Path) -> None:
    """Neither a worker, nor a fleet, nor the core."""
    out = tmp_path / "run"
    with running([*LAUNCH, "300s", "0.2s", str(out), "workers=2"], tmp_path) as run:
        until(lambda: both(out, "go"))
        assert len(family(run)) == 6
        run.kill()
        until(lambda: not family(run))


@pytest.mark.slow
def test_plain_locust_with_processes(tmp_path: Path) -> None:
    """`--processes 2`: the figures of both in Locust's tables, one directory, the verdict's exit code, no orphan.

    Nothing is written to a table that Locust has closed, however long it takes to end.
    """
    out = tmp_path / "run"
    options = [*HEADLESS, "--processes", "2", "--duration", "3s", "--out", str(out), "--csv", str(tmp_path / "table")]
    lingers = tmp_path / "lingers.py"
    lingers.write_text(
        f"import atexit, time\n\n{Path(LOCUST[3]).read_text()}\natexit.register(lambda: time.sleep(1.5))\n"
    )
    with running([*LOCUST[:3], str(lingers), *LOCUST[4:], *options], tmp_path) as locust:
        output, _ = locust.communicate(timeout=110)
        until(lambda: not family(locust))
    assert locust.returncode == 3, output  # a stub's run is worth nothing
    assert "Traceback" not in output
    assert lost(out) == {"w0": False, "w1": False, "suite": False}
    rows = [line for line in (tmp_path / "table_stats.csv").read_text().splitlines() if line.startswith("WEB,deliver")]
    count, failures = map(int, rows[0].split(",")[2:4])
    assert count == 3 * failures > 0


def test_plain_locust_with_processes_is_killed(tmp_path: Path) -> None:
    """Forked workers and their fleets end with it."""
    out = tmp_path / "run"
    with running([*LOCUST, *HEADLESS, "--processes", "2", "--duration", "300s", "--out", str(out)], tmp_path) as locust:
        until(lambda: both(out, "go"))
        locust.kill()
        until(lambda: not family(locust))


@pytest.mark.slow
def test_a_worker_that_joins_late_plays_in_the_next_run(tmp_path: Path) -> None:
    """Nobody's seats move to it; the master says so; and it goes when the master does."""
    out, port = tmp_path / "run", str(free_port())
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1"]
    worker = [*LOCUST, "--worker", "--master-port", port]
    options = [*HEADLESS, *master, "--duration", "6s", "--out", str(out)]
    with running([*LOCUST, *options], tmp_path) as locust, running(worker, tmp_path) as first:
        until(lambda: done(out, "go"))
        with running(worker, tmp_path) as late:
            until(lambda: "has joined too late for this run, and plays in the next one" in locust.line())
            assert locust.wait(100) == 3
            assert (first.wait(60), late.wait(60)) == (0, 0)
    seats = [message["n"] for message in told(out) if message["do"] == "seat"]
    assert sorted(seats) == [1, 1, 2, 2, 3, 3, 4, 4]  # on, and off
    assert lost(out) == {"w0": False, "suite": False}


@pytest.mark.slow
def test_fewer_workers_than_expected_are_refused(tmp_path: Path) -> None:
    """Started from the page before all are there: one line, and nothing is recorded."""
    out, port, page = tmp_path / "run", str(free_port()), free_port()
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2"]
    shown = ["--web-host", "127.0.0.1", "--web-port", str(page)]
    worker = [*LOCUST, "--worker", "--master-port", port]
    with running([*LOCUST, *master, *shown], tmp_path) as locust, running(worker, tmp_path):
        until(lambda: "reported as ready" in locust.line())
        form = {"user_count": 4, "spawn_rate": 50, "out": str(out)}
        until(lambda: _posted(f"http://127.0.0.1:{page}/swarm", **form))
        refusal = "error: 1 of 2 workers are ready; start the others first, or expect fewer"
        until(lambda: refusal in locust.line())
        locust.send_signal(signal.SIGINT)
        locust.wait(60)
    assert not out.exists()


def test_seats_come_and_go_through_the_page(tmp_path: Path) -> None:
    """Each worker's at itself, those beyond the scenario's operators, too."""
    out, port, page = tmp_path / "run", str(free_port()), free_port()
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2"]
    shown = ["--web-host", "127.0.0.1", "--web-port", str(page), "--duration", "300s", "--ramp", "0.2s"]
    worker = [*LOCUST, "--worker", "--master-port", port]
    swarm = f"http://127.0.0.1:{page}/swarm"
    with running([*LOCUST, *master, *shown], tmp_path) as locust, running(worker, tmp_path), running(worker, tmp_path):
        until(lambda: "2 workers connected" in locust.line())
        until(lambda: _posted(swarm, user_count=4, spawn_rate=50, out=str(out)))
        until(lambda: both(out, "go"))
        assert (seats_on(out, "w0"), seats_on(out, "w1")) == ({1, 3}, {2, 4})
        until(lambda: _posted(swarm, user_count=60, spawn_rate=50))
        until(lambda: len(seats_on(out, "w0") | seats_on(out, "w1")) == 60)
        assert seats_on(out, "w1") == set(range(2, 61, 2))
        until(lambda: _posted(swarm, user_count=2, spawn_rate=50))
        until(lambda: (len(seats_on(out, "w0")), len(seats_on(out, "w1"))) == (1, 1))
        locust.send_signal(signal.SIGTERM)
        locust.wait(60)
        until(lambda: not family(locust))


def _posted(url: str, **form: Any) -> bool:
    """Whether the page is up and took it."""
    from tests.chatload.processes import fetch

    try:
        fetch(url, **form)
    except OSError:
        time.sleep(0.2)
        return False
    return True
