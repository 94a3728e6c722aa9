"""What becomes of a dialog, told by its entries: a pure function of them, one after the other."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from chatcore.analytics.mood import Words
from chatcore.machines import events as e


class Share(msgspec.Struct):
    """What one owner adds to a dialog: how long they owned it, and how often they sent it on."""

    handled_ms: int = 0
    transfers: int = 0


class Episode(msgspec.Struct, array_like=True):
    """A dialog as far as it is known: a row of the table `dialog`. Times are in wall ms, None: not yet."""

    contact: int
    number: int
    key: str  # the contact's
    draw: int  # see chatcore.machines.quality
    opened: int
    department: str = ""  # whose queue it was sent to last
    internal: bool = False  # only for the department that it was sent to
    operator: str = ""  # who owned it last
    bot: bool = False  # a bot answered before an operator was asked for
    queued: int | None = None
    accepted: int | None = None  # for the first time
    replied: int | None = None  # … by an operator
    closed: int | None = None
    reason: str = ""  # of the closing
    owned: int | None = None  # since when its present owner has it
    handled_ms: int = 0  # by all owners, as far as they let go
    transfers: int = 0
    messages: int = 0
    good_words: int = 0  # of the customer
    bad_words: int = 0
    rating: int | None = None
    scale: int = 0
    score: int | None = None
    reviewer: str = ""
    comment: str = ""

    @property
    def dialog(self) -> str:
        """Its id on the wire."""
        return f"{self.key}#{self.number}"


class Told(msgspec.Struct):
    """An episode, and what its owners added to it since it was read."""

    episode: Episode
    shares: dict[str, Share] = {}

    def share(self, operator: str) -> Share:
        """What an owner added."""
        return self.shares.setdefault(operator, Share())

    def let_go(self, at: int) -> None:
        """Nobody owns it any more."""
        episode = self.episode
        if episode.owned is not None:
            episode.handled_ms += at - episode.owned
            self.share(episode.operator).handled_ms += at - episode.owned
            episode.owned = None


def follow(told: Told, event: e.DialogEvent, words: Words) -> None:
    """Take in the next of the dialog's events that are of a `KINDS`."""
    _FOLLOW[type(event)](told, event, words)


def _said(told: Told, event: e.Said, words: Words) -> None:
    episode = told.episode
    episode.messages += 1
    if event.author == "customer":
        good, bad = words.count(event.text)
        episode.good_words += good
        episode.bad_words += bad
    elif event.author == "bot":
        episode.bot |= episode.queued is None
    elif event.author != "system" and episode.replied is None:
        episode.replied = event.at


def _called(told: Told, event: e.Called, words: Words) -> None:
    """A call opens a dialog as a message does, which is all that counts of it here."""


def _queued(told: Told, event: e.Queued, words: Words) -> None:
    episode = told.episode
    episode.department, episode.queued = event.department, event.at
    episode.internal |= event.internal


def _assigned(told: Told, event: e.Assigned, words: Words) -> None:
    episode = told.episode
    episode.operator, episode.owned = event.operator, event.at
    if episode.accepted is None:
        episode.accepted = event.at
    told.share(event.operator)


def _transferred(told: Told, event: e.Transferred, words: Words) -> None:
    episode = told.episode
    episode.transfers += 1
    episode.department = event.department or episode.department
    episode.internal |= event.internal
    told.share(event.operator).transfers += 1


def _released(told: Told, event: e.Released, words: Words) -> None:
    told.let_go(event.at)


def _closed(told: Told, event: e.Closed, words: Words) -> None:
    told.let_go(event.at)
    told.episode.closed, told.episode.reason = event.at, event.reason


def _rated(told: Told, event: e.Rated, words: Words) -> None:
    told.episode.rating, told.episode.scale = event.score, event.scale


def _reviewed(told: Told, event: e.Reviewed, words: Words) -> None:
    episode = told.episode
    episode.score, episode.reviewer, episode.comment = event.score, event.by, event.comment


_FOLLOW: Final[dict[type, Callable[[Told, Any, Words], None]]] = {
    e.Said: _said,
    e.Called: _called,
    e.Queued: _queued,
    e.Assigned: _assigned,
    e.Transferred: _transferred,
    e.Released: _released,
    e.Closed: _closed,
    e.Rated: _rated,
    e.Reviewed: _reviewed,
}
KINDS: Final = frozenset(e.TAGS[kind] for kind in _FOLLOW)
"""The kinds of history rows that say anything of what becomes of a dialog."""
