"""The order of one run, whoever starts it: fleet, target, seats, ramp, load, drain, last kill, audit, verdict.

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
from gevent.lock import RLock

from chatload import targets
from chatload.console import complain
from chatload.control import gauges
from chatload.control.link import FLEET, FleetLink, Message
from chatload.control.live import LiveView
from chatload.errors import ChatloadError, GeneratorFailed, Interrupted
from chatload.plan import Plan
from chatload.process import cpu_shares, free_port, give_way
from chatload.run import directory, isolation
from chatload.run.ending import Ending
from chatload.run.settings import Settings, check_files

WORKER: Final = "w0"
TICK_S: Final = 0.1
ARMED_WITHIN_S: Final = 60.0
SEATED_WITHIN_S: Final = 60.0
RESTS_WITHIN_S: Final = 10.0
GRACE_S: Final = 5.0  # what an answer of the fleet may take longer than the time it was given

Stats = Callable[[list[dict[str, Any]]], None]


class Conductor:
    """One run, step by step: `prepare`, `seat` …, `go`, `play`, `drain`, `finish`, `conclude`; `close` at any time.

    `on_stats` gets the rows for Locust's tables. `interrupt` may be called at any time: the running step returns soon
    and what was recorded is judged as partial.
    """

    def __init__(
        self, settings: Settings, plan: Plan, view: LiveView, on_stats: Stats, *, fleet: Sequence[str] = FLEET
    ) -> None:
        self.settings, self.plan, self._view, self._on_stats = settings, plan, view, on_stats
        self.run = secrets.token_hex(3)
        self.rundir: Path | None = None
        self.seated: set[int] = set()
        self.interrupted = Event()
        self.failure: ChatloadError | None = None
        self.over = False
        self._whole = False
        self._fleet_command = fleet
        self._link: FleetLink | None = None
        self._target: targets.Target | None = None
        self._known_seats: set[int] = set()
        self._arrived = {name: Event() for name in ("hello", "armed", "targeted", "drained", "bye", "ended")}
        self._messages: dict[str, Message] = {}
        self._manifest: dict[str, Any] = {}
        self._gauges: list[dict[str, Any]] = []
        self._t0_ns = 0
        self._adding = RLock()
        self._kills_s = sorted(settings.kills_s, reverse=True)
        self._ending: Ending | None = None
        self._watched: dict[int, psutil.Process] = {}
        self._before = isolation.read({})

    @property
    def fleet_ended(self) -> bool:
        """Whether nobody is left to answer."""
        return self._arrived["ended"].is_set()

    # The steps

    def check(self) -> None:
        """What can be refused before anything is made: too few open files, a taken port, a directory in use."""
        check_files(self.settings, self.plan)
        free_port(self.settings.port)
        directory.check(self.settings)

    def announcement(self) -> str:
        """What is going to be played, in one line."""
        settings, plan = self.settings, self.plan
        return (
            f"{settings.file.name}: {len(plan.main):,} dialogs, {len(plan.ramp):,} more open at the start,"
            f" {settings.operators:,} operators, load {settings.load:g}, speed {settings.speed:g}"
        )

    def prepare(self) -> None:
        """Make the directory, start fleet and target, make the operators known. Nothing is left behind if it fails."""
        settings = self.settings
        core_cpus, fleet_cpus = cpu_shares()
        started = datetime.now(UTC)
        wanted = settings.out.absolute() if settings.out else None
        existed = wanted is not None and wanted.exists()
        try:
            self.rundir = directory.create(settings, started)
            self._ending = Ending(self.rundir)
            scenario, log = settings.file.scenario, self.rundir / "core.log"
            self._target = targets.make(settings.target, scenario, settings.speed, log, settings.port, core_cpus)
            self._link = FleetLink(
                self.rundir / "fleet.log", self._on_message, self._on_end, cpus=fleet_cpus, command=self._fleet_command
            )
            self._manifest = directory.manifest(settings, self.plan, self._target, self.run, started)
            self._arm(self._link, self._target, self.rundir)
            give_way()
        except BaseException:
            self.close()
            self._forget(existed)
            raise

    def seat(self, number: int, on: bool) -> None:
        """Log this operator's seat on or off; `seated` tells when it is done."""
        if self._link is None or self._target is None:
            return
        with self._adding:
            if on and number not in self._known_seats:
                self._make_known(number)
        self._link.send("seat", n=number, on=on)

    def go(self) -> None:
        """Start the ramp: t0 is its end."""
        self._t0_ns = time.monotonic_ns() + round(self.settings.ramp_s * 1e9)
        self._manifest["t0_ns"] = self._t0_ns
        self._view.start(self.settings.file.name)
        self._before = isolation.read(self._processes())
        self._sure_link().send("go", t0_ns=self._t0_ns)

    def play(self) -> None:
        """Until the last start is due, or the run is interrupted."""
        end_ns = self._t0_ns + round(self.settings.duration_s * 1e9)
        while time.monotonic_ns() < end_ns and not self.interrupted.wait(TICK_S):
            self._look_after()
        now_ns = time.monotonic_ns()
        self._manifest["end_ns"] = min(end_ns, now_ns)
        self._manifest["isolation"] = isolation.disclosed(self._before, isolation.read(self._processes()))
        if now_ns < end_ns:
            until_ms = (now_ns - self._t0_ns) / 1e6 * self.settings.speed
            self._manifest["planned"] = directory.planned(self.plan, until_ms)

    def drain(self) -> None:
        """Let open dialogs end, then silence, until everything is at rest; operators stay seated.

        Dialogs that are longer are cut off as in flight. An interrupted run is not waited for.
        """
        allowed_s = 0.0 if self.interrupted.is_set() else self.settings.drain_s
        self._view.title = "drain"
        self._sure_link().send("drain", deadline_s=allowed_s)
        deadline = time.monotonic() + allowed_s + GRACE_S
        while not self._arrived["drained"].is_set() and time.monotonic() < deadline:
            if self._arrived["ended"].is_set():
                break
            if self.interrupted.is_set() and allowed_s:
                deadline, allowed_s = time.monotonic() + GRACE_S, 0.0
                self._sure_link().send("drain", deadline_s=0)
            self._look_after()
            self._arrived["drained"].wait(TICK_S)
        clean = self._arrived["drained"].is_set() and self._comes_to_rest()
        unsent = self._messages.get("drained", {}).get("unsent", -1)
        self._manifest["drained_ns"] = time.monotonic_ns()
        deadline_s = self.settings.drain_s + RESTS_WITHIN_S
        self._manifest["drain"] = {"clean": clean, "deadline_s": deadline_s, "unsent": unsent}
        self._whole = not self.interrupted.is_set()

    def finish(self) -> None:
        """Once the operators' last words have arrived, too, the fleet closes its ledger and ends."""
        if self._link is None:
            return
        if not self._comes_to_rest() and "drain" in self._manifest:
            self._manifest["drain"]["clean"] = False
        self._link.send("finish")
        self._wait_for("bye", GRACE_S)
        self._link.close()

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
        if self._link is not None:
            self._link.close()
        if self._target is not None:
            self._target.stop()

    def kill_all(self) -> None:
        """The same at once, without a word to anybody."""
        processes = self._ending.processes() if self._ending is not None else []
        if self._link is not None and self._link.process.poll() is None:
            processes.append(self._link.process.pid)
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

    def _arm(self, link: FleetLink, target: targets.Target, rundir: Path) -> None:
        self._require("hello", "the fleet did not start")
        link.send(
            "arm",
            config={
                "scenario": self.settings.file.scenario.model_dump(mode="json"),
                "plan": self.settings.plan_arguments(),
                "run": self.run, "index": 0, "count": 1, "worker": WORKER, "epoch": 1,
                "rundir": str(rundir),
            },
        )  # fmt: skip
        target.start(self._require("armed", "the fleet did not make its plan").get("callback", ""))
        link.send("target", wire=target.wire())
        self._require("targeted", "the fleet did not take the target")
        self._make_known(self.settings.operators)

    def _make_known(self, most: int) -> None:
        """Make operators known in blocks, so that seats added one by one do not ask one by one."""
        block = [n for n in range(1, max(most, len(self._known_seats) + 50) + 1) if n not in self._known_seats]
        if self._target is not None:
            self._target.add_operators(block)
        self._known_seats.update(block)

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
            if time.monotonic() > deadline or self._arrived["ended"].is_set():
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
        if self._arrived["ended"].is_set():
            self.fail(GeneratorFailed(f"the fleet ended in the middle of the run: {self._last_words()}"))

    def _on_message(self, message: Message) -> None:
        kind = message["is"]
        if kind == "seated":
            (self.seated.add if message["on"] else self.seated.discard)(message["n"])
        elif kind == "report":
            self._on_report(message)
        elif kind == "error":
            self.fail(GeneratorFailed(f"the fleet: {message['text']}"))
        if kind in self._arrived:
            self._messages[kind] = message
            self._arrived[kind].set()

    def _on_report(self, message: Message) -> None:
        self._on_stats(message["stats"])
        self._gauges.append(gauges.row(message, WORKER) | self._core_use())
        if self._t0_ns and not self.over:
            self._view.show((message["t_ns"] - self._t0_ns) / 1e9, gauges.together([message]))

    def _processes(self) -> dict[str, int]:
        """Everything of the run on this machine, by the name it has in the record."""
        target = self._target.processes() if self._target else {}
        return target | {WORKER: self._sure_link().process.pid, "locust": os.getpid()}

    def _core_use(self) -> dict[str, float]:
        pid = (self._target.processes() if self._target else {}).get("core")
        if pid is None:
            return {}
        try:
            process = self._watched.setdefault(pid, psutil.Process(pid))
            return {"core_cpu": process.cpu_percent() / 100, "core_rss_mb": process.memory_info().rss / 2**20}
        except psutil.Error:
            return {}

    def _on_end(self) -> None:
        self._arrived["ended"].set()

    def _require(self, kind: str, otherwise: str) -> Message:
        """The fleet's message of this kind, or an error with its last words."""
        if not self._wait_for(kind, ARMED_WITHIN_S):
            if self.failure is not None:
                raise self.failure
            if self.interrupted.is_set():
                raise Interrupted
            raise GeneratorFailed(f"{otherwise}: {self._last_words()}")
        return self._messages[kind]

    def _wait_for(self, kind: str, seconds: float) -> bool:
        """Did the message come in time? Nobody waits for a fleet that ended, or for one that the user gave up."""
        deadline = time.monotonic() + seconds
        while not self._arrived[kind].wait(TICK_S):
            given_up = kind in ("hello", "armed", "targeted") and self.interrupted.is_set()
            if given_up or self._arrived["ended"].is_set() or time.monotonic() > deadline:
                break
        return kind in self._messages

    def _last_words(self) -> str:
        log = self.rundir / "fleet.log" if self.rundir else None
        lines = log.read_text("utf-8", errors="replace").strip().splitlines() if log and log.exists() else []
        return f"{lines[-1]} (see {log})" if lines else "it said nothing"

    def _sure_link(self) -> FleetLink:
        if self._link is None:
            raise GeneratorFailed("the fleet was not started")
        return self._link

    def _conclude(self, ending: Ending, target: targets.Target) -> int:
        bye, hello = self._messages.get("bye"), self._messages.get("hello", {})
        audit = ending.audit(target, self.run, self._gauges)
        self._manifest |= {
            "audit": audit,
            "finished": "failed" if self.failure else "whole" if self._whole else "interrupted",
            "anchors": [{"process": WORKER, **hello["anchor"]}] if "anchor" in hello else [],
            "workers": [
                {"name": WORKER, "rows": bye["rows"] if bye else 0, "lost": bye is None},
                {"name": "suite", "rows": audit["rows"], "lost": False},
            ],
            "notes": [str(self.failure)] if self.failure else [],
        }
        ending.write_manifest(self._manifest)
        target.stop()
        self._view.stop()
        code = ending.judge()
        if self.failure is not None:
            complain(str(self.failure))
            return self.failure.exit_code
        return 130 if self.interrupted.is_set() else code
