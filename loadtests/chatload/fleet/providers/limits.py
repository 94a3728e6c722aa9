"""How a messenger behaves, as data: its retries and its limits, each profile with its source and date."""

from typing import Final
from zlib import crc32

import msgspec

SECOND_NS: Final = 1_000_000_000


class Profile(msgspec.Struct, frozen=True):
    """A provider's documented behaviour, in wall seconds.

    `retry_s`: the delay after the n-th failure in a row; afterwards something between the two of `then_s`.
    `answer_within_s`: a later answer counts as a failure, whatever it says.
    """

    name: str
    source: str
    as_of: str
    retry_s: tuple[float, ...]
    then_s: tuple[float, float]
    retry_after_most_s: float
    answer_within_s: float
    connections: int
    text_most: int


TELEGRAM: Final = Profile(
    name="telegram",
    source="github.com/tdlib/telegram-bot-api at 01a3679c (WebhookActor.cpp, Client.cpp); text limit: Bot API",
    as_of="2026-05-07",
    retry_s=(0, 2, 4, 8, 16, 32),
    then_s=(60, 120),
    retry_after_most_s=3600,
    answer_within_s=60,
    connections=40,
    text_most=4096,
)


def share_of(key: str) -> float:
    """A number from 0 up to 1 that depends on `key` only."""
    return crc32(key.encode()) / 2**32


def retry_ns(profile: Profile, failures: int, key: str, time_scale: float) -> int:
    """How long the provider waits after so many failures in a row (from 1); divided by `time_scale`."""
    if failures <= len(profile.retry_s):
        delay_s = profile.retry_s[failures - 1]
    else:
        least_s, most_s = profile.then_s
        delay_s = least_s + (most_s - least_s) * share_of(f"{key}:{failures}")
    return int(delay_s * SECOND_NS / time_scale)


def told_ns(profile: Profile, retry_after: str | None, time_scale: float) -> int | None:
    """How long a refusal's Retry-After asks to wait; None without a usable one."""
    if retry_after is None or not retry_after.isdigit():
        return None
    return int(min(float(retry_after), profile.retry_after_most_s) * SECOND_NS / time_scale)


class TokenBucket:
    """Lets `rate_per_s` things a second pass, and `burst` at once after a rest. Time is passed in."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_ns = rate_per_s / SECOND_NS
        self._burst = burst
        self._tokens = burst
        self._at_ns = 0

    def wait_ns(self, now_ns: int) -> int:
        """0 if one may pass now, else how long until one may."""
        elapsed_ns = max(0, now_ns - self._at_ns)
        self._tokens = min(self._burst, self._tokens + elapsed_ns * self._rate_per_ns)
        self._at_ns = now_ns
        return 0 if self._tokens >= 1 else int((1 - self._tokens) / self._rate_per_ns) + 1

    def take(self) -> None:
        """One passes; only after `wait_ns` was 0."""
        self._tokens -= 1
