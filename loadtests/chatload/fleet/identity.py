"""Who a generated text belongs to: `[RUN:SENDER:COUNTER]` at its start, so that it survives any platform.

A text that replaces another one says so: `[RUN:SENDER:COUNTER~EDIT]`.
"""

import re
from typing import Final

import msgspec

_PATTERN: Final = re.compile(r"\[([0-9a-f]+):(([bcop])(-?\d+)):(\d+)(?:~(\d+))?\]")

CUSTOMER: Final = "c"
OPERATOR: Final = "o"
PROBE: Final = "p"
BANK: Final = "b"


class Identity(msgspec.Struct, frozen=True):
    """A text's origin: `role` and `n` make the `sender` (`c1042`, `o17`, `p3`), `counter` its n-th text.

    `edit`: the number of the text's new wording, 0 for its first words.
    """

    run: str
    sender: str
    role: str
    n: int
    counter: int
    edit: int = 0


def compose(run: str, sender: str, counter: int) -> str:
    """The mark that opens a text; also the client's own id of the message."""
    return f"[{run}:{sender}:{counter}]"


def edited(text: str, edit: int) -> str:
    """A generated text in its `edit`-th new wording."""
    mark, _, words = text.partition("] ")
    return f"{mark}~{edit}] {words} ({edit})"


def parse(text: str) -> Identity | None:
    """The identity at the start of `text`; None for a text that carries none there (a bot quoting one carries none)."""
    found = _PATTERN.match(text)
    if found is None:
        return None
    run, sender, role, n, counter, edit = found.groups()
    return Identity(run, sender, role, int(n), int(counter), int(edit or 0))


def sender_of(identity: Identity | None, run: str) -> str:
    """The sender as rows name it; one of another run keeps that run's name, so that it matches nothing of this one."""
    if identity is None:
        return ""
    return identity.sender if identity.run == run else f"{identity.run}:{identity.sender}"
