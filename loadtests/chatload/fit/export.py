"""Read an export of dialogs: good rows as values, bad rows by line, column and what is wrong with them."""

import csv
import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chatload.errors import BadInput
from chatload.fit.columns import COLUMNS, REQUIRED, Score

if TYPE_CHECKING:
    from _csv import Reader

PROGRESS_ROWS: Final = 100_000
MOST_SHOWN: Final = 400  # characters of a header that is not as it should be
_DELIMITERS: Final = ",;\t"


class BadRow(NamedTuple):
    """A row that is left out; the first thing that is wrong with it. `line` is where it begins.

    Where quotes are wrong, nobody can tell where rows end: then it is all those `lines`, each of them counted.
    """

    line: int
    column: str
    what: str
    lines: int = 1

    def __str__(self) -> str:
        where = f"line {self.line}" if self.lines == 1 else f"lines {self.line} to {self.line + self.lines - 1}"
        return ": ".join(filter(None, (where, self.column, self.what)))


class Row(NamedTuple):
    """A dialog. `started` is the wall clock's; the other times are seconds after it, None where nothing happened."""

    line: int
    contact: str
    channel: str
    started: datetime
    queued_s: float | None = None
    accepted_s: float | None = None
    closed_s: float | None = None
    ended_by: str | None = None
    messages_customer: int | None = None
    messages_operator: int | None = None
    messages_bot: int | None = None
    bursts: int | None = None
    messages_in_bursts: int | None = None
    operator: str | None = None
    department: str | None = None
    transferred: bool | None = None
    rating: Score | None = None


class Export(NamedTuple):
    """What a file holds. `columns`: those that are read; `unused`: the others, with the name that was perhaps meant."""

    path: Path
    rows: list[Row]
    bad: list[BadRow]
    columns: tuple[str, ...]
    unused: list[str]


class BadExport(BadInput):
    """Nothing of the file can be used."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


def read(path: Path, progress: Callable[[int], None] = lambda rows: None) -> Export:
    """All rows of a CSV file, in UTF-8, whose cells are separated by commas, semicolons or tabs.

    `progress` is told every hundred thousand rows how many have been read.

    Raises:
        BadExport: it cannot be read, or a required column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)
            export = _read(path, csv.reader(file, delimiter=delimiter, strict=True), progress)
    except OSError as error:
        raise BadExport(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BadExport(path, "is not UTF-8; save it as CSV in UTF-8") from error
    return export


def _delimiter(head: str) -> str:
    return max(_DELIMITERS, key=head.count)


def _header(path: Path, lines: "Reader") -> list[str]:
    try:
        header = [cell.strip().lower() for cell in next(lines, [])]
    except csv.Error as error:
        raise BadExport(path, f"line 1: no CSV: {error}") from error
    if not any(header):
        raise BadExport(path, f"is empty; its first line names the columns, of which it needs {', '.join(REQUIRED)}")
    if missing := [name for name in REQUIRED if name not in header]:
        there = ", ".join(filter(None, header))
        hint = "; cells are separated by commas, semicolons or tabs" if len(header) == 1 else ""
        raise BadExport(path, f"line 1: no column {', '.join(missing)}; there are: {there[:MOST_SHOWN]}{hint}")
    if twice := [name for name, times in Counter(header).items() if times > 1 and name in COLUMNS]:
        raise BadExport(path, f"line 1: column {twice[0]} is there twice")
    if "accepted" in header and "queued" not in header:
        hint = "if every dialog waits from its start on, repeat started as queued; else leave accepted out"
        raise BadExport(path, f"line 1: accepted without queued does not tell who waited; {hint}")
    return header


def _read(path: Path, lines: "Reader", progress: Callable[[int], None]) -> Export:
    header = _header(path, lines)
    rows: list[Row] = []
    bad: list[BadRow] = []
    for line, cells in _records(lines, bad):
        try:
            rows.append(_row(line, _cells(header, cells)))
        except _Bad as error:
            bad.append(BadRow(line, error.column, error.what))
        if not (len(rows) + len(bad)) % PROGRESS_ROWS:
            progress(len(rows) + len(bad))
    bad += [*_of_another_scale(rows), *_repeated(rows)]
    wrong = {found.line for found in bad}
    known = tuple(name for name in COLUMNS if name in header)
    return Export(path, [row for row in rows if row.line not in wrong], sorted(bad), known, _unused(header))


def _records(lines: "Reader", bad: list[BadRow]) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of every row that is not empty; what is no CSV is added to `bad`."""
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            what = "quotes that nothing closes, up to the end" if "end of data" in str(error) else f"no CSV: {error}"
            bad.append(BadRow(line, "", what, max(1, lines.line_num - line + 1)))
            continue
        if any(cell.strip() for cell in cells):
            yield line, cells


class _Bad(Exception):
    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column
        self.what = what


def _cells(header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise _Bad("", f"{len(cells)} cells, where the header has {len(header)}")
    return {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name in COLUMNS}


def _row(line: int, cells: dict[str, str]) -> Row:
    found: dict[str, Any] = {}
    for name, text in cells.items():
        try:
            found[name] = COLUMNS[name].read(text) if text else None
        except ValueError as error:
            raise _Bad(name, " ".join(str(error).split())) from error
        if found[name] is None and COLUMNS[name].required:
            raise _Bad(name, "is empty")
    started = found.pop("started")
    after: dict[str, Any] = {
        f"{name}_s": _after(name, found.pop(name, None), started) for name in ("queued", "accepted", "closed")
    }
    _check_order(after)
    _check_bursts(found.get("bursts"), found.get("messages_in_bursts"), found.get("messages_customer"))
    return Row(line=line, started=started.replace(tzinfo=None), **after, **found)


def _after(name: str, at: datetime | None, started: datetime) -> float | None:
    """Seconds after the start."""
    if at is None:
        return None
    if (at.tzinfo is None) is not (started.tzinfo is None):
        raise _Bad(name, "of this and started one has a time zone and one has none")
    seconds = (at - started).total_seconds()
    if seconds < 0:
        raise _Bad(name, f"{-seconds:g} s before started")
    return seconds


def _check_order(after: dict[str, float | None]) -> None:
    queued, accepted, closed = after["queued_s"], after["accepted_s"], after["closed_s"]
    if accepted is not None and queued is None:
        raise _Bad("accepted", "but never queued")
    if accepted is not None and queued is not None and accepted < queued:
        raise _Bad("accepted", f"{queued - accepted:g} s before queued: a negative wait")
    if closed is not None and closed < (accepted or queued or 0.0):
        raise _Bad("closed", "before it was queued or accepted")


def _check_bursts(bursts: int | None, messages: int | None, written: int | None) -> None:
    if (bursts is None) is not (messages is None):
        raise _Bad("bursts", "and messages_in_bursts: one is told and one is not")
    if bursts is not None and messages is not None and not 2 * bursts <= messages <= (bursts and messages):
        raise _Bad("messages_in_bursts", f"{messages} messages in {bursts} bursts, of two or more each")
    if messages is not None and written is not None and messages > written:
        raise _Bad("messages_in_bursts", f"{messages} of {written} messages_customer")


def _of_another_scale(rows: list[Row]) -> list[BadRow]:
    """Rows whose rating is in words where most are numbers, or the other way round."""
    kinds = Counter(row.rating.words for row in rows if row.rating)
    if len(kinds) < 2:
        return []
    usual = kinds.most_common(1)[0][0]
    others = "words" if usual else "numbers"
    odd = (row for row in rows if row.rating and row.rating.words is not usual)
    return [BadRow(row.line, "rating", f"on another scale than most, which are {others}") for row in odd]


def _repeated(rows: list[Row]) -> list[BadRow]:
    """Rows of dialogs that stood before: an export with a line for each operator has some of them twice."""
    first: dict[tuple[str, str, datetime], int] = {}
    same = ((row, first.setdefault((row.contact, row.channel, row.started), row.line)) for row in rows)
    return [BadRow(row.line, "", f"the dialog of line {line} again") for row, line in same if line != row.line]


def _unused(header: list[str]) -> list[str]:
    found = []
    for name in header:
        if name and name not in COLUMNS:
            near = difflib.get_close_matches(name, [known for known in COLUMNS if known not in header], n=1)
            found.append(f'{name} (did you mean "{near[0]}"?)' if near else name)
    return found
