"""The contact centre's key figures, each with its definition: numerator, denominator, unit, window, what is left out.

Times are business time: wall time × speed. A figure whose denominator is zero is absent, not zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from chatreport.episodes import Episodes
from chatreport.evidence import SECOND_NS, Evidence
from chatreport.floor import Floor
from chatreport.grouping import NEVER, Floats, Ints, Mask, order_by, running_sum
from chatreport.rundir import Channel, Outcome, Phase, What

TARGET_S: Final = 20
CONTENT_FROM: Final = 4  # of five; of two it is the better one
MAIN: Final = "dialogs that the plan starts between t0 and the end"
RAMP: Final = "the ramp's dialogs"


class Definition(msgspec.Struct, frozen=True):
    """What a figure says."""

    label: str
    unit: str
    numerator: str
    denominator: str = ""
    window: str = MAIN
    left_out: str = RAMP


@dataclass(frozen=True, slots=True)
class Figures:
    """What the figures are made from."""

    evidence: Evidence
    floor: Floor
    dialogs: Episodes
    speed: float

    def seconds(self, ns: Ints) -> Floats:
        """Wall nanoseconds as business seconds."""
        return ns / SECOND_NS * self.speed


Value = float | Floats | None  # one number, or the times whose mean is the figure
Figure = tuple[Definition, Callable[[Figures], Value]]


def key_figures(evidence: Evidence, floor: Floor, dialogs: Episodes) -> dict[str, dict[str, Any]]:
    """`kpi` of the verdict: value, unit and definition by name, with the published value beside where there is one."""
    figures = Figures(evidence, floor, dialogs, float(evidence.manifest.get("speed") or 1.0))
    published = evidence.manifest.get("published") or {}
    result: dict[str, dict[str, Any]] = {}
    for name, (definition, compute) in FIGURES.items():
        entry = _entry(definition, compute(figures))
        if name in published:
            entry["published"] = published[name]
        result[name] = entry
    return result


def withhold(figures: dict[str, dict[str, Any]], reason: str) -> dict[str, dict[str, Any]]:
    """The figures without their values, and why."""
    return {
        name: {key: value for key, value in entry.items() if key not in ("percentiles", "n")}
        | {"value": None, "withheld": reason}
        for name, entry in figures.items()
    }


def _entry(definition: Definition, value: Value) -> dict[str, Any]:
    entry: dict[str, Any] = {"unit": definition.unit, "definition": msgspec.to_builtins(definition), "value": None}
    if isinstance(value, np.ndarray):
        if len(value):
            ranks = np.quantile(value, [0.5, 0.9, 0.95, 0.99], method="inverted_cdf")
            entry["value"] = round(float(value.mean()), 4)
            entry["n"] = len(value)
            entry["percentiles"] = {
                name: round(float(rank), 4) for name, rank in zip(("p50", "p90", "p95", "p99"), ranks, strict=True)
            }
    elif value is not None:
        entry["value"] = round(value, 4)
    return entry


# ── the figures ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _share(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


def _offered(figures: Figures) -> int:
    return int((figures.dialogs.queued_at >= 0).sum())


def _answered(figures: Figures) -> int:
    return int(_was_answered(figures).sum())


def _was_answered(figures: Figures) -> Mask:
    """Which dialogs an operator accepted from the queue while the customer was still there."""
    dialogs = figures.dialogs
    there = (dialogs.left_at < 0) | (dialogs.accepted_at < dialogs.left_at)
    answered: Mask = (dialogs.queued_at >= 0) & (dialogs.accepted_at >= 0) & there
    return answered


def _abandoned(figures: Figures) -> int:
    dialogs = figures.dialogs
    return int(((dialogs.queued_at >= 0) & (dialogs.left_at >= 0) & ~_was_answered(figures)).sum())


def _waits(figures: Figures) -> Floats:
    dialogs, answered = figures.dialogs, _was_answered(figures)
    return figures.seconds(np.maximum(dialogs.accepted_at[answered] - dialogs.queued_at[answered], 0))


def _service_level(figures: Figures) -> Value:
    return _share(int((_waits(figures) <= TARGET_S).sum()), _offered(figures))


def _first_response(figures: Figures) -> Value:
    dialogs = figures.dialogs
    both = (dialogs.queued_at >= 0) & (dialogs.first_reply_at >= 0)
    return figures.seconds(np.maximum(dialogs.first_reply_at[both] - dialogs.queued_at[both], 0))


def _handling(figures: Figures) -> Value:
    held = figures.floor.holdings
    mine = (held.accepted_at >= 0) & np.isin(held.dialog, figures.dialogs.dialog)
    dialogs, line = np.unique(held.dialog[mine], return_inverse=True)
    whole = np.ones(len(dialogs), np.bool_)
    whole[line[held.ended_at[mine] == NEVER]] = False
    spent = np.zeros(len(dialogs), np.int64)
    np.add.at(spent, line, np.minimum(held.ended_at[mine], figures.floor.horizon) - held.accepted_at[mine])
    return figures.seconds(spent[whole])


def _duration(figures: Figures) -> Value:
    rows = figures.evidence.ledger.of(What.DIALOG)
    ended = (rows["phase"] == Phase.MAIN) & (rows["outcome"] == Outcome.COMPLETED) & (rows["started"] >= 0)
    ended &= rows["channel"] != Channel.PHONE
    return figures.seconds((rows["done"] - rows["started"])[ended])


def _window(figures: Figures) -> tuple[int, int]:
    manifest = figures.evidence.manifest
    begin = int(manifest.get("t0_ns") or 0)
    return begin, max(int(manifest.get("end_ns") or figures.floor.horizon), begin)


def _held_ns(figures: Figures) -> tuple[int, int]:
    """(time × dialogs held, time with at least one), over all operators in the window."""
    begin, end = _window(figures)
    held = figures.floor.holdings
    mine = held.accepted_at >= 0
    start = np.clip(held.accepted_at[mine], begin, end)
    stop = np.clip(held.ended_at[mine], begin, end)
    who = np.concatenate([held.operator[mine]] * 2)
    when = np.concatenate([start, stop])
    step = np.repeat(np.array([1, -1], np.int64), len(start))
    order = order_by(who, when, -step)
    holds = running_sum(who[order], step[order])
    until = np.append(when[order][1:], 0)
    return int((stop - start).sum()), int((until - when[order])[holds > 0].sum())


def _present_ns(figures: Figures) -> tuple[int, int]:
    """(time × slots offered, time online), over all operators in the window."""
    begin, end = _window(figures)
    people, times, slots = figures.floor.presence
    last = np.append(people[1:] != people[:-1], True) if len(people) else np.zeros(0, np.bool_)
    until = np.where(last, end, np.append(times[1:], 0))
    spent = np.clip(until, begin, end) - np.clip(times, begin, end)
    return int((spent * slots).sum()), int(spent[slots > 0].sum())


def _concurrency(figures: Figures) -> Value:
    held, busy = _held_ns(figures)
    return held / busy if busy else None


def _occupancy(figures: Figures) -> Value:
    busy, present = _held_ns(figures)[1], _present_ns(figures)[1]
    return 100.0 * busy / present if present else None


def _slot_use(figures: Figures) -> Value:
    held, offered = _held_ns(figures)[0], _present_ns(figures)[0]
    return 100.0 * held / offered if offered else None


def _containment(figures: Figures) -> Value:
    dialogs = figures.dialogs
    seen = (dialogs.bot_messages > 0) & dialogs.closed
    return _share(int((seen & (dialogs.queued_at < 0)).sum()), int(seen.sum()))


def _messages(figures: Figures) -> Value:
    dialogs = figures.dialogs
    written = dialogs.closed & (dialogs.channel != Channel.PHONE)
    return float(dialogs.messages[written].mean()) if written.any() else None


def _handled(figures: Figures) -> Mask:
    """Which dialogs an operator accepted, and are closed."""
    dialogs = figures.dialogs
    handled: Mask = (dialogs.accepted_at >= 0) & dialogs.closed
    return handled


def _rated(figures: Figures) -> int:
    return int((figures.dialogs.rating > 0).sum())


def _rated_share(figures: Figures) -> Value:
    handled = _handled(figures)
    return _share(int((handled & (figures.dialogs.rating > 0)).sum()), int(handled.sum()))


def _satisfaction(figures: Figures) -> Value:
    dialogs = figures.dialogs
    content = (dialogs.rating > 0) & (dialogs.rating >= np.minimum(dialogs.rating_best, CONTENT_FROM))
    return _share(int(content.sum()), _rated(figures))


_QUEUED = "dialogs that entered the queue"
_WAITING = f"{RAMP}; time with the bot"
_FLOOR = "operators' time between t0 and the end"
_HANDLED = "closed dialogs that an operator accepted"

FIGURES: Final[dict[str, Figure]] = {
    "dialogs_offered": (Definition("Offered to operators", "dialogs", _QUEUED), lambda f: float(_offered(f))),
    "dialogs_answered": (
        Definition("Answered", "dialogs", f"{_QUEUED} and that an operator accepted while the customer was there"),
        lambda f: float(_answered(f)),
    ),
    "dialogs_abandoned": (
        Definition("Abandoned in the queue", "dialogs", f"{_QUEUED}; the customer left before an operator accepted"),
        lambda f: float(_abandoned(f)),
    ),
    "service_level_20s": (
        Definition(
            "Service level, 20 s", "%", f"{_QUEUED}, accepted within {TARGET_S} s of entering it", _QUEUED,
            left_out=_WAITING,
        ),
        _service_level,
    ),
    "accepted_share": (
        Definition("Accepted share", "%", f"{_QUEUED} and were accepted", _QUEUED),
        lambda f: _share(_answered(f), _offered(f)),
    ),
    "abandonment": (
        Definition("Abandonment", "%", f"{_QUEUED}; the customer left before an operator accepted", _QUEUED),
        lambda f: _share(_abandoned(f), _offered(f)),
    ),
    "asa_s": (
        Definition(
            "Average speed of answer", "s", "time from entering the queue to the acceptance", "answered dialogs",
            left_out=f"{_WAITING}; dialogs nobody answered",
        ),
        _waits,
    ),
    "first_response_s": (
        Definition(
            "First response", "s", "time from entering the queue to the first operator's message on the customer's "
            "side", "dialogs with such a message", left_out=f"{_WAITING}; bot messages",
        ),
        _first_response,
    ),
    "handling_time_s": (
        Definition(
            "Handling time", "s", "time from acceptance to release or closing, over all owners of a dialog",
            "answered dialogs that ended", left_out=f"{RAMP}; work after closing, which this version does not play",
        ),
        _handling,
    ),
    "duration_s": (
        Definition(
            "Duration", "s", "time from the customer's first act to the end of its script", "completed dialogs",
            left_out=f"{RAMP}; dialogs abandoned or still open; calls",
        ),
        _duration,
    ),
    "concurrency": (
        Definition(
            "Concurrency", "dialogs", "time × dialogs owned", "operators' time with at least one dialog",
            window=_FLOOR, left_out="offers not yet accepted",
        ),
        _concurrency,
    ),
    "occupancy": (
        Definition(
            "Occupancy", "%", "operators' time with at least one dialog", "operators' time online",
            window=_FLOOR, left_out="offers not yet accepted",
        ),
        _occupancy,
    ),
    "slot_use": (
        Definition(
            "Slot use", "%", "time × dialogs owned", "time × slots of operators online",
            window=_FLOOR, left_out="offers not yet accepted",
        ),
        _slot_use,
    ),
    "bot_containment": (
        Definition(
            "Bot containment", "%", "closed dialogs that the bot answered and that never entered the queue",
            "closed dialogs that the bot answered", left_out=f"{RAMP}; dialogs still open",
        ),
        _containment,
    ),
    "messages_per_dialog": (
        Definition(
            "Messages per dialog", "messages", "messages in the final history, of customers, bot and operators",
            "closed dialogs", left_out=f"{RAMP}; dialogs still open; calls; automatic texts, such as a greeting",
        ),
        _messages,
    ),
    "dialogs_rated": (Definition("Rated", "dialogs", "dialogs that their customer rated"), lambda f: float(_rated(f))),
    "rated_share": (
        Definition("Rated share", "%", f"{_HANDLED} and were rated", _HANDLED, left_out=f"{RAMP}; dialogs still open"),
        _rated_share,
    ),
    "satisfaction": (
        Definition("Satisfaction", "%", "ratings of good, or of 4 and 5 where 5 is the best", "ratings"),
        _satisfaction,
    ),
}  # fmt: skip
