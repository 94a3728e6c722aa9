"""The queue: who waited, how long, who was accepted, and who left."""

import re
from typing import Final

import numpy as np

from chatreport.grouping import Floats, Ints, Mask
from chatreport.kpi.definition import PERCENT, RAMP, Amount, Definition, Figure, Ratio
from chatreport.kpi.sample import Sample
from chatreport.rundir import Channel

TARGET_S: Final = 20  # of the service level, unless a name says another
SHORT_S: Final = 5  # who leaves so soon has not waited: shorter than any operator's click on what rings
QUEUED: Final = "dialogs that entered the queue"
ANSWERED: Final = "dialogs answered"
THERE: Final = " while the customer was there"
LEFT: Final = "dialogs abandoned in the queue"
SHORT: Final = f"dialogs abandoned within {SHORT_S} s"
ACCEPTED: Final = f"{RAMP}; who left after the acceptance"
WAITING: Final = f"{RAMP}; time with the bot"


def answered(sample: Sample) -> Mask:
    """Which dialogs an operator accepted from the queue while the customer was still there."""
    dialogs = sample.dialogs
    there = (dialogs.left_at < 0) | (dialogs.accepted_at < dialogs.left_at)
    found: Mask = (dialogs.queued_at >= 0) & (dialogs.accepted_at >= 0) & there
    return found


def abandoned(sample: Sample) -> Mask:
    """Which dialogs the customer left from the queue before an operator accepted."""
    dialogs = sample.dialogs
    found: Mask = (dialogs.queued_at >= 0) & (dialogs.left_at >= 0) & ~answered(sample)
    return found


def unanswered(sample: Sample) -> Mask:
    """Which dialogs were accepted in time, and left before the operator had written anything."""
    dialogs = sample.dialogs
    silent = (dialogs.first_reply_at < 0) | (dialogs.first_reply_at > dialogs.left_at)
    found: Mask = answered(sample) & (dialogs.left_at >= 0) & silent
    return found


def _count(which: Mask) -> int:
    return int(which.sum())


def _offered(sample: Sample) -> int:
    return _count(sample.dialogs.queued_at >= 0)


def _offered_in_writing(sample: Sample) -> int:
    return _count((sample.dialogs.queued_at >= 0) & (sample.dialogs.channel != Channel.PHONE))


def _from_queue(sample: Sample, until: Ints, which: Mask) -> Floats:
    """Business seconds from entering the queue, of some dialogs."""
    return sample.seconds(np.maximum(until[which] - sample.dialogs.queued_at[which], 0))


def waits(sample: Sample) -> Floats:
    """How long those waited who were answered, s."""
    return _from_queue(sample, sample.dialogs.accepted_at, answered(sample))


def given_up(sample: Sample) -> Floats:
    """How long those waited who left, s."""
    return _from_queue(sample, sample.dialogs.left_at, abandoned(sample))


def _in_time(times: Floats, limit_s: float) -> int:
    return _count(times <= limit_s)


def _to_connect(sample: Sample) -> Amount:
    dialogs, which = sample.dialogs, answered(sample)
    return sample.seconds(np.maximum(dialogs.accepted_at[which] - dialogs.asked_at[which], 0))


def _first_response(sample: Sample) -> Amount:
    dialogs = sample.dialogs
    return _from_queue(sample, dialogs.first_reply_at, (dialogs.queued_at >= 0) & (dialogs.first_reply_at >= 0))


def _response_from_start(sample: Sample) -> Amount:
    dialogs = sample.dialogs
    which = (dialogs.first_reply_at >= 0) & (dialogs.opened_at >= 0) & (dialogs.channel != Channel.PHONE)
    return sample.seconds(np.maximum(dialogs.first_reply_at[which] - dialogs.opened_at[which], 0))


def _abandoned(sample: Sample, *, told: bool) -> Ratio:
    left = abandoned(sample)
    return Ratio(_count(left & (sample.dialogs.told == told)), _offered(sample))


def _short(sample: Sample) -> int:
    return _in_time(given_up(sample), SHORT_S)


def _without_short(sample: Sample) -> Ratio:
    short = _short(sample)
    return Ratio(len(given_up(sample)) - short, _offered(sample) - short)


def _levels(target_s: int) -> dict[str, Figure]:
    """The service level and its variants, by name, for one target."""
    label, took = f"Service level, {target_s} s", f"{QUEUED}, accepted within {target_s} s of entering it{THERE}"

    def level(variant: str, part: str, whole: str, left_out: str = WAITING) -> Definition:
        return Definition(label + variant, PERCENT, part, whole, left_out=left_out)

    def in_time(sample: Sample) -> int:
        return _in_time(waits(sample), target_s)

    def ended(sample: Sample) -> int:
        return len(waits(sample)) + len(given_up(sample))

    unended = f"{WAITING}; dialogs that still wait"
    return {
        "": Figure(level("", took, QUEUED), lambda s: Ratio(in_time(s), _offered(s))),
        "_of_ended": Figure(
            level(", of those answered or gone", took, f"{ANSWERED} + {LEFT}", unended),
            lambda s: Ratio(in_time(s), ended(s)),
        ),
        "_without_short": Figure(
            level(", short abandons aside", took, f"{ANSWERED} + {LEFT}", f"{unended}; {SHORT}"),
            lambda s: Ratio(in_time(s), ended(s) - _short(s)),
        ),
        "_with_abandoned": Figure(
            level(
                ", early abandons counted in", f"{took}, or abandoned within {target_s} s", f"{ANSWERED} + {LEFT}",
                unended,
            ),
            lambda s: Ratio(in_time(s) + _in_time(given_up(s), target_s), ended(s)),
        ),
        "_of_answered": Figure(
            level(", of those answered", took, ANSWERED, f"{WAITING}; dialogs nobody answered"),
            lambda s: Ratio(in_time(s), len(waits(s))),
        ),
    }  # fmt: skip


_LEVEL: Final = re.compile(r"service_level_([1-9]\d{0,4})s(\w*)")


def service_level(name: str) -> Figure | None:
    """The service level that a name asks for, `service_level_60s` or a variant of it; None if it asks for none."""
    found = _LEVEL.fullmatch(name)
    return _levels(int(found[1])).get(found[2]) if found else None


def _share(label: str, part: str, whole: str = QUEUED, left_out: str = RAMP) -> Definition:
    return Definition(label, PERCENT, part, whole, left_out=left_out)


def _time(label: str, numerator: str, denominator: str, left_out: str) -> Definition:
    return Definition(label, "s", numerator, denominator, left_out=left_out)


FIGURES: Final[dict[str, Figure]] = {
    "dialogs_opened": Figure(
        Definition("Dialogs", "dialogs", "dialogs that customers opened"), lambda s: len(s.dialogs)
    ),
    "dialogs_offered": Figure(Definition("Offered to operators", "dialogs", QUEUED), _offered),
    "dialogs_answered": Figure(
        Definition("Answered", "dialogs", f"{QUEUED} and that an operator accepted{THERE}"),
        lambda s: _count(answered(s)),
    ),
    "dialogs_abandoned": Figure(
        Definition("Abandoned in the queue", "dialogs", f"{QUEUED}; the customer left before an operator accepted",
                   left_out=ACCEPTED),
        lambda s: _count(abandoned(s)),
    ),
    **{f"service_level_{TARGET_S}s{variant}": figure for variant, figure in _levels(TARGET_S).items()},
    "accepted_share": Figure(
        _share("Accepted share", f"{QUEUED} and that an operator accepted{THERE}"),
        lambda s: Ratio(_count(answered(s)), _offered(s)),
    ),
    "abandonment": Figure(
        _share("Abandonment", f"{QUEUED}; the customer left before an operator accepted", left_out=ACCEPTED),
        lambda s: Ratio(_count(abandoned(s)), _offered(s)),
    ),
    "abandonment_spoken": Figure(
        _share("Abandonment, spoken", f"{LEFT}, which the customer closed, or hung up"),
        lambda s: _abandoned(s, told=True),
    ),
    "abandonment_silent": Figure(
        _share("Abandonment, silent", f"{LEFT}, of which the customer told nobody"),
        lambda s: _abandoned(s, told=False),
    ),
    "abandonment_short": Figure(_share("Abandonment, short", SHORT), lambda s: Ratio(_short(s), _offered(s))),
    "abandonment_without_short": Figure(
        _share("Abandonment, short ones aside", LEFT, left_out=f"{RAMP}; {SHORT}, on both sides"), _without_short
    ),
    "left_unanswered": Figure(
        _share("Left between the acceptance and the answer", f"{QUEUED}; an operator accepted, and the "
               "customer left before the operator's first message: counted as answered",
               left_out=f"{RAMP}; calls, on both sides"),
        lambda s: Ratio(_count(unanswered(s)), _offered_in_writing(s)),
    ),
    "asa_s": Figure(
        _time("Average speed of answer", "time from entering the queue to the acceptance", ANSWERED,
              f"{WAITING}; dialogs nobody answered"),
        waits,
    ),
    "time_to_connect_s": Figure(
        _time("Time to connect", "time from sending the message that led into the queue, or from the call, to the "
              "acceptance", ANSWERED, f"{RAMP}; dialogs nobody answered"),
        _to_connect,
    ),
    "abandoned_after_s": Figure(
        _time("Wait of the abandoned", "time from entering the queue to leaving it", LEFT, WAITING), given_up
    ),
    "first_response_s": Figure(
        _time("First response", "time from entering the queue to the first operator's message on the customer's side",
              "dialogs with such a message", f"{WAITING}; bot messages"),
        _first_response,
    ),
    "first_response_from_start_s": Figure(
        _time("First response, from the start", "time from the customer's first message to the first operator's "
              "message on the customer's side", "dialogs with such a message", f"{RAMP}; bot messages; calls"),
        _response_from_start,
    ),
    "next_response_s": Figure(
        _time("Next response", "time from a customer's message, the first of several in a row, to the operator's "
              "answer", "operators' answers after the first of a dialog", f"{RAMP}; bot messages; calls"),
        lambda s: s.seconds(s.answers.took),
    ),
}  # fmt: skip
