"""Operators whom the administrator adds to the real core while a real fleet plays Alfa-Bank's surge against it."""

import time
from pathlib import Path

from chatload.run.settings import Settings, settle
from chatload.run.staffing import Staffing
from chatload.scenario import load, parse
from chatload.targets.embedded import Embedded
from chatload.targets.rest import Admin
from chatreport.rundir import Outcome, What, read_ledger
from tests.chatload.fleet.test_process import Driven, driven

SOONER = {'after = "15 min"': 'after = "1 min"', 'over = "15 min"': 'over = "1 min"'}
FIRST, ALL, SPEED = 6, 11, 60.0
ENDS_WITHIN_S = 4.0


def test_who_joins_in_a_surge_takes_dialogs_of_the_real_core(tmp_path: Path) -> None:
    """Each is added when due and not before, says then whether it is on duty, and is given dialogs."""
    settings = surge(tmp_path / "surge.toml")
    plan, core = settings.plan(), Embedded(settings.file.scenario, SPEED, tmp_path / "core.log")
    try:
        with driven(tmp_path) as fleet:
            t0_ns = begin(fleet, core, settings)
            fleet.send(do="drain", deadline_s=ENDS_WITHIN_S)
            fleet.wait("drained")
            with Admin(core.url, core.auditor()["token"]) as admin:
                known = sum(admin.get("/v1/state")["operators"].values())
            fleet.send(do="finish")
            fleet.wait("bye")
    finally:
        core.stop()
    rows = read_ledger(tmp_path).to_pylist()
    said = [(row["done"], row["who"]) for row in rows if row["what"] == What.PRESENCE]
    logged_on = {who: at_ns for at_ns, who in sorted(said, reverse=True)}
    joined = [f"o{n}" for n in range(FIRST + 1, ALL + 1)]
    assert (plan.operators, plan.staff.hired, known) == (FIRST, ALL - FIRST, ALL)
    assert set(logged_on) == {f"o{n}" for n in range(1, ALL + 1)}
    dues_ns = [t0_ns + plan.staff.joins_ms(n) / SPEED * 1e6 for n in range(FIRST + 1, ALL + 1)]
    assert all(logged_on[who] >= due_ns for who, due_ns in zip(joined, dues_ns, strict=True))
    taken = {row["who"] for row in rows if row["what"] == What.ACCEPT and row["outcome"] == Outcome.OK}
    assert taken & set(joined)


def surge(path: Path) -> Settings:
    """Four minutes of Alfa-Bank's peak with few operators, the surge a minute after its beginning."""
    bank = load("alfabank_kz")
    text = bank.text
    for old, new in SOONER.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    file = bank._replace(text=text, scenario=parse(text, path))
    return settle(file, part="surge", load=0.3, operators=FIRST, speed=SPEED, duration="4 s", ramp="0 s")


def begin(fleet: Driven, core: Embedded, settings: Settings) -> int:
    """Play it to the last start, and add those who join, as a run does; t0."""
    scenario, staffing, seated = settings.file.scenario, Staffing(), 0
    plan = settings.plan()
    armed = fleet.arm(scenario=scenario.model_dump(mode="json"), plan=settings.plan_arguments())
    core.start(armed["callbacks"])
    fleet.send(do="target", wire=core.wire())
    fleet.wait("targeted")
    staffing.add(core, FIRST)
    seated = seat(fleet, 0, FIRST)
    t0_ns = time.monotonic_ns()
    fleet.send(do="go", t0_ns=t0_ns)
    gauges = {"started": 0}
    while seated < ALL or gauges["started"] < armed["dialogs"]:
        wanted = plan.staff.hired_by((time.monotonic_ns() - t0_ns) / 1e6 * SPEED)
        staffing.add(core, wanted)
        seated = seat(fleet, seated, wanted)
        gauges = fleet.wait("report")["gauges"]
    return t0_ns


def seat(fleet: Driven, already: int, most: int) -> int:
    """Log the seats behind `already` on, up to `most`; how many there are then."""
    for n in range(already + 1, most + 1):
        fleet.send(do="seat", n=n, on=True)
        assert fleet.wait("seated") == {"is": "seated", "n": n, "on": True}
    return most
