"""The bank's answers: one JSON file that the bank edits while the core runs; an unknown key is refused by name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from chatcore.errors import BadConfig
from chatcore.machines.hours import Hours

MAX_FILE: Final = 1024 * 1024
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^/\n]+$")]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of the bot, given when one of `keywords` occurs in the text."""

    rule: Word
    keywords: tuple[Word, ...]
    text: Text


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a menu: it gives its `text`; leads to its `items` under that text; or hands over with its `topic`."""

    name: Name
    text: str = ""
    topic: str = ""
    items: "tuple[Item, ...]" = ()


class Menu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service menu: what a dialog begins with."""

    text: Text = "What can we do for you?"
    items: tuple[Item, ...] = ()


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An automatic text on an event, of one account or department, or of all.

    `{place}` in the text of `place` is the place in the queue; `{opens}` in that of `out_of_hours` is when it opens.
    """

    event: Literal["greeting", "waiting", "out_of_hours", "closing", "feedback", "place"]
    text: Text
    account: str = ""
    department: str = ""


class OpeningHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A department's business hours: an IANA time zone, and windows such as `mon-fri 09:00-18:00`."""

    zone: str
    windows: tuple[str, ...]


class Feedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ratings from 1 to `scale` within `window_s` of the closing; on a scale of 2, by the words for bad and good."""

    scale: Literal[2, 5] = 5
    window_s: Annotated[int, msgspec.Meta(ge=1)] = 86_400
    bad: tuple[Word, ...] = ("bad",)
    good: tuple[Word, ...] = ("good",)


class Answers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `topics` says which department a topic belongs to, `ask_place` how to ask for the place."""

    answers: tuple[Answer, ...] = ()
    handover: tuple[Word, ...] = ("operator",)
    again: Text = "I did not understand. Please say it in other words, or ask for an operator."
    menu: Menu = Menu()
    topics: dict[str, str] = {}
    replies: tuple[Reply, ...] = ()
    ask_place: tuple[Word, ...] = ()
    hours: dict[str, OpeningHours] = {}
    feedback: Feedback | None = None


def load(path: Path) -> Answers:
    """Read the file.

    Raises:
        BadConfig: unreadable, too large, not JSON, an unknown key, a wrong type, a menu or hours that make no sense.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise ValueError(f"larger than {MAX_FILE} bytes")
        answers = msgspec.json.decode(path.read_bytes(), type=Answers)
        for fault in _faults(answers.menu.items, ""):
            raise ValueError(fault)
        hours(answers)
    except OSError as error:
        raise BadConfig(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadConfig(path, str(error)) from error
    return answers


def hours(answers: Answers) -> dict[str, Hours]:
    """Business hours by department.

    Raises:
        ValueError: an unknown zone, or a window that is none.
    """
    found: dict[str, Hours] = {}
    for department, given in answers.hours.items():
        try:
            found[department] = Hours.parse(given.zone, given.windows)
        except ValueError as error:
            raise ValueError(f"hours.{department}: {error}") from error
    return found


def _faults(items: tuple[Item, ...], above: str) -> Iterator[str]:
    """What is wrong with the lines of a menu."""
    names = [item.name.casefold() for item in items]
    for item in items:
        path = f"{above}/{item.name}"
        if not item.text and (item.items or not item.topic):
            yield f"menu{path}: a line needs a text or a topic, and one with items a text"
        if item.topic and (item.text or item.items):
            yield f"menu{path}: a line with a topic hands over; it has neither text nor items"
        if names.count(item.name.casefold()) > 1 or item.name.isdigit():
            yield f"menu{path}: a name of its own that is no number"
        yield from _faults(item.items, path)
