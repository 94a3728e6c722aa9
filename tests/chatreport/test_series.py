"""What the pictures show, against counts of the record."""

import numpy as np
import pytest

from chatreport.evidence import SECOND_NS
from chatreport.floor import Floor
from chatreport.latency import measure
from chatreport.rundir import Kind, Outcome, What
from chatreport.series import BEYOND, BINS, Timeline, curves, timeline
from chatreport.wording import milliseconds, number, printable
from tests.chatreport.ledgers import MS, T0, Record
from tests.chatreport.worlds import play


def test_the_timeline_adds_up() -> None:
    """Offered and completed dialogs are all there, nobody waits or is busy in the end, no level is negative."""
    record = play()
    evidence = record.evidence()
    floor = Floor(evidence)
    shown = timeline(evidence, floor, measure(evidence, floor))
    assert len(shown.at_s) == BINS
    assert round(float(shown.offered.sum() * shown.step_s)) == len(record.find(What.DIALOG))
    assert round(float(shown.completed.sum() * shown.step_s)) == len(
        record.find(What.DIALOG, outcome=Outcome.COMPLETED)
    )
    assert (shown.waiting[-1], shown.busy[-1], shown.open_dialogs[-1]) == (0, 0, 0)
    for level in (shown.waiting, shown.busy, shown.open_dialogs, shown.online):
        assert level.min() >= 0
    assert 1 <= shown.busy.max() <= shown.online.max() == 2
    assert shown.end_s == 2.0


def test_who_comes_back_to_the_queue_waits_again() -> None:
    """A dialog that was sent on, and taken two steps later, is drawn as waiting until then."""
    record = play()
    place = {name: record.one(What.ENTRY, kind=Kind.TRANSFERRED)[name] for name in ("contact", "number")}
    again = record.find(What.ACCEPT, **place)[-1]["started"]
    later = int(2 * shown(record).step_s * SECOND_NS)
    for row in record.rows:
        if {name: row.get(name) for name in place} == place:
            row |= {name: row[name] + later for name in ("started", "done") if row.get(name, -1) >= again}
    assert shown(record).waiting.sum() == shown(play()).waiting.sum() + 2


def shown(record: Record) -> Timeline:
    evidence = record.evidence()
    floor = Floor(evidence)
    return timeline(evidence, floor, measure(evidence, floor))


def test_a_fault_is_a_band_from_its_begin_to_its_recovery() -> None:
    """In seconds from t0; a fault after the end of the picture is none."""
    record = play()
    kill = record.one(What.FAULT)
    record.add(kill, started=T0 + 500 * MS, done=T0 + 600 * MS)
    record.manifest["recovery_s"] = 0.25
    evidence = record.evidence()
    floor = Floor(evidence)
    assert timeline(evidence, floor, measure(evidence, floor)).faults_s == ((0.5, 0.85),)


def test_a_curve_ends_where_ten_samples_lie_beyond() -> None:
    """It rises, and goes no further than its samples carry."""
    evidence = play().evidence()
    samples = measure(evidence, Floor(evidence))
    for curve in curves(evidence, samples):
        assert np.all(np.diff(curve.ms) >= 0)
        assert curve.odds[-1] == pytest.approx(len(samples[curve.name]) / BEYOND)


def test_an_empty_record_has_an_empty_timeline() -> None:
    """No rows, no crash: bins without anything in them."""
    record = Record([], play(dialogs=0, ramp=0).manifest)
    evidence = record.evidence()
    floor = Floor(evidence)
    samples = measure(evidence, floor)
    shown = timeline(evidence, floor, samples)
    assert (shown.offered.sum(), shown.online.sum(), len(curves(evidence, samples))) == (0, 0, 0)
    assert np.isnan(shown.delivery_p99_ms).all()


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (None, "", "–"), (float("nan"), "s", "–"), (0, "", "0"), (3012, "", "3,012"), (91.23, "%", "91.2 %"),
        (0.4249, "s", "0.42 s"), (1186.4, "s", "1,186 s"), (50.0, "", "50"),
    ],
)  # fmt: skip
def test_figures_have_as_many_digits_as_one_reads(value: float | None, unit: str, text: str) -> None:
    """Three significant digits, thousands apart, a dash for nothing."""
    assert number(value, unit) == text


@pytest.mark.parametrize(
    "value, text", [(None, "–"), (0.0, "0.00"), (9.994, "9.99"), (12.34, "12.3"), (1854.2, "1,854")]
)
def test_times_have_two_digits_below_ten(value: float | None, text: str) -> None:
    """One below a hundred, none above."""
    assert milliseconds(value) == text


def test_nothing_moves_a_terminals_cursor() -> None:
    """Control characters are replaced, letters and line ends are not."""
    assert printable("a\x1b[31mb\x00\u2028Я\n") == "a\ufffd[31mb\ufffd\ufffdЯ\n"
