"""What judging writes: complete, deterministic, self-contained, and safe against what labels may hold."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chatreport.__main__ import main
from chatreport.judge import judge, read_verdict
from chatreport.kpi.published import TOLERANCE
from chatreport.latency import OPERATIONS
from chatreport.report import draw
from chatreport.rundir import Outcome, What
from chatreport.summary import lines
from chatreport.verify import GUARANTEES
from tests.chatreport.ledgers import Record, texts_of, verdict_of
from tests.chatreport.worlds import play

HOSTILE = "<script>alert(1)</script>\"'&\x00\x1b[31m|`*_[a](http://evil)\u2028"


def judged(record: Record, path: Path) -> Path:
    """The record as a judged and drawn run directory."""
    judge(record.write(path))
    draw(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged honest run."""
    return judged(play(), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose labels, names and notes try to be markup, and that fails, so that examples are shown."""
    record = play()
    record.manifest |= {"title": HOSTILE, "labels": {HOSTILE: HOSTILE}, "notes": [HOSTILE], "command": [HOSTILE]}
    record.manifest["hardware"]["cpu"] = HOSTILE
    record.manifest["target"]["name"] = HOSTILE
    record.manifest["channels"]["published"] = [HOSTILE]
    record.add(record.find(What.AUDIT)[0], contact=HOSTILE, sender=HOSTILE, counter=1)
    return judged(record, tmp_path_factory.mktemp("hostile"))


class Outside(HTMLParser):
    """Collects what a page would fetch, run, or leave open."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.active: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in {"script", "iframe", "object", "embed", "link", "img", "base", "form"}:
            self.active.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "action", "srcset", "data"} and not (value or "").startswith("#"):
                self.fetched.append(f"{name}={value}")
            if name.startswith("on"):
                self.active.append(name)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_the_page_fetches_and_runs_nothing(which: str, request: pytest.FixtureRequest) -> None:
    """No script, no outside reference, every element closed, whatever the labels hold."""
    page = (request.getfixturevalue(which) / "report.html").read_text()
    outside = Outside()
    outside.feed(page)
    assert (outside.fetched, outside.active, outside.open) == ([], [], [])
    assert re.findall(r"@import|url\((?!#)", page) == []


def test_hostile_labels_are_text(hostile: Path) -> None:
    """Markup and control characters in a label reach no file as such."""
    assert verdict_of(hostile)["verdict"] == "fail"
    for name, text in texts_of(hostile):
        assert not re.search("[\x00\x1b]", text)
        assert name == "verdict.json" or "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (hostile / "report.html").read_text()


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_junit_is_xml_with_a_case_for_every_guarantee_and_objective(which: str, request: pytest.FixtureRequest) -> None:
    """One case each, one for the verdict, and totals that agree."""
    path = request.getfixturevalue(which)
    suite = ElementTree.parse(path / "junit.xml").getroot()[0]
    verdict = read_verdict(path)
    names = [case.get("name") for case in suite]
    assert names == [
        "verdict", *(f"{each.id} {each.name}" for each in GUARANTEES), *(each.objective for each in verdict.objectives),
    ]  # fmt: skip
    kinds = ("failure", "error", "skipped")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        str(len(names)), *(str(len(suite.findall(f"testcase/{kind}"))) for kind in kinds),
    ]  # fmt: skip
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    violated = {f"{each.id} {each.name}" for each in GUARANTEES if verdict.guarantees[each.id].status == "violated"}
    assert failed == (violated | {"verdict"} if violated else set())


def test_everything_is_written(run: Path) -> None:
    """Verdict, page, summary, JUnit and pictures, and nothing else besides the record."""
    assert sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()) == [
        "junit.xml", "latency.hlog", *(f"latency/{name}.hgrm" for name in sorted(OPERATIONS)),
        "ledger/w0-00000.parquet", "manifest.json", "plots/day.png", "plots/percentiles.png", "plots/published.png",
        "plots/timeline.png",
        "report.html", "summary.md", "timeseries.parquet", "verdict.json",
    ]  # fmt: skip


def test_the_same_record_makes_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """Judging and drawing again, elsewhere, changes no byte of any file."""
    again = judged(play(), tmp_path / "again")
    for path in (path for path in run.rglob("*") if path.is_file() and "ledger" not in path.parts):
        assert (again / path.relative_to(run)).read_bytes() == path.read_bytes(), path


def test_the_verdict_file_has_its_keys(run: Path) -> None:
    """What others read by name is there."""
    verdict = verdict_of(run)
    assert set(verdict) >= {
        "schema", "verdict", "reasons", "guarantees", "objectives", "counts", "latency_ms", "kpi", "generator",
        "distortion", "machine", "labels",
    }  # fmt: skip
    assert verdict["guarantees"]["G1"] == {"status": "held", "count": verdict["counts"]["messages_acked"]}
    assert set(verdict["latency_ms"]["deliver_in"]) >= {"n", "p50", "p90", "p99", "p99_9", "max"}
    assert set(verdict["generator"]) >= {"lag_p99_ms", "mirror_p99_ms", "cpu_share", "unsent"}
    assert verdict["kpi"]["service_level_20s"]["published"] == 80.0
    assert verdict["reasons"] == [
        "all 11 guarantees that were exercised held, and all 2 objectives are met (not exercised: G12)"
    ]


def test_the_first_screen_answers_whether_it_held_and_how_one_knows(run: Path) -> None:
    """Before the first picture: verdict, what was played, losses, guarantees, delivery and floor, no claims."""
    page = (run / "report.html").read_text()
    first = page[page.index("<body") : page.index("<svg")]
    verdict = verdict_of(run)
    acked = f"{verdict['counts']['messages_acked']:,}"
    for wanted in (
        '<span class="word">pass</span>', "It held.", "3 of 6 published channels (web, app, telegram)",
        f"of {acked}", "measurement floor p99", "What this run does not claim", "not exercised", "2× faster",
        *(f'<span class="id">{guarantee.id}</span>' for guarantee in GUARANTEES),
    ):  # fmt: skip
        assert wanted in first


def test_published_stands_beside_measured_with_its_deviation(run: Path) -> None:
    """In the picture, in words with a mark, and in the verdict; what nobody measures is named."""
    page, figure = (run / "report.html").read_text(), verdict_of(run)["kpi"]["service_level_20s"]
    assert figure["deviation"] == round(figure["value"] / 80 - 1, 4)
    assert figure["within"] == (abs(figure["deviation"]) <= TOLERANCE)
    shown = f"{100 * figure['deviation']:+.0f} %".replace("-", "−")
    assert re.search(rf'80 %<span class="deviation [a-z]+">{re.escape(shown)}', page)
    assert 'aria-label="Measured key figures by how far they are from the published ones"' in page
    assert re.search(r"<th scope=\"row\">ratings</th>.*?120.*?does not measure it", page)


def test_parts_are_tabulated_with_the_worst_service_level_first(tmp_path: Path) -> None:
    """A folded table by channel, by department and by half hour; none where there is but one part."""
    record = play(operators=1, slots=1)
    record.manifest |= {"speed": 3600.0, "part": "day"}
    record.manifest["planned"]["mean_dialog_s"] = 1e9
    page = (judged(record, tmp_path) / "report.html").read_text()
    levels = {name: part["service_level_20s"] for name, part in verdict_of(tmp_path)["kpi_by"]["channel"].items()}
    tables = dict(re.findall(r"<summary>([^<]+) <span.*?<tbody>(.*?)</tbody>", page, re.DOTALL))
    rows = {title: re.findall(r'<th scope="row">([^<]+)</th>', table) for title, table in tables.items()}
    assert rows["By channel, the worst service level first"] == sorted(levels, key=levels.__getitem__)
    assert rows["By half hour of business time"] == ["00:00", "00:30", "01:00", "01:30"]
    assert "Arrivals by business time" in rows
    assert ">time of day<" in page
    assert "By channel" not in (judged(play(dialogs=1), tmp_path / "one") / "report.html").read_text()


def test_isolation_is_disclosed(run: Path, tmp_path: Path) -> None:
    """A table on the page and a line in the Markdown; a run that recorded none says so, and has no empty table."""
    assert "<h3>Isolation</h3>" in (run / "report.html").read_text()
    assert "waited for a CPU in 1.0 % of the time it had work" in (run / "report.html").read_text()
    assert (
        "Isolation: platform and load on CPUs of their own; waited for a CPU, of the time with work: core 1.0 %"
        in (run / "summary.md").read_text()
    )
    record = play(dialogs=6)
    del record.manifest["isolation"]
    bare = judged(record, tmp_path)
    assert "<h3>Isolation</h3>" not in (bare / "report.html").read_text()
    assert "Isolation: not recorded." in (bare / "summary.md").read_text()


def test_at_real_speed_nothing_is_said_about_compressed_time(tmp_path: Path) -> None:
    """The disclaimer belongs to compressed runs only."""
    record = play(dialogs=6)
    record.manifest["speed"] = 1.0
    assert "faster" not in (judged(record, tmp_path) / "report.html").read_text()


def test_the_summary_fits_a_terminal(run: Path) -> None:
    """At most 25 lines, also with many reasons and warnings, the verdict first and the report's path last."""
    verdict = read_verdict(run)
    record = play()
    shown = lines(verdict, record.manifest, run / "report.html")
    assert len(shown) <= 25
    assert (shown[0].split()[0], shown[-1]) == ("PASS", f"report      {run}/report.html")


def test_the_summary_fits_also_when_everything_is_wrong(tmp_path: Path) -> None:
    """Reasons beyond the fourth are counted, not shown."""
    record = play()
    for row in record.rows:
        if row["what"] == What.AUDIT and row["seq"] == 3:
            row["seq"] = 4
    record.manifest |= {
        "drain": {"clean": False, "unsent": 7},
        "objectives": [f"accept p50 < 0.{n} ms" for n in (1, 2)],
    }
    record.one(What.DIALOG)["outcome"] = Outcome.IN_FLIGHT
    verdict = record.judged(tmp_path).verdict
    shown = lines(verdict, record.manifest, tmp_path / "report.html")
    assert len(shown) <= 25
    assert shown[0].startswith("FAIL  ")
    assert f"  … and {len(verdict.reasons) - 4} more reasons" in shown


@pytest.mark.parametrize(
    "finished, code", [("whole", 0), ("interrupted", 130), ("failed", 3)], ids=["whole", "interrupted", "failed"]
)
def test_the_exit_code_follows_the_verdict(
    finished: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 for a pass, 3 for what cannot be trusted, 130 for what was interrupted."""
    record = play(dialogs=6)
    record.manifest["finished"] = finished
    assert main(["verify", str(record.write(tmp_path))]) == code
    assert not (tmp_path / "report.html").exists()


def test_a_run_with_nothing_in_it_is_invalid_and_drawn(tmp_path: Path) -> None:
    """An empty plan makes no figures and no crash."""
    record = play(dialogs=0, ramp=0)
    record.rows = [row for row in record.rows if row["what"] in (What.PRESENCE, What.STATE)]
    assert verdict_of(judged(record, tmp_path))["verdict"] == "invalid"
    assert "This run cannot be trusted." in (tmp_path / "report.html").read_text()
