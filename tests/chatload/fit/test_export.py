"""Exports as banks have them: what is good is read, what is bad is named by line and column, nothing is lost."""

from datetime import datetime
from pathlib import Path

import pytest

from chatload.fit import BadExport, BadRow, Export, read
from chatload.fit.columns import COLUMNS, Score
from chatload.fit.export import Row
from tests.chatload.processes import chatload

HEAD = "contact,channel,started,queued,accepted,closed,ended_by,rating\n"
AT = datetime(2026, 1, 31, 9, 0, 0)  # noqa: DTZ001 - the wall clock of a bank


def export(tmp_path: Path, content: str | bytes) -> Export:
    """What is read of a file with this content."""
    path = tmp_path / "export.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path)


def test_a_row_is_read(tmp_path: Path) -> None:
    """Times are seconds after the start, also across zones; what is empty is None."""
    times = "2026-01-31T09:00:00+05:00,2026-01-31T04:00:30Z,2026-01-31 09:01:00+05:00,2026-01-31 09:10:00.5+05:00"
    found = export(tmp_path, f"{HEAD}c1,Web,{times},operator,good\n")
    expected = Row(2, "c1", "web", AT, 30.0, 60.0, 600.5, "operator", rating=Score(True, 2))
    assert found == Export(tmp_path / "export.csv", [expected], [], tuple(found.columns), [])


SAME = [Row(2, "c1", "web", AT), Row(3, "c 2", "vk", AT)]


@pytest.mark.parametrize(
    "content",
    [
        b"contact,channel,started\nc1,web,2026-01-31 09:00:00\nc 2,vk,2026-01-31 09:00:00\n",
        b"\xef\xbb\xbfcontact,channel,started\r\nc1,web,2026-01-31 09:00:00\r\nc 2,vk,2026-01-31T09:00:00",
        b"contact;channel;started\nc1;web;31.01.2026 09:00:00\nc 2;vk;31.01.2026 09:00\n",
        b'started\tchannel\tContact\n2026-01-31 09:00\t" web "\tc1\n"2026-01-31 09:00"\tVK\t"c 2"\n',
    ],
    ids=["plain", "BOM and CRLF", "semicolons and Russian dates", "tabs, quotes, another order"],
)
def test_the_same_rows_in_every_dress(tmp_path: Path, content: bytes) -> None:
    """As spreadsheets and databases write them."""
    assert export(tmp_path, content).rows == SAME


@pytest.mark.parametrize(
    "content, what",
    [
        (b"", "is empty; its first line names the columns, of which it needs contact, channel, started"),
        (b"\r\n\r\n", "is empty; its first line names the columns, of which it needs contact, channel, started"),
        (
            b"contact|channel|started\nc1|web|2026-01-31 09:00:00\n",
            "line 1: no column contact, channel, started; there are: contact|channel|started;"
            " cells are separated by commas, semicolons or tabs",
        ),
        (b"client,channel,started\n", "line 1: no column contact; there are: client, channel, started"),
        (b"contact,channel,started,channel\n", "line 1: column channel is there twice"),
        (b'"contact" ,channel,started\n', "line 1: no CSV: ',' expected after '\"'"),
        (
            b"contact,channel,started,accepted\n",
            "line 1: accepted without queued does not tell who waited; if every dialog waits from its start on,"
            " repeat started as queued; else leave accepted out",
        ),
        ("contact,channel,started".encode("utf-16"), "is not UTF-8; save it as CSV in UTF-8"),
        (b"PK\x03\x04\xff\xfe", "is not UTF-8; save it as CSV in UTF-8"),
        (
            "contact,channel,started\nЭльдиз,web,2026-01-31 09:00\n".encode("cp1251"),
            "is not UTF-8; save it as CSV in UTF-8",
        ),
    ],
    ids=[
        "empty",
        "blank lines",
        "another separator",
        "a column missing",
        "a column twice",
        "a blank behind quotes",
        "accepted without queued",
        "UTF-16",
        "a workbook",
        "cp1251",
    ],
)
def test_a_file_of_which_nothing_can_be_used(tmp_path: Path, content: bytes, what: str) -> None:
    """Is refused in one line that says what to do."""
    with pytest.raises(BadExport) as refused:
        export(tmp_path, content)
    assert str(refused.value) == f"{tmp_path / 'export.csv'}: {what}"


def test_decimal_commas(tmp_path: Path) -> None:
    """Are read in times, and are no whole numbers."""
    head = "contact;channel;started;queued;messages_customer\n"
    times = "2026-01-31 09:00:00,250;2026-01-31 09:00:01,500"
    found = export(tmp_path, f"{head}c;web;{times};3\nc;web;{times};3,0\n")
    assert [row.queued_s for row in found.rows] == [1.25]
    assert found.bad == [BadRow(3, "messages_customer", '"3,0" is no whole number from 0 up')]


def test_reading_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good and bad rows together."""
    monkeypatch.setattr("chatload.fit.export.PROGRESS_ROWS", 2)
    path = tmp_path / "export.csv"
    good = "".join(f"c{n},web,2026-01-31 09:00\n" for n in range(3))
    path.write_text("contact,channel,started\n" + good + 2 * "c,web,now\n")
    told: list[int] = []
    read(path, told.append)
    assert told == [2, 4]


BURSTS = [
    ("2,", "bursts", "and messages_in_bursts: one is told and one is not"),
    (",2", "bursts", "and messages_in_bursts: one is told and one is not"),
    ("2,3", "messages_in_bursts", "3 messages in 2 bursts, of two or more each"),
    ("0,2", "messages_in_bursts", "2 messages in 0 bursts, of two or more each"),
    ("2,9", "messages_in_bursts", "9 of 8 messages_customer"),
]


@pytest.mark.parametrize("cells, column, what", BURSTS)
def test_bursts_that_cannot_be_are_named(tmp_path: Path, cells: str, column: str, what: str) -> None:
    """The dialog is left out."""
    head = "contact,channel,started,messages_customer,bursts,messages_in_bursts\n"
    found = export(tmp_path, f"{head}c,web,2026-01-31 09:00,8,2,4\nd,web,2026-01-31 09:00,8,{cells}\n")
    assert (len(found.rows), found.bad) == (1, [BadRow(3, column, what)])


def test_a_department_has_a_name(tmp_path: Path) -> None:
    """That a scenario can have."""
    found = export(tmp_path, 'contact,channel,started,department\nc,web,2026-01-31 09:00,"a ""b"""\n')
    what = '"a "b"" is no name of a department; use up to 64 letters, digits, blanks and . @ _ -'
    assert found.bad == [BadRow(2, "department", what)]


GOOD, ALSO = "c1,web,2026-01-31 09:00:00,,,,,\n", "c2,web,2026-01-31 09:00:00,,,,,\n"
BAD: list[tuple[str, str, str]] = [
    ("c,web,31/01/2026,,,,,", "started", '"31/01/2026" is no date and time; write 2026-01-31 09:00:00'),
    ("c,web,2026-02-31 09:00:00,,,,,", "started", '"2026-02-31 09:00:00" is no date and time: day'),
    ("c,web,,,,,,", "started", "is empty"),
    ("c,web,01.01.0001 00:00:00,,,,,", "started", '"01.01.0001 00:00:00" is no time of a dialog'),
    ("c,web,2026-01-31 09:00:00,,,9999-12-31 23:59:59,,", "closed", '"9999-12-31 23:59:59" is no time of a dialog'),
    ("c1,web,2026-01-31T09:00,,,,,good", "", "the dialog of line 2 again"),
    (",web,2026-01-31 09:00:00,,,,,", "contact", "is empty"),
    ("c,wab,2026-01-31 09:00:00,,,,,", "channel", 'no channel "wab"; did you mean "web"?'),
    ("c,pigeon,2026-01-31 09:00:00,,,,,", "channel", "there are: web, app,"),
    ('c,"we\nb",2026-01-31 09:00:00,,,,,', "channel", 'no channel "we b"'),
    ("c,web,2026-01-31 09:00:00,2026-01-31 08:59:00,,,,", "queued", "60 s before started"),
    (
        "c,web,2026-01-31 09:00:00,2026-01-31 09:01:00,2026-01-31 09:00:30,,,",
        "accepted",
        "30 s before queued: a negative wait",
    ),
    ("c,web,2026-01-31 09:00:00,,2026-01-31 09:00:30,,,", "accepted", "but never queued"),
    (
        "c,web,2026-01-31 09:00:00,2026-01-31 09:02:00,,2026-01-31 09:01:00,,",
        "closed",
        "before it was queued or accepted",
    ),
    ("c,web,2026-01-31 09:00:00,2026-01-31 09:01:00Z,,,,", "queued", "one has a time zone and one has none"),
    ("c,web,2026-01-31 09:00:00,,,,boredom,", "ended_by", '"boredom" is none of customer, operator'),
    ("c,web,2026-01-31 09:00:00,,,,,6", "rating", '"6" is neither 1 to 5 nor one of bad, good'),
    ("c,web", "", "2 cells, where the header has 8"),
    ("c,web,2026-01-31 09:00:00,,,,,,,", "", "10 cells, where the header has 8"),
    ('c,"web,2026-01-31 09:00:00,,,,,', "", "quotes that nothing closes, up to the end"),
]


@pytest.mark.parametrize("row, column, what", BAD, ids=[f"{column or 'row'}: {what}" for _, column, what in BAD])
def test_a_bad_row_is_named_and_its_neighbours_stay(tmp_path: Path, row: str, column: str, what: str) -> None:
    """By the line it begins in."""
    found = export(tmp_path, f"{HEAD}{GOOD}\n{row}\n{ALSO if row.count(chr(34)) != 1 else ''}")
    assert [(bad.line, bad.column) for bad in found.bad] == [(4, column)]
    assert what in found.bad[0].what
    assert len(found.rows) == (2 if row.count('"') != 1 else 1)


def test_where_quotes_are_wrong_every_line_is_counted(tmp_path: Path) -> None:
    """Nobody can tell where its rows end: all lines up to the next that can be read are named."""
    lines = ['c2,"web', "c3,web,2026-01-31 09:00:00,,,,,", 'c4,web"x,2026-01-31 09:00:00,,,,,']
    found = export(tmp_path, f"{HEAD}{GOOD}" + "".join(f"{line}\n" for line in lines) + ALSO)
    assert ([row.line for row in found.rows], len(found.bad)) == ([2, 6], 1)
    assert str(found.bad[0]).startswith("lines 3 to 5: no CSV: ")
    result = chatload("scenarios", "fit", "export.csv", cwd=tmp_path)
    assert "export.csv: 5 rows, 2 used, 3 bad and left out." in result.stdout


@pytest.mark.parametrize("column", ["messages_customer", "messages_operator", "messages_bot"])
def test_a_count_is_a_whole_number(tmp_path: Path, column: str) -> None:
    """Neither negative nor broken; none at all is none."""
    values = {"3": 3, "0": 0, "": None}
    lines = [f"c{n},web,2026-01-31 09:00,{value}" for n, value in enumerate([*values, "-1", "2.5", "many"])]
    found = export(tmp_path, f"contact,channel,started,{column}\n" + "\n".join(lines))
    assert [getattr(row, column) for row in found.rows] == list(values.values())
    assert found.bad == [
        BadRow(line, column, f'"{text}" is no whole number from 0 up')
        for line, text in ((5, "-1"), (6, "2.5"), (7, "many"))
    ]


def test_of_two_scales_the_rarer_is_bad(tmp_path: Path) -> None:
    """Words and numbers cannot be added up."""
    rows = [f"c{n},web,2026-01-31 09:00:00,,,,,{rating}" for n, rating in enumerate(("5", "good", "4", "1"))]
    found = export(tmp_path, HEAD + "\n".join(rows))
    assert found.bad == [BadRow(3, "rating", "on another scale than most, which are numbers")]
    assert [row.rating for row in found.rows] == [Score(False, 5), Score(False, 4), Score(False, 1)]


def test_columns_that_are_not_read_are_told(tmp_path: Path) -> None:
    """With what was perhaps meant."""
    found = export(tmp_path, "contact,channel,started,qeued,branch\nc,web,2026-01-31 09:00,,x\n")
    assert found.unused == ['qeued (did you mean "queued"?)', "branch"]
    assert found.columns == ("contact", "channel", "started")


def test_no_file(tmp_path: Path) -> None:
    """Nor a directory."""
    for path, what in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BadExport, match=what):
            read(path)


def test_the_command_names_what_it_leaves_out(tmp_path: Path) -> None:
    """Bad rows on stderr, the rest a scenario that loads; never over a file that exists."""
    (tmp_path / "our day.csv").write_text(f"{HEAD}{GOOD}c,wab,2026-01-31 09:00:00,,,,,\n")
    answer = chatload("scenarios", "fit", "our day.csv", "--out", "ours.toml", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (
        0,
        'our day.csv: line 3: channel: no channel "wab"; did you mean "web"?; left out\n',
    )
    assert answer.stdout.startswith("our day.csv: 2 rows, 1 used, 1 bad and left out.\n")
    assert chatload("scenarios", "check", "ours.toml", cwd=tmp_path).returncode == 0
    again = chatload("scenarios", "fit", "our day.csv", "--out", "ours.toml", cwd=tmp_path)
    assert (again.returncode, again.stderr.splitlines()[-1]) == (
        2,
        "error: --out ours.toml: exists; choose another name, or remove it first",
    )


def test_the_command_ends_with_2_when_nothing_is_left(tmp_path: Path) -> None:
    """With the rows, and no file."""
    (tmp_path / "day.csv").write_text(f"{HEAD}c,wab,2026-01-31 09:00:00,,,,,\n")
    answer = chatload("scenarios", "fit", "day.csv", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1] == "error: day.csv: no row can be used: it holds 1, all bad"
    assert [path.name for path in tmp_path.iterdir()] == ["day.csv"]


def test_the_help_names_every_column(tmp_path: Path) -> None:
    """As it is to be written."""
    told = chatload("scenarios", "fit", "--help", cwd=tmp_path).stdout
    assert [name for name in COLUMNS if f" {name}" not in told] == []
