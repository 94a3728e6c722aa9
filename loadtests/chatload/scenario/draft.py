"""The text of a scenario file, changed key by key: what is not touched keeps its line and its comment."""

import re
from dataclasses import dataclass
from typing import Final

_TABLE: Final = re.compile(r"\[\[?([\w.]+)\]\]?\s*(#.*)?")
_COMMENT_AT: Final = 20


@dataclass
class _Block:
    """A table's lines, its comments above it included; the lines before the first table have the name ""."""

    name: str
    lines: list[str]

    def find(self, key: str) -> slice:
        """The lines of a key, with the comments above a list; an empty slice where it would go."""
        for at, line in enumerate(self.lines):
            if re.match(rf"{key}\s*=", line):
                return self._whole(at)
        end = len(self.lines)
        while end and not self.lines[end - 1].strip():
            end -= 1
        return slice(end, end)

    def _whole(self, at: int) -> slice:
        if not self.lines[at].partition("#")[0].rstrip().endswith("["):
            return slice(at, at + 1)
        end = next(after for after in range(at, len(self.lines)) if self.lines[after].startswith("]"))
        while at and self.lines[at - 1].startswith("#"):
            at -= 1
        return slice(at, end + 1)


class Draft:
    """Starts from the text of a valid scenario file."""

    def __init__(self, text: str) -> None:
        self._blocks = [_Block("", [])]
        for line in text.splitlines():
            if table := _TABLE.fullmatch(line):
                self._blocks.append(_Block(table[1], _take_comments(self._blocks[-1].lines)))
            self._blocks[-1].lines.append(line)

    def __str__(self) -> str:
        return "\n".join(line for block in self._blocks for line in block.lines).rstrip() + "\n"

    def put(self, table: str, key: str, value: str, says: str) -> None:
        """Set a key to `value`, as TOML has it, with the comment `says`; the table is added if it is missing."""
        block = next((block for block in self._blocks if block.name == table), None)
        if block is None:
            block = _Block(table, [f"[{table}]", ""])
            self._blocks.append(block)
        block.lines[block.find(key)] = [_line(key, value, says)]

    def add(self, table: str, key: str, value: str, says: str) -> None:
        """Add one more table of an array, with one key."""
        self._blocks.append(_Block(table, [f"[[{table}]]", _line(key, value, says), ""]))

    def drop(self, table: str) -> None:
        """Remove a table with those below it."""
        self._blocks = [block for block in self._blocks if not f"{block.name}.".startswith(f"{table}.")]

    def clear(self, table: str) -> None:
        """Leave a table without its keys."""
        for block in self._blocks:
            if block.name == table:
                block.lines = [f"[{table}]", ""]

    def take(self, table: str, other: "Draft") -> None:
        """Add a table as another draft has it; ValueError if it has none."""
        found = [block for block in other._blocks if block.name == table]
        if not found:
            raise ValueError(f"no table {table} to take")
        self._blocks += [_Block(block.name, list(block.lines)) for block in found]

    def head(self, lines: list[str]) -> None:
        """Replace the comment at the head of the file."""
        rest = self._blocks[0].lines
        while rest and (rest[0].startswith("#") or not rest[0].strip()):
            rest.pop(0)
        self._blocks[0].lines = [*(f"# {line}".rstrip() for line in lines), "", *rest]

    def says(self, prefix: str) -> None:
        """Put `prefix` before what stands in the comment of every key and table."""
        for block in self._blocks:
            block.lines = [_prefixed(line, prefix) for line in block.lines]


def _line(key: str, value: str, says: str) -> str:
    return f"{f'{key} = {value}':{_COMMENT_AT}} # {says}"


def _take_comments(lines: list[str]) -> list[str]:
    """The comments at the end of these lines, taken away: they belong to the table that follows."""
    at = len(lines)
    while at and lines[at - 1].startswith("#"):
        at -= 1
    taken = lines[at:]
    del lines[at:]
    return taken


def _prefixed(line: str, prefix: str) -> str:
    said = re.fullmatch(r"((?:\w+ = |\[)(?:[^#\"]|\"[^\"]*\")*)# (.*)", line)
    return f"{said[1]}# {prefix}{said[2]}" if said else line
