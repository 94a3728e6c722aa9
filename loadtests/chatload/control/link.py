"""The pipe to a fleet process: JSON lines down and up, without ever blocking Locust's loop."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.fileobject import FileObject
from gevent.queue import Queue

from chatload.process import as_child

FLEET: Final = (sys.executable, "-m", "chatload.fleet")
ENDS_WITHIN_S: Final = 5.0

Message = dict[str, Any]


class FleetLink:
    """A fleet process and the two pipes to it.

    The fleet is exec'd, never forked: Locust has patched this process for gevent and the fleet runs on uvloop. Every
    message up goes to `on_message` in order; the end of the pipe goes to `on_end` exactly once, with the last words.
    """

    def __init__(
        self,
        log: Path,
        on_message: Callable[[Message], None],
        on_end: Callable[[str], None],
        *,
        cpus: list[int] | None = None,
        command: Sequence[str] = FLEET,
    ) -> None:
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*command, "--in", str(down_read), "--out", str(up_write)],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=(down_read, up_write),
                start_new_session=True,
                preexec_fn=as_child(cpus or [], signal.SIGTERM),  # noqa: PLW1509 - this process starts no threads
            )
        os.close(down_read)
        os.close(up_write)
        self._log = log
        self._on_message, self._on_end = on_message, on_end
        self._down = FileObject(down_write, "wb", 0)
        self._up = FileObject(up_read, "rb", 1 << 16)
        self._outgoing: Queue[bytes | None] = Queue()
        self._writer = gevent.spawn(self._write)
        self._reader = gevent.spawn(self._read)

    def send(self, do: str, **rest: Any) -> None:
        """Queue a message; it is lost without an error if the fleet is gone, which `on_end` tells."""
        self.pass_on({"do": do, **rest})

    def pass_on(self, message: Message) -> None:
        """The same with a message that says itself what to do."""
        self._outgoing.put(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Let the fleet end (the end of its control pipe tells it to), then make it. May be called twice."""
        self._outgoing.put(None)
        try:
            self.process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._writer.join(1)
        self._reader.join(1)

    def processes(self) -> list[int]:
        """The fleet's process id, while it runs."""
        return [self.process.pid] if self.process.poll() is None else []

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return f"{lines[-1]} (see {self._log})" if lines else "it said nothing"

    def _write(self) -> None:
        try:
            for line in iter(self._outgoing.get, None):
                self._down.write(line)
            self._down.close()
        except OSError:  # it is gone; the reader notices, too
            return

    def _read(self) -> None:
        try:
            for line in self._up:
                self._on_message(json.loads(line))
        except (OSError, ValueError):
            self.process.kill()
        finally:
            self._up.close()
            self._on_end(self._last_words())
