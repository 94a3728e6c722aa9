"""Temporary directories with their owner's name in them: what a killed process left, the next one removes."""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

import psutil

OWNER: Final = "owner"
_NAMESPACE: Final = Path("/proc/self/ns/pid")


def make(prefix: str) -> Path:
    """A new temporary directory of this process; those of dead processes with the same `prefix` go first."""
    clear(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    (folder / OWNER).write_text(f"{os.getpid()} {_namespace()}")
    return folder


def clear(prefix: str) -> None:
    """Remove our user's temporary directories of this `prefix` whose owner does not live any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if _is_ours(folder) and _is_orphaned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:  # somebody else was quicker
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_orphaned(folder: Path) -> bool:
    """Whether the owner is known and gone; a number means nothing where processes are numbered apart from ours."""
    try:
        pid, _, namespace = (folder / OWNER).read_text().partition(" ")
    except (OSError, ValueError):  # not written yet, or not ours to read
        return False
    return pid.isdecimal() and namespace == _namespace() and not psutil.pid_exists(int(pid))


def _namespace() -> str:
    """Which numbering of processes ours belongs to: a container's, or the machine's."""
    return str(_NAMESPACE.readlink()) if _NAMESPACE.is_symlink() else ""
