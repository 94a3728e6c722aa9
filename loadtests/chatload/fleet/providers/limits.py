"""How a messenger behaves: retries, keyed draws, limits; the data stand in `profiles`."""

from typing import Final, Literal
from zlib import crc32

import msgspec

SECOND_NS: Final = 1_000_000_000


class Profile(msgspec.Struct, frozen=True):
    """A provider's documented behaviour, in wall seconds.

    `success`: which answer takes an event off the queue: "2xx", "200", "ok" (200 with the body `ok`), or "250" of SMTP,
    where 5xx does so, too, for good.
    `retry_s`: the delay after the n-th failure in a row; afterwards something between the two of `then_s`, if given.
    `horizon_s`: after so long an event is given up, as after the last of `retry_s` without `then_s`.
    `retry_after_most_s`: how long a Retry-After may ask for, 0 if it is not honoured; `retry_after_on`: the statuses
    with which it is, empty for any. `answer_within_s`: a later answer counts as a failure, whatever it says.
    `ordered`: a chat's events come one after the other. `batch`: events in one request at most. `window_s`: how long
    after the customer's last message replies are taken; 0 for ever.
    """

    name: str
    source: str
    as_of: str
    success: Literal["2xx", "200", "ok", "250"]
    retry_s: tuple[float, ...]
    then_s: tuple[float, float] | None
    horizon_s: float
    answer_within_s: float
    text_most: int
    retry_after_most_s: float = 0
    retry_after_on: tuple[int, ...] = ()
    ordered: bool = False
    batch: int = 1
    window_s: float = 0
    connections: int = 40


def share_of(key: str) -> float:
    """A number from 0 up to 1 that depends on `key` only."""
    return crc32(key.encode()) / 2**32


def retry_ns(profile: Profile, failures: int, key: str, time_scale: float) -> int | None:
    """How long the provider waits after so many failures in a row (from 1), divided by `time_scale`; None: for ever."""
    if failures <= len(profile.retry_s):
        delay_s = profile.retry_s[failures - 1]
    elif profile.then_s is None:
        return None
    else:
        least_s, most_s = profile.then_s
        delay_s = least_s + (most_s - least_s) * share_of(f"{key}:{failures}")
    return int(delay_s * SECOND_NS / time_scale)


def told_ns(profile: Profile, status: int, retry_after: str | None, time_scale: float) -> int | None:
    """How long a refusal's Retry-After asks to wait; None without one that this provider honours."""
    if retry_after is None or not retry_after.isdigit() or not profile.retry_after_most_s:
        return None
    if profile.retry_after_on and status not in profile.retry_after_on:
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
