"""The tables `dialog`, a row per dialog, and `ownership`, a row per dialog and owner: written with the history.

They pass between Python and SQLite whole, a statement for many rows, as the history's rows do.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from chatcore.analytics.episode import KINDS, Episode, Told, follow
from chatcore.analytics.mood import Words
from chatcore.journal.port import Keys, Row
from chatcore.journal.rows import insert
from chatcore.machines import events as e
from chatcore.machines.quality import draw

COLUMNS: Final = Episode.__struct_fields__
READ: Final = (
    f"SELECT json_group_array(json_array({', '.join(f'dialog.{column}' for column in COLUMNS)})) "
    "FROM json_each(?) AS asked CROSS JOIN dialog ON dialog.log = ? "  # in this order: few are asked for, of many
    "AND dialog.contact = json_extract(asked.value, '$[0]') AND dialog.number = json_extract(asked.value, '$[1]')"
)
ADD: Final = (
    "ON CONFLICT DO UPDATE SET handled_ms = handled_ms + excluded.handled_ms, "
    "transfers = transfers + excluded.transfers"
)
Place = tuple[int, int]  # contact and number
_episodes: Final = msgspec.json.Decoder(list[Episode], strict=False)  # where SQLite has 1, it is true


class Dialogs:
    """See Derived. `words` may be exchanged at any time; what was counted before stays."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def write(self, db: sqlite3.Connection, log: int, rows: Sequence[Row], keys: Keys) -> int:
        """See Derived.write."""
        counted = [row for row in rows if row.kind in KINDS and row.dialog]
        told = {(found.contact, found.number): Told(found) for found in _read(db, log, counted)}
        new = keys({row.contact for row in counted if (row.contact, row.dialog) not in told})
        for row in counted:
            event = e.decode_event(row.blob)
            place = row.contact, row.dialog
            if place not in told:
                told[place] = Told(_opened(place, new[row.contact], event))
            follow(told[place], event, self.words)
        _store(db, log, told)
        return 2 * len(told)


def _read(db: sqlite3.Connection, log: int, rows: Sequence[Row]) -> list[Episode]:
    """The episodes that the rows go on with."""
    asked = msgspec.json.encode(list({(row.contact, row.dialog) for row in rows})).decode()
    (found,) = db.execute(READ, (asked, log)).fetchone()
    return _episodes.decode(found)


def _opened(place: Place, key: str, first: e.AnyEvent) -> Episode:
    assert isinstance(first, e.Entry), "a dialog begins with what opened it"
    return Episode(*place, key, draw(f"{key}#{place[1]}"), first.at)


def _store(db: sqlite3.Connection, log: int, told: dict[Place, Told]) -> None:
    episodes = ((log, *msgspec.structs.astuple(each.episode)) for each in told.values())
    insert(db, "INSERT OR REPLACE INTO dialog", 1 + len(COLUMNS), episodes)
    insert(db, "INSERT INTO ownership", 6, _shares(log, told), ADD)


def _shares(log: int, told: dict[Place, Told]) -> Iterable[tuple[int | str, ...]]:
    for place, each in told.items():
        for operator, share in each.shares.items():
            yield (log, *place, operator, share.handled_ms, share.transfers)
