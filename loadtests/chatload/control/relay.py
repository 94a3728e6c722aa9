"""A Locust worker's side: its own fleet on a pipe, and Locust's messages to the master, who steers it."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.lock import Semaphore
from locust.env import Environment
from locust.runners import WorkerRunner

from chatload import host, scratch
from chatload.control.link import FLEET, FleetLink, Message
from chatload.control.remote import DOWN, UP
from chatload.control.seats import Numbers, OperatorSeat
from chatload.process import die_with_parent, give_way
from chatload.run.arrivals import pieces

IN_FLIGHT: Final = 4  # pieces of the ledger on their way to the master


class Relay:
    """Plays what the master says, one run after the other.

    A worker that sees the master's run directory records into it; another records into a temporary one, and sends the
    ledger's parts once the fleet has closed it.
    """

    def __init__(self, environment: Environment, runner: WorkerRunner, fleet: Sequence[str] = FLEET) -> None:
        self._runner, self._fleet = runner, fleet
        self._run = ""
        self._link: FleetLink | None = None
        self._numbers = Numbers()
        self._listens = host.LOOPBACK
        self._temporary: Path | None = None
        self._window = Semaphore(IN_FLIGHT)
        OperatorSeat.desks[environment] = self
        runner.register_message(DOWN, self._told)
        events: Any = environment.events  # Locust's hooks are untyped
        events.quitting.add_listener(self._on_quitting)

    def take_seat(self) -> int:
        """The seat is the master's to log on: it knows which operators the target knows."""
        number = self._numbers.take()
        self._say({"is": "wants", "n": number, "on": True})
        return number

    def leave_seat(self, number: int) -> None:
        """And the master's to log off."""
        self._numbers.leave(number)
        self._say({"is": "wants", "n": number, "on": False})

    def close(self) -> None:
        """End the fleet. May be called at any time, and twice."""
        link, self._link = self._link, None
        if link is not None:
            link.close()
        folder, self._temporary = self._temporary, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _told(self, environment: Any, msg: Any, **_: Any) -> None:
        message: Message = msg.data
        run = message.pop("run")
        if message["do"] == "enlist":
            self.close()
            self._run = run
            self._enlist(message)
        elif run == self._run:
            self._obey(message)

    def _obey(self, message: Message) -> None:
        match message["do"]:
            case "ping":
                self._say({"is": "pong", "at_ns": time.monotonic_ns()})
            case "took":
                self._window.release()
            case "dismiss":
                gevent.spawn(self.close)
            case "arm":
                own = {"host": self._listens} | ({"rundir": str(self._temporary)} if self._temporary else {})
                self._pass_on({"do": "arm", "config": message["config"] | own})
            case _:
                self._pass_on(message)

    def _enlist(self, message: Message) -> None:
        here = message["machine"] == host.machine()
        near = message["network"] == host.network()
        self._numbers = Numbers(message["index"], message["count"])
        self._listens = host.LOOPBACK if near else host.address_towards(self._runner.master_host)
        log = Path(message["log"])
        if not _is_the_masters(Path(message["mark"]), message["nonce"]):
            self._temporary = scratch.make("chatload-ledger-")
            log = self._temporary / log.name
        self._window = Semaphore(IN_FLIGHT)
        run = self._run
        self._link = FleetLink(
            log,
            lambda message: self._passed_up(run, message),
            lambda words: self._say({"is": "ended", "words": words}, run),
            cpus=message["cpus"] if here else [],
            command=self._fleet,
        )

    def _passed_up(self, run: str, message: Message) -> None:
        if message["is"] == "hello":
            message |= {
                "host": socket.gethostname(), "worker_pid": os.getpid(), "machine": host.machine(),
                "clock": host.clock(), "network": host.network(),
            }  # fmt: skip
        elif message["is"] == "bye" and self._temporary is not None:
            self._send_ledger(self._temporary / "ledger", run)
        self._say(message, run)

    def _send_ledger(self, folder: Path, run: str) -> None:
        for path in sorted(folder.glob("*.parquet")):
            for piece in pieces(path):
                self._window.acquire()
                self._say({"is": "part", **piece}, run)

    def _pass_on(self, message: Message) -> None:
        if self._link is not None:
            self._link.pass_on(message)

    def _say(self, message: Message, run: str | None = None) -> None:
        self._runner.send_message(UP, {"run": self._run if run is None else run, **message})

    def _on_quitting(self, environment: Environment, **_: Any) -> None:
        if self._link is not None:
            self._say({"is": "ended", "words": "its worker was stopped"})
        self.close()
        environment.process_exit_code = environment.process_exit_code or 0


def become_child() -> None:
    """As a worker that its master started: leave Ctrl-C to it, give way to whoever computes, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGTERM)
    give_way()


def _is_the_masters(mark: Path, nonce: str) -> bool:
    """Whether the master's run directory is here, and ours to write to."""
    try:
        return mark.read_text() == nonce and os.access(mark.parent / "ledger", os.W_OK)
    except OSError:
        return False
