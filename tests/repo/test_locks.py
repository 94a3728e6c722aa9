"""The locks: exact, hashed, and bound to no index."""

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.repo.sources import ROOT

LOCKS = ["requirements.lock", "requirements-dev.lock"]
ENTRY = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def entries(lock: str) -> list[str]:
    """The packages a lock names, each with its version and marker."""
    lines = Path(ROOT, lock).read_text().splitlines()
    return [line.removesuffix(" \\") for line in lines if not line.startswith(" ")]


def names(requirements: list[str]) -> set[str]:
    """The packages' names alone."""
    return {re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_versions_and_hashes_alone(lock: str) -> None:
    """Every line is a package's exact version or one of its hashes: no index, no host, no option."""
    lines = Path(ROOT, lock).read_text().splitlines()
    assert [line for line in lines if not ENTRY.match(line) and not HASH.match(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_each_package_once_per_environment(lock: str) -> None:
    """A package that occurs twice differs by its marker."""
    assert [entry for entry, count in Counter(entries(lock)).items() if count > 1] == []


def test_the_development_lock_extends_the_other() -> None:
    """Both agree on every package they share, so that the tests run on what users run on."""
    versions = {lock: {entry.partition(" ")[0] for entry in entries(lock)} for lock in LOCKS}
    assert versions["requirements.lock"] - versions["requirements-dev.lock"] == set()


def test_the_locks_cover_what_the_project_asks_for() -> None:
    """Every dependency in pyproject.toml is locked: for users what runs and sets up, for developers the tests."""
    project = tomllib.loads(Path(ROOT, "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    for_users = names([*project["project"]["dependencies"], *groups["setup"], *project["build-system"]["requires"]])
    assert for_users - names(entries("requirements.lock")) == set()
    assert names(groups["dev"]) - names(entries("requirements-dev.lock")) == set()
