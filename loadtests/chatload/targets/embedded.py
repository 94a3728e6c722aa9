"""The reference core as a process of its own, on this machine, with its data in a directory that ends with the run."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from chatload import scratch
from chatload.accounts import channel_of
from chatload.errors import BadOption, CoreRefused, TargetFailed
from chatload.host import LOOPBACK
from chatload.process import as_child, free_port
from chatload.scenario import Scenario
from chatload.targets import tokens
from chatload.targets.configuration import PARTITIONS, answered, configuration, new_keys, variable
from chatload.targets.port import Fault, Target, Verb
from chatload.targets.rest import Admin, Unanswered

TEMPORARY: Final = "chatload-core-"
READY_WITHIN_S: Final = 30.0
STOPS_WITHIN_S: Final = 10.0
POLLED_EVERY_S: Final = 0.02
SEATS_AT_ONCE: Final = 500
USERS_MISTAKE: Final = 2
"""The core's exit code when what it was given is at fault; its last line says what."""


class Embedded(Target):
    """Starts, supervises, kills and restarts `python -m chatcore`.

    It is asked for one core at a time: the same port and data directory over every restart, a new secret every run.
    """

    name: ClassVar[str] = "embedded"
    observes: ClassVar[tuple[str, ...]] = tuple(f"G{number}" for number in range(1, 13))
    can_restart: ClassVar[bool] = True
    command: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "chatcore")
    kill_signal: ClassVar[signal.Signals] = signal.SIGKILL
    snapshot_every: ClassVar[int] = 20_000

    def __init__(
        self,
        scenario: Scenario,
        speed: float,
        log: Path,
        *,
        port: int | None = None,
        cpus: list[int] | None = None,
        data: Path | None = None,
        host: str = LOOPBACK,
    ) -> None:
        """`log` receives what the core writes; `data` keeps its journal (default: temporary); it listens at `host`."""
        super().__init__()
        self._host, self._port = host, free_port(port, host)
        self._smtp_port = free_port(host=host)
        self.url = f"http://{host}:{self._port}"
        self._scenario, self._speed, self._log, self._cpus = scenario, speed, log, cpus or []
        self._temporary = scratch.make(TEMPORARY)
        self._data = data or self._temporary / "data"
        self._secret, self._bot_token = secrets.token_hex(16), secrets.token_hex(16)
        self._bank_token = secrets.token_hex(16) if scenario.authentication is not None else ""
        self._keys: dict[str, dict[str, str]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def wire(self) -> dict[str, Any]:
        """Where it listens, and with which secrets."""
        mail = f"smtp://{self._host}:{self._smtp_port}"
        return {
            "url": self.url,
            "mail": mail,
            "secret": self._secret,
            "accounts": self._keys,
            "bot_token": self._bot_token,
            "bank_token": self._bank_token,
        }

    def start(self, callbacks: Mapping[str, str]) -> None:
        """Write the configuration and bring the core up."""
        self._keys = {name: new_keys(name) for name in callbacks if channel_of(name)}
        try:
            self._data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadOption("--data", self._data, f"cannot be made ({error.strerror})") from error
        self._answers().write_text(json.dumps(self._answered(), ensure_ascii=False))
        self._config().write_text(json.dumps(self._configured(callbacks), ensure_ascii=False, indent=1))
        self._wanted = True
        self._launch()

    def add_operators(self, seats: list[int]) -> None:
        """Through REST, as an administrator would."""
        people = self._scenario.operators
        with self._admin() as admin:
            for first in range(0, len(seats), SEATS_AT_ONCE):
                block = seats[first : first + SEATS_AT_ONCE]
                some = [{"id": f"o{seat}", "slots": people.slots, **people.team(seat).model_dump()} for seat in block]
                try:
                    admin.post("/v1/operators", {"operators": some})
                except Unanswered as error:
                    raise TargetFailed(f"the core did not add the operators: {error}") from error

    def tend(self) -> None:
        """A core that ended by itself (70 after a failed commit, or killed by somebody) starts again."""
        if self._wanted and self._process is not None and self._process.poll() is not None:
            self._record("kill", time.monotonic_ns())
            self.restart()

    def kill(self) -> None:
        """SIGKILL, unless the tests have something worse."""
        started_ns = time.monotonic_ns()
        self._wanted = False
        self._end(self.kill_signal)
        self._record("kill", started_ns)

    def restart(self) -> None:
        """On the same port and data."""
        started_ns = time.monotonic_ns()
        self._wanted = True
        self._launch()
        self._record("restart", started_ns)

    def at_rest(self) -> bool:
        """No outbound message without its final state."""
        with self._admin() as admin:
            try:
                return not admin.get("/v1/state").get("unsettled")
            except Unanswered:  # on its way up again
                return False

    def auditor(self) -> dict[str, Any]:
        """The address, a token, and how many partitions to read."""
        return {"url": self.url, "token": tokens.make(self._secret, "auditor", "chatload"), "partitions": PARTITIONS}

    def token(self, role: tokens.Role, subject: str) -> str:
        """A token for trying it out."""
        return tokens.make(self._secret, role, subject)

    def processes(self) -> dict[str, int]:
        """The core's process id, while it runs."""
        return {"core": self._process.pid} if self._process is not None and self._process.poll() is None else {}

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; the temporary directory goes."""
        self._wanted = False
        self._end(signal.SIGTERM)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _record(self, verb: Verb, started_ns: int) -> None:
        self.faults.append(Fault(verb, started_ns, time.monotonic_ns()))

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _launch(self) -> None:
        """Start the process and wait until it says ready."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        secrets_in_environment = {"CHATCORE_SECRET": self._secret, "CHATCORE_BOT": self._bot_token}
        if self._bank_token:
            secrets_in_environment["CHATCORE_BANK"] = self._bank_token
        for name, keys in self._keys.items():
            secrets_in_environment |= {variable(name, what): secret for what, secret in keys.items()}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command, "--config", str(self._config())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **secrets_in_environment},
                start_new_session=True,
                preexec_fn=as_child(self._cpus),  # noqa: PLW1509 - whoever starts a core starts no threads
            )
        self._await_ready(self._process)

    def _await_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        with self._admin() as admin:
            while True:
                try:
                    admin.get("/healthz")
                    return
                except Unanswered as error:
                    if process.poll() is not None:
                        raise self._ended(process.returncode) from error
                    if time.monotonic() > deadline:
                        why = f"the core was not ready within {READY_WITHIN_S:g} s: {self._last_words()}"
                        raise TargetFailed(f"{why} (see {self._log})") from error
                time.sleep(POLLED_EVERY_S)

    def _ended(self, code: int) -> CoreRefused | TargetFailed:
        words = self._last_words()
        if code == USERS_MISTAKE:
            return CoreRefused(words.removeprefix("chatcore: "))
        return TargetFailed(f"the core ended with {code}: {words} (see {self._log})")

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _admin(self) -> Admin:
        return Admin(self.url, tokens.make(self._secret, "admin", "chatload"))

    def _configured(self, callbacks: Mapping[str, str]) -> dict[str, Any]:
        where = {
            "host": self._host,
            "port": self._port,
            "smtp_port": self._smtp_port,
            "data": str(self._data),
            "answers": str(self._answers()),
            "snapshot_every": self.snapshot_every,
        }
        told = configuration(self._scenario, self._speed, self._keys, callbacks)
        if self._host != LOOPBACK:
            told.pop("limits", None)  # strangers have no address of their own there
        return where | told

    def _answered(self) -> dict[str, Any]:
        return answered(self._scenario, self._speed)

    def _config(self) -> Path:
        return self._temporary / "chatcore.json"

    def _answers(self) -> Path:
        return self._temporary / "answers.json"
