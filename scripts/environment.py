"""Makes the checkout's `.venv` from the lock, for `scripts/chatload` and `scripts/test`.

Runs on the machine's own Python with the standard library alone. What an environment was made from is recorded in
`.venv/made-from` as the last step of every change and forgotten as the first, so that an environment left half-made is
made again, and one whose record differs from the checkout is brought up to date.
"""

import argparse
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
RECORD = VENV / "made-from"
LOG = VENV / "set-up.log"
RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
PROJECT = "pyproject.toml"

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring `.venv` up to date; 0, or 2 after one line saying what is missing."""
    parser = argparse.ArgumentParser(description="Make the checkout's .venv, or bring it up to date.")
    parser.add_argument("--dev", action="store_true", help="with what the tests need")
    lock = DEV_LOCK if parser.parse_args(arguments).dev else RUN_LOCK
    try:
        with one_at_a_time():
            bring_up_to_date(lock)
    except (SetupError, OSError) as error:
        say(f"cannot set up .venv: {error}")
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        say("set-up interrupted; the next start begins it anew")
        return EXIT_INTERRUPTED
    return 0


def bring_up_to_date(lock: str) -> None:
    """Do what is missing and no more: the whole environment, the lock's packages, or chatload's own registration."""
    made_from = read_record()
    keep = usable(made_from, (ROOT / RUN_LOCK).read_text())
    lock = lock if keep else as_it_was(lock, made_from)
    wanted = {name: (ROOT / name).read_text() for name in (RUN_LOCK, lock, PROJECT)}
    if keep and wanted.items() <= made_from.items():
        return
    started_s = time.monotonic()
    forget_record()
    if not keep:
        make_empty()
        made_from = {"root": str(ROOT), "python": interpreter()}
    if made_from.get(lock) != wanted[lock]:
        install(lock)
    register()
    write_record(made_from | wanted)
    say(f".venv is ready after {time.monotonic() - started_s:.0f} s")


def usable(made_from: Mapping[str, str], run_lock: str) -> bool:
    """Whether `.venv` is whole, as locked, by the Python asked for, and made here: a copy points elsewhere."""
    return (
        made_from.get("root") == str(ROOT)
        and made_from.get(RUN_LOCK) == run_lock
        and ("PYTHON" not in os.environ or made_from.get("python") == interpreter())
        and (VENV / "bin" / "python").exists()
    )


def as_it_was(lock: str, made_from: Mapping[str, str]) -> str:
    """The lock to make an environment anew from: what the tests need is there again, if it was."""
    return DEV_LOCK if DEV_LOCK in made_from else lock


def interpreter() -> str:
    """Which Python this is: where it is installed, and its version."""
    return f"{sys.base_prefix} {'.'.join(map(str, sys.version_info[:3]))}"


def make_empty() -> None:
    """Make `.venv` anew, with pip and nothing else."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"{sys.executable} lacks the module {module}; install it (Debian, Ubuntu: apt install python3-venv)"
                " or choose another Python with PYTHON=/path/to/python3"
            )
    say(f"setting up .venv once, with Python {interpreter().split()[-1]}: 500 MB, about a minute")
    if VENV.exists():
        shutil.rmtree(VENV)
    run([sys.executable, "-m", "venv", str(VENV)], "making an empty one failed")


def install(lock: str) -> None:
    """Install the lock's packages, hashes checked: with uv, or with pip where uv does not get through."""
    say(f"installing the packages of {lock}")
    try:
        install_with_uv(lock)
    except SetupError:
        # uv does not read pip's settings: a mirror, proxy or certificate configured there is known to pip alone.
        say("uv did not get through; installing with pip, which takes longer")
        pip_install(f"{lock} from your package index", "--require-hashes", "--no-deps", "--requirement", lock)


def install_with_uv(lock: str) -> None:
    """Install with the uv that the lock names, itself installed from its lines of the lock."""
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        with tempfile.NamedTemporaryFile("w", suffix=".lock") as file:
            file.write(entry(ROOT / lock, "uv"))
            file.flush()
            pip_install("uv", "--retries=1", "--require-hashes", "--no-deps", "--requirement", file.name)
    into_venv = [str(uv), "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python")]
    run([*into_venv, "--require-hashes", "--no-deps", "--requirement", lock], f"installing {lock} with uv failed")


def entry(lock: Path, package: str) -> str:
    """The lock's lines on one package; raises SetupError if it names none."""
    lines = lock.read_text().splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.startswith(f"{package}==")), None)
    if start is None:
        raise SetupError(f"{lock.name} names no {package}")
    return "".join([lines[start], *takewhile(lambda line: line.startswith(" "), lines[start + 1 :])])


def register() -> None:
    """Make the checkout's packages and console script known to the environment; needs no network."""
    pip_install("chatload itself", "--no-index", "--no-deps", "--no-build-isolation", "--editable", ".")


def pip_install(what: str, *options: str) -> None:
    """Install with the environment's pip; byte code is left to the first import, which needs little of it."""
    pip = [
        str(VENV / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    run([*pip, *options], f"installing {what} failed")


def run(command: Sequence[str], what: str) -> None:
    """Do one step of the set-up quietly; raises SetupError with the last line it printed if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = done.stdout + done.stderr
        with LOG.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{output}\n")
        last_line = (output.strip() or f"exit code {done.returncode}").splitlines()[-1].removeprefix("ERROR: ")
        raise SetupError(f"{what}: {last_line} (all of it: {LOG.relative_to(ROOT)})")


def read_record() -> dict[str, str]:
    """What `.venv` was made from: the texts by name; empty if there is none or it is half-made."""
    return {path.name: path.read_text() for path in RECORD.iterdir()} if RECORD.is_dir() else {}


def write_record(made_from: Mapping[str, str]) -> None:
    """Record what `.venv` was made from, in one step."""
    with tempfile.TemporaryDirectory(dir=VENV) as folder:
        draft = Path(folder, RECORD.name)
        draft.mkdir()
        for name, text in made_from.items():
            (draft / name).write_text(text)
        draft.rename(RECORD)


def forget_record() -> None:
    """Mark `.venv` as half-made, in one step."""
    if RECORD.is_dir():
        with tempfile.TemporaryDirectory(dir=VENV) as folder:
            RECORD.rename(Path(folder, RECORD.name))


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one set-up at a time work on `.venv`; a second one waits and then finds it ready."""
    with (ROOT / ".venv.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another start that is setting up .venv")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell the user on stderr; stdout belongs to the command that follows."""
    print(f"chatload: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
