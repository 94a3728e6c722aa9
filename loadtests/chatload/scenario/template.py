"""A scenario of one's own to begin with: another bank's file, which says of each number that it is that bank's."""

import re
from pathlib import Path
from typing import Final

from chatload.errors import BadOption
from chatload.scenario.draft import Draft
from chatload.scenario.load import ScenarioFile, shipped

_NAME: Final = re.compile(r"[\w-]+")


def begin(name: str, source: ScenarioFile) -> Path:
    """Write `name`.toml into the working directory, begun from another scenario; returns its path.

    Raises:
        BadOption: it is no name for a file, belongs to a shipped scenario, or is taken.
    """
    name = name.removesuffix(".toml")
    if not _NAME.fullmatch(name):
        raise BadOption("NAME", name, "use letters, digits, - and _; the file is NAME.toml in this directory")
    if name in shipped():
        raise BadOption("NAME", name, "a scenario that comes with chatload has this name; choose another")
    path = Path(f"{name}.toml")
    write_new(path, str(begun(name, source)), "NAME")
    return path


def write_new(path: Path, text: str, option: str) -> None:
    """Write a file that did not exist.

    Raises:
        BadOption: it does, or its directory cannot be written to.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise BadOption(option, path, "exists; choose another name, or remove it first") from error
    except OSError as error:
        raise BadOption(option, path, f"cannot be written ({error.strerror})") from error


def begun(name: str, source: ScenarioFile) -> Draft:
    """The draft of a bank's own scenario: everything as in `source`, and said to be."""
    draft = Draft(source.text)
    draft.says(f"{source.name}: ")
    draft.clear("published")
    draft.head(
        [
            f"A day of {name}, begun from the scenario {source.name}.",
            "",
            f'Behind every number stands where it comes from. Those that begin with "{source.name}:" are not yours:',
            'replace them, and the comment by its source or by "assumed". Durations are business times.',
            "Figures of your own that a run should be compared with go into [published], as asa_s = 50.",
        ]
    )
    draft.put("", "title", f'"{name}: begun from {source.name}"', "say what it is")
    draft.put("", "source", f'"none yet: the figures of {source.name}"', "say where your figures come from")
    return draft
