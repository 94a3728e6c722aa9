"""The end of a run: one more kill -9, the audit, the manifest, the verdict."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from chatload.errors import ChatloadError
from chatload.process import as_child
from chatload.targets import Target
from chatreport.rundir import write_manifest

UNTRUSTED = 3


class Ending:
    """Ends one run in processes of its own; `close` ends those, too."""

    judging: ClassVar = "judge"

    def __init__(self, rundir: Path) -> None:
        self._rundir = rundir
        self._children: list[subprocess.Popen[bytes]] = []

    def audit(self, target: Target, run: str, gauges: list[dict[str, Any]], shifts: dict[str, int]) -> dict[str, Any]:
        """Have the auditor read what the target stored, after one more kill -9; what the manifest says about it.

        `shifts`: by how many ns the clock that a worker recorded by runs ahead of ours.
        """
        unreachable = self._last_kill(target)
        task = {
            "rundir": str(self._rundir),
            "run": run,
            "auditor": None if unreachable else target.auditor(),
            "faults": [list(fault) for fault in target.faults],
            "gauges": gauges,
            "shifts": shifts,
        }
        child = self._start(["chatload.run.collect"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, _ = child.communicate(json.dumps(task).encode())
        try:
            answer: dict[str, Any] = json.loads(out)
        except ValueError:
            answer = {"read": False, "rows": 0, "reason": f"the auditor ended with {child.returncode}"}
        return answer | {"restarted": not unreachable} | ({"reason": unreachable} if unreachable else {})

    def write_manifest(self, known: dict[str, Any]) -> None:
        """The manifest, complete whatever did not happen."""
        now_ns = time.monotonic_ns()
        anchor = {"process": "suite", "wall_ns": time.time_ns(), "monotonic_ns": now_ns}
        never = {
            "t0_ns": now_ns, "end_ns": now_ns, "drained_ns": now_ns,
            "drain": {"clean": False, "deadline_s": 0, "unsent": -1},
        }  # fmt: skip
        write_manifest(self._rundir, never | known | {"anchors": [anchor, *known.get("anchors", [])]})

    def judge(self) -> int:
        """Judge and draw; the exit code. A judge that crashed has decided nothing."""
        sys.stdout.flush()
        code = self._start(["chatreport", self.judging, str(self._rundir)]).wait()
        return code if (self._rundir / "verdict.json").exists() else UNTRUSTED

    def processes(self) -> list[int]:
        """What still runs."""
        return [child.pid for child in self._children if child.poll() is None]

    def close(self) -> None:
        """End it. May be called twice."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.wait()

    def _last_kill(self, target: Target) -> str:
        """Kill and restart; why that failed, or nothing."""
        if not target.can_restart:
            return "the target cannot be restarted"
        try:
            target.kill()
            target.restart()
        except ChatloadError as error:
            return str(error)
        return ""

    def _start(self, module: list[str], **pipes: Any) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", *module]
        child = subprocess.Popen(
            command,
            start_new_session=True,
            preexec_fn=as_child([]),  # noqa: PLW1509 - this process starts no threads
            **pipes,
        )
        self._children.append(child)
        return child
