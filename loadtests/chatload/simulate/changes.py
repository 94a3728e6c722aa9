"""A scenario with other values, as `--set key=value` names them: changed in its text, then read like any scenario."""

import json
import re
import tomllib
from collections.abc import Sequence
from typing import Final

from chatload.errors import BadOption
from chatload.scenario import ScenarioFile
from chatload.scenario.load import parse

_KEY: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_NOTE: Final = "# set on the command line"


def changed(file: ScenarioFile, changes: Sequence[str]) -> ScenarioFile:
    """The scenario with these changes, also in its text; of two of one key the later stands.

    Raises:
        BadOption: a change that is not `key=value`.
        BadScenario: no such key, which names the nearest, or an impossible value.
    """
    text = file.text
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise BadOption(
                "--set", change, 'write it as key=value, like operators.count=380 or patience.queue="4 min"'
            )
        text = _set(text, key.strip(), _written(value.strip()))
    return ScenarioFile(file.name, file.path, text, parse(text, file.path)) if changes else file


def _written(value: str) -> str:
    """A value as TOML has it; what is none is a text, for a shell takes the quotes away."""
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return json.dumps(value, ensure_ascii=False)
    return value


def _set(text: str, key: str, value: str) -> str:
    table, _, name = key.rpartition(".")
    lines = text.split("\n")
    begin, end = _table(lines, table)
    line = f"{name} = {value}  {_NOTE}"
    for at in range(begin, end):
        if re.match(rf"\s*{re.escape(name)}\s*=", lines[at]):
            return "\n".join([*lines[:at], line, *lines[_value_ends(lines, at) :]])
    if begin == end == len(lines):
        return "\n".join([*lines, f"[{table}]", line, ""])
    return "\n".join([*lines[:begin], line, *lines[begin:]])


def _table(lines: list[str], name: str) -> tuple[int, int]:
    """The lines of a table, behind its header; both the end of the file if there is none."""
    begin = 0
    if name:
        header = re.compile(rf"\s*\[\s*{re.escape(name)}\s*\]")
        begin = next((at for at, line in enumerate(lines, 1) if header.match(line)), -1)
        if begin < 0:
            return len(lines), len(lines)
    ends = (at for at in range(begin, len(lines)) if re.match(r"\s*\[{1,2}[\w.\s]+\]{1,2}\s*(#.*)?$", lines[at]))
    return begin, next(ends, len(lines))


def _value_ends(lines: list[str], begin: int) -> int:
    """Behind the last line of the value that begins here."""
    for end in range(begin + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[begin:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return begin + 1
