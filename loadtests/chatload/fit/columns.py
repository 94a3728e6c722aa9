"""The columns of an export: one row a dialog, names in the first line, in any order."""

import difflib
import re
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from chatload.scenario import PLAYED

ENDED_BY: Final = ("customer", "operator", "bot", "timeout")
WORDS: Final = ("bad", "good")
BEST: Final = 5
EARLIEST, LATEST = 1990, 2100  # years: exports write 01.01.0001 or 9999-12-31 where they have no time
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d").match
_RUSSIAN: Final = re.compile(r"\d\d\.\d\d\.\d{4} ").match
_WHOLE: Final = re.compile(r"\d{1,9}", re.ASCII).fullmatch
_DEPARTMENT: Final = re.compile(r"[\w .@-]{1,64}")
_YES: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class Score(NamedTuple):
    """A rating on one of the two scales: words, of which the second is good, or 1 to 5."""

    words: bool
    score: int


class Column(NamedTuple):
    """How a cell is read, which raises ValueError, and what it says; an empty one is None where it is optional."""

    read: Callable[[str], Any]
    says: str
    required: bool = False


def moment(text: str) -> datetime:
    """A date and time; the zone is kept, if there is one.

    Raises:
        ValueError: it is none, or so far away that it stands for none.
    """
    try:
        found = _moment(text)
    except ValueError as error:
        raise ValueError(f'"{text}" is no date and time: {error}') from error
    if found is None:
        raise ValueError(f'"{text}" is no date and time; write 2026-01-31 09:00:00 or 31.01.2026 09:00:00')
    if not EARLIEST <= found.year <= LATEST:
        raise ValueError(f'"{text}" is no time of a dialog; leave the cell empty where there is none')
    return found


def _moment(text: str) -> datetime | None:
    if _ISO(text):
        return datetime.fromisoformat(text)
    if _RUSSIAN(text):
        form = "%d.%m.%Y %H:%M:%S" if text.count(":") > 1 else "%d.%m.%Y %H:%M"
        return datetime.strptime(text, form)  # noqa: DTZ007 - exports tell local time, and their zone not at all
    return None


def _channel(text: str) -> str:
    name = text.lower()
    if name not in PLAYED:
        nearest = difflib.get_close_matches(name, PLAYED, n=1)
        hint = f'did you mean "{nearest[0]}"?' if nearest else f"there are: {', '.join(PLAYED)}"
        raise ValueError(f'no channel "{text}"; {hint}')
    return sys.intern(name)


def _count(text: str) -> int:
    if not _WHOLE(text):
        raise ValueError(f'"{text}" is no whole number from 0 up')
    return int(text)


def _department(text: str) -> str:
    if not _DEPARTMENT.fullmatch(text):
        raise ValueError(f'"{text}" is no name of a department; use up to 64 letters, digits, blanks and . @ _ -')
    return sys.intern(text)


def _ended_by(text: str) -> str:
    if text.lower() not in ENDED_BY:
        raise ValueError(f'"{text}" is none of {", ".join(ENDED_BY)}')
    return sys.intern(text.lower())


def _rating(text: str) -> Score:
    if text.lower() in WORDS:
        return Score(True, 1 + WORDS.index(text.lower()))
    if not re.fullmatch(rf"[1-{BEST}]", text):
        raise ValueError(f'"{text}" is neither 1 to {BEST} nor one of {", ".join(WORDS)}')
    return Score(False, int(text))


def _yes(text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f'"{text}" is neither yes nor no')
    return _YES[text.lower()]


COLUMNS: Final[dict[str, Column]] = {
    "contact": Column(sys.intern, "the customer, by any id", True),
    "channel": Column(_channel, f"one of {', '.join(PLAYED)}", True),
    "started": Column(moment, "when the dialog began; the hour counts as it is written", True),
    "queued": Column(moment, "when it began to wait for an operator; empty: it never did"),
    "accepted": Column(moment, "when an operator took it; empty: none did"),
    "closed": Column(moment, "when it ended"),
    "ended_by": Column(_ended_by, f"{', '.join(ENDED_BY)}; timeout: nobody wrote any more"),
    "messages_customer": Column(_count, "how many the customer wrote"),
    "messages_operator": Column(_count, "how many operators wrote"),
    "messages_bot": Column(_count, "how many the bot wrote"),
    "bursts": Column(_count, "how often the customer wrote an operator several messages at once, 50 to 200 ms apart"),
    "messages_in_bursts": Column(_count, "how many of the customer's messages these were"),
    "operator": Column(sys.intern, "who took it, by any id"),
    "department": Column(_department, "which department it was with when it was taken"),
    "transferred": Column(_yes, "yes, if it was sent on to another operator or department; else no"),
    "rating": Column(_rating, f"1 to {BEST}, or {' or '.join(WORDS)}; empty: not rated"),
}
REQUIRED: Final = tuple(name for name, column in COLUMNS.items() if column.required)
