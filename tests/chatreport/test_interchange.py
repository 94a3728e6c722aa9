"""What other tools read of a run: HdrHistogram's interval log and percentile distributions, by its own reader."""

from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from chatreport.__main__ import main
from chatreport.histogram import DIGITS, HIGHEST_NS
from chatreport.interchange import write_interchange
from chatreport.judge import Run
from chatreport.latency import CHANNELS, Samples
from chatreport.rundir import What
from tests.chatreport.ledgers import MS, T0, Record
from tests.chatreport.worlds import play

WALL_NS = 1_767_603_600_250_000_000  # 2026-01-05 09:00:00.25 UTC


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A played run with its files, whose clocks are tied together, and whose generator sent 3 ms late."""
    record = play(dialogs=60)
    for row in record.find(What.SEND):
        row["intended"] -= 3 * MS
    record.manifest["anchors"] = [{"process": "suite", "wall_ns": WALL_NS - T0, "monotonic_ns": 0}]
    opened = record.judged(tmp_path_factory.mktemp("run"))
    write_interchange(opened.path, opened.samples, opened.manifest)
    return opened


def intervals(path: Path) -> list[HdrHistogram]:
    """The log's intervals as the library's own reader finds them."""
    reader = HistogramLogReader(str(path / "latency.hlog"), empty())
    found = []
    while (interval := reader.get_next_interval_histogram()) is not None:
        found.append(interval)
    reader.close()
    return found


def empty() -> HdrHistogram:
    """The library's histogram with our precision."""
    return HdrHistogram(1, HIGHEST_NS, DIGITS)


def values_ms(histogram: HdrHistogram) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Every value that the histogram counted, as it knows it, in order."""
    every = [(each.value_iterated_to, each.count_added_in_this_iter_step) for each in histogram.get_recorded_iterator()]
    return np.repeat([value / MS for value, _ in every], [count for _, count in every])


def by_tag(samples: dict[str, Samples]) -> dict[str, Samples]:
    """The record's own samples, told apart as the log does."""
    return {
        f"{name}/{CHANNELS[channel]}": found.of(channel)
        for name, found in samples.items()
        for channel in sorted(set(found.channel.tolist()))
    }


def test_the_log_merged_over_its_intervals_is_the_record(run: Run) -> None:
    """For every operation and channel as many values as the record has, each, and so every percentile, within 1 %."""
    merged: dict[str, HdrHistogram] = {}
    for interval in intervals(run.path):
        merged.setdefault(interval.get_tag(), empty()).add(interval)
    recorded = by_tag(run.samples)
    assert sorted(merged) == sorted(recorded)
    assert len(recorded) > 15
    for tag, samples in recorded.items():
        assert values_ms(merged[tag]) == pytest.approx(np.sort(samples.response), rel=0.01), tag


def test_an_interval_holds_what_ended_in_its_second(run: Run) -> None:
    """Stamped with the wall clock by the manifest's anchor, a second long, in the order of time."""
    found = intervals(run.path)
    for interval in found:
        begin_s = (interval.get_start_time_stamp() * MS - WALL_NS) / 1e9
        assert begin_s == pytest.approx(round(begin_s), abs=1e-6)
        assert interval.get_end_time_stamp() - interval.get_start_time_stamp() == pytest.approx(1000)
        samples = by_tag(run.samples)[interval.get_tag()]
        mine = (samples.at - T0) // (1000 * MS) == round(begin_s)
        assert interval.get_total_count() == mine.sum() > 0
    begins = [interval.get_start_time_stamp() for interval in found]
    assert begins == sorted(begins)
    assert len(set(begins)) > 1


def test_the_logs_maximum_is_in_ms(run: Run) -> None:
    """The one column that a person reads is the exact maximum, in the unit that the format prescribes."""
    lines = [line.split(",") for line in (run.path / "latency.hlog").read_text().splitlines() if line[0] == "T"]
    longest: dict[str, float] = {}
    for tag, _, _, longest_ms, _ in lines:
        longest[tag] = max(longest.get(tag, 0.0), float(longest_ms))
    assert longest == {
        f"Tag={tag}": pytest.approx(samples.response.max()) for tag, samples in by_tag(run.samples).items()
    }


def test_a_percentile_distribution_is_the_operations(run: Run) -> None:
    """One file an operation; each line's count is what the record has up to that value, and the last is the longest."""
    assert {path.stem for path in (run.path / "latency").iterdir()} == {
        name for name, samples in run.samples.items() if len(samples)
    }
    for path in (run.path / "latency").iterdir():
        response = np.sort(run.samples[path.stem].response)
        lines = [line.split() for line in path.read_text().splitlines()[1:] if line and line[0] != "#"]
        for value_ns, _, count, *_ in lines:
            assert float(value_ns) / MS == pytest.approx(response[int(count) - 1], rel=0.01)
        assert int(lines[-1][2]) == len(response)


def test_the_same_record_makes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    """The files can be made again at will."""
    write_interchange(tmp_path, run.samples, run.manifest)
    made = [path for path in tmp_path.rglob("*.h*") if path.is_file()]
    assert len(made) == 10
    for path in made:
        assert path.read_bytes() == (run.path / path.relative_to(tmp_path)).read_bytes()


def test_drawing_a_report_again_writes_them_again(tmp_path: Path) -> None:
    """They are made with the report, from the record alone."""
    path = play(dialogs=6).write(tmp_path)
    assert main(["judge", str(path)]) == 0
    made = (path / "latency.hlog").read_bytes()
    (path / "latency.hlog").unlink()
    assert main(["report", str(path)]) == 0
    assert (path / "latency.hlog").read_bytes() == made


def test_a_run_without_latencies_has_a_log_without_intervals(tmp_path: Path) -> None:
    """An empty record makes a log that can be read, and no distribution."""
    opened = Record(play(dialogs=6).rows[:1], play(dialogs=0, ramp=0).manifest).judged(tmp_path)
    write_interchange(tmp_path, opened.samples, opened.manifest)
    assert intervals(tmp_path) == []
    assert list((tmp_path / "latency").iterdir()) == []
