"""No platform at all: a stand-in that carries any load, so that what is measured is the generator."""

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from chatload.accounts import MESSENGERS, channel_of
from chatload.errors import BadOption, TargetFailed
from chatload.host import LOOPBACK
from chatload.process import as_child, free_port
from chatload.scenario import Scenario
from chatload.targets.port import Target
from chatload.targets.rest import Admin, Unanswered

READY_WITHIN_S: Final = 30.0
STOPS_WITHIN_S: Final = 5.0
TOKEN: Final = "0:null"  # it guards nothing
KEYS: Final = {"token": TOKEN, "webhook_secret": "null", "sender": "1", "verify_token": "null"}


class Null(Target):
    """Starts `python -m chatload.targets.nullserver`; shows nothing that a guarantee could be judged by."""

    name: ClassVar[str] = "null"
    observes: ClassVar[tuple[str, ...]] = ()
    can_restart: ClassVar[bool] = False
    command: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "chatload.targets.nullserver")

    def __init__(
        self,
        scenario: Scenario,
        speed: float,
        log: Path,
        *,
        port: int | None = None,
        cpus: list[int] | None = None,
        host: str = LOOPBACK,
    ) -> None:
        """`log` receives what the process complains of; it listens at `host`."""
        super().__init__()
        if scenario.channels.calls() is not None:
            raise BadOption("--target", self.name, "it answers no calls; leave channels.phone out of the scenario")
        self._host, self._port = host, free_port(port, host) if port else 0
        self._scenario, self._speed, self._log, self._cpus = scenario, speed, log, cpus or []
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: dict[str, str] = {}
        self._callbacks: dict[str, str] = {}

    def wire(self) -> dict[str, Any]:
        """Where it listens; HTTP and sockets apart."""
        return {**self._listening, "accounts": {name: _keys(name) for name in self._callbacks}}

    def start(self, callbacks: Mapping[str, str]) -> None:
        """Bring it up."""
        self._callbacks = {name: url for name, url in callbacks.items() if channel_of(name)}  # its bot is its own
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command, json.dumps(self._config())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                preexec_fn=as_child(self._cpus),  # noqa: PLW1509 - whoever starts a target starts no threads
            )
        self._listening = json.loads(self._first_line(self._process))

    def add_operators(self, seats: list[int]) -> None:
        """Nothing: everybody is known."""

    def tend(self) -> None:
        """It keeps nothing, so one that ended is the end of the run."""
        if self._process is not None and self._process.poll() is not None:
            code, self._process = self._process.returncode, None
            raise TargetFailed(f"the null target ended with {code}: {self._last_words()}")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """It cannot."""
        raise TargetFailed("the null target stores nothing and cannot be restarted")

    def at_rest(self) -> bool:
        """No reply on its way to a messenger."""
        if self._process is None:
            return True
        with Admin(self._listening["url"], "") as admin:
            try:
                return not admin.get("/v1/state")["unsettled"]
            except Unanswered:
                return False

    def auditor(self) -> dict[str, Any]:
        """Nobody can audit what is not stored."""
        raise TargetFailed("the null target stores nothing and cannot be audited")

    def processes(self) -> dict[str, int]:
        """Its process id, while it runs."""
        return {"core": self._process.pid} if self._process is not None and self._process.poll() is None else {}

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _config(self) -> dict[str, Any]:
        played, bot = self._scenario.channels.played(), self._scenario.bot
        return {
            "host": self._host,
            "port": self._port,
            "inactivity_s": self._scenario.timers.inactivity / self._speed / 1000,
            "slots": self._scenario.operators.slots,
            "bots": [channel for channel, settings in played.items() if settings.bot],
            "handover": bot.handover,
            "answer": bot.answers[0].text if bot.answers else "",
            "messengers": {name: {"url": url, "keys": _keys(name)} for name, url in self._callbacks.items()},
        }

    def _first_line(self, process: "subprocess.Popen[bytes]") -> bytes:
        """What it says once it listens."""
        assert process.stdout is not None, "it was started with a pipe"
        with process.stdout as stdout:
            ready, _, _ = select.select([stdout], [], [], READY_WITHIN_S)
            line = stdout.readline() if ready else b""
        if not line:
            self.stop()
            raise TargetFailed(f"the null target did not come up: {self._last_words()}")
        return line

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'it said nothing'} (see {self._log})"


def _keys(name: str) -> dict[str, str]:
    """Those of an account; mails find theirs by its name before the host."""
    host = MESSENGERS[channel_of(name)].host
    return KEYS | ({"sender": f"{name}{host}"} if host else {})
