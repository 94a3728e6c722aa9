"""The verdict: which word, for which reason, in which order of precedence."""

from typing import Any

import pytest

from chatreport.objectives import Judged
from chatreport.validity import GENERATE_MORE, blur_limit_ms
from chatreport.verdict import decide
from chatreport.verify import GUARANTEES
from chatreport.verify.finding import Finding

HELD = {guarantee.id: Finding("held", 10) for guarantee in GUARANTEES}
BOOKS: dict[str, Any] = {
    "offered": 10, "completed": 9, "abandoned": 1, "failed": 0, "in_flight": 0, "balanced": True,
    "never_started": 0, "started_twice": 0, "workers_lost": [], "rows_missing": 0,
}  # fmt: skip
HEALTHY: dict[str, Any] = {
    "lag_p99_ms": 0.5, "mirror_p99_ms": 0.4, "offered_share": 1.0, "unsent": 0, "conservation": BOOKS,
}  # fmt: skip
WHOLE = {"finished": "whole", "drain": {"clean": True}}
MET = Judged("deliver_in p99 < 50 ms", "deliver_in", "p99", {}, "met", 3.0, 50.0, "ms", latency=True)
MISSED = Judged("deliver_in p99 < 50 ms", "deliver_in", "p99", {}, "missed", 80.0, 50.0, "ms", latency=True)
MISSED_LEVEL = Judged("service_level_20s >= 80 %", "service_level_20s", "", {}, "missed", 70.0, 80.0, "%")
NO_DATA = Judged("bot p99 < 50 ms", "bot", "p99", {}, "inconclusive", None, 50.0, "ms", why="no data", latency=True)

VIOLATED = {"G3": Finding("violated", 10, 2, examples=[{"dialog": "web/u1#1", "note": "twice"}])}
UNKNOWN = {"G2": Finding("unknown", 0, why="no work seen")}
NOT_EXERCISED = {"G12": Finding("unknown", 0, why="not exercised")}
NOT_OBSERVABLE = {"G9": Finding("unknown", 0, why="not observable")}
LATE = {"lag_p99_ms": 6.0}
SLOW_MIRROR = {"mirror_p99_ms": 6.0}
UNSENT = {"unsent": 3}
HALF = {"offered_share": 0.5}
UNBALANCED = {"conservation": BOOKS | {"in_flight": 4, "balanced": False}}
TWICE = {"conservation": BOOKS | {"started_twice": 1, "balanced": False}}
MISSING_ROWS = {"conservation": BOOKS | {"rows_missing": 1200}}
LOST_WORKER = {"conservation": BOOKS | {"workers_lost": ["w1"]}}
UNCLEAN = {"drain": {"clean": False}}
INTERRUPTED = {"finished": "interrupted"}

G3_REASON = "G3 effectively once is violated, 2 times in 10: twice (web/u1#1)"
LAG_REASON = (
    "deliver_in p99 < 50 ms is missed: 80 ms; the generator's send lag p99 is 6.00 ms, over 5.00 ms, "
    f"so the miss may be its own; {GENERATE_MORE}"
)
MIRROR_REASON = LAG_REASON.replace("send lag", "mirror") + ", and fewer neighbours"
UNSENT_REASON = f"3 due steps were never sent; {GENERATE_MORE}"
REST_REASON = (
    "the drain's deadline passed before everything came to rest; offer less (--load), or, if lag and stalls are the "
    f"generator's, {GENERATE_MORE}"
)
BOOKS_REASON = (
    "the books do not balance: 10 offered, 9 completed, 1 abandoned, 0 failed, {} in flight{}; unless a "
    "worker's record is missing, the suite is at fault: report it with this directory"
)

CASES: list[tuple[str, dict[str, Finding], list[Judged], dict[str, Any], dict[str, Any], str, str]] = [
    ("all good", {}, [MET], {}, {}, "pass", "all 12 guarantees that were exercised held, and the objective is met"),
    ("no objective is no failure", {}, [], {}, {}, "pass",
     "all 12 guarantees that were exercised held, and no objective was set"),
    ("left out guarantees are named first", NOT_EXERCISED | NOT_OBSERVABLE, [MET], {}, {}, "pass",
     "all 10 guarantees that were exercised held, and the objective is met (not exercised: G12; not observable: G9)"),
    ("a violation fails", VIOLATED, [MET], {}, {}, "fail", G3_REASON),
    ("also while unsent", VIOLATED, [MET], UNSENT, {}, "fail", G3_REASON),
    ("also with an unclean drain", VIOLATED, [MET], {}, UNCLEAN, "fail", G3_REASON),
    ("also beside unknowns", VIOLATED | UNKNOWN, [MET], {}, {}, "fail", G3_REASON),
    ("also when interrupted", VIOLATED, [MET], {}, INTERRUPTED, "fail", G3_REASON),
    ("unsent work makes invalid", {}, [MET], UNSENT, {}, "invalid", UNSENT_REASON),
    ("so does half the load", {}, [MET], HALF, {}, "invalid",
     f"50.0 % of the offered load was started, of which 99 % are needed; {GENERATE_MORE}"),
    ("so does no load at all", {}, [MET], {"offered_share": None}, {}, "invalid",
     f"nothing of the offered load was started, of which 99 % are needed; {GENERATE_MORE}"),
    ("and unsent beats a missed objective", {}, [MISSED], UNSENT, {}, "invalid", UNSENT_REASON),
    ("an unknown makes invalid", UNKNOWN, [MET], {}, {}, "invalid", "G2 unknown: no work seen"),
    ("an unclean drain makes invalid", {}, [MET], {}, UNCLEAN, "invalid",
     REST_REASON),
    ("books that do not balance make invalid", {}, [MET], UNBALANCED, {}, "invalid",
     BOOKS_REASON.format(4, "")),
    ("so does a dialog that was started twice", {}, [MET], TWICE, {}, "invalid",
     BOOKS_REASON.format(0, ", 1 started twice")),
    ("missing rows make invalid", {}, [MET], MISSING_ROWS, {}, "invalid",
     "1,200 rows are missing from the ledger; look for a full disk, and repeat the run"),
    ("a lost worker makes invalid", {}, [MET], LOST_WORKER, {}, "invalid",
     "the record of w1 is missing; see its log in the run directory, and repeat the run"),
    ("a failed run is invalid", {}, [MET], {}, {"finished": "failed"}, "invalid",
     "the run failed before its end; see the notes and the logs in the run directory, and repeat it"),
    ("99 % of the load is enough", {}, [MET], {"offered_share": 0.99}, {}, "pass",
     "all 12 guarantees that were exercised held, and the objective is met"),
    ("a missed objective fails", {}, [MET, MISSED_LEVEL], {}, {}, "fail", "service_level_20s >= 80 % is missed: 70 %"),
    ("a missed latency fails", {}, [MISSED], {}, {}, "fail", "deliver_in p99 < 50 ms is missed: 80 ms"),
    ("a late generator blurs a missed latency", {}, [MISSED], LATE, {}, "inconclusive", LAG_REASON),
    ("so does a slow mirror", {}, [MISSED], SLOW_MIRROR, {}, "inconclusive", MIRROR_REASON),
    ("so does an unknown mirror", {}, [MISSED], {"mirror_p99_ms": None}, {}, "inconclusive",
     "deliver_in p99 < 50 ms is missed: 80 ms; the generator's mirror is not known; repeat the run"),
    ("a late generator blurs no other miss", {}, [MET, MISSED_LEVEL], LATE, {}, "fail",
     "service_level_20s >= 80 % is missed: 70 %"),
    ("a late generator does not spoil what is met", {}, [MET], LATE, {}, "pass",
     "all 12 guarantees that were exercised held, and the objective is met"),
    ("an objective without data is inconclusive", {}, [MET, NO_DATA], {}, {}, "inconclusive",
     "bot p99 < 50 ms: no data"),
    ("a miss beats missing data", {}, [NO_DATA, MISSED], {}, {}, "fail", "deliver_in p99 < 50 ms is missed: 80 ms"),
    ("an interrupted run is partial", {}, [MET], HALF | UNSENT, INTERRUPTED | UNCLEAN, "inconclusive",
     "partial: interrupted"),
    ("partial also when it misses", {}, [MISSED], {}, INTERRUPTED, "inconclusive", "partial: interrupted"),
]  # fmt: skip


@pytest.mark.parametrize(
    "findings, objectives, generator, manifest, word, reason",
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_the_verdict_follows_its_precedence(
    findings: dict[str, Finding],
    objectives: list[Judged],
    generator: dict[str, Any],
    manifest: dict[str, Any],
    word: str,
    reason: str,
) -> None:
    """Each row of the table is decided by its first applicable rule, and says so first."""
    decided, reasons = decide(HELD | findings, objectives, HEALTHY | generator, WHOLE | manifest)
    assert (decided, reasons[0]) == (word, reason)


def test_every_reason_is_given() -> None:
    """The deciding reasons come first, and none is left out."""
    findings = HELD | VIOLATED | UNKNOWN | NOT_EXERCISED
    word, reasons = decide(findings, [NO_DATA, MISSED_LEVEL], HEALTHY | UNSENT, WHOLE | UNCLEAN)
    assert word == "fail"
    assert reasons == [
        G3_REASON + " (not exercised: G12)",
        UNSENT_REASON,
        REST_REASON,
        "G2 unknown: no work seen",
        "service_level_20s >= 80 % is missed: 70 %",
        "bot p99 < 50 ms: no data",
    ]


@pytest.mark.parametrize(
    "objectives, limit",
    [([], None), ([MISSED_LEVEL], None), ([MET], 5.0), ([MET, NO_DATA], 5.0)],
    ids=["none", "no latency", "a tenth", "the tightest"],
)
def test_the_blur_limit_is_a_tenth_of_the_tightest_latency(objectives: list[Judged], limit: float | None) -> None:
    """Only latency objectives set it."""
    assert blur_limit_ms(objectives) == limit


def test_the_blur_limit_is_never_under_two_ms() -> None:
    """A 5 ms objective does not demand half a millisecond of the generator."""
    tight = Judged("accept p99 < 5 ms", "accept", "p99", {}, "met", 1.0, 5.0, "ms", latency=True)
    assert blur_limit_ms([tight, MET]) == 2.0
