"""Token buckets without a clock of their own."""

from heapq import nlargest
from operator import itemgetter
from typing import Final

LOOKS_AT: Final = 1000


class Bucket:
    """Allows `rate_per_s` on average and `burst` at once; all times are passed in, in seconds."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._level = burst
        self._at_s = 0.0

    @property
    def full_after_s(self) -> float:
        """After how long without use the bucket is certainly full."""
        return self._burst / self._rate

    def wait_s(self, now_s: float) -> float:
        """How long to wait until one may be taken; 0 if at once."""
        self._refill(now_s)
        return 0.0 if self._level >= 1 else (1 - self._level) / self._rate

    def take(self, now_s: float) -> None:
        """Take one; the level may go below zero when the caller did not wait."""
        self._refill(now_s)
        self._level -= 1

    def _refill(self, now_s: float) -> None:
        self._level = min(self._burst, self._level + max(0.0, now_s - self._at_s) * self._rate)
        self._at_s = max(self._at_s, now_s)


class Buckets:
    """A bucket a key. Full ones are forgotten from time to time; beyond `most`, the half with most in it is.

    A bucket is kept as the time when it is full again, which costs a float and one comparison.
    """

    def __init__(self, rate_per_s: float, burst: float, most: int) -> None:
        self._each_s = 1 / rate_per_s
        self._full_at_most_s = (burst - 1) / rate_per_s  # from now, for one to be left
        self._most = most
        self._looks_at = min(LOOKS_AT, most)  # so many of them, for full ones
        self._full_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_s)

    def empty(self, key: str, now_s: float) -> bool:
        """Whether nothing may be taken from the key's bucket now."""
        return self._full_s.get(key, now_s) > now_s + self._full_at_most_s

    def take(self, key: str, now_s: float) -> bool:
        """Take one; False if there is none."""
        full_s = self._full_s.get(key, now_s)
        if full_s > now_s + self._full_at_most_s:
            return False
        self._full_s[key] = max(full_s, now_s) + self._each_s
        if len(self._full_s) > self._looks_at:
            self._forget(now_s)
        return True

    def _forget(self, now_s: float) -> None:
        self._full_s = {key: full_s for key, full_s in self._full_s.items() if full_s > now_s}
        if len(self._full_s) > self._most:
            self._full_s = dict(nlargest(self._most // 2, self._full_s.items(), key=itemgetter(1)))
        self._looks_at = min(max(LOOKS_AT, 2 * len(self._full_s)), self._most)
