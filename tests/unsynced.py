"""Power loss for a child process: what it wrote and did not flush is gone. How it works is said in unsynced.c.

shim = unsynced.build(tmp_path)
child = subprocess.Popen(command, env=os.environ | unsynced.environment(shim, folder))
...
unsynced.cut_power(child)      # SIGUSR2: the child undoes its unflushed writes below `folder` and dies of SIGKILL
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


def build(into: Path) -> Path:
    """The compiled shim. Without a C compiler the test is skipped, but in CI it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("no C compiler: install gcc, the tests of power loss need it")
        pytest.skip("no C compiler: the tests of power loss need gcc")
    shim = into / "unsynced.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(shim), str(SOURCE), "-ldl", "-lpthread"], check=True)
    return shim


def environment(
    shim: Path,
    folder: Path,
    *,
    keep_seed: int | None = None,
    die_at: int | None = None,
    fail_sync_at: int | None = None,
) -> dict[str, str]:
    """What the child's environment needs so that `folder` is on a disk that loses power.

    `keep_seed`: keep a pseudo-random half of the unflushed writes. `die_at`: lose power by itself in place of the
    write or flush of that number. `fail_sync_at`: let the flush of that number fail.
    """
    numbers = {"KEEP": keep_seed, "DIE_AT": die_at, "FAIL_SYNC_AT": fail_sync_at}
    found = {f"UNSYNCED_{name}": str(number) for name, number in numbers.items() if number is not None}
    return found | {"LD_PRELOAD": str(shim), "UNSYNCED_FOLDER": f"{folder.resolve()}/"}


def cut_power(child: subprocess.Popen[bytes]) -> None:
    """Lose power now, and wait until the child is dead and its files are as the disk has them."""
    child.send_signal(signal.SIGUSR2)
    child.wait(timeout=30)
