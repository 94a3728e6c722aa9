"""What the crew of a run makes of its workers' words: sums for the view, losses, and whose clock is whose."""

from pathlib import Path
from typing import Any

import pytest

from chatload import host
from chatload.errors import BadOption, GeneratorFailed
from chatload.run.crew import Crew, Message, Place
from chatreport.histogram import Histogram


class Line:
    """A link whose other end is the test."""

    def __init__(self, place: Place, on_message: Any, on_end: Any) -> None:
        self.place, self.on_message, self.on_end = place, on_message, on_end
        self.sent: list[Message] = []

    def send(self, do: str, **rest: Any) -> None:
        self.sent.append({"do": do, **rest})
        if do == "ping":
            self.on_message({"is": "pong", "at_ns": 0})

    def close(self) -> None:
        self.sent.append({"do": "close"})

    def processes(self) -> list[int]:
        return []


def crew_of(count: int, folder: Path) -> tuple[Crew, list[Line], list[Any]]:
    """A crew, the other ends, and what it passes on of gauges."""
    lines: list[Line] = []
    shown: list[Any] = []

    def open_line(place: Place, on_message: Any, on_end: Any) -> Line:
        lines.append(Line(place, on_message, on_end))
        return lines[-1]

    crew = Crew([open_line] * count, lambda worker, message: None, lambda row, totals: shown.append(totals))
    crew.open("ab12cd", folder, [[]] * count)
    return crew, lines, shown


def test_the_view_is_drawn_once_a_second(tmp_path: Path) -> None:
    """With the reports of the first worker who is left, and with everybody's gauges."""
    _, lines, shown = crew_of(2, tmp_path)

    def report(number: int) -> None:
        histograms = {name: Histogram([10 * number]).sparse() for name in ("delivery", "lag")}
        gauges = {"open": number + 1}
        lines[number].on_message({"is": "report", "t_ns": 1, "gauges": gauges, "histograms": histograms, "stats": []})

    report(0)
    report(1)
    report(0)
    lines[0].on_end("gone")
    report(1)
    p99_ms = {number: dict.fromkeys(("deliver_p99_ms", "lag_p99_ms"), number * 1e-5) for number in (0, 1)}
    assert shown == [{"open": 1} | p99_ms[0], None, {"open": 3} | p99_ms[1], {"open": 2} | p99_ms[1]]


def test_who_is_lost_holds_no_seats_and_is_asked_nothing(tmp_path: Path) -> None:
    """The others are; who ended after its last word is not lost."""
    crew, lines, _ = crew_of(3, tmp_path)
    for number in range(1, 7):
        lines[(number - 1) % 3].on_message({"is": "seated", "n": number, "on": True})
    lines[1].on_end("no room on this disk")
    lines[2].on_message({"is": "bye", "rows": 5})
    lines[2].on_end("it said nothing")
    crew.send("drain", deadline_s=1)
    assert crew.lost == {"w1": "no room on this disk"}
    assert crew.seated == {1, 4}
    assert [line.sent for line in lines] == [[{"do": "drain", "deadline_s": 1}], [], []]
    assert [line["lost"] for line in crew.manifest()] == [True, True, False]  # the first has not said bye yet
    assert not crew.gone


def test_what_is_required_and_never_comes_is_told_with_last_words(tmp_path: Path) -> None:
    """And whose they are."""
    crew, lines, _ = crew_of(2, tmp_path)
    lines[0].on_message({"is": "armed"})
    lines[1].on_end("no such module (see fleet-w1.log)")
    with pytest.raises(GeneratorFailed, match=r"the fleet of w1 did not make its plan: no such module"):
        crew.require("armed", "did not make its plan", 60, lambda: False)


def test_another_clock_is_measured_and_told_its_own_t0(tmp_path: Path) -> None:
    """Ours is neither asked nor shifted."""
    crew, lines, _ = crew_of(2, tmp_path)
    lines[0].on_message({"is": "hello", "clock": host.clock()})
    lines[1].on_message({"is": "hello", "clock": "another"})
    crew.meet(host.LOOPBACK)
    crew.go(10**18)
    [(name, ahead_ns)] = crew.shifts().items()
    assert name == "w1"
    assert lines[0].sent == [{"do": "go", "t0_ns": 10**18}]
    assert lines[1].sent[-1] == {"do": "go", "t0_ns": 10**18 + ahead_ns}
    assert ahead_ns < 0  # the other one said that it was the beginning of time


def test_who_cannot_reach_loopback_is_refused(tmp_path: Path) -> None:
    """Unless the target listens at an address."""
    crew, lines, _ = crew_of(1, tmp_path)
    lines[0].on_message({"is": "hello", "network": "another", "host": "far"})
    crew.meet("192.0.2.1")
    with pytest.raises(BadOption, match=r"--master-bind-host 127.0.0.1: w0 on far cannot reach it"):
        crew.meet(host.LOOPBACK)
