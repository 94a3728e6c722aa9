"""The mood of a text by its words: good ones and bad ones, from a file that the bank edits."""

import re
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


NONE: Final = Lists()


class Words:
    """The words of the lists in a text."""

    def __init__(self, lists: Lists = NONE) -> None:
        listed = [(word.casefold(), good) for good in (False, True) for word in (lists.good if good else lists.bad)]
        self._whole = {word: good for word, good in listed if not word.endswith("*")}
        self._begins = {word[:-1]: good for word, good in listed if word.endswith("*")}
        self._lengths = sorted({len(word) for word in self._begins})

    def count(self, text: str) -> tuple[int, int]:
        """How many good words the text has, and how many bad ones; what is in both lists is good."""
        if not (self._whole or self._begins):
            return 0, 0
        found = [self._is_good(word) for word in _WORD.findall(text.casefold())]
        return found.count(True), found.count(False)

    def _is_good(self, word: str) -> bool | None:
        """None: it is in no list."""
        good = self._whole.get(word)
        for length in self._lengths if good is None else ():
            good = self._begins.get(word[:length])
            if good is not None:
                return good
        return good


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
