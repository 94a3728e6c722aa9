"""The live view on something that is no terminal: a plain line every few seconds, nothing judged."""

import io

from chatload.control.live import LiveView


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def lines_after(seconds: list[float], *, gauges: bool = True) -> list[str]:
    """What is written when the fleet reports at these times, with a hundred messages between two reports."""
    clock, stream = Clock(), io.StringIO()
    view = LiveView(60, stream, gauges=gauges, clock=clock)
    view.start("smoke")
    for number, at_s in enumerate(seconds):
        clock.now_s = 100 + at_s
        gauge = {
            "open": 600,
            "waiting": 2,
            "messages": 100 * number,
            "unconfirmed": 3,
            "deliver_p99_ms": 4.25,
            "seats": 400,
        }
        view.show(at_s - 2, gauge | {"started": 10, "planned": 3677})
    view.stop()
    return stream.getvalue().splitlines()


def test_a_plain_line_every_five_seconds() -> None:
    """The first at once, with the ramp before t0 named; the rate is over the last reports."""
    assert lines_after([0, 1, 2, 3, 4, 5, 6]) == [
        "smoke: time ramp, 2 s left, dialogs open 600, waiting 2, messages/s –, delivery p99 4.2 ms, unconfirmed 3,"
        " operators 400, started 10 of 3,677",
        "smoke: time 3 / 60 s, dialogs open 600, waiting 2, messages/s 100, delivery p99 4.2 ms, unconfirmed 3,"
        " operators 400, started 10 of 3,677",
    ]


def test_without_gauges_only_notes_are_written() -> None:
    """Below plain Locust the terminal is Locust's."""
    assert lines_after([0, 10, 20], gauges=False) == []
