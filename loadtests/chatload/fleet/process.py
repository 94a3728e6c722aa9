"""The fleet as a process of its own, steered over a pipe of JSON lines. It never imports locust or gevent.

Down, in this order:

    {"do": "arm", "config": {...}}           see `fleet.Config`; answered by "armed" with the "callbacks", the
                                             URLs of the simulated messengers by account: the platform, which must
                                             call them, is started then
    {"do": "target", "wire": {"url": "http://127.0.0.1:8080", "secret": "...",
                              "accounts": {"tg": {"token": "...", "webhook_secret": "..."}}}}
                                             where the platform listens; before the first seat. Answered by "targeted".
                                             `go` may carry the same "wire" instead when no seats are played here.
    {"do": "seat", "n": 17, "on": true}      answered by "seated" once the platform has taken note
    {"do": "go", "t0_ns": 123}               t0 on the monotonic clock; ramp dialogs start before it
    {"do": "drain", "deadline_s": 20}        no new dialogs; answered by "drained"; seats go on meanwhile
    {"do": "finish"}                         the ledger is written; answered by "bye", and the process ends

Up: "hello" at once, "report" every second from "armed" on, and "error" with a text whenever something broke that makes
the run worthless (the process goes on, so that the ledger is kept). The end of the pipe and SIGTERM are a "finish";
SIGINT is ignored, for it belongs to whoever steers.

Exit codes: 0 after a finish; 1 if the ledger could not be written or something broke; 2 for a config that is not valid.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from typing import Any, Final

import msgspec

from chatload.fleet.clock import now_ns
from chatload.fleet.fleet import Config, Fleet
from chatload.fleet.pipe import Pipe
from chatload.fleet.world import Target
from chatload.process import die_with_parent

EXIT_BROKEN: Final = 1
EXIT_BAD_CONFIG: Final = 2
REPORT_NS: Final = 1_000_000_000
SWITCH_S: Final = 0.0005  # how long the ledger's thread may hold the interpreter while the loop waits for it
GC_THRESHOLD: Final = 10_000


class BadConfig(Exception):
    """The fleet cannot be armed with this."""


class Process:
    """Carries out what the pipe says, one message after the other; only a drain runs beside."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._fleet: Fleet | None = None
        self._epoch = 1
        self._draining: asyncio.Task[None] | None = None
        self._report_ns = 0
        self.broken = False

    async def run(self) -> int:
        """Until finish, the end of the pipe or SIGTERM; returns the exit code."""
        wall_ns, monotonic_ns = time.time_ns(), now_ns()
        anchor = {"wall_ns": wall_ns, "monotonic_ns": monotonic_ns}
        self._pipe.send({"is": "hello", "pid": os.getpid(), "anchor": anchor})
        try:
            while (message := await self._pipe.receive()) is not None and message.get("do") != "finish":
                await self._do(message)
        except BadConfig as error:
            self.error(str(error))
            return EXIT_BAD_CONFIG
        await self._finish()
        return EXIT_BROKEN if self.broken else 0

    def error(self, text: str) -> None:
        """Tell whoever steers that the run is worthless."""
        self.broken = True
        self._pipe.send({"is": "error", "text": text})

    async def _do(self, message: dict[str, Any]) -> None:
        try:
            match message:
                case {"do": "arm", "config": config}:
                    await self._arm(config)
                case {"do": "target", "wire": wire}:
                    await self._armed().aim(msgspec.convert(wire, Target))
                    self._pipe.send({"is": "targeted"})
                case {"do": "seat", "n": int(n), "on": bool(on)}:
                    self._armed().seat(n, on)
                case {"do": "go", "t0_ns": int(t0_ns), **rest}:
                    await self._go(t0_ns, rest.get("wire"))
                case {"do": "drain", "deadline_s": int() | float() as deadline_s}:
                    self._draining = asyncio.get_running_loop().create_task(self._drain(deadline_s))
                case _:
                    self.error(f"not understood: {str(message)[:200]}")
        except ValueError as error:  # out of order, or values of the wrong type
            self.error(f"{message.get('do')}: {error}")

    def _armed(self) -> Fleet:
        if self._fleet is None:
            raise ValueError("the fleet is not armed yet: send arm first")
        return self._fleet

    async def _arm(self, raw: Any) -> None:
        try:
            config = msgspec.convert(raw, Config)
            fleet = self._fleet = Fleet(config, self._seated)
        except (ValueError, OSError) as error:
            raise BadConfig(f"arm: {error}") from error
        self._epoch = config.epoch
        callbacks = await fleet.arm()
        provider = {channel: msgspec.structs.asdict(settings) for channel, settings in fleet.settings.items()}
        self._pipe.send({"is": "armed", "dialogs": len(fleet.dialogs), "callbacks": callbacks, "provider": provider})
        self._report_ns = now_ns()
        self._report()

    async def _go(self, t0_ns: int, wire: dict[str, Any] | None) -> None:
        if wire is not None:
            await self._armed().aim(msgspec.convert(wire, Target))
        self._armed().go(t0_ns)

    async def _drain(self, deadline_s: float) -> None:
        clean, unsent = await self._armed().drain(deadline_s)
        self._pipe.send({"is": "drained", "clean": clean, "unsent": unsent})

    async def _finish(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        rows = 0
        if self._fleet is not None:
            self._send_report(self._fleet)
            try:
                rows = await self._fleet.finish()
            except OSError as error:
                self.error(f"the ledger could not be written: {error}")
        self._pipe.send({"is": "bye", "rows": rows})

    def _seated(self, n: int, on: bool) -> None:
        self._pipe.send({"is": "seated", "n": n, "on": on})

    def _report(self) -> None:
        fleet = self._armed()
        try:
            fleet.recorder.check()
        except OSError as error:
            self.error(f"the ledger could not be written: {error}")
        self._send_report(fleet)
        self._report_ns += REPORT_NS
        fleet.clock.at(self._report_ns, self._report)

    def _send_report(self, fleet: Fleet) -> None:
        stats, gauges, histograms = fleet.tally.report()
        found = {"stats": stats, "gauges": gauges, "histograms": histograms}
        self._pipe.send({"is": "report", "epoch": self._epoch, "t_ns": now_ns(), **found})


async def main(fd_in: int, fd_out: int) -> int:
    """Serve the pipe until it ends; returns the exit code."""
    if "gevent" in sys.modules or "locust" in sys.modules:
        raise RuntimeError("gevent has patched this process: start the fleet as a process of its own")
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(GC_THRESHOLD)
    loop = asyncio.get_running_loop()
    pipe = Pipe(fd_in, fd_out)
    process = Process(pipe)
    loop.add_signal_handler(signal.SIGTERM, pipe.end)
    loop.set_exception_handler(lambda loop, context: _unhandled(process, loop, context))
    code = await process.run()
    pipe.flush()
    return code


def _unhandled(process: Process, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception that nobody caught is our own fault: shown in full, and the run is worthless."""
    loop.default_exception_handler(context)
    process.error(f"{context.get('message')}: {context.get('exception')!r}")
