"""A scenario with other values, as `--set key=value` names them: changed in its text, then read like any scenario.

Of several tables one is meant by its number from 0, as in messages about scenarios: `operators.shifts.0.share`.
"""

import json
import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from chatload.errors import BadOption
from chatload.scenario import ScenarioFile
from chatload.scenario.load import parse

_KEY: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_HEADER: Final = re.compile(r"\s*(\[{1,2})\s*([\w.-]+)\s*\]{1,2}\s*(#.*)?$")
_NOTE: Final = "# set on the command line"


def changed(file: ScenarioFile, changes: Sequence[str]) -> ScenarioFile:
    """The scenario with these changes, also in its text; of two of one key the later stands.

    Raises:
        BadOption: a change that is not `key=value`, or of a table that is not there.
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
    lines = _without(text.split("\n"), key)  # of which the value takes the place
    begin, end = _table(lines, table)
    line = f"{name} = {value}  {_NOTE}"
    for at in range(begin, end):
        if re.match(rf"\s*{re.escape(name)}\s*=", lines[at]):
            return "\n".join([*lines[:at], line, *lines[_value_ends(lines, at) :]])
    if begin == end == len(lines):
        return "\n".join([*lines, f"[{table}]", line, ""])
    return "\n".join([*lines[:begin], line, *lines[begin:]])


def _headers(lines: list[str]) -> list[tuple[int, str, str]]:
    """Each table's header: its line, its brackets, and its name."""
    found = ((at, _HEADER.match(line)) for at, line in enumerate(lines))
    return [(at, header[1], header[2]) for at, header in found if header]


def _table(lines: list[str], name: str) -> tuple[int, int]:
    """The lines of a table, behind its header; both the end of the file if there is none.

    Raises:
        BadOption: one of several is meant, and there are not as many.
    """
    headers, (array, _, number) = _headers(lines), name.rpartition(".")
    if number.isdecimal():
        those = [at for at, brackets, named in headers if (brackets, named) == ("[[", array)]
        if int(number) >= len(those):
            raise BadOption("--set", name, f"there are {len(those)} [[{array}]], numbered from 0")
        begin = those[int(number)] + 1
    elif name:
        begin = next((at + 1 for at, brackets, named in headers if (brackets, named) == ("[", name)), len(lines))
    else:
        begin = 0
    return begin, next((at for at, _, _ in headers if at >= begin), len(lines))


def _without(lines: list[str], key: str) -> list[str]:
    """The lines without the tables of this name, and those in them."""
    headers = _headers(lines)
    kept = lines[: headers[0][0]] if headers else lines
    for (begin, _, name), (end, _, _) in pairwise([*headers, (len(lines), "", "")]):
        if name != key and not name.startswith(f"{key}."):
            kept += lines[begin:end]
    return kept


def _value_ends(lines: list[str], begin: int) -> int:
    """Behind the last line of the value that begins here."""
    for end in range(begin + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[begin:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return begin + 1
