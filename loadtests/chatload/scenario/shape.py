"""What follows from a scenario's figures: the means that nobody publishes, such that the published ones come out.

Published are messages and minutes of a dialog. So the operator's turns are what the bot's and the hand-over turn leave
of the messages, and the customer's thinking is what reading, typing and the operators' work leave of the minutes.
"""

from collections.abc import Mapping
from typing import NamedTuple

from chatload.scenario.channels import Channel, Played, Web
from chatload.scenario.model import Scenario

MS_PER_MIN = 60_000.0
LEAST_AT_ONCE = 2  # messages of a burst
GAP_LEAST_MS, GAP_MOST_MS = 50.0, 200.0  # between them
GAP_MEAN_MS = (GAP_LEAST_MS + GAP_MOST_MS) / 2


class Impossible(ValueError):
    """Two figures of a scenario contradict each other; `key` names the one to change."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key}: {what}")
        self.key = key
        self.what = what


class Shape(NamedTuple):
    """Means over the planned dialogs in which people write; times in business milliseconds.

    `mix`: share of each played channel in all dialogs, together 1. `contained`: share that the bot keeps.
    `operator_turns`: turns after the hand-over turn of a dialog that reaches an operator.
    `thinking_ms`: a customer's, per turn after the first. `operator_ms`: how long an operator holds a dialog.
    """

    mix: dict[Channel, float]
    contained: float
    operator_turns: float
    thinking_ms: float
    operator_ms: float


def shape_of(scenario: Scenario) -> Shape:
    """The means of the plan.

    Raises:
        Impossible: the messages or the minutes of a dialog do not suffice for what must happen in it.
    """
    written = scenario.channels.written()
    mix = _mix(written)
    contained = sum(mix[name] * _contained(scenario, channel) for name, channel in written.items())
    operator_turns = _operator_turns(scenario, mix, contained)
    thinking_ms = _thinking_ms(scenario, mix, operator_turns)
    replies = 1 + operator_turns
    per_turn = sum(mix[name] * _typing_ms(scenario, channel) for name, channel in written.items())
    customer = operator_turns * (thinking_ms + per_turn + _reading_ms(scenario, scenario.operators.length))
    operator_ms = replies * react_ms(scenario) + customer + scenario.operators.wrap_up
    operator_ms += operator_turns * (at_once(scenario) - 1) * (per_turn + GAP_MEAN_MS + _read_ms(scenario))
    return Shape(_mix(scenario.channels.played()), contained, operator_turns, thinking_ms, operator_ms)


def _mix(channels: Mapping[Channel, Played]) -> dict[Channel, float]:
    total = sum(channel.share for channel in channels.values()) or 1.0  # of a bank where nobody writes
    return {name: channel.share / total for name, channel in channels.items()}


def react_ms(scenario: Scenario) -> float:
    """An operator's mean time from a message on screen to the answer: reading, thinking, typing."""
    people = scenario.operators
    reading = scenario.dialog.length / people.reads_per_min
    return (reading + people.length / people.types_per_min) * MS_PER_MIN + people.thinking


def at_once(scenario: Scenario) -> float:
    """Mean messages in which an operator is asked one thing."""
    bursts = scenario.dialog.bursts
    return 1.0 if bursts is None else 1 + bursts.share * (bursts.messages - 1)


def hands_over_in_bursts(scenario: Scenario, channel: Channel) -> bool:
    """Whether more may follow at once on the message that asks for an operator.

    Not where the bank's own bot takes its time to hand over, and would be asked about the rest, too.
    """
    return not (scenario.channels.played()[channel].bot and scenario.bot.service is not None)


def bot_length(scenario: Scenario) -> float:
    """Mean characters of the bot's answers."""
    return sum(len(answer.text) for answer in scenario.bot.answers) / len(scenario.bot.answers)


def _contained(scenario: Scenario, channel: Web) -> float:
    return scenario.bot.contained if channel.bot else 0.0


def _typing_ms(scenario: Scenario, channel: Web) -> float:
    return scenario.dialog.length / channel.types_per_min * MS_PER_MIN


def _reading_ms(scenario: Scenario, length: float) -> float:
    return length / scenario.dialog.reads_per_min * MS_PER_MIN


def _read_ms(scenario: Scenario) -> float:
    """An operator reading one message."""
    return scenario.dialog.length / scenario.operators.reads_per_min * MS_PER_MIN


def more_at_handover(scenario: Scenario, name: Channel) -> float:
    """Mean messages that follow at once on the one that asks for an operator."""
    return at_once(scenario) - 1 if hands_over_in_bursts(scenario, name) else 0.0


def kept_turns(scenario: Scenario, name: Channel) -> float:
    """Customers' messages in a dialog that the bot keeps."""
    known = proving_share(scenario, name)
    turns = scenario.bot.turns_contained
    return turns + known * (scenario.authentication.turns - turns) if scenario.authentication is not None else turns


def proving_share(scenario: Scenario, name: Channel) -> float:
    """The share of the dialogs that the bot keeps whose customers show who they are: none where codes come by mail."""
    return scenario.authentication.share if scenario.authentication is not None and name != "email" else 0.0


def _mail_ms(scenario: Scenario, name: Channel) -> float:
    """How long customers of the dialogs that the bot keeps look for a code, on average."""
    return proving_share(scenario, name) * (scenario.authentication.reads if scenario.authentication else 0.0)


def _bot_turns_before(scenario: Scenario, channel: Web) -> float:
    return scenario.bot.turns_before if channel.bot else 0.0


def _operator_turns(scenario: Scenario, mix: dict[Channel, float], contained: float) -> float:
    """Solve mean messages, of turns with their answers and of what is written at once with them, for these turns."""
    before = 0.0
    for name, channel in scenario.channels.written().items():
        share = _contained(scenario, channel)
        human = 2 * (_bot_turns_before(scenario, channel) + 1) + more_at_handover(scenario, name)
        before += mix[name] * (share * 2 * kept_turns(scenario, name) + (1 - share) * human)
    if contained == 1:
        return 0.0
    turns = (scenario.dialog.messages - before) / ((1 - contained) * (at_once(scenario) + 1))
    if turns < 0:
        raise Impossible(
            "dialog.messages", f"the bot's and the hand-over turns alone make {before:.1f} messages a dialog"
        )
    return turns


def _thinking_ms(scenario: Scenario, mix: dict[Channel, float], operator_turns: float) -> float:
    """Solve the mean duration, first step to close, for the customers' thinking."""
    fixed = thinking_turns = 0.0
    for name, channel in scenario.channels.written().items():
        share, before = _contained(scenario, channel), _bot_turns_before(scenario, channel)
        typing, after_bot = _typing_ms(scenario, channel), _reading_ms(scenario, bot_length(scenario))
        kept = kept_turns(scenario, name)
        fixed += mix[name] * share * (kept * typing + (kept - 1) * after_bot + _mail_ms(scenario, name))
        turns = before + 1 + operator_turns
        readings = before * after_bot + operator_turns * _reading_ms(scenario, scenario.operators.length)
        work = scenario.operators.accept + (1 + operator_turns) * react_ms(scenario) + scenario.operators.wrap_up
        more = more_at_handover(scenario, name) + operator_turns * (at_once(scenario) - 1)
        at_once_ms = more * (typing + GAP_MEAN_MS + _read_ms(scenario))
        fixed += mix[name] * (1 - share) * (turns * typing + readings + work + at_once_ms)
        thinking_turns += mix[name] * (share * (kept - 1) + (1 - share) * (turns - 1))
    left = scenario.dialog.duration - fixed
    if left < 0:
        raise Impossible(
            "dialog.duration", f"reading, typing and the operators' work alone take {fixed / MS_PER_MIN:.1f} min"
        )
    return left / thinking_turns if thinking_turns else 0.0
