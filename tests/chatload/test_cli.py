"""The command line: one clear line for a mistake, the right exit code, nothing left behind.

Through the real command, but for most mistakes, which are many: they are made in the test's process.
"""

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from chatload.cli import main
from tests.chatload.processes import ENVIRONMENT, ROOT, chatload, family, running, until

TBANK = (ROOT / "scenarios" / "tbank.toml").read_text()


def check_refusal(answer: "subprocess.CompletedProcess[str]", line: str) -> None:
    """Exit code 2, and on stderr this one line."""
    assert (answer.returncode, answer.stdout) == (2, "")
    assert re.fullmatch(rf"error: {line}\n", answer.stderr), answer.stderr


REFUSALS: list[tuple[list[str], str]] = [
    (["run", "tbnk"], 'no scenario "tbnk"; did you mean "tbank"\\? .*'),
    (["run", "missing.toml"], 'no scenario "missing.toml"; .*'),
    (["run", "tbank", "--load", "-1"], "--load -1: must be a number above 0"),
    (["run", "tbank", "--load", "lots"], "Invalid value for '--load': .*"),
    (["run", "tbank", "--speed", "0"], "--speed 0: must be a number above 0"),
    (["run", "tbank", "--workers", "0"], "--workers 0: at least 1 is needed"),
    (["run", "tbank", "--part", "night"], "--part night: choose peak, day or surge"),
    (["run", "tbank", "--duration", "90"], "--duration 90: not a duration; write a number and a unit, .*"),
    (["run", "tbank", "--ramp", "5 parsecs"], '--ramp 5 parsecs: unknown unit "parsecs"; .*'),
    (["run", "tbank", "--target", "embeded"], '--target embeded: no such target; did you mean "embedded"\\?'),
    (["run", "tbank", "--label", "x"], "--label x: write it as name=value"),
    (["run", "tbank", "--slo", "deliver p99 < 1 ms"], '.*there is no metric "deliver"; did you mean "deliver_in".*'),
    (["run", "tbank", "--laod", "2"], "No such option: --laod.*"),
    (["run", "tbank", "--port", "0"], "Invalid value for '--port': .*"),
    (["rum", "tbank"], "No such command 'rum'.*"),
    (["verify", "nowhere"], "nowhere: it has no manifest.json; name the directory that `chatload run` printed"),
    (["report", "nowhere"], "nowhere: it has no manifest.json; name the directory that `chatload run` printed"),
    (["scenarios", "explain", "tbnk"], 'no scenario "tbnk".*'),
    (["scenarios", "new", "mine", "--from", "tbnk"], 'no scenario "tbnk".*'),
    (["scenarios", "new", "../mine"], r"NAME \.\./mine: use letters, .*"),
    (["scenarios", "new", "tbank"], "NAME tbank: a scenario that comes with chatload has this name; .*"),
]


@pytest.mark.parametrize("arguments, line", REFUSALS, ids=[" ".join(arguments) for arguments, _ in REFUSALS])
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    """And nothing is left in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["chatload", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    check_refusal(subprocess.CompletedProcess(arguments, ended.value.code, *capsys.readouterr()), line)
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_is_one_line_of_the_real_command(tmp_path: Path) -> None:
    """Without a traceback, whatever else the command's process would say."""
    arguments, line = REFUSALS[0]
    check_refusal(chatload(*arguments, cwd=tmp_path), line)
    assert list(tmp_path.iterdir()) == []


FILES: list[tuple[str, Callable[[str], str], str]] = [
    ("malformed", lambda text: text.replace("speed = 60", "speed = = 60"), r"mine.toml: not TOML: line \d+: .*"),
    ("shares", lambda text: text.replace("share = 0.45", "share = 0.40"), "mine.toml: channels = .*add up to 95 %.*"),
    (
        "unknown key",
        lambda text: text.replace("slots = 3", "slotz = 3"),
        'mine.toml: operators.slotz = 3: unknown key .*; the nearest valid key is "operators.slots"',
    ),
]


@pytest.mark.parametrize("name, spoil, line", FILES, ids=[name for name, _, _ in FILES])
def test_a_spoilt_scenario_is_one_line(tmp_path: Path, name: str, spoil: Callable[[str], str], line: str) -> None:
    """For run and for check alike."""
    (tmp_path / "mine.toml").write_text(spoil(TBANK))
    check_refusal(chatload("run", "mine.toml", cwd=tmp_path), line)
    check_refusal(chatload("scenarios", "check", "mine.toml", cwd=tmp_path), line)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_a_scenario_of_ones_own_is_begun_and_never_overwritten(tmp_path: Path) -> None:
    """The file is a scenario as it is; what is said next works; a second time is refused, and changes nothing."""
    answer = chatload("scenarios", "new", "ours", "--from", "halyk", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    said = [line.split()[1:] for line in answer.stdout.splitlines() if line.startswith("  chatload")]
    assert [line[:2] for line in said] == [
        ["scenarios", "check"],
        ["scenarios", "explain"],
        *[["run", "ours.toml"]] * 2,
    ]
    for line in said[:3]:
        assert chatload(*line, cwd=tmp_path).returncode == 0
    (tmp_path / "ours.toml").write_text("mine")
    check_refusal(chatload("scenarios", "new", "ours", cwd=tmp_path), "NAME ours.toml: exists; choose another name, .*")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("ours.toml", "mine")]


def test_a_taken_port(tmp_path: Path) -> None:
    """One line, and no directory of a run."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for command in (["run", "smoke", "--port", str(port)], ["serve", "--port", str(port)]):
            answer = chatload(*command, cwd=tmp_path)
            check_refusal(answer, f"port {port} is taken; leave --port out for a free one, .*")
    assert list(tmp_path.iterdir()) == []


def test_data_of_a_newer_core(tmp_path: Path) -> None:
    """The core's own line, and its data stays as it was."""
    data = tmp_path / "data"
    data.mkdir()
    db = sqlite3.connect(data / "journal.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = (data / "journal.db").read_bytes()
    line = rf"the core does not start: {data}/journal.db: journal format 99, newest known \d+; start a chatcore .*"
    check_refusal(chatload("serve", "--data", str(data), cwd=tmp_path), line)
    assert [(data / "journal.db").read_bytes(), *data.iterdir()] == [before, data / "journal.db"]


def test_too_few_files(tmp_path: Path) -> None:
    """Told with what T-Bank needs before anything starts."""
    answer = subprocess.run(
        [sys.executable, "-m", "chatload", "run", "tbank"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500)),
    )  # fmt: skip
    needs = (
        r"543 operators and about 7\d\d open dialogs need 1\d\d\d open files a process, the limit is 500; raise it .*"
    )
    check_refusal(answer, needs)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_holds_something(tmp_path: Path) -> None:
    """A run is never mixed with what is there."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "thesis.tex").write_text("dear")
    answer = chatload("run", "smoke", "--out", "old", cwd=tmp_path)
    check_refusal(answer, "--out old: not empty; name a new directory, or leave --out out")
    assert (tmp_path / "old" / "thesis.tex").read_text() == "dear"


@pytest.mark.parametrize("verb", ["verify", "report"])
def test_a_run_without_ledger(tmp_path: Path, verb: str) -> None:
    """Its manifest alone proves nothing."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({"schema": 1}))
    answer = chatload(verb, "run", cwd=tmp_path)
    check_refusal(answer, "run: it has no ledger/\\*.parquet; name the directory that `chatload run` printed")


def test_a_truncated_ledger(tmp_path: Path) -> None:
    """One line that names the file."""
    ledger = tmp_path / "run" / "ledger"
    ledger.mkdir(parents=True)
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({"schema": 1}))
    (ledger / "w0-00000.parquet").write_bytes(b"PAR1 and then the power failed")
    answer = chatload("verify", "run", cwd=tmp_path)
    assert answer.returncode == 2
    assert "w0-00000.parquet: not a whole Parquet file" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_dry_run_starts_nothing(tmp_path: Path) -> None:
    """It says what would be played: dialogs, messages, operators, time, files and memory."""
    answer = chatload("run", "tbank", "--load", "2", "--workers", "4", "--dry-run", cwd=tmp_path)
    assert answer.returncode == 0
    for piece in (
        "1,086 with 3 dialogs each, 731 to 736 of them on duty",
        "6 of 6 channels",
        "messages",
        "open files",
        "shared by 4 workers",
        "MB of ledger",
        "10 s ramp + 60 s",
    ):
        assert piece in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_counts_what_customers_do(tmp_path: Path) -> None:
    """Who comes back, what follows at once on another message, and the files, where the scenario has them."""
    said = chatload("run", str(ROOT / "tests" / "end_to_end" / "teams.toml"), "--dry-run", cwd=tmp_path).stdout
    found = re.search(
        r"customers +(\d+) of them come back, (\d+) messages follow at once on another, (\d+) are files", said
    )
    assert found
    assert all(int(count) > 5 for count in found.groups())
    assert "come back" not in chatload("run", "smoke", "--dry-run", cwd=tmp_path).stdout


def test_scenarios_are_listed_explained_and_checked(tmp_path: Path) -> None:
    """In plain words, with what follows from the figures."""
    listed = [line.split()[0] for line in chatload("scenarios", cwd=tmp_path).stdout.splitlines()]
    assert listed == sorted(path.stem for path in (ROOT / "scenarios").glob("*.toml"))
    assert chatload("scenarios", "list", cwd=tmp_path).stdout == chatload("scenarios", cwd=tmp_path).stdout
    explained = " ".join(chatload("scenarios", "explain", "tbank", cwd=tmp_path).stdout.split())
    for piece in ("3,000, or 0.83 a second", "about 620 are open at once", "6 of the bank's 6"):
        assert piece in explained
    assert "a scenario: T-Bank" in chatload("scenarios", "check", "tbank", cwd=tmp_path).stdout


HOURS = """
[[operators.shifts]]
from = "07:30"
to = "16:30"
share = 0.75
overtime = "15 min"

[[operators.shifts]]
from = "16:30"
to = "07:30"
share = 0.25
overtime = "5 min"

[operators.breaks]
every = "2 h"
duration = "15 min"

[surge]
after = "20 min"
load = 2
operators = 600
over = "10 min"

[channels.web]"""


def test_shifts_breaks_and_a_surge_are_mentioned(tmp_path: Path) -> None:
    """By the plan and by the explanation, and only where there are any."""
    all_day = re.sub(r"\[\[operators\.shifts\]\].*?(?=\[channels)", "", TBANK, flags=re.DOTALL).replace(
        "= 543 ", "= 400 ", 1
    )
    (tmp_path / "all_day.toml").write_text(all_day)
    (tmp_path / "hours.toml").write_text(all_day.replace("\n[channels.web]", HOURS))
    options = {"hours.toml": ["--part", "surge"], "all_day.toml": []}
    said = [
        (chatload("run", name, *rest, "--dry-run", cwd=tmp_path).stdout, explained(name, tmp_path))
        for name, rest in options.items()
    ]
    (planned, in_words), (without, plainly) = said
    assert "400 with 3 dialogs each, 261 to 264 of them on duty; 200 more join from 20 min of business time" in planned
    for piece in (
        "75 % from 07:30 to 16:30 (then up to 15 min more for dialogs at hand), 25 % from 16:30 to 07:30",
        "In turns they have a break of 15 min every 2 h. So 262 of them are on duty in the peak hour, from 10:00.",
        "2 times as many dialogs start from 20 min on; within 10 min operators join, until 400 have become 600;"
        " of these 394 are on duty then.",
    ):
        assert piece in in_words
    assert "400 with 3 dialogs each\n" in without
    assert "on duty in the peak hour" not in plainly
    assert "10 s of after-work" in plainly


def explained(name: str, folder: Path) -> str:
    """A scenario's explanation, in one line."""
    return " ".join(chatload("scenarios", "explain", name, cwd=folder).stdout.split())


def test_a_surge_that_no_scenario_has_is_a_mistake(tmp_path: Path) -> None:
    """One line, and 2."""
    ended = chatload("run", "tbank", "--part", "surge", "--dry-run", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "tbank.toml has no table [surge]" in ended.stderr


def test_help_and_version(tmp_path: Path) -> None:
    """Only what is built; every command has a line."""
    text = chatload("--help", cwd=tmp_path).stdout
    commands = re.findall(r"^  (\w+) {2,}\S.*[^.]\.$", text, re.MULTILINE)
    assert commands == ["run", "verify", "report", "doctor", "serve", "scenarios"]
    bare = chatload(cwd=tmp_path)
    assert (bare.returncode, bare.stdout.strip(), bare.stderr) == (2, text.strip(), "")
    assert re.fullmatch(r"chatload \d+\.\d+\.\d+\n", chatload("--version", cwd=tmp_path).stdout)


def test_the_doctor_looks_at_everything(tmp_path: Path) -> None:
    """And ends with 3 exactly if something must change."""
    answer = chatload("doctor", cwd=tmp_path)
    for piece in (
        "cores", "sibling threads", "CPU quota", "memory", "fsync", "open files", "loopback", "versions", "clock",
        "governor", "stolen",
    ):  # fmt: skip
        assert piece in answer.stdout
    assert answer.returncode == (3 if "change  " in answer.stdout.split("\n", 1)[1] else 0)


def test_the_core_alone(tmp_path: Path) -> None:
    """It answers with the token that was printed, comes back after kill -9, and ends with Ctrl-C; nothing is left."""
    with running(["-m", "chatload", "serve"], tmp_path) as serve:
        url = re.search(r"http://127.0.0.1:\d+", serve.line())
        assert url is not None
        lines = until(lambda: _until_curl(serve.line))
        token = re.search(r"Bearer (\S+)'", lines[-1])
        assert token is not None
        request = urllib.request.Request(f"{url[0]}/v1/state", headers={"Authorization": f"Bearer {token[1]}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.loads(answer.read())["waiting"] == 0
        [core] = [process for process in family(serve) if "chatcore" in " ".join(process.cmdline())]
        os.kill(core.pid, signal.SIGKILL)
        assert serve.line() == "the core ended by itself and was started again\n"
        serve.send_signal(signal.SIGINT)
        assert serve.wait(20) == 0
        assert not family(serve)
    assert list(tmp_path.iterdir()) == []


def _until_curl(line: Callable[[], str]) -> list[str]:
    """The welcome's lines, the last of which shows how to ask."""
    lines = [line()]
    while "curl" not in lines[-1]:
        lines.append(line())
    return lines
