"""The figures of any dialogs, however their rows come in, are those of a plain recount."""

import math
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from functools import partial
from random import Random
from statistics import mean
from typing import Any, NamedTuple, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.analytics.figures import Asked, By, Figures, Mean, Ratings, Times, figures
from chatcore.analytics.mood import Lists, Words
from chatcore.analytics.tables import READ, Dialogs
from chatcore.journal.port import Row
from chatcore.journal.schema import HISTORY_TABLES
from chatcore.machines import events as e

CHANNELS = {"web": "web", "app": "app", "tg": "telegram", "tg2": "telegram"}
WORDS = Words(Lists(good=("thanks", "fine"), bad=("awful",)))
TEXTS = ("thanks", "Fine! thanks", "awful", "awful, fine", "hello and")
ACTS: list[tuple[Any, ...]] = [
    *(("say", text) for text in TEXTS), ("bot",), ("system",), ("hold",), ("sent",), ("edit",),
    *[("reply",), ("release",), ("accept", "o1"), ("accept", "o2")] * 4,
    *[("queue", "cards"), ("queue", "cards"), ("queue", "legal")] * 2,
    ("transfer", ""), ("transfer", "loans"), ("transfer", "legal"),
    ("close", "customer"), ("close", "operator"), ("close", "inactive"),
    *[("rate", (1, 2)), ("rate", (2, 2)), ("rate", (1, 5)), ("rate", (4, 5)), ("review", 1), ("review", 4)] * 2,
]  # fmt: skip
GAPS_MS = (0, 1, 999, 5_000, 20_000, 20_001)


class Made(NamedTuple):
    """A dialog: its contact's key and its events."""

    log: int
    key: str
    events: list[Any]

    def first(self, kind: type, holds: Callable[[Any], bool] = lambda event: True) -> Any:
        """Its first event of a kind for which something holds."""
        return next((event for event in self.events if isinstance(event, kind) and holds(event)), None)

    def last(self, kind: type) -> Any:
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)

    @property
    def opened(self) -> int:
        return int(self.events[0].at)


class Play:
    """Makes the events of a dialog by chance; what cannot be done now is left out."""

    def __init__(self, chance: Random, contact: int, number: int) -> None:
        self.place = contact, number
        self.seq = 0
        self.at = chance.randrange(60)
        self.queued = self.closed = False
        self.owner = ""
        self.events: list[Any] = [e.Said(*self._place(), "customer", "m", 1, "hello", 0, "", 0)]
        for _ in range(chance.randrange(80)):
            self.at += chance.choice(GAPS_MS)
            what, *more = chance.choice(ACTS)
            self.events += getattr(self, what)(*more)

    def _place(self) -> tuple[int, int, int, int]:
        self.seq += 1
        return (*self.place, self.seq, self.at)

    def _message(self, author: str, text: str = "…", rule: str = "") -> list[Any]:
        return [] if self.closed else [e.Said(*self._place(), author, "", 1, text, 0, rule, 0)]

    def say(self, text: str) -> list[Any]:
        return self._message("customer", text)

    def bot(self) -> list[Any]:
        return self._message("bot") if not self.queued else []

    def hold(self) -> list[Any]:
        return self._message("bot", rule="hold") if self.owner else []

    def system(self) -> list[Any]:
        return self._message("system")

    def reply(self) -> list[Any]:
        return self._message(self.owner) if self.owner else []

    def sent(self) -> list[Any]:
        return [e.Sent(*self.place, self.seq, "p", self.at)]

    def edit(self) -> list[Any]:
        return [e.Edited(*self._place(), "m", 2, "awful", (self.place[1], 1))]

    def queue(self, department: str) -> list[Any]:
        if self.queued or self.closed:
            return []
        self.queued = True
        return [e.Queued(*self._place(), department, 0, "", internal=department == "legal")]

    def accept(self, operator: str) -> list[Any]:
        if not self.queued or self.owner or self.closed:
            return []
        self.owner = operator
        return [e.Assigned(*self._place(), 1, operator)]

    def release(self) -> list[Any]:
        owner, self.owner = self.owner, ""
        return [e.Released(*self._place(), 1, owner, "lost")] if owner else []

    def transfer(self, department: str) -> list[Any]:
        if not self.owner:
            return []
        told = e.Transferred(*self._place(), 1, self.owner, "", department, "", internal=department == "legal")
        return [told, *self.release()]

    def close(self, reason: str) -> list[Any]:
        if self.closed:
            return []
        owner, self.owner, self.closed = self.owner, "", True
        was = e.State.ASSIGNED if owner else e.State.QUEUED if self.queued else e.State.BOT
        return [e.Closed(*self._place(), reason, 1, owner, was)]

    def rate(self, of: tuple[int, int]) -> list[Any]:
        return [e.Rated(*self.place, self.at, *of)] if self.closed else []

    def review(self, score: int) -> list[Any]:
        return [e.Reviewed(*self.place, self.at, "r1", score, "so so")] if self.closed else []


def made(chance: Random) -> list[Made]:
    """Dialogs of contacts in two logs; those of one contact are numbered."""
    contacts: dict[tuple[int, str], tuple[int, int]] = {}  # number, and that of the last dialog
    found = []
    for _ in range(chance.randrange(40)):
        log, key = chance.randint(1, 2), f"{chance.choice(('web', 'app', 'tg', 'tg2', 'gone'))}/{chance.randint(1, 3)}"
        contact, dialogs = contacts.get((log, key), (len(contacts) + 1, 0))
        contacts[log, key] = contact, dialogs + 1
        found.append(Made(log, key, Play(chance, contact, dialogs + 1).events))
    return found


# --- the recount -----------------------------------------------------------------------------------------------------


def holdings(dialog: Made) -> Iterator[tuple[str, int]]:
    """Who owned it, and for how long, as far as they let go."""
    since, owner = 0, ""
    for event in dialog.events:
        if isinstance(event, e.Assigned):
            since, owner = event.at, event.operator
        elif isinstance(event, e.Released | e.Closed) and owner:
            yield owner, event.at - since
            owner = ""


def group(dialog: Made, by: str) -> list[str]:
    """The groups that it counts for."""
    account = dialog.key.partition("/")[0]
    asked = [event for event in dialog.events if isinstance(event, e.Queued | e.Transferred) and event.department]
    match by:
        case "operator":
            return sorted({event.operator for event in dialog.events if isinstance(event, e.Assigned)})
        case "department":
            return [asked[-1].department if asked else ""]
        case "account":
            return [account]
        case "channel":
            return [CHANNELS.get(account, "")]
    return [""]


def times(spans_ms: list[int]) -> Times | None:
    if not spans_ms:
        return None
    ordered = sorted(spans_ms)
    at = [ordered[math.ceil(share * len(ordered)) - 1] / 1000 for share in (0.5, 0.95, 1.0)]
    return Times(len(ordered), mean(ordered) / 1000, *at)


def moods(dialogs: list[Made]) -> list[float]:
    found = []
    for dialog in dialogs:
        said = [event.text for event in dialog.events if isinstance(event, e.Said) and event.author == "customer"]
        words = [word.strip("!,").casefold() for text in said for word in text.split()]
        good, bad = sum(word in ("thanks", "fine") for word in words), words.count("awful")
        found += [(good - bad) / (good + bad)] if good + bad else []
    return found


def averaged(values: list[Any]) -> Mean:
    return Mean(len(values), mean(values) if values else None)


def recount(name: str, dialogs: list[Made], asked: Asked) -> Figures:
    """The figures of some dialogs, from their events."""
    operator = name if asked.by == "operator" else ""
    queued = [dialog for dialog in dialogs if dialog.first(e.Queued)]
    accepted = [dialog for dialog in queued if dialog.first(e.Assigned)]
    closed = [dialog for dialog in dialogs if dialog.first(e.Closed)]
    abandoned = [
        dialog for dialog in closed if dialog in queued and dialog not in accepted
        and dialog.first(e.Closed).reason == "customer"
    ]  # fmt: skip
    waits = [dialog.first(e.Assigned).at - dialog.first(e.Queued).at for dialog in accepted]
    replied = [
        (dialog, reply) for dialog in queued
        if (reply := dialog.first(e.Said, lambda event: event.author in ("o1", "o2")))
    ]  # fmt: skip
    handled = [
        sum(ms for owner, ms in holdings(dialog) if operator in ("", owner))
        for dialog in accepted if dialog in closed
    ]  # fmt: skip
    with_bot = [
        dialog for dialog in closed if dialog.first(e.Said, lambda event: event.author == "bot" and not event.rule)
    ]
    contained = [dialog for dialog in with_bot if dialog not in queued]
    last = [
        dialog for dialog in dialogs if operator in ("", dialog.last(e.Assigned) and dialog.last(e.Assigned).operator)
    ]
    rated = [dialog.last(e.Rated) for dialog in last if dialog.last(e.Rated)]
    stars = [rating.score for rating in rated if rating.scale == 5]
    in_time = sum(ms <= asked.within_s * 1000 for ms in waits)
    return Figures(
        name=name,
        contacts=len(dialogs),
        open=len(dialogs) - len(closed),
        offered=len(queued),
        accepted=len(accepted),
        abandoned=len(abandoned),
        service_level_percent=100 * in_time / len(queued) if queued else None,
        waiting=times(waits),
        first_response=times([reply.at - dialog.first(e.Queued).at for dialog, reply in replied]),
        handling=times(handled),
        duration=times([d.first(e.Closed).at - d.opened for d in closed if d not in abandoned]),
        bot_answered=len(with_bot),
        contained=len(contained),
        containment_percent=100 * len(contained) / len(with_bot) if with_bot else None,
        transfers=sum(
            isinstance(event, e.Transferred) and operator in ("", event.operator)
            for dialog in dialogs for event in dialog.events
        ),
        messages=sum(isinstance(event, e.Said) for dialog in dialogs for event in dialog.events),
        ratings=Ratings(
            sum((rating.score, rating.scale) == (2, 2) for rating in rated),
            sum((rating.score, rating.scale) == (1, 2) for rating in rated),
            len(stars), mean(stars) if stars else None,
        ),
        reviews=averaged([dialog.last(e.Reviewed).score for dialog in last if dialog.last(e.Reviewed)]),
        mood=averaged(moods(last)),
    )  # fmt: skip


def expected(dialogs: list[Made], asked: Asked) -> list[Figures]:
    groups: dict[str, list[Made]] = {}
    for dialog in dialogs:
        internal = any(isinstance(event, e.Queued | e.Transferred) and event.internal for event in dialog.events)
        if asked.from_ms <= dialog.opened < asked.to_ms and (asked.internal or not internal):
            for name in group(dialog, asked.by):
                groups.setdefault(name, []).append(dialog)
    return [recount(name, groups[name], asked) for name in sorted(groups)]


def near(found: Any, wanted: Any) -> bool:
    """Whether they are alike, means up to what rounding does to them."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(near(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, float):
        return isinstance(found, float) and math.isclose(found, wanted, abs_tol=1e-9)
    return bool(found == wanted)


# --- the test --------------------------------------------------------------------------------------------------------


def rows_of(dialogs: list[Made], log: int) -> tuple[list[Row], dict[int, str]]:
    """A log's history rows in the order of their events' times, as the core hands them in, and its contacts' keys."""
    mine = [dialog for dialog in dialogs if dialog.log == log]
    events = sorted((event for dialog in mine for event in dialog.events), key=lambda event: event.at)
    rows = [
        Row(event.contact, event.number, getattr(event, "seq", 0), e.TAGS[type(event)], at, e.encode_event(event))
        for at, event in enumerate(events, 1)
    ]
    return rows, {dialog.events[0].contact: dialog.key for dialog in mine}


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    portion=st.integers(1, 100),
    window=st.tuples(st.integers(0, 20), st.integers(40, 60)),
    within_s=st.sampled_from([1, 20, 40]),
    internal=st.booleans(),
)
def test_the_figures_are_those_of_a_recount(
    seed: int, portion: int, window: tuple[int, int], within_s: int, internal: bool
) -> None:
    """Whatever happens in dialogs of two logs, and however many rows are written at once."""
    dialogs = made(Random(seed))
    asked = [Asked(*window, by, within_s, internal, CHANNELS) for by in get_args(By)]
    tables = Dialogs(WORDS)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(HISTORY_TABLES)
        for log in (1, 2):
            rows, keys = rows_of(dialogs, log)
            for start in range(0, len(rows), portion):
                tables.write(db, log, rows[start : start + portion], partial(known, keys))
        for each in asked:
            for found, wanted in zip(figures(db, each), expected(dialogs, each), strict=True):
                assert near(as_dict(found), as_dict(wanted)), (found, wanted)


def test_a_dialog_is_found_by_its_key_however_many_there_are() -> None:
    """What the next rows go on with is searched for, dialog by dialog, and nothing else of the log is read."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(HISTORY_TABLES)
        *_, last = db.execute("EXPLAIN QUERY PLAN " + READ, ("[[1, 1]]", 1))
    assert last[-1] == "SEARCH dialog USING PRIMARY KEY (log=? AND contact=? AND number=?)"


def known(keys: dict[int, str], contacts: Collection[int]) -> dict[int, str]:
    return {contact: keys[contact] for contact in contacts}


def as_dict(given: Figures) -> Any:
    return msgspec.to_builtins(given)
