"""What users get: the wheel, its scenarios and its command."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from chatload import scenario
from tests.repo.sources import PACKAGES, ROOT, files, imports, modules

SHIPPED = sorted(path.relative_to(ROOT / "scenarios") for path in (ROOT / "scenarios").rglob("*.toml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution, built from the checkout with what the lock holds."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, as an installation lays it out."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_the_packages_and_the_scenarios(wheel: Path) -> None:
    """Every file of the three packages and every scenario is in the wheel, and nothing else but its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {
        path.relative_to(base)
        for package, base in PACKAGES.items()
        for path in files()
        if base / package in path.parents
    }
    scenarios = {Path("chatload") / path.relative_to(ROOT) for path in files() if ROOT / "scenarios" in path.parents}
    assert held == {str(path) for path in code | scenarios}


def test_what_is_imported_is_declared() -> None:
    """Every library that the packages import is a dependency of the project itself, not of a dependency alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in project["dependencies"]}
    provided = packages_distributions()
    undeclared = [
        str(found)
        for package in PACKAGES
        for path in modules(package)
        for found in imports(path)
        if (top := found.module.partition(".")[0]) not in {*sys.stdlib_module_names, *PACKAGES}
        and declared.isdisjoint(re.sub(r"[-_.]+", "-", name).lower() for name in provided.get(top, []))
    ]
    assert undeclared == []


def test_an_installation_brings_its_own_scenarios(installed: Path, tmp_path: Path) -> None:
    """Away from the checkout the scenarios are found by name inside the installed package."""
    program = "from chatload.scenario import shipped; print(*sorted(map(str, shipped().values())), sep='\\n')"
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert found.stdout.splitlines() == [str(installed / "chatload" / "scenarios" / path) for path in SHIPPED]


def test_every_scenario_is_shipped() -> None:
    """The names that `chatload run` takes are exactly the files in scenarios/."""
    assert sorted(scenario.shipped()) == [path.stem for path in SHIPPED]


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED])
def test_a_shipped_scenario_loads(name: str) -> None:
    """A scenario of ours passes the loader that users' files pass."""
    assert scenario.load(name).name == name


def test_the_command_tells_its_version() -> None:
    """`chatload --version` answers with the version that pyproject.toml gives the distribution."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = subprocess.run(
        [Path(sys.executable).with_name("chatload"), "--version"], capture_output=True, check=False, text=True
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, f"chatload {version}\n", "")
