"""Keyed draws: every random value is a pure function of (seed, purpose, dialog, turn).

Nothing is drawn in sequence, so a value does not depend on what was drawn before, on how many workers there are, or on
which of two processes asks.
"""

import enum
import math
from functools import cache
from hashlib import blake2b
from statistics import NormalDist
from struct import Struct
from typing import Final

_SEED: Final = Struct("<q").pack
_KEY: Final = Struct("<qqq").pack
_STEPS: Final = 1 << 52
_quantile: Final = NormalDist().inv_cdf


class Purpose(enum.IntEnum):
    """What a draw decides. The numbers are part of every plan: never reuse one."""

    ARRIVAL = 1
    KEPT = 2
    BUSYNESS = 3
    CHANNEL = 4
    CONTAINED = 5
    BOT_TURNS = 6
    OPERATOR_TURNS = 7
    LENGTH = 8
    THINKING = 9
    DROP = 10
    DROP_TIME = 11
    PATIENCE = 12
    REPLY_PATIENCE = 13
    SILENT = 14
    ACCEPT = 15
    REACT = 16
    REPLY_LENGTH = 17
    WRAP_UP = 18
    INTRODUCED = 19
    WORDS = 20
    DELIVERED = 21
    READ = 22
    TRANSFER = 23
    DESTINATION = 24
    HOLD = 25
    RATES = 26
    SCORE = 27
    RATE_TIME = 28
    TALK = 29
    AGAIN = 30
    AGAIN_TIME = 31
    ATTACHMENT = 32
    ATTACHMENT_SIZE = 33
    BOT_SAYS = 34
    TOPIC = 35
    WALKS = 36
    BREAK = 40
    BURST = 50
    BURST_MESSAGES = 51
    BURST_GAP = 52
    SENT_ATTACHMENT = 53
    SENT_ATTACHMENT_SIZE = 54
    RETURNS = 55
    RETURN_TIME = 56
    PROVES = 65
    PROOF = 66
    PROOF_THINKING = 67
    MAIL_TIME = 68
    HOSTILE_TIME = 69
    HOSTILE_KIND = 70
    NOTICE_TIME = 71
    CONSENTS = 72
    NOTICED = 73
    NOTICE_LEAD = 74
    CODE = 80


@cache
def _log_shape(cv: float) -> tuple[float, float]:
    """Variance and standard deviation of the logarithm; a scenario has a handful of them."""
    variance = math.log1p(cv * cv)
    return variance, math.sqrt(variance)


class Draws:
    """The draws of one seed. Dialog and turn may be any 64-bit integers; means and results share their unit."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._begun = blake2b(_SEED(seed), digest_size=8).copy  # what all keys begin with

    def uniform(self, purpose: Purpose, dialog: int, turn: int = 0) -> float:
        """A number between 0 and 1, both excluded."""
        keyed = self._begun()
        keyed.update(_KEY(purpose, dialog, turn))
        return ((int.from_bytes(keyed.digest(), "little") >> 12) + 0.5) / _STEPS

    def happens(self, probability: float, purpose: Purpose, dialog: int, turn: int = 0) -> bool:
        """True with this probability; raising the probability never turns a True into a False."""
        return probability > 0 and (probability >= 1 or self.uniform(purpose, dialog, turn) < probability)

    def exponential(self, mean: float, purpose: Purpose, dialog: int, turn: int = 0) -> float:
        """An exponential time."""
        return -mean * math.log(self.uniform(purpose, dialog, turn))

    def lognormal(self, mean: float, cv: float, purpose: Purpose, dialog: int, turn: int = 0) -> float:
        """A log-normal value of this mean and coefficient of variation."""
        variance, deviation = _log_shape(cv)
        return mean * math.exp(deviation * _quantile(self.uniform(purpose, dialog, turn)) - variance / 2)

    def count(self, mean: float, least: int, purpose: Purpose, dialog: int) -> int:
        """A whole number from `least` up with this mean; the rest is the sum of two equal geometric counts."""
        rest = (mean - least) / 2
        if rest <= 0:
            return least
        scale = -1 / math.log1p(-1 / (1 + rest))
        first, second = (-math.log(self.uniform(purpose, dialog, part)) for part in (0, 1))
        return least + int(first * scale) + int(second * scale)
