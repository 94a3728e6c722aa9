"""What an export says of a day: each estimate with the number of rows behind it."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from chatload.fit.columns import BEST, WORDS
from chatload.fit.export import Export, Row
from chatload.fit.floor import Departments, departments
from chatload.fit.patience import mean_patience
from chatload.fit.returns import returns

HOURS: Final = 24
TARGET_S: Final = 20  # of the service level
CONTENT_FROM: Final = 4  # of five; of two it is the better one
BUSY_RANK: Final = 0.95  # of the numbers of dialogs at once that operators accept


class Estimate(NamedTuple):
    """A value, and from how many rows it is."""

    value: float
    rows: int


class Estimates(NamedTuple):
    """Of one export; times in seconds; what it does not tell is missing.

    `figures`: by name. `intraday`: dialogs by hour. `shares`: of the channels. `bots`: the channels whose dialogs
    begin with a bot. `scores`: how often each rating was given, from the worst. `departments`: None where there
    are no two.
    """

    figures: dict[str, Estimate]
    intraday: tuple[int, ...]
    shares: dict[str, float]
    bots: frozenset[str]
    scores: tuple[int, ...]
    departments: Departments | None
    rows: int
    days: int


Maybe = Estimate | None


def estimate(export: Export) -> Estimates:
    """The estimates of an export that has at least one row."""
    rows, channels = export.rows, Counter(row.channel for row in export.rows)
    days = Counter(row.started.date() for row in rows)
    intraday = Counter(row.started.hour for row in rows)
    bots = _bots(rows)
    found = {name: compute(rows) for name, compute in FIGURES.items()} | _bursts(rows)
    found |= _of_bots([row for row in rows if row.channel in bots])
    found["dialogs_per_day"] = Estimate(len(rows) / len(days), len(rows))
    found["peak_hour_share"] = Estimate(max(intraday.values()) / len(rows), len(rows))
    found["busyness_cv"] = _busyness(list(days.values()), len(rows))
    if back := returns(rows):
        found["returning"], found["returning_after_s"] = (Estimate(value, back.rows) for value in back[:2])
    people = found["operators"]
    return Estimates(
        {name: value for name, value in found.items() if value is not None},
        tuple(intraday[hour] for hour in range(HOURS)),
        {name: count / len(rows) for name, count in channels.most_common()},
        bots,
        _scores(rows),
        departments(rows, max(1, round(people.value))) if people else departments(rows, 1),
        len(rows),
        len(days),
    )


def _mean(values: Iterable[float]) -> Maybe:
    found = list(values)
    return Estimate(statistics.fmean(found), len(found)) if found else None


def _share(hits: Iterable[bool]) -> Maybe:
    return _mean(float(hit) for hit in hits)


def _busyness(counts: Sequence[int], rows: int) -> Maybe:
    """By how much days differ beyond chance: of their variance, what Poisson's leaves."""
    if len(counts) < 2:
        return None
    mean = statistics.fmean(counts)
    return Estimate(math.sqrt(max(0.0, statistics.variance(counts) - mean)) / mean, rows)


def _bots(rows: Sequence[Row]) -> frozenset[str]:
    """The channels in most of whose dialogs a bot writes."""
    wrote: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.messages_bot is not None:
            wrote[row.channel].append(row.messages_bot > 0)
    return frozenset(name for name, dialogs in wrote.items() if 2 * sum(dialogs) > len(dialogs))


def _of_bots(rows: Sequence[Row]) -> dict[str, Maybe]:
    """What becomes of dialogs that begin with a bot; who has left it without a person is contained."""
    ended = [row for row in rows if row.queued_s is not None or row.closed_s is not None]
    kept = [row for row in ended if row.queued_s is None]
    return {
        "contained": _share(row.queued_s is None for row in ended),
        "turns_contained": _mean(row.messages_customer for row in kept if row.messages_customer),
        "turns_before": _mean(row.messages_bot for row in ended if row.queued_s is not None and row.messages_bot),
    }


# ── one figure each ──────────────────────────────────────────────────────────────────────────────────────────────────


def _written(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.channel != "phone"]


def _calls(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.channel == "phone"]


def _lost_s(row: Row) -> float | None:
    """How long after it was queued a dialog ended that nobody had taken; None for others."""
    if row.queued_s is None or row.closed_s is None or row.accepted_s is not None:
        return None
    return row.closed_s - row.queued_s


def _abandoned(row: Row) -> bool:
    return _lost_s(row) is not None


def _ended(row: Row) -> bool:
    """Whether somebody ended it; others were noticed to be over when nobody wrote any more."""
    return row.ended_by != "timeout"


def _messages(rows: Iterable[Row]) -> Maybe:
    counted = ((row.messages_customer, row.messages_operator, row.messages_bot) for row in _written(rows))
    return _mean(
        sum(count or 0 for count in counts) for counts in counted if counts[0] is not None and counts[1] is not None
    )


def _durations(rows: Iterable[Row], wait: Callable[[Row], float]) -> Maybe:
    """From the start to the end without the `wait`, as long as everybody who asks for an operator gets one.

    Who fell silent, and who left, is counted as others of their kind are that were seen to end, with the bot or with
    an operator: they are not as frequent in both.
    """
    ended = [row for row in _written(rows) if row.closed_s is not None]
    total, told = 0.0, 0
    for queued in (False, True):
        mine = [row for row in ended if (row.queued_s is not None) is queued]
        seen = (row for row in mine if _ended(row) and not _abandoned(row))
        mean = _mean(row.closed_s - wait(row) for row in seen if row.closed_s is not None)
        if mean is not None:
            total, told = total + len(mine) * mean.value, told + mean.rows
        elif mine:
            return None
    return Estimate(total / len(ended), told) if ended else None


def _wait_s(row: Row) -> float:
    return row.accepted_s - row.queued_s if row.accepted_s is not None and row.queued_s is not None else 0.0


def _patience(rows: Sequence[Row]) -> Maybe:
    served = [_wait_s(row) for row in rows if row.accepted_s is not None]
    lost = [(wait_s, _ended(row)) for row in rows if (wait_s := _lost_s(row)) is not None]
    left, gone = [wait_s for wait_s, said in lost if said], [wait_s for wait_s, said in lost if not said]
    mean = mean_patience(left, served, gone)
    return None if mean is None else Estimate(mean, len(served) + len(lost))


def _bursts(rows: Iterable[Row]) -> dict[str, Maybe]:
    """How much of what operators are asked comes in several messages, and in how many: the bot is asked in one each."""
    told = [row for row in _written(rows) if row.accepted_s is not None and row.messages_customer is not None]
    told = [row for row in told if row.bursts is not None and row.messages_in_bursts is not None]
    bursts, messages = (sum(getattr(row, name) for row in told) for name in ("bursts", "messages_in_bursts"))
    asked = sum((row.messages_customer or 0) - (row.messages_bot or 0) for row in told) - (messages - bursts)
    if not bursts or asked < bursts:
        return {}
    return {"bursts": Estimate(bursts / asked, len(told)), "burst_messages": Estimate(messages / bursts, len(told))}


def _handling(rows: Iterable[Row]) -> Maybe:
    return _mean(
        row.closed_s - row.accepted_s for row in rows if row.closed_s is not None and row.accepted_s is not None
    )


def _accepted_share(rows: Iterable[Row]) -> Maybe:
    return _share(row.accepted_s is not None for row in rows if row.accepted_s is not None or _abandoned(row))


def _service_level(rows: Iterable[Row]) -> Maybe:
    queued = [row for row in rows if row.accepted_s is not None or _abandoned(row)]
    return _share(row.accepted_s is not None and _wait_s(row) <= TARGET_S for row in queued)


def _operators(rows: Iterable[Row]) -> Maybe:
    """Those who take something in the day's busiest hour, on average over the days."""
    taken = [row for row in rows if row.operator]
    if not taken:
        return None
    busiest = Counter(row.started.hour for row in taken).most_common(1)[0][0]
    seen: dict[object, set[str | None]] = defaultdict(set)
    for row in taken:
        if row.started.hour == busiest:
            seen[row.started.date()].add(row.operator)
    return Estimate(statistics.fmean(map(len, seen.values())), len(taken))


def _slots(rows: Iterable[Row]) -> Maybe:
    """How many dialogs an operator has at once when they are busy: of 95 % of the acceptances no more."""
    by_operator: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for row in _written(rows):
        if row.operator and row.accepted_s is not None and row.closed_s is not None:
            begin = row.started.timestamp()
            by_operator[row.operator] += [(begin + row.accepted_s, 1), (begin + row.closed_s, -1)]
    at_once = sorted(held for changes in by_operator.values() for held in _held(sorted(changes)))
    return Estimate(at_once[int(BUSY_RANK * (len(at_once) - 1))], len(at_once)) if at_once else None


def _held(changes: Sequence[tuple[float, int]]) -> Iterable[int]:
    """After each acceptance, how many are held."""
    now = 0
    for _, change in changes:
        now += change
        if change > 0:
            yield now


def _rated(rows: Iterable[Row]) -> Maybe:
    handled = [row for row in rows if row.accepted_s is not None and row.closed_s is not None]
    return _share(row.rating is not None for row in handled) if any(row.rating for row in handled) else None


def _satisfaction(rows: Iterable[Row]) -> Maybe:
    ratings = [row.rating for row in rows if row.rating]
    return _share(rating.score >= (len(WORDS) if rating.words else CONTENT_FROM) for rating in ratings)


def _scores(rows: Iterable[Row]) -> tuple[int, ...]:
    ratings = [row.rating for row in rows if row.rating]
    given = Counter(rating.score for rating in ratings)
    best = len(WORDS) if ratings and ratings[0].words else BEST
    return tuple(given[score] for score in range(1, best + 1)) if ratings else ()


FIGURES: Final[dict[str, Callable[[Sequence[Row]], Maybe]]] = {
    "messages": _messages,
    "duration_s": lambda rows: _durations(rows, _wait_s),
    "lasted_s": lambda rows: _durations(rows, lambda row: 0.0),
    "patience_s": lambda rows: _patience(_written(rows)),
    "silent": lambda rows: _share(not _ended(row) for row in _written(rows) if _abandoned(row) and row.ended_by),
    "talk_s": lambda rows: _handling(_calls(rows)),
    "call_patience_s": lambda rows: _patience(_calls(rows)),
    "operators": _operators,
    "slots": _slots,
    "transfer_share": lambda rows: _share(
        row.transferred for row in rows if row.transferred is not None and row.accepted_s is not None
    ),
    "rated_share": _rated,
    "satisfaction": _satisfaction,
    "asa_s": lambda rows: _mean(_wait_s(row) for row in rows if row.accepted_s is not None),
    "handling_time_s": _handling,
    "accepted_share": _accepted_share,
    "service_level_20s": _service_level,
}
