"""The documents: what they name exists."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from chatload.cli.app import app
from tests.repo.sources import ROOT, files

DOCUMENTS = [str(path.relative_to(ROOT)) for path in files() if path.suffix == ".md"]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)")
QUOTED = re.compile(r"`([\w.-]+(?:/[\w.-]+)+/?)`")
OURS = re.compile(r"^(?:PYTHON=\S+ )?(?:scripts/|\.venv/bin/)?chatload (?P<command>[a-z]+)(?P<rest>.*)$")
OPTION = re.compile(r"(?<= )--[a-z-]+")
STARTED = re.compile(r"(?:^|[ =])(\.?[\w-]+/[\w.-]+)(?= |$)")


def command_lines(text: str) -> Iterator[str]:
    """The lines of the document's shell examples, without prompts and comments."""
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if command := line.removeprefix("$ ").partition(" #")[0].strip():
                yield command


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_links_to_exists(document: str) -> None:
    """A link within the repository leads somewhere."""
    path = ROOT / document
    assert [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_a_document_names_exist(document: str) -> None:
    """A path in backquotes that begins with a folder of the repository is a file or folder of it."""
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = [name for name in QUOTED.findall((ROOT / document).read_text()) if name.partition("/")[0] in tops]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_scripts_in_a_documents_examples_exist(document: str) -> None:
    """A shell example starts what the repository holds."""
    lines = list(command_lines((ROOT / document).read_text()))
    started = [match for line in lines for match in STARTED.findall(line) if match.startswith(("scripts/", ".ci/"))]
    assert [name for name in started if not Path(ROOT, name).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_in_a_documents_examples_exist(document: str) -> None:
    """A `chatload` command in a shell example is one, and takes the options shown."""
    shown: dict[str, set[str]] = {}
    for line in command_lines((ROOT / document).read_text()):
        if ours := OURS.match(line):
            shown.setdefault(ours["command"], set()).update(OPTION.findall(ours["rest"]))
    assert {command: options - taken_by(command) for command, options in shown.items()} == {
        command: set() for command in shown
    }


def test_the_readme_shows_every_command() -> None:
    """Each command of the command line occurs in the README as one would type it."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    readme = (ROOT / "README.md").read_text()
    assert [name for name in group.commands if f"chatload {name}" not in readme] == []


def taken_by(command: str) -> set[str]:
    """The options of a `chatload` command, by its own help."""
    chatload = Path(sys.executable).with_name("chatload")
    plain = {**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    told = subprocess.run([chatload, command, "--help"], env=plain, capture_output=True, check=False, text=True)
    assert told.returncode == 0, f"there is no command {command}: {told.stderr}"
    return set(OPTION.findall(told.stdout))
