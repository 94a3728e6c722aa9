"""Rows go into SQLite by few statements, whatever their number."""

import sqlite3
from typing import Any

from chatcore.journal import rows


class Noting(sqlite3.Connection):
    """Notes the statements it is given."""

    texts: set[str]

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As of any connection."""
        self.texts.add(sql)
        return super().execute(sql, *parameters)


def test_a_connection_keeps_few_statements_whatever_it_is_given() -> None:
    """For every count from none to 600 all rows are stored, in order, by ten statements in all: each is kept."""
    db = sqlite3.connect(":memory:", factory=Noting)
    db.texts = set()
    db.execute("CREATE TABLE number(value INTEGER)")
    db.texts.clear()
    expected: list[int] = []
    for count in range(601):
        some = range(len(expected), len(expected) + count)
        rows.insert(db, "INSERT INTO number", 1, ((value,) for value in some))
        expected += some
    assert len(db.texts) <= 10
    assert [value for (value,) in db.execute("SELECT value FROM number ORDER BY rowid")] == expected
