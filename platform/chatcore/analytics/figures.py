"""The contact centre's figures over the tables of dialogs, each with its definition. One without a denominator is null.

A dialog belongs to the window in which it opened, and to the department, account and channel where it was last. Grouped
by operator it counts for everybody who owned it; its ratings, its reviews and its mood count for the last of them, and
each has their own handling and transfers. By operator, dialogs that nobody owned are left out.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

By = Literal["nothing", "operator", "department", "account", "channel"]


class Times(Struct):
    """Durations in seconds of `n` dialogs; percentiles are the smallest that so large a share does not exceed."""

    n: int
    mean_s: float
    median_s: float
    p95_s: float
    max_s: float


class Ratings(Struct):
    """What customers said: good or bad, or 1 to 5, of which `n` there are."""

    good: int
    bad: int
    n: int
    mean: float | None


class Mean(Struct):
    """The mean over `n` dialogs."""

    n: int
    mean: float | None


class Figures(Struct):
    """The figures of a group of dialogs."""

    name: str
    contacts: Annotated[int, Meta(description="dialogs that opened in the window")]
    open: Annotated[int, Meta(description="of these, not closed yet")]
    offered: Annotated[int, Meta(description="dialogs that entered the queue")]
    accepted: Annotated[int, Meta(description="of these, accepted by an operator")]
    abandoned: Annotated[int, Meta(description="of these, ended by the customer before; call-backs are not")]
    service_level_percent: Annotated[
        float | None, Meta(description="accepted within within_s of entering the queue / offered")
    ]
    waiting: Annotated[Times | None, Meta(description="entering the queue to first acceptance; of accepted dialogs")]
    first_response: Annotated[
        Times | None, Meta(description="entering the queue to an operator's first message; of dialogs with one")
    ]
    handling: Annotated[
        Times | None, Meta(description="acceptance to release or closing, over all owners; of accepted and closed ones")
    ]
    duration: Annotated[Times | None, Meta(description="opening to closing; of closed dialogs, without the abandoned")]
    bot_answered: Annotated[int, Meta(description="closed dialogs that a bot answered before anybody else")]
    contained: Annotated[int, Meta(description="of these, those that never entered the queue")]
    containment_percent: Annotated[float | None, Meta(description="contained / bot_answered")]
    transfers: int
    messages: Annotated[int, Meta(description="of customers, bots, operators, and automatic ones")]
    ratings: Ratings
    reviews: Annotated[Mean, Meta(description="scores of quality control, 1 to 5")]
    mood: Annotated[
        Mean, Meta(description="good less bad words / both, -1 to 1, of customers' messages; of dialogs with any")
    ]


class Asked(NamedTuple):
    """Which dialogs, and how they are grouped. Without `internal`, those of internal departments are left out."""

    from_ms: int
    to_ms: int
    by: By
    within_s: int
    internal: bool
    channels: Mapping[str, str] = {}  # by account


ACCOUNT: Final = "substr(dialog.key, 1, instr(dialog.key, '/') - 1)"
NAMES: Final = {
    "nothing": "''",
    "operator": "ownership.operator",
    "department": "dialog.department",
    "account": ACCOUNT,
    "channel": f"coalesce((SELECT value FROM json_each(:channels) AS known WHERE known.key = {ACCOUNT}), '')",
}
OWN: Final = ("ownership.handled_ms", "ownership.transfers", "ownership.operator = dialog.operator")
ALL: Final = ("dialog.handled_ms", "dialog.transfers", "1")
CHOSEN: Final = """
WITH chosen AS MATERIALIZED (
    SELECT {name} AS name, {held} AS held, {moved} AS moved, {last} AS last,
        opened, queued, accepted, replied, closed, bot, messages, rating, scale, score,
        1.0 * (good_words - bad_words) / nullif(good_words + bad_words, 0) AS mood,
        queued IS NOT NULL AND accepted IS NULL AND dialog.reason = 'customer' AS abandoned
    FROM dialog {owners}
    WHERE opened >= :from_ms AND opened < :to_ms AND internal <= :internal
)"""
COUNTS: Final = """
SELECT name, count(*), count(*) - count(closed), count(queued), count(accepted), count(*) FILTER (WHERE abandoned),
    count(*) FILTER (WHERE accepted - queued <= :within_s * 1000), count(*) FILTER (WHERE bot AND closed IS NOT NULL),
    count(*) FILTER (WHERE bot AND closed IS NOT NULL AND queued IS NULL), sum(moved), sum(messages),
    count(*) FILTER (WHERE last AND scale = 2 AND rating = 2),
    count(*) FILTER (WHERE last AND scale = 2 AND rating = 1),
    count(*) FILTER (WHERE last AND scale = 5), avg(rating) FILTER (WHERE last AND scale = 5),
    count(score) FILTER (WHERE last), avg(score) FILTER (WHERE last),
    count(mood) FILTER (WHERE last), avg(mood) FILTER (WHERE last)
FROM chosen GROUP BY name ORDER BY name
"""
TIMES: Final = """
, timed(name, what, ms) AS (
    SELECT name, 'waiting', accepted - queued FROM chosen WHERE accepted IS NOT NULL
    UNION ALL SELECT name, 'first_response', replied - queued FROM chosen WHERE replied IS NOT NULL
    UNION ALL SELECT name, 'handling', held FROM chosen WHERE accepted IS NOT NULL AND closed IS NOT NULL
    UNION ALL SELECT name, 'duration', closed - opened FROM chosen WHERE closed IS NOT NULL AND NOT abandoned
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY name, what ORDER BY ms) AS rank,
        count(*) OVER (PARTITION BY name, what) AS n
    FROM timed
)
SELECT name, what, n, avg(ms) / 1000, min(ms) FILTER (WHERE 2 * rank >= n) / 1000.0,
    min(ms) FILTER (WHERE 20 * rank >= 19 * n) / 1000.0, max(ms) / 1000.0
FROM ranked GROUP BY name, what
"""


def figures(db: sqlite3.Connection, asked: Asked) -> list[Figures]:
    """The figures of each group, in the order of their names; none where there is no dialog."""
    held, moved, last = OWN if asked.by == "operator" else ALL
    owners = "JOIN ownership USING (log, contact, number)" if asked.by == "operator" else ""
    chosen = CHOSEN.format(name=NAMES[asked.by], held=held, moved=moved, last=last, owners=owners)
    given = asked._asdict() | {"channels": msgspec.json.encode(asked.channels).decode()}
    times: dict[str, dict[str, Times]] = {}
    for name, what, *found in db.execute(chosen + TIMES, given):
        times.setdefault(name, {})[what] = Times(*found)
    return [_figures(row, times.get(row[0], {})) for row in db.execute(chosen + COUNTS, given)]


def _figures(row: tuple[Any, ...], times: Mapping[str, Times]) -> Figures:
    """A group's figures, of a row of COUNTS and its times."""
    name, contacts, unclosed, offered, accepted, abandoned, in_time, bot, contained, moved, messages, *said = row
    good, bad, *means = said
    ratings, reviews, mood = _pairs(means)
    return Figures(
        name=name,
        contacts=contacts,
        open=unclosed,
        offered=offered,
        accepted=accepted,
        abandoned=abandoned,
        service_level_percent=_percent(in_time, offered),
        waiting=times.get("waiting"),
        first_response=times.get("first_response"),
        handling=times.get("handling"),
        duration=times.get("duration"),
        bot_answered=bot,
        contained=contained,
        containment_percent=_percent(contained, bot),
        transfers=moved,
        messages=messages,
        ratings=Ratings(good, bad, *ratings),
        reviews=Mean(*reviews),
        mood=Mean(*mood),
    )


def _pairs(means: list[Any]) -> Iterator[tuple[int, float | None]]:
    return zip(means[::2], means[1::2], strict=True)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
