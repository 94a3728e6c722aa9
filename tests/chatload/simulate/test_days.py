"""Many simulated days together."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatload.errors import BadOption
from chatload.run.settings import Settings, settle
from chatload.scenario import load
from chatload.simulate.beside import as_recorded
from chatload.simulate.days import simulate_days
from chatload.simulate.run import settled, simulate
from chatreport.days.beside import Beside, Predicted, Recorded, beside, recorded
from chatreport.days.figures import Figure, figures, read_days, write_days
from chatreport.days.page import draw_all
from chatreport.distortion import judged
from chatreport.errors import UnreadableRun
from chatreport.judge import Run, judge, read_verdict, write_verdict
from chatreport.rundir import read_manifest, write_manifest
from tests.chatload.processes import until


def settings(out: Path, seed: int, **options: Any) -> Settings:
    """A third of the smoke scenario's peak."""
    return settled(settle(load("smoke"), speed=1.0, load=0.3, seed=seed, out=out, **options))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is one of the days: of seed 5."""
    rundir = simulate(settings(tmp_path_factory.mktemp("run") / "five", 5))
    judge(rundir)
    return rundir


@pytest.fixture(scope="module")
def understaffed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one operator, which its manifest does not admit."""
    rundir = simulate(settings(tmp_path_factory.mktemp("run") / "one", 5, operators=1))
    manifest = read_manifest(rundir)
    write_manifest(rundir, manifest | {"planned": manifest["planned"] | {"operators": 4}})
    judge(rundir)
    return rundir


@pytest.fixture(scope="module")
def days(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days beside the run."""
    asked = as_recorded(settings(tmp_path_factory.mktemp("days") / "ten", 1), 10, run)
    return simulate_days(asked, 10, run=recorded(run))


def test_days_are_those_of_the_seeds_one_after_the_other(tmp_path: Path) -> None:
    """Each day's figures are those of its seed simulated alone, and the page shows them together."""
    folder = simulate_days(settings(tmp_path / "days", 3), 2)
    alone = [Run(simulate(settings(tmp_path / f"{seed}", seed))).verdict.kpi for seed in (3, 4)]
    values = read_days(folder)
    for name in ("dialogs_offered", "asa_s", "duration_s", "occupancy"):
        assert values[name] == [each[name]["value"] for each in alone]
    assert read_manifest(folder)["verdicts"] == {"pass": 2}
    assert sorted(path.name for path in folder.iterdir()) == ["days.parquet", "manifest.json", "scenario.toml"]
    lines, code = draw_all(folder)
    assert code == 0
    assert "2 simulated days" in lines[0]
    assert "Average speed of answer" in (folder / "summary.md").read_text()
    assert "No platform was tested" in (folder / "report.html").read_text()


def test_the_mean_its_spread_and_its_interval_are_those_of_the_text_books(tmp_path: Path) -> None:
    """Of 10, 12, 14 and 16: mean 13, deviation 2.582, and 3.182 standard errors on either side."""
    rows = [{"day": day, "seed": day, "figure": "asa_s", "value": value} for day, value in enumerate((10, 12, 14, 16))]
    write_days(tmp_path, [*rows, {"day": 0, "seed": 0, "figure": "occupancy", "value": 80.0}])
    named = [{"name": "occupancy", "label": "Occupancy", "unit": "%"}, {"name": "asa_s", "label": "ASA", "unit": "s"}]
    asa, occupancy = figures(read_days(tmp_path), {"figures": named, "published": {"asa_s": 12.5}})
    half = 3.18245 * 2.58199 / 2
    found = [asa.mean, asa.deviates, asa.low, asa.high]
    assert found == pytest.approx([13.0, 2.58199, 13 - half, 13 + half], abs=1e-4)
    assert (asa.published, asa.deviation, asa.within) == (12.5, 0.04, True)
    assert occupancy == Figure("occupancy", "Occupancy", "%", 1, 80.0, None, None, None)


def test_an_interval_ends_where_the_figure_does(tmp_path: Path) -> None:
    """No mean of shares is below 0 or above 100 %, and none of times below 0."""
    values = {"accepted_share": (85, 99), "abandonment": (1, 15), "asa_s": (1, 120)}
    write_days(
        tmp_path,
        [{"day": n, "seed": n, "figure": name, "value": pair[n]} for name, pair in values.items() for n in (0, 1)],
    )
    named = [{"name": name, "label": name, "unit": "s" if name == "asa_s" else "%"} for name in values]
    found = {each.name: (each.low, each.high) for each in figures(read_days(tmp_path), {"figures": named})}
    half = 12.7062 * 59.5
    assert found["accepted_share"][1] == 100
    assert found["abandonment"][0] == 0
    assert found["asa_s"] == pytest.approx((0, 60.5 + half), abs=1e-2)


def test_a_run_of_the_same_day_is_within(run: Path, days: Path) -> None:
    """Every figure is among those of days of other seeds; terminal, summary, page and pictures say so."""
    lines, code = draw_all(days)
    assert read_manifest(days)["seed"] == 6
    assert code == 0
    assert f"{run} beside them: within" in "\n".join(lines)
    page, summary = (days / "report.html").read_text(), (days / "summary.md").read_text()
    assert (page.count("violated"), "ISO 16269-8" in page, "beside them: within" in summary) == (
        page.count(".violated"), True, True,
    )  # fmt: skip
    assert (days / "plots" / "beside.png").stat().st_size > 10_000


def test_the_own_plan_of_a_run_is_simulated_beside_it(run: Path, days: Path) -> None:
    """It is none of the days; of a run that was itself simulated it gives every figure again."""
    found = beside(figures(read_days(days), read_manifest(days)), read_manifest(days))
    assert found is not None
    assert {each.figure.days for each in found.figures} == {10}
    assert found.recorded.own == recorded(run).values
    assert [each.own for each in found.figures] == [each.value for each in found.figures]


def test_a_run_with_other_staff_is_outside(understaffed: Path, days: Path) -> None:
    """One operator instead of four: slower answers, by name, and the exit code of an objective that was missed."""
    manifest = read_manifest(days)
    write_manifest(days, manifest | {"beside": msgspec.to_builtins(recorded(understaffed))})
    lines, code = draw_all(days)
    write_manifest(days, manifest)
    told = next(line for line in lines if line.startswith("outside are"))
    assert code == 1
    assert "Average speed of answer" in told
    assert "Abandoned in the queue" in told


def test_a_run_that_proves_nothing_decides_nothing() -> None:
    """A time so compressed that figures are withheld, fewer than ten days, or figures that no day has."""
    named = {"figures": [{"name": "asa_s", "label": "ASA", "unit": "s"}]}
    for values, doubts, days, word in (
        ({"asa_s": 2.0}, [], 10, "within"),
        ({"asa_s": 2.0}, [], 9, "not decidable"),
        ({"asa_s": 2.0}, ["its distortion is 7.0 %, over 5 %"], 10, "not decidable"),
        ({}, [], 10, "not decidable"),
    ):
        known = figures({"asa_s": [1.0 + day % 3 for day in range(days)]}, named)
        found = beside(
            known, {"beside": {"run": "r", "seed": 0, "values": values, "distortion": 0.01, "doubts": doubts}}
        )
        assert found is not None
        assert found.word == word
    assert "distortion 1.00 %" in Beside(Recorded("r", 0, {}, 0.01, []), []).told[0]


def test_the_ends_of_a_further_day_are_those_of_the_text_books() -> None:
    """Of 10, 12, 14 and 16, at 99 %: 13 ± 5.841 · 2.582 · √1.25; figures that never differ are within if equal."""
    names = [{"name": name, "label": name, "unit": "s"} for name in ("one", "same", "other")]
    values = {"one": [10.0, 12.0, 14.0, 16.0], "same": [1.0] * 4, "other": [1.0] * 4}
    run = {"run": "r", "seed": 0, "values": {"one": 29.0}, "distortion": 0.0, "doubts": []}
    [alone] = _compared(values, names, run)
    assert [alone.low, alone.high] == pytest.approx([0.0, 13 + 5.84091 * 2.58199 * 1.25**0.5], abs=1e-3)
    assert alone.word == "within"
    together = _compared(values, names, run | {"values": {"one": 33.0, "same": 1.0, "other": 2.0}})
    assert [each.word for each in together] == ["within", "within", "alike"]
    assert together[0].high > alone.high


SAME = "all days have the same, and the run another, same"


@pytest.mark.parametrize(
    "run, word, why",
    [
        ({"varies": 2.0, "same": 99.9}, "within", []),
        ({"varies": 2.0, "same": 99.8}, "not decidable", [SAME]),
        ({"varies": 9.0, "same": 99.8}, "outside", ["outside are varies", SAME]),
        ({"varies": 2.0, "rare": 500.0}, "within", ["too few days have rare"]),
        ({"rare": 4.0}, "not decidable", ["too few days have rare"]),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_not_within(run: dict[str, float], word: str, why: list[str]) -> None:
    """A figure that never differs, one of few days: named, and no reason to say that the run is one of the days."""
    names = [{"name": name, "label": name, "unit": "s"} for name in ("varies", "same", "rare")]
    values = {"varies": [1.0 + day % 3 for day in range(20)], "same": [99.9] * 20, "rare": [3.0, 4.0]}
    told = {"run": "r", "seed": 0, "values": run, "distortion": 0.0, "doubts": []}
    found = beside(figures(values, {"figures": names}), {"beside": told})
    assert found is not None
    assert (found.word, found.told[1:]) == (word, why)


def test_a_page_says_what_was_simulated_and_what_no_day_has(tmp_path: Path) -> None:
    """The part and how long it was; a published figure that no day has; of how many days a figure is."""
    rows = [{"day": day, "seed": day, "figure": "asa_s", "value": 4.0 + day} for day in range(3)]
    write_days(tmp_path, [*rows, {"day": 0, "seed": 0, "figure": "occupancy", "value": 80.0}])
    labels = {"asa_s": "ASA", "occupancy": "Occupancy", "bot_containment": "Kept"}
    named = [{"name": name, "label": label, "unit": "s"} for name, label in labels.items()]
    about = {"days": 3, "operators": 4, "load": 1.0, "seed": 1, "verdicts": {"pass": 3}, "title": "Ours"}
    write_manifest(
        tmp_path,
        {**about, "figures": named, "published": {"bot_containment": 58.8}, "part": "surge", "duration_s": 600.0},
    )
    lines, _ = draw_all(tmp_path)
    assert lines[0].startswith("Ours: 3 simulated days (the surge, 10 min), 4 operators")
    assert lines[1] == "  published, and measured on none of the days: Kept"
    assert [line.endswith("  of 1 day") for line in lines[3:5]] == [False, True]


def _compared(values: dict[str, list[float]], names: list[dict[str, str]], run: dict[str, Any]) -> list[Predicted]:
    found = beside(figures(values, {"figures": names}), {"beside": run})
    assert found is not None
    return found.figures


@pytest.mark.parametrize(
    "other, words",
    [
        ({"part": "day"}, "part peak, here day"),
        ({"operators": 9}, "4 operators, here 9"),
        ({"load": 0.5}, "load 0.3, here 0.5; 4 operators, here 6"),
        ({"scenario": "halyk"}, "another scenario, which differs in"),
    ],
    ids=str,
)
def test_another_days_run_is_a_users_mistake(run: Path, tmp_path: Path, other: dict[str, Any], words: str) -> None:
    """One line says what was played otherwise; a directory that is no run is named."""
    asked: dict[str, Any] = {"scenario": "smoke", "load": 0.3} | other
    with pytest.raises(BadOption, match=words):
        as_recorded(settled(settle(load(asked.pop("scenario")), speed=1.0, out=tmp_path, **asked)), 10, run)
    with pytest.raises(UnreadableRun):
        recorded(tmp_path)


def test_the_days_are_as_long_as_the_run(run: Path, tmp_path: Path) -> None:
    """A run whose time was compressed was as long as its wall time times its speed; its seed is none of the days'."""
    rundir = shutil.copytree(run, tmp_path / "run")
    write_manifest(rundir, read_manifest(rundir) | {"speed": 60.0, "duration_s": 10.0, "ramp_s": 2.0})
    asked = [as_recorded(settings(tmp_path / "days", seed), 10, rundir) for seed in (1, 6)]
    assert [(each.duration_s, each.ramp_s, each.seed) for each in asked] == [(600.0, 120.0, 6)] * 2


def test_what_a_run_brings(run: Path, tmp_path: Path) -> None:
    """Its figures and its distortion, and why it proves nothing: it was cut short, or bent too much."""
    rundir = shutil.copytree(run, tmp_path / "run")
    whole = recorded(rundir)
    assert (whole.doubts, whole.distortion) == ([], 0.0)
    assert whole.values["asa_s"] == Run(run).verdict.kpi["asa_s"]["value"]
    verdict = read_verdict(rundir)
    write_manifest(rundir, read_manifest(rundir) | {"finished": "interrupted"})
    write_verdict(rundir, msgspec.structs.replace(verdict, distortion=judged(0.07)))
    assert recorded(rundir).doubts == ["its distortion is 7.0 %, over 5 %", "it is partial: interrupted"]


def alive(group: int) -> bool:
    """Whether a process of the group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_interrupted_it_keeps_the_days_that_are_done_and_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C, which a terminal sends to all: the days that were done are put together, and the exit code is 130."""
    folder = tmp_path / "days"
    command = [sys.executable, "-m", "chatload", "simulate", "smoke", "--days", "500", "--out", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  this process has one thread
    ) as process:  # fmt: skip
        assert process.stderr
        assert any("day 1 of 500" in line for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    days = read_manifest(folder)["days"]
    assert process.returncode == 130
    assert f"interrupted, {500 - days} days are missing" in told
    assert 1 <= days < 500
    assert not list(folder.glob("day-*"))
    until(lambda: not alive(process.pid))
