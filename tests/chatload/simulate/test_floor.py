"""Operators who come and go, by the judge's own checkers, under a virtual clock."""

from pathlib import Path
from typing import Any

import pytest

from chatload.plan import Plan
from chatload.run.settings import settle
from chatload.scenario import load, parse
from chatload.scenario.shifts import HOUR_MS
from chatload.simulate.run import settled, simulate
from chatreport.judge import Run
from chatreport.rundir import What, read_ledger
from chatreport.verify import GUARANTEES, check_all

MINUTE_NS = 60_000_000_000
SHIFTS = """
[[operators.shifts]]
from = "00:30"
to = "02:30"
share = 0.5
overtime = "2 min"

[[operators.shifts]]
from = "01:30"
to = "03:30"
share = 0.5
overtime = "2 min"

[operators.breaks]
every = "1 h"
duration = "15 min"

[channels.web]"""
SURGE = 'surge = {after = "2 min", load = 2, operators = 16, over = "4 min"}\n[volume]'


def simulated(out: Path, old: str, new: str, **options: Any) -> tuple[Run, Plan]:
    """The smoke scenario with a change, simulated, and its plan."""
    smoke = load("smoke")
    file = smoke._replace(scenario=parse(smoke.text.replace(old, new), out))
    settings = settled(settle(file, speed=1.0, out=out, **options))
    run = Run(simulate(settings))
    run.manifest["target"]["observes"] = [guarantee.id for guarantee in GUARANTEES]
    return run, settings.plan()


def test_the_checkers_understand_who_comes_and_goes(tmp_path: Path) -> None:
    """Queue, owners, capacity and messages to a closed floor are held, through breaks, overtime and the night.

    Dialogs are finished in overtime, and by nobody once it is over.
    """
    run, plan = simulated(tmp_path / "run", "[channels.web]", SHIFTS, part="day", duration="4 h", ramp="0 s")
    findings, _ = check_all(run.evidence, run.floor)
    shown = ("G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G12")
    assert {name: findings[name].status for name in shown} == dict.fromkeys(shown, "held")
    people, times, slots = run.floor.presence
    assert set(people[slots > 0]) == set(people)
    t0_ns = run.manifest["t0_ns"]
    assert min(times[slots > 0]) == t0_ns + 30 * MINUTE_NS
    rows = [row for row in read_ledger(tmp_path / "run").to_pylist() if row["done"] < run.manifest["end_ns"]]
    said = [row["reason"] for row in rows if row["what"] == What.PRESENCE]
    assert said.count("online") == sum(len(plan.roster(seat)) for seat in range(1, 13)) > 24
    closed = [row for row in rows if row["what"] == What.CLOSE and row["who"].startswith("o")]
    beyond = [row for row in closed if row["done"] > t0_ns + 3.5 * HOUR_MS * 1_000_000]
    assert beyond
    assert all(row["done"] <= t0_ns + (3.5 * HOUR_MS + 120_000) * 1_000_000 for row in beyond)


def test_who_joins_in_a_surge_is_on_duty_from_then_on(tmp_path: Path) -> None:
    """One a minute, each with what they may take, and offered dialogs from the first moment."""
    run, _ = simulated(tmp_path / "run", "[volume]", SURGE, part="surge")
    people, times, _ = run.floor.presence
    joined = [min(times[people == run.evidence.ledger.number(f"o{n}")]) for n in range(13, 17)]
    assert [(at - run.manifest["t0_ns"]) / MINUTE_NS for at in joined] == pytest.approx([3, 4, 5, 6])
    assert set(run.floor.holdings.operator) == set(people)
