"""What was put into an export is found in it: a known scenario's days are played on paper, exported and fitted."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.draws import Draws, Purpose
from chatload.fit import Estimates, drafted, estimate, read
from chatload.fit.patience import mean_patience
from chatload.plan import Dialog, Plan, make_plan
from chatload.run.claims import check_claims
from chatload.scenario import Scenario, ScenarioFile, load, parse, shape_of
from tests.chatload.fit.exports import estimated, export

DAYS, DIALOGS, WAIT_S, NOTICED_S = 4, 1500, 90.0, 600.0
FIRST = datetime(2026, 1, 5)  # noqa: DTZ001 - the wall clock of a bank


def known() -> Scenario:
    """T-Bank at a twentieth of its size, with impatient customers and a quarter of the dialogs sent on."""
    tbank = load("tbank").scenario
    changed = {
        "volume": {"dialogs_per_day": float(DIALOGS), "busyness_cv": 0.0},
        "operators": {"transfer_share": 0.25},
        "patience": {"queue": 240_000.0},
    }
    parts = {name: getattr(tbank, name).model_copy(update=update) for name, update in changed.items()}
    return tbank.model_copy(update=parts)


def rows(plan: Plan, midnight: datetime) -> Iterator[dict[str, object]]:
    """A day of the plan as a bank would export it, if waits were exponential and nothing else took time."""
    draws = Draws(plan.scenario.seed + 1)
    for dialog in plan.dialogs:
        wait_s = draws.exponential(WAIT_S, Purpose.KEPT, dialog.index, midnight.day)
        yield row(plan, dialog, midnight + timedelta(milliseconds=dialog.start_ms), wait_s)


def row(plan: Plan, dialog: Dialog, started: datetime, wait_s: float) -> dict[str, object]:
    asks = [turn.to for turn in dialog.turns].count("bot")
    found: dict[str, object] = {"contact": dialog.user, "channel": dialog.channel, "started": started}
    found |= {"messages_customer": len(dialog.turns), "messages_operator": 0, "messages_bot": asks}
    whole = plan.expected_ms(dialog) / 1000
    if dialog.contained:
        noticed_s = NOTICED_S if dialog.silent else 0.0
        return found | {"closed": started + timedelta(seconds=whole + noticed_s), "ended_by": ended_by(dialog)}
    queued = started + timedelta(milliseconds=sum(turn.think_ms for turn in dialog.turns[: asks + 1]))
    patience_s = dialog.patience_ms / 1000
    if patience_s < wait_s:
        closed = queued + timedelta(seconds=wait_s if dialog.silent else patience_s)
        return found | {"queued": queued, "closed": closed, "ended_by": ended_by(dialog)}
    found |= {"queued": queued, "accepted": queued + timedelta(seconds=wait_s), "ended_by": "operator"}
    found |= {"messages_operator": len(dialog.turns) - asks, "closed": started + timedelta(seconds=whole + wait_s)}
    found |= {"transferred": "yes" if plan.transfer(dialog.index, 1, dialog.start_ms) else "no"}
    return found | {"rating": dialog.rating.score if dialog.rating else ""}


def ended_by(dialog: Dialog) -> str:
    return "timeout" if dialog.silent else "customer"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some days of the known scenario."""
    found: list[dict[str, object]] = []
    for day in range(DAYS):
        plan = make_plan(known(), 100 + day, "day", 1.0, 1.0, 86_400.0, 0.0, 40)
        found += rows(plan, FIRST + timedelta(days=day))
    return export(tmp_path_factory.mktemp("bank") / "some days.csv", found)


@pytest.fixture(scope="module")
def found(exported: Path) -> Estimates:
    """What is estimated from them."""
    return estimated(exported)


def test_rates_and_mix_come_back(found: Estimates) -> None:
    """Within five standard errors of what was planned."""
    scenario, total = known(), DAYS * DIALOGS
    assert found.days == DAYS
    assert found.figures["dialogs_per_day"].value == pytest.approx(DIALOGS, abs=5 * math.sqrt(total) / DAYS)
    for channel, share in shape_of(scenario).mix.items():
        error = math.sqrt(share * (1 - share) / total)
        assert found.shares[channel] == pytest.approx(share, abs=5 * error)
    weights = scenario.volume.intraday
    for planned, counted in zip(weights, found.intraday, strict=True):
        expected = total * planned / sum(weights)
        assert counted == pytest.approx(expected, abs=5 * math.sqrt(expected))
    assert found.figures["busyness_cv"].value < 0.05
    assert found.bots == {"web", "app"}


def test_the_course_of_dialogs_comes_back(found: Estimates) -> None:
    """Turns, minutes, containment, transfers and ratings."""
    scenario = known()
    expected = {
        "contained": (scenario.bot.contained, 0.03),
        "turns_contained": (scenario.bot.turns_contained, 0.15),
        "turns_before": (scenario.bot.turns_before, 0.1),
        "transfer_share": (0.25, 0.03),
        "silent": (scenario.patience.silent, 0.06),
    }
    assert {name: found.figures[name].value for name in expected} == {
        name: pytest.approx(value, abs=error) for name, (value, error) in expected.items()
    }
    asked = scenario.feedback
    assert asked is not None
    assert found.figures["rated_share"].value == pytest.approx(asked.share, abs=0.03)
    assert [score / sum(found.scores) for score in found.scores] == pytest.approx(
        [weight / sum(asked.scores) for weight in asked.scores], abs=0.04
    )


def test_patience_comes_back_though_most_were_served_first(found: Estimates) -> None:
    """And though two of three who left did so without a word, which was noticed when it was their turn."""
    patience = found.figures["patience_s"]
    assert patience.value == pytest.approx(240, rel=0.12)
    assert found.figures["asa_s"].value < 90  # the wait of those who were served


def test_the_fitted_scenario_is_the_known_one(exported: Path, found: Estimates) -> None:
    """It loads, its figures can be judged, and what was not told says so."""
    text = drafted("six", found, exported)
    here = Path("six.toml")
    mine = parse(text, here)
    check_claims(ScenarioFile("six", here, text, mine))
    was = known()
    assert mine.volume.dialogs_per_day == pytest.approx(was.volume.dialogs_per_day, rel=0.05)
    assert mine.dialog.duration == pytest.approx(was.dialog.duration, rel=0.05)
    assert shape_of(mine).mix == pytest.approx(shape_of(was).mix, abs=0.02)
    assert "fitted from some days.csv: " in text
    assert "# tbank: assumed: once served, people wait longer" in text


@settings(max_examples=30)
@given(st.integers(0, 10**9), st.floats(1, 10_000), st.floats(0.2, 5))
def test_patience_is_recovered_from_whoever_was_served_first(seed: int, mean: float, wait: float) -> None:
    """Of any unit, and of few or many who left; within five standard errors."""
    draws, left, served, gone = Draws(seed), [], [], []
    for index in range(2000):
        patience = draws.exponential(mean, Purpose.PATIENCE, index)
        waited = draws.exponential(wait * mean, Purpose.KEPT, index)
        if patience > waited:
            served.append(waited)
        elif draws.happens(0.3, Purpose.SILENT, index):
            gone.append(waited)
        else:
            left.append(patience)
    found = mean_patience(left, served, gone)
    assert found == pytest.approx(mean, rel=5 / math.sqrt(len(left)))  # the others tell less


def test_patience_without_anybody_who_left() -> None:
    """Is not told; with nobody who fell silent it is the waiting of all by the number of those who left."""
    assert mean_patience([], [1.0, 2.0], []) is None
    assert mean_patience([], [], []) is None
    assert mean_patience([2.0, 4.0], [6.0], []) == 6.0


def test_days_that_differ_beyond_chance_are_found(tmp_path: Path) -> None:
    """Two days of 100 and 300 dialogs: their deviation, less what chance would make of it."""
    lines = [f"c{n},web,2026-01-0{day} 09:00" for day, dialogs in ((1, 100), (2, 300)) for n in range(dialogs)]
    path = tmp_path / "two.csv"
    path.write_text("contact,channel,started\n" + "\n".join(lines))
    figures = estimate(read(path)).figures
    assert figures["busyness_cv"].value == pytest.approx(math.sqrt(20_000 - 200) / 200)
    assert figures["busyness_cv"].rows == 400


def test_calls_take_operators_whole(tmp_path: Path) -> None:
    """Of an export without operators: 100 calls an hour of six minutes are ten at once, and 12.5 people at 80 %."""
    calls = [f"c{n},phone,2026-01-05 09:{n // 2:02}:00,2026-01-05 09:{n // 2:02}:00" for n in range(100)]
    ends = [
        f"2026-01-05 09:{n // 2:02}:00,2026-01-05 {9 + (n // 2 + 6) // 60:02}:{(n // 2 + 6) % 60:02}:00"
        for n in range(100)
    ]
    path = tmp_path / "calls.csv"
    head = "contact,channel,started,queued,accepted,closed\n"
    path.write_text(head + "\n".join(f"{call},{end}" for call, end in zip(calls, ends, strict=True)))
    scenario = parse(drafted("calls", estimated(path), path), Path("calls.toml"))
    assert scenario.operators.count == 12


def test_the_published_duration_has_the_wait_in_it(tmp_path: Path) -> None:
    """As a run measures it; what is played is without, for the wait comes of itself."""
    path = tmp_path / "waits.csv"
    row = "2026-01-05 09:00:00,2026-01-05 09:01:00,2026-01-05 09:04:00,2026-01-05 09:10:00,5,5"
    head = "contact,channel,started,queued,accepted,closed,messages_customer,messages_operator\n"
    path.write_text(head + "\n".join(f"c{n},web,{row}" for n in range(20)))
    scenario = parse(drafted("waits", estimated(path), path), Path("waits.toml"))
    assert (scenario.published["duration_s"], scenario.dialog.duration) == (600.0, 420_000.0)


def test_a_channel_where_nobody_was_taken_goes_where_most_go(tmp_path: Path) -> None:
    """A department that somebody works for."""
    path = tmp_path / "two.csv"
    taken = "2026-01-05 09:00:00,2026-01-05 09:01:00,2026-01-05 09:01:05"
    lines = [f"c{n},web,{taken},{where}" for n, where in enumerate(["cards"] * 3 + ["loans"])]
    lines.append("c9,sms,2026-01-05 09:00:00,2026-01-05 09:01:00,,")
    path.write_text("contact,channel,started,queued,accepted,department\n" + "\n".join(lines))
    scenario = parse(drafted("two", estimated(path), path), Path("two.toml"))
    assert {name: channel.department for name, channel in scenario.channels.played().items()} == {
        "web": "cards", "sms": "cards",
    }  # fmt: skip


CONTRADICTIONS = {
    "nothing but starts": ("", ",,,,,"),
    "a second of a dialog": ("", "2026-01-05 09:00:00,2026-01-05 09:00:00,2026-01-05 09:00:01,4,5,1"),
    "two messages and six questions": ("", "2026-01-05 09:00:00,2026-01-05 09:00:05,2026-01-05 09:09:00,1,0,6"),
    "calls only": ("phone", "2026-01-05 09:00:00,2026-01-05 09:00:05,2026-01-05 09:09:00,,,"),
    "all kept by the bot": ("app", ",,2026-01-05 09:09:00,2,0,2"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_whatever_an_export_says_the_scenario_loads(tmp_path: Path, case: str) -> None:
    """What is assumed gives way to what was measured, and says so."""
    channel, cells = CONTRADICTIONS[case]
    path = tmp_path / "odd.csv"
    head = "contact,channel,started,queued,accepted,closed,messages_customer,messages_operator,messages_bot"
    path.write_text(f"{head}\nc,{channel or 'web'},2026-01-05 09:00:00,{cells}\n")
    export = read(path)
    assert export.bad == []
    scenario = parse(drafted("odd", estimate(export), path), Path("odd.toml"))
    assert list(scenario.channels.played()) == [channel or "web"]
