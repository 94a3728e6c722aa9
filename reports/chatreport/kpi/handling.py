"""Handling: how long operators and customers were at it, what was sent on or held, and how busy the floor was."""

from typing import Final

import numpy as np

from chatreport.grouping import Mask, contains, order_by, running_max
from chatreport.kpi.definition import FLOOR, PERCENT, RAMP, Amount, Definition, Figure, Ratio
from chatreport.kpi.sample import Sample
from chatreport.rundir import Channel

WORKDAY_H: Final = 8  # of a shift, breaks included; nobody publishes the banks' own
OPEN: Final = f"{RAMP}; dialogs still open"
HANDLED: Final = "dialogs that an operator accepted"
ENDED: Final = "closed dialogs that an operator accepted, also after the customer had left"
UNACCEPTED: Final = "offers not yet accepted"
_HOUR_S: Final = 3600.0


def _ended(sample: Sample) -> Mask:
    """Which dialogs were with an operator, and are over."""
    ended: Mask = (sample.dialogs.handled >= 0) & sample.dialogs.closed
    return ended


def _accepted(sample: Sample) -> Mask:
    accepted: Mask = sample.dialogs.accepted_at >= 0
    return accepted


def _lasting(sample: Sample) -> Amount:
    lasted = sample.dialogs.lasted
    return sample.seconds(lasted[lasted >= 0])


def _in_focus(sample: Sample) -> Ratio:
    """Each operator's attention, moments that several dialogs share counted once."""
    ended = sample.dialogs.dialog[_ended(sample) & (sample.dialogs.channel != Channel.PHONE)]
    acts = sample.acts.take(contains(ended, sample.acts.dialog))
    acts = acts.take(order_by(acts.operator, acts.begin))
    since = np.maximum(acts.begin, running_max(acts.operator, acts.end, before=True))
    total = int(np.maximum(acts.end - since, 0).sum())
    return Ratio(float(sample.seconds(float(total))), len(ended))


def _concurrency(sample: Sample) -> Ratio:
    desks = sample.desks
    return Ratio(_hours(sample, desks.spent(desks.pieces.held)), _hours(sample, desks.spent(desks.pieces.held > 0)))


def _occupancy(sample: Sample) -> Ratio:
    mine, all_of_it = sample.desks, sample.everybody
    there = (all_of_it.pieces.offered > 0) | (all_of_it.pieces.held > 0)
    return Ratio(_hours(sample, mine.spent(mine.pieces.held > 0)), _hours(sample, all_of_it.spent(there)))


def _slot_use(sample: Sample) -> Ratio:
    mine, all_of_it = sample.desks, sample.everybody
    slots = np.maximum(all_of_it.pieces.offered, all_of_it.pieces.taken)
    return Ratio(_hours(sample, mine.spent(mine.pieces.taken)), _hours(sample, all_of_it.spent(slots)))


def _per_day(sample: Sample) -> Ratio:
    everybody = sample.everybody
    hours = _hours(sample, everybody.spent(everybody.pieces.on_shift))
    return Ratio(sample.desks.taken_up, hours / WORKDAY_H)


def _hours(sample: Sample, ns: float) -> float:
    return float(sample.seconds(ns)) / _HOUR_S


def _messages(sample: Sample) -> Ratio:
    dialogs = sample.dialogs
    written = dialogs.closed & (dialogs.channel != Channel.PHONE)
    return Ratio(int(dialogs.messages[written].sum()), int(written.sum()))


def _happened(sample: Sample, which: Mask) -> Ratio:
    accepted = _accepted(sample)
    return Ratio(int((accepted & which).sum()), int(accepted.sum()))


def _floor(label: str, unit: str, numerator: str, denominator: str, left_out: str = UNACCEPTED) -> Definition:
    return Definition(label, unit, numerator, denominator, FLOOR, left_out)


FIGURES: Final[dict[str, Figure]] = {
    "handling_time_s": Figure(
        Definition("Handling time", "s", "time from acceptance to release or closing, over all owners "
                   "of a dialog", ENDED, left_out=f"{OPEN}; work after closing"),
        lambda s: s.seconds(s.dialogs.handled[_ended(s)]),
    ),
    "agent_time_s": Figure(
        Definition("Operator's time", "s", "operators' time in focus, each moment once however many "
                   "dialogs share it: from a customer's message (not before the acceptance), or their own last, to "
                   "their answer, transfer or closing", ENDED,
                   left_out=f"{OPEN}; accepting; work after closing; calls"),
        _in_focus,
    ),
    "duration_s": Figure(
        Definition("Duration", "s", "time from the customer's first act to the end of its script", "completed dialogs",
                   left_out=f"{RAMP}; dialogs abandoned or still open; calls"),
        _lasting,
    ),
    "messages_per_dialog": Figure(
        Definition("Messages per dialog", "messages", "messages in the final history, of customers, bot and operators",
                   "closed dialogs", left_out=f"{OPEN}; calls; automatic texts, such as a greeting"),
        _messages,
    ),
    "transfers_share": Figure(
        Definition("Sent on", PERCENT, f"{HANDLED} and that were sent on to somebody else", HANDLED),
        lambda s: _happened(s, s.dialogs.transfers > 0),
    ),
    "hold_share": Figure(
        Definition("Put on hold", PERCENT, f"{HANDLED} and put on hold", HANDLED),
        lambda s: _happened(s, s.dialogs.holds > 0),
    ),
    "hold_s": Figure(
        Definition("Time on hold", "s", "time on hold", "dialogs that were put on hold"),
        lambda s: s.seconds(s.dialogs.on_hold[s.dialogs.holds > 0]),
    ),
    "concurrency": Figure(
        _floor("Concurrency", "dialogs", "operators' hours × dialogs owned",
               "operators' hours with at least one dialog"),
        _concurrency,
    ),
    "occupancy": Figure(
        _floor("Occupancy", PERCENT, "operators' hours with at least one dialog",
               "operators' hours online, or with a dialog"),
        _occupancy,
    ),
    "slot_use": Figure(
        _floor("Slot use", PERCENT, "hours × slots taken; a call takes all",
               "hours × slots of operators online, and those taken of operators who are not"),
        _slot_use,
    ),
    "contacts_per_operator_day": Figure(
        _floor("Contacts per operator and day", "contacts", "dialogs that got their first operator",
               f"operators' hours on shift, breaks included, ÷ {WORKDAY_H} h", "transfers, which are the same contact"),
        _per_day,
    ),
}  # fmt: skip
