"""The order of one run, whoever starts it: fleets, target, seats, ramp, load, drain, last kill, audit, verdict.

Lives in a process that Locust has patched for gevent: everything here waits cooperatively.
"""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from gevent.event import Event

from chatload import host, targets
from chatload.console import complain
from chatload.control.live import LiveView
from chatload.errors import ChatloadError, GeneratorFailed
from chatload.plan import Plan
from chatload.process import cpu_shares, free_port, give_way, spread
from chatload.run import directory, isolation
from chatload.run.crew import TICK_S, Crew, Message, Open
from chatload.run.ending import Ending
from chatload.run.settings import Settings, check_files
from chatload.run.staffing import Staffing

ARMED_WITHIN_S: Final = 60.0
SEATED_WITHIN_S: Final = 60.0
RESTS_WITHIN_S: Final = 10.0
GRACE_S: Final = 5.0  # what an answer of the fleet may take longer than the time it was given
CLOSES_WITHIN_S: Final = 20.0  # how long a fleet that closes its ledger may be silent

Stats = Callable[[list[dict[str, Any]]], None]


class Conductor:
    """One run, step by step: `prepare`, `seat` …, `go`, `play`, `drain`, `finish`, `conclude`; `close` at any time.

    `opens` makes the links to its fleets, one a worker; `on_stats` gets the rows for Locust's tables, and `on_staff`,
    again and again, how many seats there have to be once a surge has operators join. `interrupt` may be called at any
    time: the running step returns soon and what was recorded is judged as partial.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        view: LiveView,
        on_stats: Stats,
        on_staff: Callable[[int], None],
        opens: Sequence[Open],
    ) -> None:
        self.settings, self.plan, self._view, self._on_stats = settings, plan, view, on_stats
        self._on_staff = on_staff
        self.run = secrets.token_hex(3)
        self.rundir: Path | None = None
        self.crew = Crew(opens, self._on_message, self._on_gauges)
        self.interrupted = Event()
        self.failure: ChatloadError | None = None
        self.over = False
        self._workers = len(opens)
        self._whole = False
        self._target: targets.Target | None = None
        self._staffing = Staffing()
        self._manifest: dict[str, Any] = {}
        self._gauges: list[dict[str, Any]] = []
        self._t0_ns = 0
        self._kills_s = sorted(settings.kills_s, reverse=True)
        self._ending: Ending | None = None
        self._watched: dict[int, psutil.Process] = {}
        self._before = isolation.read({})
        self._notes: list[str] = []

    # The steps

    def check(self) -> None:
        """What can be refused before anything is made: too few open files, a taken port, a directory in use."""
        check_files(self.plan)
        free_port(self.settings.port, self.settings.host)
        directory.check(self.settings)

    def announcement(self) -> str:
        """What is going to be played, in one line."""
        settings, plan = self.settings, self.plan
        shared = f", {self._workers} workers" if self._workers > 1 else ""
        return (
            f"{settings.file.name}: {len(plan.main):,} dialogs, {len(plan.ramp):,} more open at the start,"
            f" {settings.operators:,} operators, load {settings.load:g}, speed {settings.speed:g}{shared}"
        )

    def prepare(self) -> None:
        """Make the directory, start fleets and target, make the operators known. Nothing is left behind if it fails."""
        settings = self.settings
        core_cpus, fleet_cpus = cpu_shares()
        started = datetime.now(UTC)
        wanted = settings.out.absolute() if settings.out else None
        existed = wanted is not None and wanted.exists()
        try:
            self.rundir = directory.create(settings, started)
            self._ending = Ending(self.rundir)
            scenario, log = settings.file.scenario, self.rundir / "core.log"
            self._target = targets.make(
                settings.target, scenario, settings.speed, log, settings.port, core_cpus, settings.host
            )
            self.crew.open(self.run, self.rundir, spread(fleet_cpus, self._workers))
            self._manifest = directory.manifest(settings, self.plan, self._target, self.run, started)
            self._arm(self._target)
            give_way()
        except BaseException:
            self.close()
            self._forget(existed)
            raise

    def seat(self, number: int, on: bool) -> None:
        """Log this operator's seat on or off; `crew.seated` tells when it is done."""
        if self._target is None or self.over:
            return
        if on:
            try:
                self._staffing.seat(self._target, number)
            except ChatloadError as error:
                self.fail(error)
        self.crew.seat(number, on)

    def seated(self, wanted: int, waited_s: float) -> bool:
        """Whether so many operators are logged on.

        Raises:
            GeneratorFailed: a fleet ended before the run began, or it takes too long.
        """
        for name, words in self.crew.lost.items():
            raise GeneratorFailed(f"{name} ended before the run began: {words}")
        have = len(self.crew.seated)
        if have < wanted and waited_s > SEATED_WITHIN_S:
            raise GeneratorFailed(f"only {have} of {wanted} operators could log on")
        return have >= wanted

    def go(self) -> None:
        """Start the ramp: t0 is its end, the same moment for every fleet."""
        self._t0_ns = time.monotonic_ns() + round(self.settings.ramp_s * 1e9)
        self._manifest["t0_ns"] = self._t0_ns
        self._view.start(self.settings.file.name)
        self._before = isolation.read(self._processes())
        self.crew.go(self._t0_ns)

    def play(self) -> None:
        """Until the last start is due, or the run is interrupted."""
        end_ns = self._t0_ns + round(self.settings.duration_s * 1e9)
        while time.monotonic_ns() < end_ns and not self.interrupted.wait(TICK_S):
            self._look_after()
            self._hire()
        now_ns = time.monotonic_ns()
        self._manifest["end_ns"] = min(end_ns, now_ns)
        self._manifest["isolation"] = isolation.disclosed(self._before, isolation.read(self._processes()))
        if now_ns < end_ns:
            until_ms = (now_ns - self._t0_ns) / 1e6 * self.settings.speed
            self._manifest["planned"] |= directory.planned(self.plan, until_ms)

    def drain(self) -> None:
        """Let open dialogs end, then silence, until everything is at rest; operators stay seated.

        Dialogs that are longer are cut off as in flight. An interrupted run is not waited for.
        """
        allowed_s = 0.0 if self.interrupted.is_set() else self.settings.drain_s
        self._view.title = "drain"
        self.crew.send("drain", deadline_s=allowed_s)
        deadline = time.monotonic() + allowed_s + GRACE_S
        while not self.crew.all_said("drained") and time.monotonic() < deadline:
            if self.interrupted.is_set() and allowed_s:
                deadline, allowed_s = time.monotonic() + GRACE_S, 0.0
                self.crew.send("drain", deadline_s=0)
            self._look_after()
            time.sleep(TICK_S)
        clean = self.crew.all_said("drained") and not self.crew.gone and self._comes_to_rest()
        self._manifest["drained_ns"] = time.monotonic_ns()
        deadline_s = self.settings.drain_s + RESTS_WITHIN_S
        self._manifest["drain"] = {"clean": clean, "deadline_s": deadline_s, "unsent": self.crew.unsent}
        self._whole = not self.interrupted.is_set()

    def finish(self) -> None:
        """Once the operators' last words have arrived, too, the fleets close their ledgers and end."""
        if not self._comes_to_rest() and "drain" in self._manifest:
            self._manifest["drain"]["clean"] = False
        self.crew.compare_clocks()
        self.crew.send("finish")
        self.crew.wait("bye", CLOSES_WITHIN_S)
        self.crew.close()

    def conclude(self) -> int:
        """One more kill -9, the audit, the manifest, the verdict; the exit code of the run. Ends what still runs."""
        if self._ending is None or self._target is None:
            return 3
        try:
            return self._conclude(self._ending, self._target)
        finally:
            self.close()

    def interrupt(self) -> None:
        """Come to an end as soon as possible."""
        self.interrupted.set()

    def fail(self, error: ChatloadError) -> None:
        """The run cannot go on; it is judged as failed."""
        self.failure = self.failure or error
        self.interrupted.set()

    def close(self) -> None:
        """End every process of the run. May be called at any time, and twice."""
        self.over = True
        self._view.stop()
        if self._ending is not None:
            self._ending.close()
        self.crew.close()
        if self._target is not None:
            self._target.stop()

    def kill_all(self) -> None:
        """The same at once, without a word to anybody."""
        processes = self._ending.processes() if self._ending is not None else []
        processes += self.crew.processes()
        if self._target is not None:
            processes += self._target.processes().values()
        for pid in processes:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        if self._target is not None:
            self._target.stop()

    # Inside

    def _arm(self, target: targets.Target) -> None:
        self._require("hello", "did not start")
        self.crew.meet(self.settings.host)
        self.crew.arm(
            {
                "scenario": self.settings.file.scenario.model_dump(mode="json"),
                "plan": self.settings.plan_arguments(),
                "run": self.run, "epoch": 1,
            }
        )  # fmt: skip
        self._require("armed", "did not make its plan")
        target.start(self.crew.callbacks())
        self.crew.send("target", wire=target.wire())
        self._require("targeted", "did not take the target")
        self._staffing.add(target, self.settings.operators)

    def _require(self, kind: str, otherwise: str) -> None:
        try:
            self.crew.require(kind, otherwise, ARMED_WITHIN_S, self.interrupted.is_set)
        finally:  # also when that is why it was interrupted
            if self.failure is not None:
                raise self.failure

    def _hire(self) -> None:
        """Have those added who join by now, and ask for their seats."""
        wanted = self.plan.staff.hired_by((time.monotonic_ns() - self._t0_ns) / 1e6 * self.settings.speed)
        if self._target is None or wanted == self.plan.operators:
            return
        try:
            self._staffing.add(self._target, wanted)
        except ChatloadError as error:
            self.fail(error)
        self._on_staff(wanted)

    def _forget(self, existed: bool) -> None:
        """Remove the directory of a run that never began; the logs of a process that failed stay."""
        if self.rundir is None:
            return
        logs = [log for log in self.rundir.glob("*.log") if log.stat().st_size]
        if logs:
            return
        shutil.rmtree(self.rundir, ignore_errors=True)
        if existed:
            self.rundir.mkdir()
        elif self.settings.out is None and not any(self.rundir.parent.iterdir()):
            self.rundir.parent.rmdir()

    def _comes_to_rest(self) -> bool:
        deadline = time.monotonic() + RESTS_WITHIN_S
        while self._target is not None and not self._target.at_rest():
            self._look_after()
            if time.monotonic() > deadline or self.crew.gone:
                return False
            time.sleep(TICK_S)
        return True

    def _look_after(self) -> None:
        """What has to be done several times a second."""
        if self._target is None:
            return
        try:
            elapsed_s = (time.monotonic_ns() - self._t0_ns) / 1e9
            if self._kills_s and elapsed_s >= self._kills_s[-1]:
                self._kills_s.pop()
                self._target.kill()
                self._target.restart()
            self._target.tend()
        except ChatloadError as error:
            self.fail(error)
        self._count_losses()

    def _count_losses(self) -> None:
        """A run goes on without those who are lost, as long as somebody is left."""
        self.crew.look_after()
        for name, words in self.crew.lost.items():
            note = f"{name} is lost: {words}"
            if self.crew.gone:
                self.fail(GeneratorFailed(f"the fleet ended in the middle of the run: {words}"))
            elif note not in self._notes:
                self._notes.append(note)
                self._view.note(f"{note}; the others go on")

    def _on_message(self, worker: str, message: Message) -> None:
        match message["is"]:
            case "report":
                self._on_stats(message["stats"])
            case "wants":
                self.seat(message["n"], message["on"])
            case "error":
                self.fail(GeneratorFailed(f"the fleet of {worker}: {message['text']}"))

    def _on_gauges(self, row: dict[str, Any], totals: dict[str, float] | None) -> None:
        self._gauges.append(row)
        if totals is not None:
            row |= self._core_use()
            if self._t0_ns and not self.over:
                self._view.show((row["t_ns"] - self._t0_ns) / 1e9, totals)

    def _processes(self) -> dict[str, int]:
        """Everything of the run on this machine, by the name it has in the record."""
        target = self._target.processes() if self._target else {}
        return target | self.crew.fleets() | {"locust": os.getpid()}

    def _core_use(self) -> dict[str, float]:
        pid = (self._target.processes() if self._target else {}).get("core")
        if pid is None:
            return {}
        try:
            process = self._watched.setdefault(pid, psutil.Process(pid))
            return {"core_cpu": process.cpu_percent() / 100, "core_rss_mb": process.memory_info().rss / 2**20}
        except psutil.Error:
            return {}

    def _conclude(self, ending: Ending, target: targets.Target) -> int:
        audit = ending.audit(target, self.run, self._gauges, self.crew.shifts())
        own = {"name": "suite", "rows": audit["rows"], "lost": False, "clock": host.clock()}
        self._manifest |= {
            "audit": audit,
            "finished": "failed" if self.failure else "whole" if self._whole else "interrupted",
            "anchors": self.crew.anchors(),
            "workers": [*self.crew.manifest(), own],
            "notes": [*self._notes, *([str(self.failure)] if self.failure else [])],
        }
        ending.write_manifest(self._manifest)
        target.stop()
        self._view.stop()
        code = ending.judge()
        if self.failure is not None:
            complain(str(self.failure))
            return self.failure.exit_code
        return 130 if self.interrupted.is_set() else code
