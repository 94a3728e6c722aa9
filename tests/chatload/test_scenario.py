"""Scenario files: the shipped ones load, and a mistake is told with file, key, value and the nearest valid key."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.errors import BadScenario, UnknownScenario
from chatload.run.claims import check_claims
from chatload.run.rates import spelled_out
from chatload.scenario import Scenario, ScenarioFile, duration_ms, load, parse, shape_of, shipped, spoken
from chatload.scenario.explain import explain
from chatload.simulate.changes import changed

TBANK = load("tbank")
ALL_DAY = re.sub(
    r"\[\[operators\.shifts\]\].*?(?=\[channels)", "", TBANK.text, flags=re.DOTALL
)  # without shifts and breaks
HERE = Path("mine.toml")
SAYS = re.compile(
    r"\b(assumed|derived|published|calibrated|fitted|as (the )?\w+"
    r"|Palin et al\.|Comm100|Zendesk|Castellanos|Anonymous Bank|Live Helper Chat|Bot API FAQ|dev\.vk\.com"
    r"|Messenger Platform|WhatsApp (throughput|overview))"
)
NUMBER = re.compile(r"(?!title|source|slo|why|request|text|rule|handover|keywords)\w+ = ([^#]*[0-9].*|\[\s*(#.*)?)")


def unsourced(text: str) -> list[str]:
    """The lines of numbers, and of lists, that do not say where they come from."""
    lines = text.splitlines()
    above = ["", *lines]
    told = [f"{above[at]} {line}" if line.endswith("[") else line for at, line in enumerate(lines)]
    comments = [says.partition("#")[2] for says in told]
    return [
        line for line, says in zip(lines, comments, strict=True) if NUMBER.fullmatch(line) and not SAYS.search(says)
    ]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_scenarios_are_valid(name: str) -> None:
    """Through the real loader, objectives and published figures included."""
    check_claims(load(name))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_scenario_survives_the_pipe_to_the_fleet(name: str) -> None:
    """What travels as JSON comes back equal."""
    scenario = load(name).scenario
    assert Scenario.model_validate(scenario.model_dump(mode="json")) == scenario


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_number_says_where_it_comes_from(name: str) -> None:
    """On its line, or above a list: how it was come by, or which source has it."""
    assert unsourced(shipped()[name].read_text()) == []


def test_a_number_without_a_source_is_found() -> None:
    """One that says nothing, one whose comment names no source, a list under a bare comment, a duration."""
    text = 'a = 1 # assumed\nb = 2\nc = 3 # three\n# some\nd = [\n  1,\n]\ne = "4 s" # why not\nf = "five"\n'
    assert unsourced(text) == ["b = 2", "c = 3 # three", "d = [", 'e = "4 s" # why not']


def test_tbank_is_the_published_bank() -> None:
    """30,000 dialogs a day, up to 400 operators at work at a time, six channels, 15 messages and 12 minutes."""
    scenario = TBANK.scenario
    working = scenario.operators.model_copy(update={"breaks": None})
    shares = [working.on_duty(hour) for hour in range(24)]
    assert max(shares) == shares[scenario.volume.peak_hour]
    assert round(max(shares) * working.count) == 400
    assert scenario.volume.dialogs_per_day == 30_000
    assert list(scenario.channels.published()) == ["web", "app", "telegram", "messenger", "viber", "vk"]
    assert scenario.channels.played() == scenario.channels.published()
    assert (scenario.published, scenario.speed) == ({"messages_per_dialog": 15, "duration_s": 715}, 60)


def shifts(**changes: object) -> str:
    """One shift for all, with these keys."""
    keys = {"from": "08:00", "to": "20:00", "share": 1.0, "overtime": "0 s"} | changes
    return "shifts = [{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in keys.items()) + "}]"


BREAKS = 'breaks = {every = "15 min", duration = "15 min"}'
SURGE = 'surge = {after = "20 min", load = 2, operators = 542, over = "20 min"}\n'
SHARE = "operators.shifts.0.share"
MISTAKES = [
    ("count = 543 ", "cuont = 543 ", "operators.cuont", 543, "operators.count", "unknown key"),
    ("[operators]", "[operator]", "operator", None, "operators", "unknown key"),
    ('rule = "card"', 'ruel = "card"', "bot.answers.1.ruel", "card", "bot.answers.1.rule", "unknown key"),
    ('accept = "4 s"', 'accept = "4 sek"', "operators.accept", "4 sek", None, 'unknown unit "sek"'),
    ('accept = "4 s"', "accept = 4", "operators.accept", 4, None, "a duration without a unit"),
    ('accept = "4 s"', '# accept = "4 s"', "operators.accept", "nothing", None, "this key is missing"),
    ("slots = 3 ", f"{shifts(to='8 pm')}\nslots = 3 ", "operators.shifts.0.to", "8 pm", None, "not a time of day"),
    ("slots = 3 ", f"{shifts(to='24:01')}\nslots = 3 ", "operators.shifts.0.to", "24:01", None, "not a time of day"),
    ("slots = 3 ", f"{shifts(to='08:00')}\nslots = 3 ", "operators.shifts.0", None, None, "ends when it begins"),
    ("slots = 3 ", f"{shifts(shar=1)}\nslots = 3 ", "operators.shifts.0.shar", 1, SHARE, "unknown key"),
    ("slots = 3 ", f"{shifts(share=0.9)}\nslots = 3 ", "operators", None, None, "add up to 90 %, not to 100 %"),
    ("slots = 3 ", f"{BREAKS}\nslots = 3 ", "operators.breaks", None, None, "as long as the time they are taken from"),
    ("[volume]", f"{SURGE}\n[volume]", "", None, None, "fewer than the 543 there are before"),
    ('accept = "4 s"', 'accept = "soon"', "operators.accept", "soon", None, "not a duration"),
    ('queue = "7.2 min"', 'queue = "0 s"', "patience.queue", "0 s", None, "greater than 0"),
    ('duration = "12.4 min"', 'duration = "0 min"', "dialog.duration", "0 min", None, "greater than 0"),
    ("share = 0.45 ", "share = 0.40 ", "channels", None, None, "the shares add up to 95 %, not to 100 %"),
    ("share = 0.45 ", "share = -0.45 ", "channels.app.share", -0.45, None, "greater than or equal to 0"),
    ("share = 0.45 ", "share = 45 ", "channels.app.share", 45, None, "less than or equal to 1"),
    ("contained = 0.30 ", "contained = 1.3 ", "bot.contained", 1.3, None, "less than or equal to 1"),
    ("slots = 3 ", "slots = 0 ", "operators.slots", 0, None, "greater than or equal to 1"),
    ("slots = 3 ", 'slots = "three" ', "operators.slots", "three", None, "valid integer"),
    ("messages = 16.4 ", "messages = 4 ", "dialog.messages", 4, None, "make 4.2 messages a dialog"),
    ('duration = "12.4 min"', 'duration = "2 min"', "dialog.duration", "2 min", None, "alone take"),
    ('keywords = ["limit", ', 'keywords = ["rato", ', "bot", None, None, 'hides the hand-over word "operator"'),
    ("[operators]", "[operators]\nteams = [{departments = ['loans']}]\n", "", None, None, "no operator may take"),
    (
        "slots = 3 ",
        "teams = [{skils = []}]\nslots = 3 ",
        "operators.teams.0.skils",
        None,
        "operators.teams.0.skills",
        "",
    ),
    ("slots = 3 ", "# slots = 3 ", "operators.slots", "nothing", None, "this key is missing"),
    (
        "scores = [5, 3, 7, 25, 60]",
        "scores = [1, 2, 3]",
        "feedback",
        None,
        None,
        "two (bad, good) or five (1 to 5)",
    ),
]


@pytest.mark.parametrize("old, new, key, value, nearest, what", MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_mistake_names_file_key_value_and_nearest_key(
    old: str, new: str, key: str, value: object, nearest: str | None, what: str
) -> None:
    """One line that says what is wrong, where, and what was probably meant."""
    assert old in ALL_DAY
    with pytest.raises(BadScenario) as caught:
        parse(ALL_DAY.replace(old, new, 1), HERE)
    error = caught.value
    assert (error.path, error.key, error.nearest) == (HERE, key, nearest)
    assert value is None or error.value == value
    assert what in str(error)
    assert "mine.toml" in str(error)
    assert "\n" not in str(error)


def test_a_file_that_cannot_be_read_is_told_in_one_line() -> None:
    """With what the system says."""
    with pytest.raises(BadScenario, match=r"/proc/self/mem: cannot be read \(Input/output error\)"):
        load("/proc/self/mem")


def test_malformed_toml_names_the_line() -> None:
    """The parser's own words, with the line first."""
    with pytest.raises(BadScenario, match=r"mine.toml: not TOML: line 2: "):
        parse('title = "x"\nspeed = = 3\n', HERE)


def test_an_objective_that_nobody_can_judge_is_a_mistake_of_the_scenario() -> None:
    """Named by its place in the file."""
    text = TBANK.text.replace("deliver_in p99 < 50 ms", "deliver_in p99 below 50", 1)
    with pytest.raises(BadScenario, match=r"objectives\.0\.slo"):
        check_claims(ScenarioFile("mine", HERE, text, parse(text, HERE)))


def test_a_published_figure_that_no_run_measures_is_a_mistake() -> None:
    """With the nearest that one measures."""
    text = TBANK.text.replace("duration_s = 715", "duraton_s = 715", 1)
    with pytest.raises(BadScenario) as caught:
        check_claims(ScenarioFile("mine", HERE, text, parse(text, HERE)))
    assert (caught.value.key, caught.value.nearest) == ("published.duraton_s", "published.duration_s")


def test_a_messenger_of_which_only_the_share_is_given_is_not_played() -> None:
    """One that says more must say all, and then is played; the error names the key as it stands in the file."""
    played = (shipped()["tbank"]).read_text()
    text = re.sub(r"(\[channels\.viber\].*?\nshare = [^\n]*\n).*?\n\n", r"\1\n", played, flags=re.DOTALL)
    whole = "types_per_min = 180\nbot = false\nrate_per_s = 10\nchat_rate_per_s = 1\nburst = 3\n"
    viber = text.replace("[channels.viber]", f"[channels.viber]\n{whole}")
    assert "viber" not in parse(text, Path("mine.toml")).channels.played()
    assert parse(viber, Path("mine.toml")).channels.written()["viber"].types_per_min == 180
    with pytest.raises(BadScenario, match=r"channels\.viber\.rate_per_s .*this key is missing"):
        parse(viber.replace("rate_per_s = 10\nchat", "chat"), Path("mine.toml"))
    with pytest.raises(BadScenario, match=r"channels\.viber\.brust .*unknown key.*channels\.viber\.burst"):
        parse(text.replace("[channels.viber]", f"[channels.viber]\n{whole}brust = 3\n"), Path("mine.toml"))


def test_an_unknown_scenario_names_the_nearest() -> None:
    """A name that is near one, and one that is near none."""
    with pytest.raises(UnknownScenario, match='did you mean "tbank"'):
        load("tbnk")
    with pytest.raises(UnknownScenario, match=r"there are: .*smoke, tbank"):
        load("zzzzzz")


@pytest.mark.parametrize(
    "text, ms",
    [
        ("0 s", 0),
        ("200 ms", 200),
        ("45 s", 45_000),
        ("40m", 2_400_000),
        ("12 min", 720_000),
        ("1 h", 3_600_000),
        ("90s", 90_000),
        ("1.5 s", 1500),
    ],
)
def test_durations_carry_units(text: str, ms: float) -> None:
    """With or without a blank between."""
    assert duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "45", "s", "-3 s", "4 5 s", "1e3 s", "4 sec", "nan s", "inf s", True, 45])
def test_anything_else_is_no_duration(text: object) -> None:
    """Also a bare number: its unit would be a guess."""
    with pytest.raises(ValueError, match="write a number and a unit"):
        duration_ms(text)


@given(st.integers(0, 10**9))
def test_a_spoken_duration_is_the_same_duration(ms: int) -> None:
    """Whatever unit it is spoken in."""
    assert duration_ms(spoken(ms)) == pytest.approx(ms, rel=1e-9)


def test_what_nobody_publishes_is_solved_for() -> None:
    """Turns and thinking times follow from messages and minutes; twice the minutes is all thinking."""
    shape = shape_of(TBANK.scenario)
    longer = shape_of(parse(TBANK.text.replace('duration = "12.4 min"', 'duration = "24.8 min"'), HERE))
    assert longer.operator_turns == shape.operator_turns
    assert longer.thinking_ms > 2 * shape.thinking_ms


def test_what_customers_do_besides_writing_is_explained() -> None:
    """How much is written at once, what is no text, and who comes back; nothing of it where there is none."""
    said = " ".join(explain(load(str(Path(__file__).parents[1] / "end_to_end" / "teams.toml"))))
    for piece in (
        "30 % of what they ask operators comes in 2.5 messages at once, 50 to 200 ms apart, and gets one answer",
        "20 % of their messages to operators are images and documents, but over SMS",
        "50 % of the dialogs in which people write are begun by somebody who has had one, 20 s after it was over",
    ):
        assert piece in said
        assert piece not in " ".join(explain(TBANK))


def test_menus_and_who_is_left_out_of_a_simulation_are_explained() -> None:
    """The lines, who chooses from them, and that strangers are only of a run; nothing of it where there is none."""
    said = " ".join(explain(load("chat2desk")))
    for piece in (
        "The bot has a menu: Card, Branches, Loans (loans). It comes up where nothing else is asked for. By the number"
        " of a line, 50 % of the customers choose"
        " from it on the website and in the app, 50 % in messengers",
        "A simulation leaves them out: it has no doors",
    ):
        assert piece in said
        assert piece not in " ".join(explain(TBANK))


def test_a_bank_where_everybody_calls_is_explained() -> None:
    """The channels in which people write are there, and nobody uses them."""
    cashu = load("cashu")
    writing = [name for name in cashu.scenario.channels.played() if name != "phone"]
    file = changed(cashu, ["channels.phone.share=1", *(f"channels.{name}.share=0" for name in writing)])
    said = " ".join([*explain(file), *spelled_out(file)])
    assert "web 0 %, telegram 0 %, vk 0 %, email 0 %, phone 100 %" in said
    assert "The phone rings 50 times in the peak hour" in said
    assert "asks for 0 operators for those who write and 5 for the calls" in said


def test_calls_are_explained() -> None:
    """How often the phone rings, whom that keeps busy, and that what is said of messages is said of the others."""
    said = " ".join(explain(load(str(Path(__file__).parents[1] / "end_to_end" / "post.toml"))))
    for piece in (
        "web 30 %, email 45 %, phone 25 %",
        "The phone rings 200 times in the peak hour. A call takes all places of its operator and lasts 1.5 min on",
        "so 5.0 operators are talking at once. Callers wait 20 s on average before they give up; 50 % of these call",
        "and 1.33 messages a second are written",
    ):
        assert piece in said
