"""An older journal is brought to today's format when it is opened, whole or not at all; a newer one is refused."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests import unsynced
from tests.chatcore.client import Client
from tests.chatcore.cores import play as play_core
from tests.chatcore.cores import running, settings, telegram
from tests.chatcore.journal import made_up
from tests.chatcore.journal.stores import commit, play

from chatcore.journal import JournalTooNew, Row, StaleWriter, migrations
from chatcore.journal.framing import unpack
from chatcore.journal.sqlite import SqliteJournal

ROOT = Path(__file__).parents[3]
FORMAT_1 = (
    Path(__file__).parent / "format1"
)  # written by the last program of format 1; its shown.json is what it showed
FORMAT_2 = Path(__file__).parent / "format2"  # … and of format 2, which counted no dialogs
NOWHERE = telegram("http://127.0.0.1:9")


class File(NamedTuple):
    """What lies in a journal's file: its format, its records in capitals or not, and the made-up format's table."""

    format: int
    records: list[bytes]
    shouted: int


def read_in(folder: Path, *names: str, of: Path = FORMAT_1) -> Path:
    """A folder with the files of an old format."""
    folder.mkdir()
    for name in names:
        db = sqlite3.connect(folder / f"{name}.db")
        db.executescript((of / f"{name}.sql").read_text())
        db.close()
    return folder


def execute(file: Path, statement: str) -> list[Any]:
    db = sqlite3.connect(file)
    with db:
        found = db.execute(statement).fetchall()
    db.close()
    return found


def schema(file: Path) -> list[Any]:
    return [execute(file, "PRAGMA user_version"), execute(file, "SELECT sql FROM sqlite_schema ORDER BY name")]


def look(folder: Path) -> File:
    """The file of the logs, as a crash left it."""
    file = folder / "journal.db"
    ((found,),) = execute(file, "PRAGMA user_version")
    blobs = execute(file, "SELECT blob FROM batch ORDER BY log, first")
    tables = execute(file, "SELECT name FROM sqlite_schema WHERE name = 'shouted'")
    shouted = len(execute(file, "SELECT * FROM shouted")) if tables else 0
    return File(found, [record for (blob,) in blobs for record in unpack(blob)], shouted)


def fill(folder: Path, batches: int) -> None:
    """A closed journal with as many batches, and their history."""

    async def scene() -> None:
        journal = SqliteJournal(folder)
        (own,) = journal.open([made_up.LOG]).values()
        for position in range(batches):
            assert await commit(journal, made_up.LOG, position, own.epoch, b"record %d " % position * 20) is None
        journal.history.project(made_up.LOG, batches, [Row(1, 1, 1, 0, 1, b"x")], [(1, "web/u1")])
        await journal.close()

    play(scene())


@pytest.mark.parametrize("names", [("journal", "history"), ("journal",)], ids=["with its history", "without"])
def test_a_core_goes_on_with_a_journal_of_format_1(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Its whole history and state are what the old program showed, also when the history is made anew."""
    read_in(tmp_path / "data", *names)

    async def acts() -> None:
        accounts = [{"id": "web", "channel": "web", "bot": "keywords"}, NOWHERE]
        async with running(tmp_path, accounts=accounts) as core, Client(core.url) as client:
            _, audit = await client.rest("GET", "/v1/audit/0?limit=10000")
            found = {"state": await client.state(), "audit": audit}
            found |= {key: await client.history(key) for key in ("web/u1", "web/u2", "web/u3", "tg/77")}
            shown = json.loads((FORMAT_1 / "shown.json").read_text().replace('"delivered"', '"sent"'))  # its name now
            shown["state"]["dialogs"] |= {"on_hold": 0, "callback": 0}  # which format 1 did not know
            assert found == shown
            desk = await client.desk("o1", {"tg/77#1": 5})
            (held,) = desk.welcome["open"]
            assert (await desk.say(held, "m4", "third"))["seq"] == 6
            assert await core.end(signal.SIGTERM) == 0

    play_core(acts)


def test_dialogs_of_format_2_are_counted_after_all(tmp_path: Path) -> None:
    """Figures and reviews are of the dialogs that an old program stored, too; a second start counts nothing twice."""
    read_in(tmp_path / "data", "journal", "history", of=FORMAT_2)
    path = "/v1/analytics?by=operator&to_ms=1795337790000&hours=1"

    async def acts() -> None:
        async with running(tmp_path, quality={"sample": 1.0}) as core:
            for scores in (0, 1):
                async with Client(core.url) as client:
                    await client.until_state(lambda state: state["dialogs"]["closed"] == 4)  # one was silent for long
                    _, found = await client.rest("GET", path)
                    total = [found["total"][name] for name in ("contacts", "open", "offered", "accepted", "messages")]
                    assert total == [5, 1, 4, 2, 20]
                    assert [found["total"][name] for name in ("abandoned", "contained", "transfers")] == [1, 1, 1]
                    assert found["total"]["ratings"] == {"good": 0, "bad": 0, "n": 1, "mean": 4.0}
                    wait = {"n": 2, "mean_s": 0.021, "median_s": 0.016, "p95_s": 0.026, "max_s": 0.026}
                    assert found["total"]["waiting"] == wait
                    operators = [(group["name"], group["contacts"], group["reviews"]["n"]) for group in found["groups"]]
                    assert operators == [("o1", 2, scores), ("o2", 1, 0)]
                    assert (await client.rest("PUT", "/v1/reviews/web/u1/1", {"score": 4}))[0] == 200
                await core.end()
                await core.start()

    play_core(acts)


def test_a_migrated_file_is_as_a_new_one(tmp_path: Path) -> None:
    """Format and tables of a file that was brought to today's format are those of a file made today."""
    fill(tmp_path / "new", 1)
    old = read_in(tmp_path / "old", "journal", "history")
    before = [schema(old / name) for name in ("journal.db", "history.db")]

    async def scene() -> None:
        journal = SqliteJournal(old)
        journal.open([made_up.LOG])
        await journal.close()

    play(scene())
    after = [schema(old / name) for name in ("journal.db", "history.db")]
    assert after == [schema(tmp_path / "new" / name) for name in ("journal.db", "history.db")]
    assert after != before


def test_the_next_format_is_a_row_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that converts records and empties the history is played once, and its file refused by the old program."""
    fill(tmp_path, 3)
    old, newest = look(tmp_path), migrations.newest()
    records = [record.upper() for record in old.records]

    async def scene() -> None:
        for _ in range(2):
            journal = SqliteJournal(tmp_path)
            journal.open([made_up.LOG])
            assert journal.history.projected(made_up.LOG) == 0
            assert [blob for _, blob in journal.read(made_up.LOG, 0, 10)] == records
            await journal.close()

    with monkeypatch.context() as patch:
        patch.setitem(migrations.STEPS, newest, made_up.NEXT)
        play(scene())
    assert look(tmp_path) == File(newest + 1, records, 3)
    with pytest.raises(JournalTooNew):
        SqliteJournal(tmp_path).open([made_up.LOG])
    assert look(tmp_path) == File(newest + 1, records, 3)


def test_who_writes_the_old_format_is_shut_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that had the file open before can store nothing once another has begun to change its format."""

    async def scene() -> None:
        paused = SqliteJournal(tmp_path)
        (own,) = paused.open([made_up.LOG]).values()
        assert await commit(paused, made_up.LOG, 0, own.epoch, b"old") is None
        monkeypatch.setitem(migrations.STEPS, migrations.newest(), made_up.NEXT)
        db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        migrations.migrate(db, tmp_path / "journal.db", migrations.LOGS)
        db.close()
        assert isinstance(await commit(paused, made_up.LOG, 1, own.epoch, b"old, too"), StaleWriter)
        await paused.close()

    play(scene())
    assert look(tmp_path).records == [b"OLD"]


def run_to_the_next_format(folder: Path, extra: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chatcore.journal.made_up", str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}"} | extra,
        stdout=subprocess.PIPE,
    )


def check_old_or_new(folder: Path, records: list[bytes]) -> int:
    """The file's format, in which all of it must be; the next start must bring it to the newest."""
    left = look(folder)
    new = File(migrations.newest() + 1, [record.upper() for record in records], len(records))
    old = File(1, records, 0)
    assert left in (old, new)
    with run_to_the_next_format(folder, {}) as child:
        child.communicate(timeout=30)
    assert (child.returncode, look(folder)) == (0, new)
    return left.format


def old_journal(folder: Path, batches: int) -> list[bytes]:
    """A journal marked as of format 1; its records."""
    fill(folder, batches)
    for table in ("dialog", "ownership"):
        execute(folder / "history.db", f"DROP TABLE {table}")
    for name in ("journal", "history"):
        execute(folder / f"{name}.db", "PRAGMA user_version = 1")
    return look(folder).records


@pytest.mark.parametrize("after", [1, 30, 60])
def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path, after: int) -> None:
    """`kill -9` after some of the batches were changed: all are as they were, and the next start changes all."""
    records = old_journal(tmp_path, 60)
    with run_to_the_next_format(tmp_path, {}) as child:
        assert child.stdout is not None
        assert child.stdout.read(after) == b"." * after
        child.kill()
    assert check_old_or_new(tmp_path, records) in ((1,) if after < 60 else (1, migrations.newest() + 1))


@pytest.mark.parametrize("step", [*range(1, 30, 2), 40, 60])
def test_no_write_or_flush_of_a_migration_is_a_wrong_moment(tmp_path: Path, step: int) -> None:
    """Power lost in place of a given write or flush: each file is whole in its old or its new format."""
    shim = unsynced.build(tmp_path)
    folder = tmp_path / "journal"
    records = old_journal(folder, 40)
    with run_to_the_next_format(folder, unsynced.environment(shim, folder, die_at=step, keep_seed=step)) as child:
        child.communicate(timeout=30)
    check_old_or_new(folder, records)


@pytest.mark.parametrize("name", ["journal", "history"])
def test_a_newer_format_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """The process ends with 2 and says what to do; the file is as it was, and an older program can still open it."""
    fill(tmp_path / "data", 2)
    newest = migrations.newest()
    file = tmp_path / "data" / f"{name}.db"
    execute(file, f"PRAGMA user_version = {newest + 1}")
    before = file.read_bytes()
    config = tmp_path / "core.json"
    config.write_text(json.dumps(settings(data=str(tmp_path / "data"))))
    ended = subprocess.run(
        [sys.executable, "-m", "chatcore", "--config", config], cwd=ROOT, capture_output=True, text=True, check=False
    )
    line = f"chatcore: {file}: journal format {newest + 1}, newest known {newest}; start a chatcore at least as new\n"
    assert (ended.returncode, ended.stderr) == (2, line)
    assert file.read_bytes() == before
