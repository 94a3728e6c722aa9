"""The walls between the packages, read from the sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.sources import ROOT, files, imports, modules, needed, within

WALLS = {
    "chatcore": ("the system under test knows nothing of who loads or judges it", {"chatload", "chatreport", "locust"}),
    "chatcore.machines": (
        "the machines are pure: no clock, socket, database, log, thread or chance",
        {"aiohttp", "asyncio", "logging", "os", "random", "socket", "sqlite3", "subprocess", "threading", "time"},
    ),
    "chatload": ("a system under test is met over the wire only", {"chatcore"}),
    "chatload.plan": (
        "the plan is pure: no clock, socket, process or unkeyed chance",
        {"aiohttp", "asyncio", "chatreport", "os", "random", "socket", "subprocess", "threading", "time"},
    ),
    "chatreport": ("it judges what a run directory holds", {"chatcore", "chatload", "locust"}),
}
SIMULATION = "chatload.simulate"
PURE = frozenset({"chatcore.machines", "chatcore.bot", "chatcore.answers"})
STARTS_OR_CALLS = frozenset(
    {"aiohttp", "asyncio", "multiprocessing", "requests", "socket", "subprocess", "urllib.request"}
)


@pytest.mark.parametrize("package", WALLS)
def test_a_package_imports_nothing_from_behind_its_wall(package: str) -> None:
    """What stands behind a package's wall is imported nowhere in it, not even inside a function."""
    why, forbidden = WALLS[package]
    let_through = set(modules(SIMULATION)) if package == "chatload" else set()
    breaches = [
        str(found)
        for path in modules(package)
        if path not in let_through
        for found in imports(path)
        if within(found.module, frozenset(forbidden))
    ]
    assert modules(package), f"{package} has moved; this wall guards nothing"
    assert breaches == [], why


def test_the_simulation_takes_the_cores_pure_parts_alone() -> None:
    """What plays under a virtual clock imports the core's machines and its bot, and nothing else of the core."""
    of_the_core = [
        found
        for path in modules(SIMULATION)
        for found in imports(path)
        if within(found.module, frozenset({"chatcore"}))
    ]
    assert of_the_core, f"{SIMULATION} has moved; this wall guards nothing"
    assert [str(found) for found in of_the_core if not within(found.module, PURE)] == []


def test_the_report_starts_no_process_and_calls_nobody() -> None:
    """Judging needs the run directory alone: chatreport imports nothing that could start or reach anything."""
    breaches = [
        str(found) for path in modules("chatreport") for found in imports(path) if within(found.module, STARTS_OR_CALLS)
    ]
    assert breaches == []


def test_the_fleet_never_meets_gevent() -> None:
    """Neither the fleet nor what it imports of ours, at whatever remove, imports locust, which patches all."""
    gevent = frozenset({"gevent", "geventhttpclient", "locust"})
    breaches = [
        str(found) for path in needed("chatload.fleet") for found in imports(path) if within(found.module, gevent)
    ]
    assert modules("chatload.fleet"), "chatload.fleet has moved; this wall guards nothing"
    assert breaches == []


def test_the_platform_folder_is_no_package() -> None:
    """Around the packages there are no files: platform/__init__.py would shadow the standard library's module."""
    assert [path for path in files() if path.parent in {ROOT / "platform", ROOT / "loadtests", ROOT / "reports"}] == []


def test_the_standard_librarys_platform_wins_in_the_checkout(tmp_path: Path) -> None:
    """`import platform` means the standard library's, also with the checkout first on the path."""
    found = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (found.returncode, found.stdout.strip(), found.stderr) == (0, os.uname().sysname, "")
