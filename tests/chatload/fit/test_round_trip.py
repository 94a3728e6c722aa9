"""Customers who come back, bursts and departments: planned, exported, fitted, and played again as they stand."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.cli.fitting import fit
from chatload.draws import Draws, Purpose
from chatload.fit import Estimates, read
from chatload.fit.floor import Departments, Sent
from chatload.fit.returns import DAY_S, likeliest
from chatload.plan import Plan, make_plan
from chatload.plan.dialogs import Dialogs
from chatload.run.rates import spelled_out
from chatload.run.settings import settle
from chatload.scenario import Scenario, load, shape_of
from chatload.scenario.explain import explain
from chatload.scenario.people import Bursts, Returning, Team
from chatload.scenario.template import begun
from chatload.simulate.run import settled, simulate
from chatreport.judge import Run
from tests.chatload.fit.exports import estimated, export

FIRST = datetime(2026, 1, 5, 9)  # noqa: DTZ001 - the wall clock of a bank
SHARE, SIZE, BACK, AFTER_S = 0.4, 2.5, 0.4, 1200.0
TEAMS = (Team(), Team(), Team(departments=("cards", "general")), Team(departments=("cards",)))


def known() -> Scenario:
    """The small bank, with bursts, customers who come back, and cards for who writes in the app."""
    smoke = load("smoke").scenario
    app = smoke.channels.app
    assert app is not None
    return smoke.model_copy(
        update={
            "dialog": smoke.dialog.model_copy(update={"bursts": Bursts(share=SHARE, messages=SIZE)}),
            "returning": Returning(share=BACK, after="20 min"),
            "operators": smoke.operators.model_copy(update={"teams": TEAMS}),
            "channels": smoke.channels.model_copy(update={"app": app.model_copy(update={"department": "cards"})}),
        }
    )


def rows(plan: Plan) -> Iterator[dict[str, object]]:
    """What a bank would export where everybody is served at once, by operators in turn who may."""
    details = Dialogs(plan.scenario, shape_of(plan.scenario), Draws(5))
    played = plan.scenario.channels.played()
    for dialog in plan.main:
        started = FIRST + timedelta(milliseconds=dialog.start_ms)
        closed = FIRST + timedelta(milliseconds=details.over_ms(dialog))
        found = {"contact": dialog.user, "channel": dialog.channel, "started": started, "closed": closed}
        sizes = [len(burst) for burst in dialog.bursts() if len(burst) > 1]
        found |= {"bursts": len(sizes), "messages_in_bursts": sum(sizes), "messages_customer": len(dialog.turns)}
        found |= {"messages_bot": [turn.to for turn in dialog.turns].count("bot"), "messages_operator": 4}
        if not dialog.contained:
            department = played[dialog.channel].department
            seats = [n for n in range(1, 13) if department in plan.scenario.operators.team(n).departments]
            found |= {"queued": started, "accepted": started, "department": department}
            found["operator"] = f"o{seats[dialog.index % len(seats)]}"
        yield found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hours of it."""
    return export(tmp_path_factory.mktemp("bank") / "hours.csv", rows(make_plan(known(), 5, "peak", 4, 60, 200, 0, 12)))


@pytest.fixture(scope="module")
def found(exported: Path) -> Estimates:
    """What is estimated from them."""
    return estimated(exported)


def test_bursts_come_back(exported: Path, found: Estimates) -> None:
    """Within five standard errors of what was put in."""
    taken = [row for row in read(exported).rows if row.accepted_s is not None]
    bursts = sum(row.bursts or 0 for row in taken)
    asked = bursts / found.figures["bursts"].value
    error = math.sqrt(SHARE * (1 - SHARE) / asked)
    assert found.figures["bursts"].value == pytest.approx(SHARE, abs=5 * error)
    deviation = math.sqrt((SIZE - 2) * (SIZE - 1))  # two, and a geometric number more
    assert found.figures["burst_messages"].value == pytest.approx(SIZE, abs=5 * deviation / math.sqrt(bursts))


def test_who_comes_back_comes_back(found: Estimates) -> None:
    """As often and as much later as the plan has it, which keeps the gaps within 15 % of what it is asked for."""
    share, after = found.figures["returning"], found.figures["returning_after_s"]
    error = math.sqrt(BACK * (1 - BACK) / found.rows)
    assert share.value == pytest.approx(BACK, abs=5 * error)
    assert after.value == pytest.approx(AFTER_S, rel=0.15 + 5 / math.sqrt(after.rows))


def test_departments_come_back(found: Estimates) -> None:
    """Each channel's, and of the operators as many of each kind as there are."""
    told = found.departments
    assert isinstance(told, Departments)
    expected = {"web": "general", "app": "cards", "telegram": "general"}
    assert told.channels == {name: Sent(where, 1.0, told.channels[name].rows) for name, where in expected.items()}
    assert told.teams == [("cards",)] * 3 + [("cards", "general")] * 3 + [("general",)] * 6


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.floats(0.1, 0.7),
    after_s=st.floats(60.0, 20_000.0),
    hours=st.sampled_from([24.0, 200.0]),
)
def test_returns_are_found_though_the_export_begins_somewhere(
    seed: int, share: float, after_s: float, hours: float
) -> None:
    """Within five standard errors, twice those of an export that shows every return."""
    draws, gaps, seen_s, span_s, dialogs = Draws(seed), [], [], 3600 * hours, 4000
    for index in range(dialogs):
        at_s = span_s * draws.uniform(Purpose.ARRIVAL, index)
        gap_s = draws.exponential(after_s, Purpose.RETURN_TIME, index)
        if draws.happens(share, Purpose.RETURNS, index) and gap_s < min(at_s, DAY_S):
            gaps.append(gap_s)
        else:
            seen_s.append(min(at_s, DAY_S))
    got = likeliest(gaps, seen_s)
    assert got.rows == len(gaps)
    assert got.share == pytest.approx(share, abs=10 * math.sqrt(share * (1 - share) / dialogs))
    assert got.after_s == pytest.approx(after_s, rel=10 / math.sqrt(len(gaps)))


@pytest.mark.parametrize("way", ["fitted", "begun from halyk", "begun from chat2desk"])
def test_a_new_scenario_plays_as_it_is_written(way: str, exported: Path, tmp_path: Path) -> None:
    """It loads, is explained, and some minutes of its peak are simulated, and judged, without an edit."""
    path = tmp_path / "mine.toml"
    if way == "fitted":
        fit(exported, path)
    else:
        path.write_text(str(begun("mine", load(way.removeprefix("begun from ")))), "utf-8")
    file = load(str(path))
    words = "\n".join([*explain(file), *spelled_out(file)])
    assert ("comes in 2.51 messages at once" in words) is (way == "fitted")
    run = simulate(settled(settle(file, speed=1.0, seed=1, duration="300 s", ramp="60 s", out=tmp_path / "run")))
    verdict = Run(run).verdict
    assert verdict.verdict == "pass"
    assert verdict.kpi["dialogs_opened"]["value"] > 0


def test_what_the_export_told_stands_in_the_file(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its rows; a bank of one department has no teams, and one where nobody comes back no table of that."""
    fit(exported, tmp_path / "mine.toml")
    mine = load(str(tmp_path / "mine.toml")).scenario
    assert mine.returning is not None
    assert mine.dialog.bursts is not None
    assert [team.departments for team in mine.operators.teams].count(("cards", "general")) == 3
    assert {name: channel.department for name, channel in mine.channels.played().items()} == {
        "app": "cards", "web": "general", "telegram": "general",
    }  # fmt: skip
    one = tmp_path / "one.csv"
    one.write_text("contact,channel,started,queued,accepted,department\nc,web,2026-01-05 09:00,,,x\n")
    fit(one, tmp_path / "one.toml")
    assert "left out: asked of operators in several messages, and in how many, begun by who" in capsys.readouterr().out
    scenario = load(str(tmp_path / "one.toml")).scenario
    assert (scenario.returning, scenario.dialog.bursts, scenario.operators.teams) == (None, None, (Team(),))
