"""A scenario of one's own begins as another's, and says so."""

from pathlib import Path

import pytest

from chatload.scenario import load, parse, shipped
from chatload.scenario.draft import Draft
from chatload.scenario.template import begun

HERE = Path("mine.toml")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_is_begun_from_a_scenario_is_that_scenario(name: str) -> None:
    """In everything but its name, its source and what was published of it."""
    source = load(name)
    mine = parse(str(begun("mine", source)), HERE)
    changed = {"title": mine.title, "source": mine.source, "published": {}}
    assert mine == source.scenario.model_copy(update=changed)
    assert name in mine.source


def test_the_numbers_say_whose_they_are() -> None:
    """Each keeps the comment that it had, after the name of the scenario it came from."""
    text = str(begun("mine", load("tbank")))
    assert "count = 543          # tbank: derived: 400 of them are on shift" in text
    assert "[channels.viber]     # tbank: published" in text
    assert "# tbank: shown beside" not in text


TEXT = """\
# What it is.
a = 1 # one

# Above b.
b = [
  1, 2,
]
# Of the table.
[t] # a table
c = "x # y" # three

[t.u]
d = 4
"""


def test_a_key_is_replaced_where_it_stands() -> None:
    """With its comment, a list with those above it; a new key goes to the end of its table, a new table last."""
    draft = Draft(TEXT)
    assert str(draft) == TEXT
    draft.put("", "b", "[3]", "fitted")
    draft.put("t", "e", "5", "new")
    draft.put("v", "f", "6", "new")
    assert str(draft) == (
        "# What it is.\na = 1 # one\n\nb = [3]              # fitted\n# Of the table.\n[t] # a table\n"
        'c = "x # y" # three\ne = 5                # new\n\n[t.u]\nd = 4\n[v]\nf = 6                # new\n'
    )


def test_tables_are_dropped_with_those_below_them_and_taken_from_others() -> None:
    """A table that shares but the first letters of its name stays."""
    draft = Draft(TEXT + "[tt]\ng = 7\n")
    draft.drop("t")
    assert str(draft) == "# What it is.\na = 1 # one\n\n# Above b.\nb = [\n  1, 2,\n]\n[tt]\ng = 7\n"
    draft.take("t.u", Draft(TEXT))
    assert str(draft).endswith("[tt]\ng = 7\n[t.u]\nd = 4\n")
    with pytest.raises(ValueError, match="no table w"):
        draft.take("w", Draft(TEXT))


def test_the_comment_of_a_text_is_not_looked_for_inside_it() -> None:
    """A hash between quotes is no comment."""
    draft = Draft(TEXT)
    draft.says("ours: ")
    assert 'c = "x # y" # ours: three' in str(draft)
    assert "# What it is." in str(draft)
