"""Other values of a scenario, as the command line names them."""

import tomllib

import pytest

from chatload.errors import BadOption, BadScenario
from chatload.scenario import load
from chatload.simulate.changes import changed


def test_any_key_can_be_changed_and_its_text_says_so() -> None:
    """A number, a duration without its quotes, a list of many lines and a key that the file leaves out."""
    file = load("smoke")
    hours = [1.0] * 24
    changes = [
        "operators.count=7",
        "patience.queue=3 min",
        f"volume.intraday={hours}",
        "operators.hold_share=0.25",
        "seed=9",
        "operators.count=8",
    ]
    scenario = changed(file, changes).scenario
    assert (scenario.operators.count, scenario.patience.queue, scenario.seed) == (8, 180_000.0, 9)
    assert (scenario.volume.intraday, scenario.operators.hold_share) == (hours, 0.25)
    data = tomllib.loads(changed(file, changes).text)
    was = tomllib.loads(file.text)
    assert data == was | {
        "seed": 9,
        "operators": was["operators"] | {"count": 8, "hold_share": 0.25},
        "patience": was["patience"] | {"queue": "3 min"},
        "volume": was["volume"] | {"intraday": hours},
    }


def test_of_several_tables_one_is_changed_by_its_number() -> None:
    """Counted from 0, as messages about scenarios count them; the others stay as they are."""
    file = load("chat2desk")
    was = tomllib.loads(file.text)
    text = changed(
        file, ["operators.shifts.2.overtime=45 min", "bot.menu.lines.1.text=Ask us.", "notices.0.per_day=7"]
    ).text
    data = tomllib.loads(text)
    was["operators"]["shifts"][2]["overtime"] = "45 min"
    was["bot"]["menu"]["lines"][1]["text"] = "Ask us."
    was["notices"][0]["per_day"] = 7
    assert data == was


def test_a_number_that_no_table_has_is_refused() -> None:
    """With how many there are."""
    with pytest.raises(BadOption, match=r"there are 2 \[\[operators\.teams\]\], numbered from 0"):
        changed(load("chat2desk"), ["operators.teams.2.skills=[]"])


def test_a_whole_array_of_tables_can_be_set() -> None:
    """All its tables go, and what stands beside them stays."""
    file = load("tbank")
    scenario = changed(file, ["operators.shifts=[]", "objectives=[]", "operators.breaks.every=3 h"]).scenario
    was = file.scenario
    assert was.operators.breaks is not None
    breaks = was.operators.breaks.model_copy(update={"every": 10_800_000.0})
    operators = was.operators.model_copy(update={"shifts": (), "day_off": 0.0, "breaks": breaks})
    assert scenario == was.model_copy(update={"operators": operators, "objectives": []})


def test_a_table_that_the_file_leaves_out_can_be_begun() -> None:
    """Its keys are then asked for like anybody's."""
    with pytest.raises(BadScenario, match=r"feedback\.\w+ = .*this key is missing"):
        changed(load("smoke"), ["feedback.share=0.2"])


def test_nothing_is_changed_without_a_change() -> None:
    """The file stays as it is."""
    file = load("smoke")
    assert changed(file, []) is file


@pytest.mark.parametrize(
    "change, nearest",
    [("operators.counts=7", "operators.count"), ("patients.queue=1 s", "patience"), ("sed=1", "seed")],
)
def test_an_unknown_key_names_the_nearest(change: str, nearest: str) -> None:
    """As in a scenario's file."""
    with pytest.raises(BadScenario) as error:
        changed(load("smoke"), [change])
    assert error.value.nearest == nearest


@pytest.mark.parametrize("change", ["operators.count", "=7", "operators count=7", "a[0]=1"])
def test_what_is_no_change_is_refused(change: str) -> None:
    """It must be written as key=value."""
    with pytest.raises(BadOption, match="key=value"):
        changed(load("smoke"), [change])


def test_an_impossible_value_is_refused_where_it_stands() -> None:
    """The scenario's own rules hold."""
    with pytest.raises(BadScenario, match=r"operators\.count = -1"):
        changed(load("smoke"), ["operators.count=-1"])
