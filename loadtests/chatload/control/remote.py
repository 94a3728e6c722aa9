"""The master's side of workers in other processes, here or on other machines: Locust's messages instead of a pipe."""

import secrets
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, Final

import gevent
from locust.dispatch import UsersDispatcher
from locust.runners import MasterRunner

from chatload import host
from chatload.console import tell
from chatload.errors import TooFewWorkers
from chatload.run.crew import Message, Open, Place

DOWN: Final = "chat_down"
UP: Final = "chat_up"
MARK: Final = ".here"


class RemoteLink:
    """A fleet in another process, reached through the relay of a Locust worker."""

    def __init__(
        self,
        muster: "Muster",
        client_id: str,
        place: Place,
        on_message: Callable[[Message], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.client_id, self.on_end = client_id, on_end
        self._muster, self._run, self._on_message = muster, place.run, on_message
        self._mark = place.rundir / f"{MARK}-{place.name}"
        self._hello: Message = {}
        nonce = secrets.token_hex(16)
        self._mark.write_text(nonce)
        self.send(
            "enlist", index=place.index, count=place.count, log=str(place.log), mark=str(self._mark), nonce=nonce,
            cpus=place.cpus, machine=host.machine(), network=host.network(),
        )  # fmt: skip

    def send(self, do: str, **rest: Any) -> None:
        """By Locust's message; lost without an error if the worker is gone."""
        self._muster.runner.send_message(DOWN, {"run": self._run, "do": do, **rest}, self.client_id)

    def heard(self, message: Message) -> None:
        """Take a message of the worker's; one of an earlier run is dropped."""
        if message.pop("run") != self._run:
            return
        if message["is"] == "hello":
            self._hello = message
            self._mark.unlink(missing_ok=True)
        if message["is"] == "ended":
            self.on_end(message["words"])
        else:
            self._on_message(message)

    def close(self) -> None:
        """The worker ends the fleet and stays for the next run."""
        self._mark.unlink(missing_ok=True)
        self.send("dismiss")

    def processes(self) -> list[int]:
        """The fleet and its worker, if they are on this machine."""
        here = self._hello.get("machine") == host.machine()
        return [self._hello["pid"], self._hello["worker_pid"]] if here else []

    @property
    def worker_pid(self) -> int:
        """The worker's process id, on whatever machine; -1 as long as nothing was heard of it."""
        pid: int = self._hello.get("worker_pid", -1)
        return pid


class Muster:
    """Which workers play the next run: those that are ready when it starts, by the order of their ids.

    `expected`: how many there have to be. A run keeps its workers: who joins later plays in the next one, and the
    seats of a lost one stay empty.
    """

    def __init__(self, runner: MasterRunner, expected: int) -> None:
        self.runner, self._expected = runner, expected
        self._links: dict[str, RemoteLink] = {}
        self._dispatcher: UsersDispatcher | None = None
        self._running = False
        runner.register_message(UP, self._heard)
        runner.environment.dispatcher_class = self._dispatcher_of_the_run  # type: ignore[assignment]  # called only
        events: Any = runner.environment.events  # Locust's hooks are untyped
        events.worker_connect.add_listener(self._joined)

    def opens(self) -> list[Open]:
        """How to reach the fleet of each.

        Raises:
            TooFewWorkers: fewer are ready than expected.
        """
        clients = self.runner.clients
        ready = sorted(node.id for node in [*clients.ready, *clients.spawning, *clients.running])
        if len(ready) < self._expected:
            raise TooFewWorkers(len(ready), self._expected)
        self._links, self._running = {}, True
        return [self._open(client_id) for client_id in ready]

    def dismiss(self) -> None:
        """The run is over."""
        self._running, self._dispatcher = False, None

    def watch(self, child: "subprocess.Popen[bytes]") -> None:
        """Notice when a worker that we started ends."""
        gevent.spawn(self._watch, child)

    def _open(self, client_id: str) -> Open:
        def open_link(place: Place, on_message: Callable[[Message], None], on_end: Callable[[str], None]) -> RemoteLink:
            link = self._links[client_id] = RemoteLink(self, client_id, place, on_message, on_end)
            return link

        return open_link

    def _heard(self, environment: Any, msg: Any, **_: Any) -> None:
        link = self._links.get(msg.node_id)
        if link is not None:
            link.heard(msg.data)

    def _watch(self, child: "subprocess.Popen[bytes]") -> None:
        code = child.wait()
        for link in self._links.values():
            if link.worker_pid == child.pid:
                link.on_end(f"its worker ended with {code}")

    def _joined(self, client_id: str, **_: Any) -> None:
        if self._running and client_id not in self._links:
            tell(f"{client_id} has joined too late for this run, and plays in the next one")

    def _dispatcher_of_the_run(self, worker_nodes: Sequence[Any], user_classes: list[Any]) -> UsersDispatcher:
        if self._dispatcher is None or not self._running:
            self._dispatcher = KeepsWorkers(list(worker_nodes), user_classes)
        return self._dispatcher


class KeepsWorkers(UsersDispatcher):
    """Gives no seat of one worker to another: Locust would log operators off and on in the middle of a run."""

    def add_worker(self, worker_node: Any) -> None:
        """Who comes later gets none."""

    def remove_worker(self, worker_node: Any) -> None:
        """Nobody gets those of who is gone."""
