"""What a scenario amounts to in its peak hour: rates that follow from its figures, before anything is planned."""

import re
from typing import Final, NamedTuple

from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.settings import Settings
from chatload.scenario import Channel, Scenario, ScenarioFile, shape_of
from chatload.scenario.channels import Phone, Web
from chatload.scenario.shape import at_once, kept_turns, more_at_handover

CALL_EVENTS: Final = 3  # of a telephone exchange for a call that is answered: it waits, is answered, ends
POSTS_NOTHING: Final = frozenset({"email"})  # whose provider speaks SMTP
LEVEL: Final = re.compile(r"service_level_(\d+)s")


class Rates(NamedTuple):
    """Of the peak hour, per second of business time; `open`: dialogs and calls at once, if nobody waits or leaves.

    `messages`: of customers, bot and operators. `webhooks`: events that messengers and the exchange post, receipts,
    ratings and repeats included; `receipts`: those of them that tell what became of a reply, an automatic text or a
    notice; a batch may carry several.
    """

    starts: float
    open: float
    messages: float
    webhooks: float
    receipts: float


class Staff(NamedTuple):
    """Operators that Erlang A asks for in the peak hour: for those who write, and for calls."""

    writing: int
    calling: int


def rates(scenario: Scenario) -> Rates:
    """The peak hour's."""
    shape, per_s = shape_of(scenario), starts_per_s(scenario)
    phone = scenario.channels.calls()
    calls = per_s * shape.mix["phone"] if phone else 0.0
    written = per_s - calls
    at_once = written * scenario.dialog.duration + (calls * phone.talk if phone else 0.0)
    events, receipts = CALL_EVENTS * calls, 0.0
    for channel, settings in scenario.channels.written().items():
        if channel in PROVIDERS and channel not in POSTS_NOTHING:
            said, rated, told = _texts(scenario, channel, settings)
            share = per_s * shape.mix[channel]
            repeated = 1 + Settings().repeat_share
            events += share * (said * (repeated + Settings().other_share) + rated * repeated)
            receipts += (share * told + _notices_per_s(scenario, channel, share)) * receipts_a_reply(channel)
    return Rates(per_s, at_once / 1000, written * scenario.dialog.messages, events + receipts, receipts)


def starts_per_s(scenario: Scenario) -> float:
    """Dialogs and calls that start in a second of the peak hour."""
    return scenario.volume.dialogs_per_day * scenario.volume.peak_hour_share / 3600


def receipts_a_reply(channel: str) -> float:
    """How many events one reply causes on average: what the simulated messenger posts of its statuses."""
    told = {"read": Settings().read_share, "failed": 0.0}
    return sum(told.get(status, 1.0) for status in PROVIDERS[channel].statuses)


def _texts(scenario: Scenario, name: Channel, channel: Web) -> tuple[float, float, float]:
    """In a dialog of the channel: the customer's messages, their rating, and what the platform sends, by itself too."""
    kept, turns = (scenario.bot.contained if channel.bot else 0.0), shape_of(scenario).operator_turns
    asked = (scenario.bot.turns_before if channel.bot else 0.0) + 1
    with_bot, feedback = kept * kept_turns(scenario, name), scenario.feedback
    said = with_bot + (1 - kept) * (asked + more_at_handover(scenario, name) + turns * at_once(scenario))
    texts = set(scenario.replies.by_event()) if scenario.replies is not None else set()
    automatic = ("greeting" in texts) + (1 - kept) * (len(texts - {"greeting"}) + (feedback is not None))
    rated = (1 - kept) * feedback.share if feedback is not None else 0.0
    return said, rated, with_bot + (1 - kept) * (asked + turns) + automatic


def _notices_per_s(scenario: Scenario, channel: Channel, starts: float) -> float:
    """Notices that the platform sends to a channel with so many starts; who did not agree to a broadcast gets none."""
    found = 0.0
    for notice in scenario.notices:
        if notice.channel == channel:
            sent = notice.per_day * scenario.volume.peak_hour_share / 3600
            found += sent * (notice.consented if notice.broadcast else 1.0) + starts * notice.answered
    return found


class Target(NamedTuple):
    """The service level that is asked for: so many % within so many s, and who asks for it."""

    share: float
    within_s: float
    said: str


USUAL: Final = Target(80.0, 20.0, "assumed here")  # the commonest target, where a scenario names none


def target(scenario: Scenario) -> Target:
    """What the bank publishes, or the usual; everybody is a share that no number of operators promises."""
    for name, value in scenario.published.items():
        if (found := LEVEL.fullmatch(name)) and 0 < value < 100:
            return Target(value, float(found[1]), "published")
    return USUAL


def needed(scenario: Scenario) -> Staff:
    """The fewest operators with whom the peak hour's service level is reached, if each kind has its own."""
    shape, per_s, phone = shape_of(scenario), starts_per_s(scenario), scenario.channels.calls()
    calls = per_s * shape.mix["phone"] if phone else 0.0
    level, slots = target(scenario), scenario.operators.slots
    writing = _operators(
        (per_s - calls) * (1 - shape.contained), shape.operator_ms, scenario.patience.queue, slots, level
    )
    calling = _operators(calls, phone.talk, phone.patience, 1, level) if phone else 0
    return Staff(writing, calling)


def _operators(per_s: float, service_ms: float, patience_ms: float, slots: int, level: Target) -> int:
    """The fewest operators who serve so large a share in time; 0 where nobody comes."""
    from chatreport.erlang import operators_needed  # brings scipy: not for the help page

    if not per_s:
        return 0
    return operators_needed(per_s, service_ms / 1000, patience_ms / 1000, slots, level.within_s, level.share / 100)


def spelled_out(file: ScenarioFile) -> list[str]:
    """The rates in words: a paragraph of the load, one of the operators it asks for."""
    scenario, found, staff = file.scenario, rates(file.scenario), needed(file.scenario)
    share, within_s, said = target(scenario)
    calls = f" and {staff.calling:,} for the calls" if isinstance(scenario.channels.phone, Phone) else ""
    there = scenario.operators.count * scenario.operators.on_duty(scenario.volume.peak_hour)
    return [
        f"In the peak hour {found.starts:.3g} dialogs start a second, about {found.open:,.0f} are open at once,"
        f" {found.messages:.3g} messages a second are written, and providers post {found.webhooks:.3g} events a second"
        f" to the platform, {found.receipts:.3g} of them receipts.",
        f"By Erlang A, {share:g} % served within {within_s:g} s ({said}) asks for {_operators_said(staff.writing)} for"
        f" those who write{calls}, at the peak hour's mean rate; {there:,.0f} are on duty then.",
    ]


def _operators_said(count: int) -> str:
    return f"{count:,} operator{'s' * (count != 1)}"
