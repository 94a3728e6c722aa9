"""Every rule for the generator and its machine: what provokes it, what it says, and that it says what to do."""

from pathlib import Path
from typing import Any

import pytest

from chatreport.rundir import Outcome, Phase, What
from chatreport.validity import (
    BLURRING,
    FEWER_NEIGHBOURS,
    GENERATE_MORE,
    INVALID,
    WARNING,
    Seen,
    untrusted,
    warned,
)
from tests.chatreport.ledgers import MS, T0, Record
from tests.chatreport.test_verdict import HEALTHY, WHOLE
from tests.chatreport.worlds import play

QUIET: dict[str, Any] = HEALTHY | {
    "cpu_share": 0.79, "stalled_s": 0.0, "little": {"deviation": 0.03, "edges": 0.01},
}  # fmt: skip


def process(cpus: list[int], wait_share: float = 0.0) -> dict[str, Any]:
    """A process in the manifest's isolation."""
    return {
        "cpus": cpus, "policy": "normal", "niceness": 0, "ran_s": 10.0, "waited_s": 1.0, "wait_share": wait_share,
        "preempted": 3,
    }  # fmt: skip


ALONE: dict[str, Any] = {
    "processes": {"core": process([0]), "w0": process([1], 0.1), "locust": process([0, 1], 0.9)},
    "siblings": [], "steal_share": 0.01, "throttled": 0, "quota_cpus": None,
}  # fmt: skip


def isolated(**changed: Any) -> dict[str, Any]:
    """A manifest with this much isolation."""
    return WHOLE | {"isolation": ALONE | changed}


WARNED: list[tuple[str, dict[str, Any], dict[str, Any], float | None, str]] = [
    ("distortion", {}, {}, 0.021,
     "distortion is 2.1 %: the platform's own time is no longer small beside the plan's; use less compression (a lower "
     "--speed)"),
    ("high CPU", {"cpu_share": 0.8}, {}, None, f"the generator used 80 % of a core; {GENERATE_MORE}"),
    ("stalls", {"stalled_s": 1.04}, {}, None,
     f"the generator stalled for 1.04 s in all, by its own mirror; {GENERATE_MORE}, and fewer neighbours"),
    ("Little's law", {"little": {"deviation": -0.031, "edges": 0.01}}, {}, None,
     "Little's law is off by -3.1 %, of which the run's edges explain 1.0 %: arrivals or durations were not steady; "
     "play longer (--duration), or with a longer --ramp"),
    ("shared CPU", {}, isolated(processes={"core": process([0, 1]), "w0": process([1]), "w1": process([2])}), None,
     "w0 and the platform share CPU 1; use a machine with more cores, or drive the load from another one"),
    ("sibling threads", {}, isolated(siblings=[[0, 1]]), None,
     "w0 and the platform share a core, whose threads are CPU 1 and 0; use a machine with more cores, or drive the "
     "load from another one"),
    ("steal", {}, isolated(steal_share=0.0125), None,
     f"the host gave 1.2 % of our CPUs' time to others; {FEWER_NEIGHBOURS}"),
    ("throttling", {}, isolated(throttled=1), None,
     "a CPU quota stopped us, times: 1; raise the quota (cpu.max), or use less of it: a lower --load or --speed"),
    ("waiting for a CPU", {}, isolated(processes={"core": process([0], 0.42), "w0": process([1], 0.11)}), None,
     "waited for a CPU, of the time in which there was work: core 42 %, w0 11 %; stop what else runs here, "
     "or give the run more CPUs or machines"),
]  # fmt: skip


@pytest.mark.parametrize(
    "generator, manifest, distortion, warning", [case[1:] for case in WARNED], ids=[case[0] for case in WARNED]
)
def test_what_should_be_known_is_said_with_what_to_do(
    generator: dict[str, Any], manifest: dict[str, Any], distortion: float | None, warning: str
) -> None:
    """Just past its limit each rule gives exactly its own warning."""
    assert warned(Seen(QUIET | generator, isolated() | manifest, distortion)) == [warning]


def test_up_to_its_limits_a_run_is_given_no_warning() -> None:
    """At every limit; where nothing was recorded or the system shows nothing; and Locust may wait."""
    assert warned(Seen(QUIET, isolated(), 0.02)) == []
    assert warned(Seen(QUIET, isolated(steal_share=None, throttled=None))) == []
    assert warned(Seen(QUIET | {"cpu_share": None, "little": {"deviation": None, "edges": None}}, WHOLE)) == []


def test_every_rule_is_provoked_by_a_case_and_says_what_to_do() -> None:
    """As many warnings are tried as there are rules; and a sound run breaks none that would make it invalid."""
    assert len(WARNED) == len(WARNING) + 1  # sharing has two
    assert all(rule.remedy for rule in (*INVALID, *WARNING))
    assert all(remedy for *_, remedy in BLURRING)
    assert untrusted(Seen(QUIET, isolated())) == []


# The same from a record to its verdict


def late_sends(record: Record) -> None:
    """A generator that is a second late with every message, on a target that answers at once."""
    for row in record.find(What.SEND):
        row["intended"] -= 1000 * MS


def slow_mirror(record: Record) -> None:
    """Every echo takes a second: nothing shorter can be measured."""
    for row in record.find(What.MIRROR):
        row["done"] += 1000 * MS


def unsent_step(record: Record) -> None:
    """A step that was due and never started."""
    script = record.one(What.DIALOG)
    record.add({"what": What.UNSENT, "who": script["who"], "plan": script["plan"], "intended": T0})


def too_few_started(record: Record) -> None:
    """A plan of which a tenth never began."""
    record.manifest["planned"]["dialogs"] += len(record.find(What.DIALOG, phase=Phase.MAIN)) // 9


def failed_end(record: Record) -> None:
    """A dialog whose end nobody knows."""
    record.one(What.DIALOG)["outcome"] = Outcome.NONE


def lost_rows(record: Record) -> None:
    """A worker told of more rows than there are."""
    record.manifest["workers"] = [{"name": "w0", "rows": len(record.rows) + 5, "lost": False}]


def lost_worker(record: Record) -> None:
    """A worker of which nothing was heard at the end."""
    record.manifest["workers"] = [
        {"name": "w0", "rows": len(record.rows), "lost": False}, {"name": "w1", "rows": 0, "lost": True}
    ]  # fmt: skip


def no_rest(record: Record) -> None:
    """A drain that did not end."""
    record.manifest["drain"]["clean"] = False


RECORDS = [
    (late_sends, "inconclusive", "the generator's send lag p99 is 1000."),
    (slow_mirror, "inconclusive", "the generator's mirror p99 is 1"),
    (unsent_step, "invalid", "1 due steps were never sent"),
    (too_few_started, "invalid", "of the offered load was started, of which 99 % are needed"),
    (failed_end, "invalid", "the books do not balance"),
    (lost_rows, "invalid", "5 rows are missing from the ledger"),
    (lost_worker, "invalid", "the record of w1 is missing"),
    (no_rest, "invalid", "the drain's deadline passed before everything came to rest"),
]


@pytest.mark.parametrize("spoil, word, reason", RECORDS, ids=[spoil.__name__ for spoil, *_ in RECORDS])
def test_a_record_of_a_poor_generator_is_not_believed(spoil: Any, word: str, reason: str, tmp_path: Path) -> None:
    """From the rows to the word: a missed latency fails a sound run, and is not held against a spoilt one."""
    record = play()
    record.manifest["objectives"] = ["accept p50 < 0.01 ms"]
    assert record.judged(tmp_path / "sound").verdict.verdict == "fail"
    spoil(record)
    verdict = record.judged(tmp_path / "spoilt").verdict
    assert verdict.verdict == word
    assert reason in verdict.reasons[0]
    assert "; " in verdict.reasons[0].partition(reason)[2]
