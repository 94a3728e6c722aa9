"""Cores to test against: in this process over a journal that a test steers, or as a process that can be killed."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from chatcore.config import Config
from chatcore.edges.gateway import Gateway
from chatcore.journal.memory import Disk, MemoryJournal
from chatcore.journal.port import Done
from chatcore.runtime.core import Core
from chatcore.server import assemble, listening, run
from tests.chatcore.client import BOT_TOKEN, HOOK_SECRET, PATIENCE_S, SECRET, Client, eventually, until

LONG_MS = 600_000


def settings(**changes: Any) -> dict[str, Any]:
    """A configuration with a web account that has a bot, an app account without, and three operators."""
    return {
        "secret": SECRET,
        "port": 0,
        "operators": [{"id": f"o{n}", "slots": 2} for n in (1, 2, 3)],
        "accounts": [{"id": "web", "channel": "web", "bot": "keywords"}, {"id": "app", "channel": "app"}],
        "answers": str(Path(__file__).parent / "answers.json"),
        "timers_ms": {"offer": LONG_MS, "grace": LONG_MS, "inactivity": LONG_MS},
    } | changes


def telegram(api: str, **changes: Any) -> dict[str, Any]:
    """A Telegram account without a bot whose provider is at `api`; its limits are out of the way."""
    account = {"id": "tg", "channel": "telegram", "api": api, "token": BOT_TOKEN, "webhook_secret": HOOK_SECRET}
    return account | {"rate_per_s": 10_000.0, "chat_rate_per_s": 1_000.0, "burst": 100} | changes


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run an asynchronous test on uvloop, in bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scene()

    uvloop.run(bounded())


class Steered(MemoryJournal):
    """A journal whose logs can be held one by one, and that can crash."""

    def __init__(self, disk: Disk | None = None) -> None:
        super().__init__(disk)
        self._closed_logs: dict[str, list[tuple[Any, ...]]] = {}
        self._crashed = False

    def hold_log(self, log: str) -> None:
        self._closed_logs[log] = []

    def crash(self) -> None:
        self._crashed = True
        self.hold()

    def append(self, log: str, expected_position: int, epoch: int, records: Sequence[bytes], done: Done) -> None:
        if log in self._closed_logs:
            self._closed_logs[log].append((expected_position, epoch, records, done))
        elif not self._crashed:
            super().append(log, expected_position, epoch, records, done)

    async def close(self) -> None:
        if not self._crashed:
            await super().close()


class Inside:
    """A core in this process."""

    def __init__(self, gateway: Gateway, journal: Steered, client: Client, serving: asyncio.Task[None]) -> None:
        self.gateway = gateway
        self.serving = serving
        self.journal = journal
        self.client = client
        self.fatal: list[Exception] = []

    @property
    def core(self) -> Core:
        return self.gateway.core

    def states(self) -> dict[str, Any]:
        """Every machine's state, as its snapshot would have it; see `states`."""
        return states(self.core)

    async def crash(self) -> None:
        """End as after `kill -9`: what is not durable is lost, and nothing more is written."""
        self.journal.crash()
        self.serving.cancel()
        await asyncio.wait([self.serving])


def states(core: Core) -> dict[str, Any]:
    """Every machine's state without its clock, which also moves when nothing happens; contacts at rest stand apart."""
    found = {owner.log: msgspec.msgpack.decode(owner._state.dump(), strict=False)[1:] for owner in core.owners}
    for partition in core.partitions:
        contacts = partition.state.contacts
        found[partition.log].append([contacts[number] for number in contacts if number not in contacts.active])
    return found


@asynccontextmanager
async def inside(journal: Steered | None = None, *, wait: bool = True, **changes: Any) -> AsyncIterator[Inside]:
    """A core in this process, ready unless `wait` is off; it ends as after SIGTERM."""
    config = msgspec.convert(settings(journal="memory", **changes), Config)
    steered = Steered() if journal is None else journal
    fatal: list[Exception] = []
    gateway = assemble(config, steered, fatal.append)
    async with listening(gateway) as url, Client(url) as client:
        stop = asyncio.Event()
        serving = asyncio.create_task(run(gateway, stop))
        try:
            found = Inside(gateway, steered, client, serving)
            found.fatal = fatal
            if wait:
                await until(lambda: gateway.ready or serving.done())
            yield found
        finally:
            if fatal or not gateway.ready:
                serving.cancel()
            else:
                steered.release()
                stop.set()
            reading = asyncio.create_task(client.ended())  # a drain waits for peers that do not answer its close
            await asyncio.wait([serving], timeout=PATIENCE_S)
            reading.cancel()


@asynccontextmanager
async def restarting(disk: Disk, **changes: Any) -> AsyncIterator[Inside]:
    """A core in this process over a disk that outlives it."""
    async with inside(Steered(disk), **changes) as core:
        yield core


class Outside:
    """A core in a process of its own; `url` and `smtp` change when it starts again."""

    def __init__(self, folder: Path, module: str, changes: dict[str, Any]) -> None:
        self._module = module
        self._config = folder / "core.json"
        self._log = folder / "core.log"
        self._config.write_text(json.dumps(settings(data=str(folder / "data"), **changes)))
        self._process: asyncio.subprocess.Process | None = None
        self.url = self.smtp = ""

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def start(self, *, ready: bool = True, module: str | None = None) -> None:
        command = [sys.executable, "-m", module or self._module, "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=Path(__file__).parents[2]
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            told = json.loads(await self._process.stdout.readline())
            self.url, self.smtp = told["listening"], told.get("smtp", "")
            if ready:
                async with Client(self.url) as client:
                    await eventually(lambda: client.rest("GET", "/healthz"), lambda answer: answer[0] == 200)

    def log(self) -> list[str]:
        """What the processes wrote on standard error."""
        return self._log.read_text().splitlines()

    async def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Signal the process; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.ended()

    async def ended(self) -> int:
        """The exit code, once the process ends by itself."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@asynccontextmanager
async def running(folder: Path, module: str = "chatcore", **changes: Any) -> AsyncIterator[Outside]:
    """A core in a process of its own over SQLite in `folder`; killed at the end."""
    core = Outside(folder, module, changes)
    await core.start()
    try:
        yield core
    finally:
        await core.end()
