"""Several workers with real fleets: the same plan whatever their number, one verdict, also over networks apart."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from chatload.host import clock
from chatload.plan import make_plan
from chatload.scenario import load
from chatreport.judge import Run
from chatreport.rundir import What, read_ledger
from tests.chatload.processes import ENVIRONMENT, family, running, until

ROOT = Path(__file__).resolve().parents[2]
SPEED, DURATION_S, RAMP_S = 60, 6, 2
SECOND_NS = 1_000_000_000
OBJECTIVE = "deliver_in p50 < 5 s"
AHEAD_S = 100_000  # how far the other machine's clock runs ahead
INSTEAD = "-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smoke, with an objective that six seconds have samples enough for, and that a busy machine keeps."""
    path = tmp_path_factory.mktemp("scenario") / "small.toml"
    path.write_text((ROOT / "scenarios/smoke.toml").read_text().replace("deliver_in p99 < 500 ms", OBJECTIVE))
    return path


def short(out: Path) -> list[str]:
    return ["--duration", f"{DURATION_S}s", "--ramp", f"{RAMP_S}s", "--out", str(out)]


def launch(scenario: Path, out: Path, workers: int) -> list[str]:
    """`chatload run --workers N`, which draws nothing, as arguments of Python."""
    length = [f"duration={DURATION_S}s", f"ramp={RAMP_S}s"]
    return ["-m", "tests.end_to_end.launch", str(scenario), str(out), f"workers={workers}", *length]


def play(scenario: Path, out: Path, workers: int) -> dict[str, Any]:
    """The verdict of a run with as many workers."""
    command = [sys.executable, *launch(scenario, out, workers)]
    ended = subprocess.run(
        command, cwd=out.parent, env=ENVIRONMENT, capture_output=True, text=True, timeout=110, check=False
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    return verdict_of(out)


def verdict_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return found


def manifest_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return found


def scripts(out: Path) -> dict[int, int]:
    """Planned start, in ns from t0, by the index of every dialog on record."""
    rows = read_ledger(out)
    rows = rows.filter(pc.equal(rows["what"], int(What.DIALOG)))
    t0_ns = manifest_of(out)["t0_ns"]
    return {
        index: start - t0_ns
        for index, start in zip(rows["plan"].to_pylist(), rows["intended"].to_pylist(), strict=True)
    }


def sizes(out: Path) -> dict[tuple[str, int], int]:
    """Characters of every customer's message on record, by sender and counter."""
    rows = read_ledger(out)
    rows = rows.filter(pc.and_(pc.equal(rows["what"], int(What.SEND)), pc.greater(rows["plan"], -(2**30))))
    found = zip(rows["sender"].to_pylist(), rows["counter"].to_pylist(), rows["size"].to_pylist(), strict=True)
    return {(sender, counter): size for sender, counter, size in found if sender.startswith("c")}


def held(verdict: dict[str, Any]) -> dict[str, str]:
    return {name: found["status"] for name, found in verdict["guarantees"].items()}


EVERYTHING_HELD = {f"G{number}": "held" for number in range(1, 12)} | {"G12": "unknown"}


@pytest.mark.timeout(400)
def test_any_number_of_workers_plays_the_same_dialogs(scenario: Path, tmp_path: Path) -> None:
    """With one worker and with three the ledgers hold the plan's dialogs, each once, at its time, with its turns."""
    file = load(str(scenario))
    plan = make_plan(file.scenario, file.scenario.seed, "peak", 1, SPEED, DURATION_S, RAMP_S, 12)
    planned = {dialog.index: int(dialog.start_ms * 1_000_000 / SPEED) for dialog in plan.dialogs}
    counters = {f"c{dialog.index}": len(dialog.turns) for dialog in plan.dialogs}
    spoken: list[dict[tuple[str, int], int]] = []
    for workers in (1, 3):
        out = tmp_path / f"run{workers}"
        verdict = play(scenario, out, workers)
        assert held(verdict) == EVERYTHING_HELD
        assert scripts(out) == planned
        assert verdict["generator"]["conservation"]["balanced"]
        assert len({path.name.partition("-")[0] for path in (out / "ledger").glob("w*.parquet")}) == workers
        spoken.append(sizes(out))
        assert all(counter <= counters[sender] for sender, counter in spoken[-1])
    one, three = spoken
    both = one.keys() & three.keys()
    assert len(both) > 0.9 * len(one)
    assert {key: one[key] for key in both} == {key: three[key] for key in both}


@pytest.mark.timeout(200)
def test_what_a_killed_worker_wrote_is_judged(scenario: Path, tmp_path: Path) -> None:
    """Its fleet outlives it for the moment that the ledger takes; the verdict is `invalid`, and names it."""
    out = tmp_path / "run"
    with running(launch(scenario, out, 2), tmp_path) as command:
        until(lambda: "ramp" in command.line())
        [victim, _] = [each for each in family(command) if "chatload.control.worker" in " ".join(each.cmdline())]
        victim.kill()
        said, _ = command.communicate(timeout=150)
        assert command.returncode == 3, said
        assert not family(command)
    [name] = [worker["name"] for worker in manifest_of(out)["workers"] if worker["lost"]]
    assert verdict_of(out)["verdict"] == "invalid"
    assert f"the record of {name} is missing" in "; ".join(verdict_of(out)["reasons"])
    assert "violated" not in held(verdict_of(out)).values()
    assert {path.name for path in (out / "ledger").glob("w*.parquet")} == {"w0-00000.parquet", "w1-00000.parquet"}


@pytest.mark.timeout(200)
def test_plain_locust_with_two_processes_passes(scenario: Path, tmp_path: Path) -> None:
    """`locust -f scenarios/locustfile.py --headless --processes 2`: exit code 0, one run directory."""
    out = tmp_path / "run"
    seats = ["--headless", "--users", "12", "--spawn-rate", "100", "--processes", "2"]
    locustfile = ["-m", "locust", "-f", str(ROOT / "scenarios/locustfile.py"), "--scenario", str(scenario)]
    with running([*locustfile, *seats, *short(out)], tmp_path) as locust:
        output, _ = locust.communicate(timeout=150)
        assert locust.returncode == 0, output
        until(lambda: not family(locust))
    assert held(verdict_of(out)) == EVERYTHING_HELD
    assert len(scripts(out)) == verdict_of(out)["generator"]["conservation"]["offered"]


@dataclass(frozen=True)
class Networks:
    """Two network namespaces with a wire between them; `master` has the first address, `worker` the second."""

    master: str
    worker: str
    address: str

    def within(self, name: str, *command: str) -> list[str]:
        """A command in one of them, as arguments of our Python."""
        return [*INSTEAD, "ip", "netns", "exec", name, *command]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)


def why_not_apart() -> str:
    """Why this machine cannot have network and time namespaces; empty if it can. scripts/test installs what it may."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "unshare") if shutil.which(tool) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"no {' and no '.join(missing)} in CI: scripts/test could not install iproute2")
    if missing:
        return f"no {' and no '.join(missing)} here (Debian: apt install iproute2 util-linux)"
    apart = ["unshare", "--net", "--mount", "--time", "--monotonic", "1", "--fork", "true"]
    tried = subprocess.run(apart, check=False, capture_output=True, text=True, timeout=20)
    return tried.stderr.strip() if tried.returncode else ""


@pytest.fixture
def networks() -> Iterator[Networks]:
    """The two, and nothing of them afterwards."""
    reason = why_not_apart()
    if reason:
        pytest.skip(reason=f"namespaces are not allowed here: {reason}")
    mark = os.getpid() % 10_000
    found = Networks(f"chatload-m{mark}", f"chatload-w{mark}", "10.203.113.1")
    try:
        for name in (found.master, found.worker):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        wire = ["link", "add", f"cm{mark}", "netns", found.master, "type", "veth", "peer", "name", f"cw{mark}"]
        ip(*wire, "netns", found.worker)
        for name, end, address in (
            (found.master, f"cm{mark}", found.address), (found.worker, f"cw{mark}", "10.203.113.2"),
        ):  # fmt: skip
            ip("-n", name, "address", "add", f"{address}/30", "dev", end)
            ip("-n", name, "link", "set", end, "up")
        yield found
    finally:
        for name in (found.master, found.worker):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True, timeout=20)


@pytest.mark.timeout(240)
def test_a_worker_on_another_machine(scenario: Path, tmp_path: Path, networks: Networks) -> None:
    """With a network, a clock and files of its own: the run passes, its ledger travels, and its time becomes ours.

    Latencies between the two machines are left out.
    """
    here = tmp_path / "here"
    here.mkdir()
    out = here / "run"
    locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "scenarios/locustfile.py")]
    bind = ["--master", "--master-bind-host", networks.address, "--expect-workers", "2"]
    seats = ["--headless", "--users", "12", "--spawn-rate", "100", "--scenario", str(scenario)]
    worker = [*locust, "--worker", "--master-host", networks.address]
    hidden = ["sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', str(here)]
    elsewhere = ["unshare", "--mount", "--time", "--monotonic", str(AHEAD_S), "--fork", "--kill-child", *hidden]
    with (
        running(networks.within(networks.master, *locust, *bind, *seats, *short(out)), tmp_path) as master,
        running(networks.within(networks.master, *worker), tmp_path) as near,
        running(networks.within(networks.worker, *elsewhere, *worker), tmp_path) as far,
    ):
        output, _ = master.communicate(timeout=180)
        assert master.returncode == 0, output
        assert (near.wait(60), far.wait(60)) == (0, 0)
        until(lambda: not [*family(master), *family(near), *family(far)])
    assert held(verdict_of(out)) == EVERYTHING_HELD
    workers = {worker["name"]: worker for worker in manifest_of(out)["workers"]}
    [away] = [name for name in ("w0", "w1") if workers[name]["clock"] != clock()]
    assert abs(workers[away]["clock_ahead_ns"] - AHEAD_S * SECOND_NS) <= workers[away]["clock_uncertainty_ns"]
    assert not list((out / "ledger").glob("*.arriving"))
    part = pq.read_table(out / "ledger" / f"{away}-00000.parquet")
    begun_ns = manifest_of(out)["t0_ns"] - (RAMP_S + 30) * SECOND_NS
    stamps = [stamp for stamp in part["done"].to_pylist() if stamp >= 0]
    assert begun_ns < min(stamps) <= max(stamps) < manifest_of(out)["drained_ns"] + 60 * SECOND_NS
    assert len(scripts(out)) == verdict_of(out)["generator"]["conservation"]["offered"]
    judged = {name: len(found) for name, found in Run(out).samples.items()}
    (out / "manifest.json").write_text((out / "manifest.json").read_text().replace(workers[away]["clock"], clock()))
    every = {name: len(found) for name, found in Run(out).samples.items()}
    assert 0 < judged["deliver_in"] < every["deliver_in"]
    assert 0 < judged["deliver_out"] < every["deliver_out"]
    assert (judged["accept"], judged["bot"]) == (every["accept"], every["bot"])


@pytest.mark.timeout(120)
def test_a_worker_that_cannot_reach_the_target_is_refused(scenario: Path, tmp_path: Path, networks: Networks) -> None:
    """A master that was not given an address listens on loopback with all it starts; one line says what to do."""
    out = tmp_path / "run"
    locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "scenarios/locustfile.py")]
    seats = ["--headless", "--users", "4", "--scenario", str(scenario)]
    worker = [*locust, "--worker", "--master-host", networks.address]
    with (
        running(networks.within(networks.master, *locust, "--master", *seats, "--out", str(out)), tmp_path) as master,
        running(networks.within(networks.worker, *worker), tmp_path) as far,
    ):
        output, _ = master.communicate(timeout=90)
        assert master.returncode == 2
        far.wait(60)
        until(lambda: not [*family(master), *family(far)])
    assert "error: --master-bind-host 127.0.0.1: w0 on " in output
    assert "cannot reach it; name an address that it reaches" in output
    assert not out.exists()
