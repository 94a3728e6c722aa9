"""The set-up behind scripts/chatload and scripts/test, played on real copies of the checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scripts import environment

import chatload
from tests.repo.sources import ROOT, files

SETTING_UP = "chatload: setting up .venv once"
SET_UP_ALONE = ["hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers", "uv"]


def copy_checkout(target: Path) -> Path:
    """What a clone would hold, with what is not committed yet."""
    for path in files():
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    return target


def start(checkout: Path, command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one of the checkout's scripts as a user's shell would."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in {"PYTHON", "PYTHONPATH", "VIRTUAL_ENV"}
    }
    return subprocess.run(
        [checkout / "scripts" / command, *arguments],
        env=inherited | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


def sets_up(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether this start made the environment; it must have succeeded either way."""
    assert done.returncode == 0, done.stderr
    return SETTING_UP in done.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that is set up, whose lock names only what the set-up itself needs."""
    checkout = copy_checkout(tmp_path_factory.mktemp("small") / "checkout")
    lock = "".join(environment.entry(ROOT / "requirements.lock", package) for package in SET_UP_ALONE)
    (checkout / "requirements.lock").write_text(lock)
    assert sets_up(start(checkout, "environment"))
    return checkout


@pytest.fixture
def tools_without_python(tmp_path: Path) -> Path:
    """A PATH on which no Python is found, only what the shell scripts use."""
    for tool in ("cmp", "dirname", "readlink", "sh"):
        found = shutil.which(tool)
        assert found, f"this machine lacks {tool}"
        (tmp_path / tool).symlink_to(found)
    return tmp_path


@pytest.mark.network
@pytest.mark.slow
def test_two_first_starts_at_once_set_up_once(tmp_path: Path) -> None:
    """Of two first starts in a fresh clone one makes the environment, the other waits; both then do their work."""
    checkout = copy_checkout(tmp_path / "a clone")
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(start, checkout, "chatload", "--version") for _ in range(2)]
        done = [started.result() for started in starts]
    assert sorted(sets_up(each) for each in done) == [False, True]
    assert [each.stdout for each in done] == [f"chatload {chatload.__version__}\n"] * 2


@pytest.mark.network
def test_a_later_start_needs_nothing(small: Path, tools_without_python: Path) -> None:
    """Once set up, the check says nothing and uses neither a Python nor, so, a network."""
    done = start(small, "environment", PATH=str(tools_without_python))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.network
def test_a_changed_project_is_registered_without_network(small: Path) -> None:
    """A changed pyproject.toml costs a registration, which no index takes part in."""
    with (small / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    changed = start(small, "environment", PIP_INDEX_URL="http://127.0.0.1:9/", UV_INDEX_URL="http://127.0.0.1:9/")
    assert not sets_up(changed)
    assert changed.stderr.startswith("chatload: .venv is ready")
    assert start(small, "environment").stderr == ""


@pytest.mark.network
@pytest.mark.slow
def test_a_half_made_environment_is_made_again(small: Path) -> None:
    """A set-up that was broken off leaves no record; the next start makes the environment again, and only once."""
    shutil.rmtree(small / ".venv" / "made-from")
    (small / ".venv" / "bin" / "pip").unlink()
    assert [sets_up(start(small, "environment")) for _ in range(2)] == [True, False]


def forget(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv" / "made-from")


def move(checkout: Path) -> None:
    (checkout / ".venv" / "made-from" / "root").write_text(f"{checkout}-before")


def lose_python(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "python").unlink()


def change_lock(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("")


def change_project(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text("")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A checkout whose .venv has all that the check at every start looks at, and no more."""
    checkout = copy_checkout(tmp_path / "checkout")
    record = checkout / ".venv" / "made-from"
    record.mkdir(parents=True)
    (checkout / ".venv" / "bin").mkdir()
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (record / "root").write_text(str(checkout))
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(checkout / name, record)
    return checkout


def test_an_environment_as_recorded_is_taken(ready: Path, tools_without_python: Path) -> None:
    """Nothing is set up while the record agrees with the checkout."""
    assert start(ready, "environment", PATH=str(tools_without_python)).returncode == 0


@pytest.mark.parametrize("spoil", [forget, move, lose_python, change_lock, change_project])
def test_an_environment_not_as_recorded_is_noticed(
    spoil: Callable[[Path], None], ready: Path, tools_without_python: Path
) -> None:
    """A missing record, another place, a lost Python, a changed lock or project: the start wants to set up again."""
    spoil(ready)
    done = start(ready, "environment", PATH=str(tools_without_python))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "chatload: no Python 3.11 or newer found; install one, or name it: PYTHON=/path/to/python3 scripts/chatload\n"
    )


def test_the_tests_tools_are_missed_only_by_the_tests(ready: Path, tools_without_python: Path) -> None:
    """An environment for users alone is enough for scripts/chatload and too little for scripts/test."""
    ends = [start(ready, "environment", *dev, PATH=str(tools_without_python)).returncode for dev in ([], ["--dev"])]
    assert ends == [0, 2]


@pytest.mark.parametrize(
    "change, python_chosen, kept",
    [
        ({}, False, True),
        ({}, True, True),
        ({"python": "/opt/other 3.12.1"}, False, True),
        ({"python": "/opt/other 3.12.1"}, True, False),
        ({"root": "/elsewhere"}, False, False),
        ({"requirements.lock": "older"}, False, False),
    ],
)
def test_what_makes_an_environment_usable(
    change: dict[str, str], python_chosen: bool, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept if made here from this lock; another Python matters only when PYTHON chooses one."""
    monkeypatch.delenv("PYTHON", raising=False)
    if python_chosen:
        monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.setattr(environment, "VENV", Path(sys.prefix))
    record = {"root": str(ROOT), "python": environment.interpreter(), "requirements.lock": "this"}
    assert environment.usable(record | change, "this") is kept


@pytest.mark.parametrize(
    "asked, made_from, lock",
    [
        ("requirements.lock", {}, "requirements.lock"),
        ("requirements.lock", {"requirements.lock": "older"}, "requirements.lock"),
        ("requirements.lock", {"requirements-dev.lock": "older"}, "requirements-dev.lock"),
        ("requirements-dev.lock", {"requirements.lock": "older"}, "requirements-dev.lock"),
    ],
)
def test_an_environment_made_anew_has_the_tests_tools_again(asked: str, made_from: dict[str, str], lock: str) -> None:
    """A start of chatload after the lock changed does not take them away."""
    assert environment.as_it_was(asked, made_from) == lock


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    """PYTHON naming something that is no Python 3.11 ends with 2 and one line that names it."""
    checkout = copy_checkout(tmp_path)
    done = start(checkout, "chatload", "--version", PYTHON="/bin/false")
    assert (done.returncode, done.stdout) == (2, "")
    what_to_do = "point PYTHON to one that does or unset it"
    assert done.stderr == f"chatload: PYTHON=/bin/false does not run as Python 3.11 or newer; {what_to_do}\n"


def test_a_python_without_venv_is_refused_in_one_line(tmp_path: Path) -> None:
    """A Python without ensurepip, as Debian ships it, ends with 2 and one line that says what to install."""
    checkout = copy_checkout(tmp_path / "checkout")
    hide = "import sys; sys.modules['ensurepip'] = None; del sys.argv[0]"
    play = "import runpy; runpy.run_path(sys.argv[0], None, '__main__')"
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
[ "$1" = -c ] && exec {sys.executable} "$@"
exec {sys.executable} -c "{hide}; {play}" "$@"
""")
    python.chmod(0o755)
    done = start(checkout, "chatload", "--version", PYTHON=str(python))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "lacks the module ensurepip; install it (Debian, Ubuntu: apt install python3-venv)" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
def test_an_unreachable_index_is_told_in_one_line(tmp_path: Path) -> None:
    """Without an index the first start ends with 2, says so in its last line and is not taken for done."""
    checkout = copy_checkout(tmp_path)
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_RETRIES": "0"}
    done = start(checkout, "chatload", "--version", PIP_INDEX_URL="http://127.0.0.1:9/", **nowhere)
    assert (done.returncode, done.stdout) == (2, "")
    last_line = done.stderr.splitlines()[-1]
    assert last_line.startswith(
        "chatload: cannot set up .venv: installing requirements.lock from your package index failed: No matching"
    )
    assert last_line.endswith("(all of it: .venv/set-up.log)")
    assert not (checkout / ".venv" / "made-from").exists()


def test_an_entry_is_a_packages_lines_alone(tmp_path: Path) -> None:
    """A package's entry in the lock ends where the next begins; a longer name is another package."""
    lock = tmp_path / "some.lock"
    lock.write_text("uvloop==1 \\\n    --hash=a\nuv==2 \\\n    --hash=b \\\n    --hash=c\nyarl==3 \\\n    --hash=d\n")
    assert environment.entry(lock, "uv") == "uv==2 \\\n    --hash=b \\\n    --hash=c\n"
    assert environment.entry(lock, "yarl") == "yarl==3 \\\n    --hash=d\n"
    with pytest.raises(environment.SetupError, match=r"some\.lock names no pip"):
        environment.entry(lock, "pip")
