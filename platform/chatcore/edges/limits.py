"""A token bucket without a clock of its own."""


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
