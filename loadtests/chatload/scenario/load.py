"""Find, read and check scenario files."""

import difflib
import re
import tomllib
import types
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from chatload.errors import BadScenario, UnknownScenario
from chatload.scenario.channels import PLAYS, UNPLAYED
from chatload.scenario.model import Scenario
from chatload.scenario.shape import Impossible, shape_of

_AT_LINE: Final = re.compile(r"^(.*?) \(at line (\d+), column (\d+)\)$")


class ScenarioFile(NamedTuple):
    """A scenario with where it came from; `text` is the file as written."""

    name: str
    path: Path
    text: str
    scenario: Scenario


def shipped() -> dict[str, Path]:
    """The scenarios that come with the suite, by name."""
    inside = Path(str(files("chatload"))) / "scenarios"
    folder = inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(name: str) -> ScenarioFile:
    """The scenario of this name, or of this path to a TOML file.

    Raises:
        UnknownScenario: there is none.
        BadScenario: it cannot be used; says file, key, value and the nearest valid key.
    """
    path = Path(name) if name.endswith(".toml") or "/" in name else shipped().get(name)
    if path is None or not path.is_file():
        known = list(shipped())
        nearest = difflib.get_close_matches(Path(name).stem, known, n=1)
        raise UnknownScenario(name, nearest[0] if nearest else None, known)
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise BadScenario(path, "", None, f"cannot be read ({error.strerror})") from error
    return ScenarioFile(path.stem, path, text, parse(text, path))


def parse(text: str, path: Path) -> Scenario:
    """The scenario in `text`; `path` is only named in errors.

    Raises:
        BadScenario: malformed, unknown key, wrong unit, impossible value.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(path, "", None, f"not TOML: {_with_line(str(error))}") from error
    try:
        scenario = Scenario.model_validate(data)
        shape_of(scenario)
    except ValidationError as error:
        raise _explained(path, error) from error
    except Impossible as error:
        raise BadScenario(path, error.key, _at(data, tuple(error.key.split("."))), error.what) from error
    return scenario


def _with_line(message: str) -> str:
    match = _AT_LINE.match(message)
    return f"line {match[2]}: {match[1]}" if match else message


def _explained(path: Path, error: ValidationError) -> BadScenario:
    """The first error in our words; an unknown key goes first, for it may explain a missing one."""
    details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    first, rest = details[0], len(details) - 1
    location = tuple(part for part in first["loc"] if part not in (PLAYS, UNPLAYED))
    key = ".".join(str(part) for part in location)
    what, nearest = first["msg"].removeprefix("Value error, "), None
    what = what[:1].lower() + what[1:]
    if first["type"] in ("extra_forbidden", "missing"):
        what = "unknown key" if first["type"] == "extra_forbidden" else "this key is missing"
    if first["type"] == "extra_forbidden":
        valid = _valid_keys(Scenario, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), valid, n=1, cutoff=0.0)
        nearest = ".".join([*map(str, location[:-1]), close[0]]) if close else None
    if rest:
        what += f" (and {rest} more)"
    value = "nothing" if first["type"] == "missing" else first["input"]
    return BadScenario(path, key, value, what, nearest)


def _valid_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at `location`."""
    for part in location:
        if isinstance(part, int):
            continue
        field = next(field for name, field in model.model_fields.items() if part in (name, field.alias))
        found = _model_in(field.annotation)
        if found is None:
            return []
        model = found
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table class inside an annotation such as `App | None` or `list[Answer]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, types.UnionType, list, tuple):
        return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
    return None


def _at(data: Any, location: tuple[str, ...]) -> Any:
    for part in location:
        data = data[part]
    return data
