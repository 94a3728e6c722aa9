"""Many simulated days together."""

from pathlib import Path

import pytest

from chatload.run.settings import Settings, settle
from chatload.scenario import load
from chatload.simulate.days import simulate_days
from chatload.simulate.run import settled, simulate
from chatreport.days.figures import Figure, figures, read_days, write_days
from chatreport.days.page import draw_all
from chatreport.judge import Run
from chatreport.rundir import read_manifest


def settings(out: Path, seed: int) -> Settings:
    """A third of the smoke scenario's peak."""
    return settled(settle(load("smoke"), speed=1.0, load=0.3, seed=seed, out=out))


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
