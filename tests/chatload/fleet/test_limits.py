"""The messengers' documented behaviour as data: retries and limits, with time passed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.fleet.providers import PROVIDERS
from chatload.fleet.providers.limits import SECOND_NS, TokenBucket, retry_ns, told_ns
from chatload.fleet.providers.profiles import TELEGRAM, VK
from chatload.targets.nullserver.dialects import DIALECTS


def test_telegrams_retries_follow_its_server() -> None:
    """At once, then 2, 4, 8, 16, 32 seconds, then something between 60 and 120, the same for the same update."""
    waits = [(retry_ns(TELEGRAM, failures, "update", 1.0) or 0) / SECOND_NS for failures in range(1, 10)]
    assert waits[:6] == [0, 2, 4, 8, 16, 32]
    assert all(60 <= wait <= 120 for wait in waits[6:])
    assert waits == [(retry_ns(TELEGRAM, failures, "update", 1.0) or 0) / SECOND_NS for failures in range(1, 10)]


def test_time_scale_divides_the_waits() -> None:
    """With a time scale of 60 a minute of the provider's passes in a second."""
    assert retry_ns(TELEGRAM, 6, "update", 60.0) == 32 * SECOND_NS // 60
    assert told_ns(TELEGRAM, 429, "30", 60.0) == SECOND_NS // 2


@pytest.mark.parametrize(
    "header, seconds", [("5", 5), ("0", 0), ("9999", 3600), (None, None), ("soon", None), ("-1", None)]
)
def test_retry_after_is_honoured_within_bounds(header: str | None, seconds: int | None) -> None:
    """Whole seconds up to an hour count; anything else is as if nothing had been said."""
    assert told_ns(TELEGRAM, 429, header, 1.0) == (None if seconds is None else seconds * SECOND_NS)


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    """Three at once, then one a second; the wait it tells is exactly enough."""
    bucket = TokenBucket(rate_per_s=1.0, burst=3)
    now = 100 * SECOND_NS
    for _ in range(3):
        assert bucket.wait_ns(now) == 0
        bucket.take()
    wait_ns = bucket.wait_ns(now)
    assert SECOND_NS <= wait_ns <= SECOND_NS + 2
    assert bucket.wait_ns(now + SECOND_NS // 2) == pytest.approx(SECOND_NS // 2, abs=2)
    assert bucket.wait_ns(now + wait_ns) == 0


@given(st.lists(st.integers(0, 3 * SECOND_NS), max_size=200), st.floats(0.1, 50), st.integers(1, 5))
def test_a_bucket_never_lets_more_pass_than_it_may(gaps_ns: list[int], rate_per_s: float, burst: int) -> None:
    """However requests arrive, no more than burst plus rate times time pass."""
    bucket, now, passed = TokenBucket(rate_per_s, burst), 0, 0
    for gap_ns in gaps_ns:
        now += gap_ns
        if bucket.wait_ns(now) == 0:
            bucket.take()
            passed += 1
    assert passed <= burst + rate_per_s * now / SECOND_NS + 1e-6


MIN, HOUR, DAY = 60.0, 3600.0, 86_400.0
PROFILES = {
    # how a webhook succeeds, the first waits in s, what follows, until when in s, how long an answer may take in s
    "telegram": ("2xx", (0, 2, 4, 8, 16, 32), (60, 120), DAY, 60),
    "whatsapp": ("200", (0, 60, 300, 900), (HOUR, HOUR), 7 * DAY, 20),
    "messenger": ("200", (0, 60, 300, 900), (HOUR, HOUR), 36 * HOUR, 20),
    "infobip": ("2xx", (2 * MIN, 5 * MIN, 10 * MIN, 17 * MIN, 26 * MIN), None, 2 * DAY, 10),
    "sms": ("2xx", (2 * MIN, 5 * MIN, 10 * MIN, 17 * MIN, 26 * MIN), None, 2 * DAY, 10),
    "viber": ("200", (10, 60, 300, 900, 1800), None, HOUR, 10),
    "vk": ("ok", (10, 3 * MIN, 10 * MIN, 30 * MIN, HOUR), None, DAY, 10),
    "max": ("200", (), (30, 60), 8 * HOUR, 10),
}


@pytest.mark.parametrize("channel", sorted(DIALECTS))
def test_profiles_are_the_documented_ones(channel: str) -> None:
    """Success, first waits, what follows, the end and the time allowed; each names its source and a date."""
    profile = PROVIDERS[channel].profile
    success, first, then, horizon_s, answer_s = PROFILES[channel]
    assert (profile.success, profile.retry_s[: len(first)], profile.then_s) == (success, first, then)
    assert (profile.horizon_s, profile.answer_within_s) == (horizon_s, answer_s)
    assert profile.source
    assert len(profile.as_of) == len("2026-01-01")


def test_vk_gives_up_after_five_repeats_and_heeds_three_statuses() -> None:
    """Five waits, then none; a Retry-After counts with 410, 429 and 503, up to three hours."""
    assert retry_ns(VK, 5, "event", 1.0) == 3600 * SECOND_NS
    assert retry_ns(VK, 6, "event", 1.0) is None
    assert [told_ns(VK, status, "99999", 1.0) for status in (410, 429, 500, 503)] == [
        3 * 3600 * SECOND_NS, 3 * 3600 * SECOND_NS, None, 3 * 3600 * SECOND_NS,
    ]  # fmt: skip
