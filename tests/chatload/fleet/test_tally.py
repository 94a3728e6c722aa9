"""What Locust's tables and the live view are shown."""

import pytest

from chatload.fleet.live import Live
from chatload.fleet.tally import Tally, bucket_ms
from chatreport.histogram import Histogram

MS = 1_000_000


@pytest.mark.parametrize(
    "ms, bucket",
    [(0.2, 0), (0.6, 1), (99.4, 99), (104.9, 100), (147.0, 150), (1051.0, 1100), (3432.0, 3400), (58760.0, 59000)],
)
def test_buckets_are_locusts(ms: float, bucket: int) -> None:
    """Whole milliseconds below 100, two significant digits above, as Locust rounds."""
    assert bucket_ms(ms) == bucket


def test_a_report_holds_what_came_since_the_last() -> None:
    """Sums, buckets, errors and histograms of one interval, once; the next report starts from nothing."""
    tally = Tally()
    tally.add("accept", "WEB", 2 * MS)
    tally.add("accept", "WEB", 5 * MS)
    tally.fail("accept", "WEB", "too_long")
    tally.add("deliver_in", "TG", 7 * MS)
    tally.lag(3 * MS)
    stats, _, histograms = tally.report()
    assert sorted(stats, key=lambda row: str(row["name"])) == [
        {
            "name": "accept", "method": "WEB", "n": 3, "failures": 1, "total_ms": 7.0, "min_ms": 2.0, "max_ms": 5.0,
            "buckets": {2: 1, 5: 1}, "errors": {"too_long": 1},
        },
        {
            "name": "deliver_in", "method": "TG", "n": 1, "failures": 0, "total_ms": 7.0, "min_ms": 7.0, "max_ms": 7.0,
            "buckets": {7: 1}, "errors": {},
        },
    ]  # fmt: skip
    assert histograms == {"delivery": Histogram([7 * MS]).sparse(), "lag": Histogram([3 * MS]).sparse()}
    again, _, histograms = tally.report()
    assert (again, histograms) == ([], dict.fromkeys(("delivery", "lag"), Histogram().sparse()))


def test_a_message_is_unconfirmed_from_its_acknowledgement_to_the_owners_screen() -> None:
    """Counted once acknowledged, gone once seen, whichever comes first."""
    tally = Tally()
    live = Live(tally)
    live.begin(5, 1)
    live.sent(5, "c5", 1, 10 * MS)
    assert tally.unconfirmed == 0
    live.acknowledged(5, "c5", 1)
    assert tally.unconfirmed == 1
    live.seen(5, "c5", 1, 14 * MS)
    live.seen(5, "c5", 1, 99 * MS)
    live.acknowledged(5, "c5", 1)
    assert tally.unconfirmed == 0
    (row,) = tally.report()[0]
    assert (row["name"], row["method"], row["n"], row["total_ms"]) == ("deliver_in", "WEB", 1, 4.0)


def test_an_answer_confirms_what_came_before() -> None:
    """A seat of another worker is not seen here; its answer shows that it saw the message. The end forgets the rest."""
    tally = Tally()
    live = Live(tally)
    for index in (5, 6):
        live.begin(index, 1)
        live.sent(index, f"c{index}", 1, 0)
        live.acknowledged(index, f"c{index}", 1)
    assert tally.unconfirmed == 2
    live.answered(5)
    assert tally.unconfirmed == 1
    live.end(6)
    assert tally.unconfirmed == 0


def test_who_is_away_is_not_waited_for() -> None:
    """An answer sent while the app is closed shows no delivery time; the next one does."""
    tally = Tally()
    live = Live(tally)
    live.begin(5, 2)
    live.absent(5, 20 * MS)
    for counter, sent_ms in ((1, 15), (2, 25)):
        live.sent(5, "o1", counter, sent_ms * MS)
        live.seen(5, "o1", counter, 28 * MS)
    (row,) = tally.report()[0]
    assert (row["name"], row["method"], row["n"], row["total_ms"]) == ("deliver_out", "APP", 1, 3.0)


def test_assignment_counts_from_the_later_of_queue_entry_and_room() -> None:
    """A dialog that waits for a slot waits for people, not for the platform."""
    tally = Tally()
    live = Live(tally)
    live.begin(5, 1)
    live.queued(5, 10 * MS)
    live.offered(5, 30 * MS, 25 * MS)
    live.offered(5, 90 * MS, 25 * MS)
    (row,) = tally.report()[0]
    assert (row["name"], row["n"], row["total_ms"]) == ("assign", 1, 5.0)
