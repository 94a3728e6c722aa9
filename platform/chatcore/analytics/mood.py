"""The mood of a text by its words: good ones and bad ones, from a file that the bank edits."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import msgspec

from chatcore.errors import BadConfig

MAX_FILE: Final = 1024 * 1024
_WORD: Final = re.compile(r"\w+")
Listed = Annotated[str, msgspec.Meta(pattern=r"^\w{1,64}\*?$(?!\n)")]


class Lists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: words, in whatever case; one with a * at its end stands for all that begin so."""

    good: tuple[Listed, ...] = ()
    bad: tuple[Listed, ...] = ()


class Words:
    """The words of the lists in a text."""

    def __init__(self, lists: Lists = Lists()) -> None:  # noqa: B008 - it is frozen
        self._good = _Matcher(lists.good)
        self._bad = _Matcher(lists.bad)
        self._none = not (lists.good or lists.bad)

    def count(self, text: str) -> tuple[int, int]:
        """How many good words the text has, and how many bad ones."""
        if self._none:
            return 0, 0
        words = _WORD.findall(text.casefold())
        return sum(map(self._good.has, words)), sum(map(self._bad.has, words))


class _Matcher:
    def __init__(self, listed: Iterable[str]) -> None:
        folded = [word.casefold() for word in listed]
        self._whole = frozenset(word for word in folded if not word.endswith("*"))
        self._begins = tuple(word[:-1] for word in folded if word.endswith("*"))

    def has(self, word: str) -> bool:
        return word in self._whole or word.startswith(self._begins)


def load(path: Path) -> Lists:
    """Read the file.

    Raises:
        BadConfig: unreadable, too large, not JSON, an unknown key, a wrong type.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise ValueError(f"larger than {MAX_FILE} bytes")
        return msgspec.json.decode(path.read_bytes(), type=Lists)
    except OSError as error:
        raise BadConfig(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadConfig(path, str(error)) from error
