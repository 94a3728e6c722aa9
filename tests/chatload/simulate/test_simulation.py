"""A part of a scenario under a virtual clock."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from chatload.draws import Draws
from chatload.errors import RunDirectoryTaken
from chatload.fleet.clock import MS
from chatload.fleet.recorder import Recorder
from chatload.plan import Dialog, Plan
from chatload.plan.roster import Roster
from chatload.run.settings import Settings, settle
from chatload.scenario import load
from chatload.simulate.day import Simulation
from chatload.simulate.run import settled, simulate
from chatreport.judge import Run, judge
from chatreport.report import draw
from chatreport.rundir import Outcome, What, read_ledger, write_manifest
from chatreport.verify import GUARANTEES, check_all
from tests.chatload.fleet.stage import dialog, make_plan

HOUR_MS = 3_600_000.0
HELD = tuple(f"G{number}" for number in range(1, 12))


def settings(out: Path, seed: int = 1, scenario: str = "smoke", **more: Any) -> Settings:
    """The scenario's peak."""
    return settled(settle(load(scenario), speed=1.0, seed=seed, out=out, **more))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated run that nobody has judged."""
    return simulate(settings(tmp_path_factory.mktemp("simulated") / "run"))


def test_a_seed_simulated_twice_gives_the_same_ledger(played: Path, tmp_path: Path) -> None:
    """The same settings give the same rows, and another seed gives others."""
    again, other = simulate(settings(tmp_path / "again")), simulate(settings(tmp_path / "other", seed=2))
    assert read_ledger(again).equals(read_ledger(played))
    assert not read_ledger(other).equals(read_ledger(played))


@pytest.mark.parametrize("scenario", ["smoke", "cashu", "halyk"])
def test_the_machines_keep_their_promises_under_a_virtual_clock(scenario: str, played: Path, tmp_path: Path) -> None:
    """By the judge's checkers: what is acknowledged stands there, in order, with one owner each, within capacity.

    Also with calls and call-backs, mail, ratings, transfers, holds and several departments.
    """
    run = Run(played if scenario == "smoke" else simulate(settings(tmp_path / "run", scenario=scenario)))
    run.manifest["target"]["observes"] = [guarantee.id for guarantee in GUARANTEES]
    findings, counts = check_all(run.evidence, run.floor)
    judged = {name: finding.status for name, finding in findings.items() if finding.why != "not exercised"}
    assert judged == dict.fromkeys(judged, "held")
    assert set(HELD[:10]) <= judged.keys()
    assert counts["messages_lost"] == counts["messages_duplicated"] == counts["messages_phantom"] == 0
    assert counts["messages_acked"] > 50


def test_a_simulated_run_claims_nothing_about_a_platform(played: Path) -> None:
    """It passes when its books balance, says that it is simulated, judges no guarantee and times nothing."""
    verdict = Run(played).verdict
    assert verdict.verdict == "pass"
    assert verdict.reasons[0].startswith("simulated, no platform was tested: the books balance")
    assert {(finding.status, finding.why) for finding in verdict.guarantees.values()} == {("unknown", "not observable")}
    assert verdict.latency_ms == {}
    assert verdict.distortion["share"] == 0
    assert verdict.generator["conservation"]["balanced"]
    assert verdict.kpi["dialogs_answered"]["value"] == 84


def test_a_simulated_page_shows_the_centre_first_and_nothing_of_a_platform(played: Path) -> None:
    """Its first screen has key figures; guarantees, latencies and deliveries, which nobody saw, have no place on it."""
    verdict = judge(played)
    assert verdict.verdict == "pass"
    page = draw(played).read_text(encoding="utf-8")
    first = [page.index(text) for text in ("Service level, 20 s", "Contact-centre figures", "The run over time")]
    assert first == sorted(first)
    assert [text for text in ("G1", "durable", "Send lag", "Mirror", "ms of wall time") if f">{text}" in page] == []
    assert "minutes of business time since t0" in page


def test_a_directory_in_use_is_refused(played: Path) -> None:
    """A simulation writes where nothing is."""
    with pytest.raises(RunDirectoryTaken):
        simulate(settings(played))


def test_one_operator_serves_one_after_the_other_as_on_paper(tmp_path: Path) -> None:
    """Waits, handling and durations of a single slot are those of the plan's times, added up by hand."""
    turns = ("handover", "operator", "operator")
    planned = [replace(dialog(n, *turns), start_ms=20_000.0 * n, patience_ms=HOUR_MS) for n in range(4)]
    run = simulated(tmp_path, planned)
    paper = by_hand(run[1], planned)
    dialogs = run[0].contacts.episodes
    assert np.diff(dialogs.plan).min() > 0
    waits = (dialogs.accepted_at - dialogs.queued_at) / MS
    assert waits == pytest.approx([each["wait"] for each in paper], abs=2)
    scripts = run[0].evidence.ledger.of(What.DIALOG)
    order = np.argsort(scripts["plan"])
    lasted = (scripts["done"] - scripts["started"])[order] / MS
    assert lasted == pytest.approx([each["lasted"] for each in paper], abs=2)
    kpi = run[0].verdict.kpi
    assert kpi["asa_s"]["value"] == pytest.approx(np.mean([each["wait"] for each in paper]) / 1000, abs=0.002)
    assert kpi["duration_s"]["value"] == pytest.approx(np.mean([each["lasted"] for each in paper]) / 1000, abs=0.002)
    assert set(scripts["outcome"].tolist()) == {Outcome.COMPLETED}


def by_hand(plan: Plan, dialogs: list[Dialog]) -> list[dict[str, float]]:
    """What becomes of each dialog if one operator takes one at a time, in ms."""
    free_ms, found = 0.0, []
    for number, each in enumerate(dialogs, 1):
        asked_ms = each.start_ms + each.turns[0].think_ms
        accepted_ms = max(asked_ms, free_ms) + plan.accept_ms(each.index, number)
        said_ms, now_ms = asked_ms, accepted_ms
        for position, turn in enumerate(each.turns):
            said_ms = said_ms if position == 0 else now_ms + turn.think_ms
            now_ms = max(said_ms, now_ms) + plan.reply(each.index, position).react_ms
        free_ms = now_ms + plan.wrap_up_ms(each.index)
        found.append({"wait": accepted_ms - asked_ms, "lasted": free_ms - each.start_ms})
    return found


def simulated(folder: Path, dialogs: list[Dialog]) -> tuple[Run, Plan]:
    """These dialogs with one operator who takes one at a time."""
    plan = make_plan(dialogs)
    alone = Roster(plan.scenario, "peak", Draws(7), HOUR_MS, 1)
    plan = Plan(plan.scenario, dialogs, plan._details, plan._texts, HOUR_MS, alone)
    plan.slots = 1
    (folder / "ledger").mkdir()
    recorder = Recorder(folder / "ledger", "simulated", 1024)
    simulation = Simulation(plan, recorder, "abc123", 0.0, HOUR_MS)
    simulation.play()
    recorder.close()
    times = {"t0_ns": simulation.t0_ns, "end_ns": simulation.end_ns, "drained_ns": simulation.drained_ns}
    write_manifest(folder, {"simulated": True, "target": {"observes": []}, "speed": 1, **times})
    return Run(folder), plan


def test_who_comes_back_has_a_dialog_of_their_own_each_time(tmp_path: Path) -> None:
    """One in the plan is one on the platform, also with bursts, files and ratings; the promises hold over all of it."""
    teams = load(str(Path(__file__).parents[2] / "end_to_end" / "teams.toml"))
    asked = settled(settle(teams, speed=1.0, seed=1, out=tmp_path / "run", duration="30 min"))
    run = Run(simulate(asked))
    run.manifest["target"]["observes"] = [guarantee.id for guarantee in GUARANTEES]
    findings, _ = check_all(run.evidence, run.floor)
    assert {name: found.status for name, found in findings.items()} == dict.fromkeys(HELD, "held") | {"G12": "unknown"}
    writers: dict[tuple[str, int], set[str]] = {}
    for row in read_ledger(asked.out or tmp_path).to_pylist():
        if row["what"] == What.AUDIT and str(row["sender"] or "").startswith("c"):
            writers.setdefault((row["contact"], row["number"]), set()).add(row["sender"])
    assert {len(each) for each in writers.values()} == {1}
    assert sum(number > 1 for _, number in writers) > 20


def test_an_app_that_is_away_learns_everything_on_coming_back(tmp_path: Path) -> None:
    """Its message is taken at once; what follows, and that it was taken, are seen when the socket is there again."""
    planned = dialog(0, "bot", "handover", channel="app")
    turns = (replace(planned.turns[0], drop_ms=20_000.0), planned.turns[1])
    ledger = read_ledger(simulated(tmp_path, [replace(planned, turns=turns)])[0].path).to_pylist()
    mine = [row for row in ledger if row["who"] == "c0"]
    first, again = [row for row in mine if row["what"] == What.SEND and row["counter"] == 1]
    assert (first["outcome"], first["reason"], first["done"]) == (Outcome.INDETERMINATE, "dropped", -1)
    back_ns = first["started"] + int(20_000 * MS)
    assert (again["outcome"], again["attempt"], again["started"], again["seq"]) == (Outcome.OK, 2, back_ns, 1)
    answer = next(row for row in mine if row["what"] == What.ENTRY and row["author"] == "bot")
    stored = next(row for row in ledger if row["what"] == What.AUDIT and row["seq"] == answer["seq"])
    assert (stored["done"], answer["done"]) == (first["started"], back_ns)
