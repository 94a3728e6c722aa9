"""What a customer writes in a planned dialog: the turns, how long they are and take, and what is enclosed."""

import math
from itertools import repeat
from typing import Final

from chatload.draws import Draws, Purpose
from chatload.plan.model import Attachment, To, Turn
from chatload.scenario import Channel, Scenario, Shape
from chatload.scenario.shape import (
    GAP_LEAST_MS,
    GAP_MOST_MS,
    LEAST_AT_ONCE,
    MS_PER_MIN,
    bot_length,
    hands_over_in_bursts,
)

LONGEST: Final = 1000  # characters of one message
SMALLEST, SIZES = 256, 20_000  # bytes of an attachment, and by how many it may be larger
WITHOUT_FILES: Final = frozenset({"sms"})
IDLE_SHARE: Final = 0.8  # of the inactivity time: who means to go on writes before the platform gives them up


class Turns:
    """Makes the turns of one scenario's dialogs; every method is a pure function."""

    def __init__(self, scenario: Scenario, shape: Shape, draws: Draws) -> None:
        self._scenario = scenario
        self._shape = shape
        self._draws = draws
        self._dialog = scenario.dialog
        self._app = scenario.channels.app
        self._written = scenario.channels.written()
        self._bot_reading_ms = bot_length(scenario) / scenario.dialog.reads_per_min * MS_PER_MIN

    def of(self, index: int, channel: Channel, contained: bool) -> tuple[Turn, ...]:
        """The turns of a dialog: the bot's, the one that asks for an operator, the operator's."""
        bot, draws = self._scenario.bot, self._draws
        if contained:
            with_bot, with_operator = draws.count(bot.turns_contained, 1, Purpose.BOT_TURNS, index), 0
        else:
            with_bot = draws.count(bot.turns_before, 1, Purpose.BOT_TURNS, index) if self._written[channel].bot else 0
            least = 1 if self._shape.operator_turns >= 1 else 0
            with_operator = draws.count(self._shape.operator_turns, least, Purpose.OPERATOR_TURNS, index)
        asked: list[To] = ["bot"] * with_bot
        if not contained:
            asked.append("handover")
            asked.extend(repeat("operator", with_operator))
        turns: list[Turn] = []
        answered: Turn | None = None
        for to in asked:
            begin = len(turns)
            turns += self._burst(index, begin, channel, to, answered)
            answered = turns[begin]
        return tuple(turns)

    def _burst(self, index: int, begin: int, channel: Channel, to: To, answered: Turn | None) -> list[Turn]:
        """What is written at once, from position `begin` on, after the answer to `answered`."""
        parts = range(begin, begin + self._messages(index, begin, channel, to))
        lengths = [self._length(index, part) for part in parts]
        think_ms = sum(lengths) / self._written[channel].types_per_min * MS_PER_MIN
        if answered is not None:
            think_ms = self._thought_ms(think_ms, index, begin, to, answered)
        turns, answer = [], 0 if to == "bot" else self.answer(index, begin)
        for part, length in zip(parts, lengths, strict=True):
            drop_ms = self._drop_ms(index, part, channel) if part == parts[-1] else None
            whom, after_ms, answer = (to, think_ms, answer) if part == begin else ("more", self._gap_ms(index, part), 0)
            file = self._sent_file(index, part, channel, whom)
            turns.append(Turn(after_ms, length, whom, drop_ms, file, answer))
        return turns

    def _messages(self, index: int, begin: int, channel: Channel, to: To) -> int:
        """In how many messages a turn is written."""
        bursts, draws = self._dialog.bursts, self._draws
        if bursts is None or to == "bot" or (to == "handover" and not hands_over_in_bursts(self._scenario, channel)):
            return 1
        if not draws.happens(bursts.share, Purpose.BURST, index, begin):
            return 1
        more = bursts.messages - LEAST_AT_ONCE
        if not more:
            return LEAST_AT_ONCE
        return LEAST_AT_ONCE + int(draws.exponential(1 / math.log1p(1 / more), Purpose.BURST_MESSAGES, index, begin))

    def _gap_ms(self, index: int, turn: int) -> float:
        return GAP_LEAST_MS + (GAP_MOST_MS - GAP_LEAST_MS) * self._draws.uniform(Purpose.BURST_GAP, index, turn)

    def _length(self, index: int, turn: int) -> int:
        drawn = self._draws.lognormal(self._dialog.length, self._dialog.length_cv, Purpose.LENGTH, index, turn)
        return min(LONGEST, max(1, round(drawn)))

    def _thought_ms(self, typing_ms: float, index: int, turn: int, to: To, answered: Turn) -> float:
        """Typing, after reading the answer before and thinking about it."""
        read_ms = typing_ms + self._reading_ms(to, answered)
        cv = self._dialog.thinking_cv
        think_ms = read_ms + self._draws.lognormal(self._shape.thinking_ms, cv, Purpose.THINKING, index, turn)
        return min(think_ms, IDLE_SHARE * self._scenario.timers.inactivity)

    def _sent_file(self, index: int, turn: int, channel: Channel, to: To) -> Attachment | None:
        """What is sent instead of a text to an operator; what a bot must understand stays a text."""
        share = self._dialog.attachment_share
        with_bot = to == "bot" or (to == "handover" and self._written[channel].bot)
        if not share or with_bot or channel in WITHOUT_FILES:
            return None
        return drawn_file(self._draws, share, Purpose.SENT_ATTACHMENT, Purpose.SENT_ATTACHMENT_SIZE, index, turn)

    def _reading_ms(self, to: To, answered: Turn) -> float:
        """Reading the answer to the turn before."""
        if to != "operator":
            return self._bot_reading_ms
        return answered.answer / self._dialog.reads_per_min * MS_PER_MIN

    def answer(self, index: int, turn: int) -> int:
        """Characters of the operator's answer to a turn."""
        drawn = self._draws.lognormal(
            self._scenario.operators.length, self._dialog.length_cv, Purpose.REPLY_LENGTH, index, turn
        )
        return min(LONGEST, max(1, round(drawn)))

    def _drop_ms(self, index: int, turn: int, channel: Channel) -> float | None:
        app = self._app
        if channel != "app" or app is None or not self._draws.happens(app.drops, Purpose.DROP, index, turn):
            return None
        return self._draws.exponential(app.away, Purpose.DROP_TIME, index, turn)


def drawn_file(draws: Draws, share: float, whether: Purpose, size: Purpose, index: int, turn: int) -> Attachment | None:
    """An image or a document, with the probability `share`."""
    point = draws.uniform(whether, index, turn)
    if point >= share:
        return None
    length = SMALLEST + int(SIZES * draws.uniform(size, index, turn))
    return Attachment("png" if point < share / 2 else "pdf", length)
