"""Judging and drawing again: the judge's own command, on a directory that must be one."""

import subprocess
import sys
from pathlib import Path

from chatload.process import as_child
from chatreport.rundir import ledger_parts, read_manifest


def again(verb: str, directory: Path) -> int:
    """Run `chatreport VERB` on `directory`; its exit code. `UnreadableRun` if it is no run directory."""
    read_manifest(directory)
    next(ledger_parts(directory))
    command = [sys.executable, "-m", "chatreport", verb, str(directory)]
    return subprocess.run(
        command,
        check=False,
        start_new_session=True,  # Ctrl-C is ours: we end it, and say one line
        preexec_fn=as_child([]),
    ).returncode
