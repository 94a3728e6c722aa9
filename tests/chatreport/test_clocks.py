"""Workers on several machines: latencies are of pairs that one clock stamped; a missing record proves no absence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chatreport.judge import Run
from chatreport.rundir import What, write_part
from tests.chatreport.breaks import (
    claimed_delivered,
    honest,
    lost,
    overtaken,
    phantom,
    stored_twice,
    two_owners,
)
from tests.chatreport.ledgers import Record

BETWEEN = ("deliver_in", "deliver_out", "assign", "receipt")
OPERATORS = ("o1", "o2", "o3")


def judged(path: Path, there: tuple[str, ...], clocks: tuple[str, str]) -> Run:
    """The honest run, with the rows of some people recorded by w1, the others by w0, each by its clock."""
    record = honest().copy()
    record.manifest["workers"] = [
        {"name": name, "rows": 0, "lost": False, "clock": clock}
        for name, clock in zip(("w0", "w1"), clocks, strict=True)
    ]
    record.write(path)
    rows, texts = record.packed()
    away = np.array([row.get("who") in there for row in record.rows])
    for name, own in (("w0", rows[~away]), ("w1", rows[away])):
        write_part(path / "ledger", name, 0, own, texts)
    return Run(path)


def counts(run: Run) -> dict[str, int]:
    return {name: len(found) for name, found in run.samples.items()}


def test_one_clock_for_all_leaves_nothing_out(tmp_path: Path) -> None:
    """Although the record is two workers'."""
    run = judged(tmp_path, OPERATORS, ("a", "a"))
    assert counts(run) == counts(honest().judged(tmp_path / "whole"))
    assert run.verdict.generator["clocks"] == 1


def test_pairs_of_two_clocks_are_left_out(tmp_path: Path) -> None:
    """With all operators elsewhere, what runs between the two sides has no samples; what one side stamps, all."""
    whole = counts(honest().judged(tmp_path / "whole"))
    run = judged(tmp_path / "apart", OPERATORS, ("a", "b"))
    assert all(whole[name] for name in BETWEEN)
    assert counts(run) == whole | dict.fromkeys(BETWEEN, 0)
    assert "workers had 2 clocks: latencies are of pairs that one clock stamped" in run.verdict.warnings


def test_pairs_of_one_clock_stay(tmp_path: Path) -> None:
    """With some operators elsewhere, the samples of the others and theirs are together all."""
    whole = counts(honest().judged(tmp_path / "whole"))
    some = counts(judged(tmp_path / "some", OPERATORS[:1], ("a", "b")))
    others = counts(judged(tmp_path / "others", OPERATORS[1:], ("a", "b")))
    split = {name: some[name] + others[name] for name in BETWEEN}
    assert split == {name: whole[name] for name in BETWEEN}
    assert all(0 < some[name] < whole[name] for name in BETWEEN)


BREAKS: list[tuple[Callable[[Record], None], str, str]] = [
    (phantom, "G2", "unknown"),
    (two_owners, "G8", "unknown"),
    (overtaken, "G9", "unknown"),
    (claimed_delivered, "G11", "unknown"),
    (lost, "G1", "violated"),
    (stored_twice, "G3", "violated"),
]


@pytest.mark.parametrize("spoil, guarantee, status", BREAKS, ids=[spoil.__name__ for spoil, _, _ in BREAKS])
def test_what_nobody_recorded_proves_nothing_when_a_record_is_missing(
    spoil: Callable[[Record], None], guarantee: str, status: str
) -> None:
    """A violation by absence becomes unknown, with the worker's name; what was seen, and is wrong, stays violated."""
    record = honest().copy()
    spoil(record)
    assert record.findings()[guarantee].status == "violated"
    record.manifest["workers"] = [{"name": "w1", "rows": 0, "lost": True}]
    found: Any = record.findings()[guarantee]
    assert found.status == status
    assert (found.why == "the record of w1 is missing") == (status == "unknown")


def test_the_record_that_is_missing_makes_the_run_invalid(tmp_path: Path) -> None:
    """And not failed, whatever seems to be wrong with the rest."""
    record = honest().copy()
    for row in record.find(What.SEND, who="o1"):
        record.drop(row)
    assert record.judged(tmp_path / "known").verdict.verdict == "fail"
    record.manifest["workers"] = [{"name": "w1", "rows": 0, "lost": True}]
    verdict = record.judged(tmp_path / "lost").verdict
    assert verdict.verdict == "invalid"
    assert "the record of w1 is missing" in " ".join(verdict.reasons)
