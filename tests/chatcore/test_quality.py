"""Figures over REST and quality control, as supervisors, reviewers and auditors see them."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.analytics.mood import Lists, Words, load
from chatcore.errors import BadConfig
from chatcore.machines.quality import DRAWS, draw, winning
from tests.chatcore.client import Client, Frame, plain, token, until
from tests.chatcore.cores import Inside, inside, play
from tests.chatcore.scenes import PARTITIONS, owned

LISTS = {"good": ["thanks", "спасиб*"], "bad": ["awful"]}
ACCOUNTS = [
    {"id": "web", "channel": "web", "bot": "keywords"},
    {"id": "hr", "channel": "app", "department": "hr"},
]
OPERATORS = [{"id": "o1"}, {"id": "o2"}, {"id": "o3", "departments": ["hr"]}]
ANSWERS = {
    "answers": [{"rule": "balance", "keywords": ["balance"], "text": "42 roubles."}],
    "feedback": {"scale": 5, "window_s": 3_600},
}
SUPERVISOR, REVIEWER, AUDITOR = (token(role, role) for role in ("supervisor", "reviewer", "auditor"))


def with_core(
    folder: Path, acts: Callable[[Inside], Awaitable[None]], partitions: int = 1, sample: float = 1.0
) -> None:
    """Play with a core that knows moods, ratings and an internal department, and has one dialog of each kind."""
    words, answers = folder / "words.json", folder / "answers.json"
    words.write_text(json.dumps(LISTS))
    answers.write_text(json.dumps(ANSWERS))
    changes: dict[str, Any] = {"accounts": ACCOUNTS, "operators": OPERATORS, "answers": str(answers)}
    changes |= {"departments": [{"id": "hr", "internal": True}], "quality": {"sample": sample, "words": str(words)}}

    async def scene() -> None:
        async with inside(partitions=partitions, **changes) as core:
            await dialogs(core.client)
            await acts(core)
            assert core.fatal == []

    play(scene)


async def dialogs(client: Client) -> None:
    """One closed by o2 after o1, rated; one with o1; one that the bot ended; one in HR, closed; one waiting there."""
    first, second = await client.desk("o1", presence="online"), await client.desk("o2")
    sent_on, offer = await owned(client, "web/u1", first)
    await sent_on.say("c2", "awful, awful. Спасибо")
    await second.presence("online")
    await first.send(op="transfer", dialog="web/u1#1", number=offer["number"], to={"operator": "o2"})
    offer = await second.own("web/u1#1")
    await second.say(offer, "m1", "There you are.")
    await second.end(offer)
    await sent_on.until(kind="closed")
    await sent_on.send(op="rate", score=4)
    await sent_on.until(op="rated")
    await second.presence("away")
    await owned(client, "web/u2", first)
    alone = await client.customer("web/u3")
    await alone.say("c1", "balance, thanks")
    await alone.send(op="end")
    await alone.until(kind="closed")
    third = await client.desk("o3", presence="online")
    employee, offer = await owned(client, "hr/e1", third)
    await third.end(offer)
    await employee.until(kind="closed")
    await third.presence("away")
    await (await client.customer("hr/e2")).say("c1", "am I fired?")


async def asked(client: Client, path: str, bearer: str = AUDITOR) -> Frame:
    """A taken GET's answer."""
    status, answer = await client.rest("GET", path, bearer=bearer)
    assert status == 200, answer
    return dict(answer)


def counted(group: Frame, *names: str) -> list[Any]:
    """Some of a group's figures; of durations, how many there are."""
    return [
        group[name]["n"] if isinstance(group[name], dict) and "mean_s" in group[name] else group[name] for name in names
    ]


@PARTITIONS
def test_the_figures_are_those_of_the_dialogs(tmp_path: Path, partitions: int) -> None:
    """As soon as something is acknowledged it counts: all together, and by what groups there are."""

    async def acts(core: Inside) -> None:
        found = await asked(core.client, "/v1/analytics?by=operator")
        names = ("contacts", "open", "offered", "accepted", "abandoned", "bot_answered", "contained", "transfers")
        assert counted(found["total"], *names) == [5, 2, 4, 3, 0, 1, 1, 1]
        assert counted(found["total"], "waiting", "first_response", "handling", "duration") == [3, 1, 2, 3]
        assert counted(found["total"], "service_level_percent", "containment_percent") == [75, 100]
        assert found["total"]["ratings"] == {"good": 0, "bad": 0, "n": 1, "mean": 4}
        assert found["total"]["mood"] == {"n": 2, "mean": (1 + -1 / 3) / 2}
        by_operator = {group["name"]: counted(group, "contacts", "transfers", "handling") for group in found["groups"]}
        assert by_operator == {"o1": [2, 1, 1], "o2": [1, 0, 1], "o3": [1, 0, 1]}
        assert [group["ratings"]["n"] for group in found["groups"]] == [0, 1, 0], "who had it last is rated"
        for by, wanted in (
            ("channel", {"web": 3, "app": 2}),
            ("account", {"web": 3, "hr": 2}),
            ("department", {"": 1, "general": 2, "hr": 2}),
            ("nothing", {}),
        ):
            groups = (await asked(core.client, f"/v1/analytics?by={by}"))["groups"]
            assert {group["name"]: group["contacts"] for group in groups} == wanted

    with_core(tmp_path, acts, partitions)


def test_a_window_holds_the_dialogs_that_opened_in_it(tmp_path: Path) -> None:
    """Whatever opened before or after is not counted, and a window without dialogs has no figures."""

    async def acts(core: Inside) -> None:
        now_ms = (await asked(core.client, "/v1/analytics"))["to_ms"]
        for to_ms, contacts in ((now_ms, 5), (now_ms + 3_500_000, 5), (now_ms - 3_600_000, 0), (now_ms + 3_600_000, 0)):
            found = await asked(core.client, f"/v1/analytics?to_ms={to_ms}&hours=1")
            assert (found["to_ms"] - found["from_ms"], found["to_ms"]) == (3_600_000, to_ms)
            assert (found["total"] or {"contacts": 0})["contacts"] == contacts
        for wrong in ("hours=745", "hours=0", "within_s=0", "by=customer", "to_ms=-1"):
            assert (await core.client.rest("GET", f"/v1/analytics?{wrong}"))[0] == 400

    with_core(tmp_path, acts)


def test_internal_departments_are_not_for_supervisors_and_reviewers(tmp_path: Path) -> None:
    """Neither in totals, nor in groups, nor in the sample; an auditor and an administrator see all."""

    async def acts(core: Inside) -> None:
        client = core.client
        found = await asked(client, "/v1/analytics?by=department", SUPERVISOR)
        assert ([group["name"] for group in found["groups"]], found["total"]["contacts"]) == (["", "general"], 3)
        path = "/v1/reviews/hr/e1/1"
        for bearer, dialogs, status in (
            (REVIEWER, ["web/u1#1", "web/u3#1"], 403),
            (None, ["web/u1#1", "web/u3#1", "hr/e1#1"], 200),
        ):
            _, waiting = await client.rest("GET", "/v1/reviews", bearer=bearer)
            assert [each["dialog"] for each in waiting["dialogs"]] == dialogs
            for method, body in (("GET", None), ("PUT", {"score": 1})):
                found_status, answer = await client.rest(method, path, body, bearer)
                assert (found_status, answer.get("error")) == (status, "not_sampled" if status == 403 else None)

    with_core(tmp_path, acts)


def test_a_review_counts_for_the_operator_and_leaves_the_list(tmp_path: Path) -> None:
    """What waits says whose it is; its entries are the customer's; its newest score counts, and lies in the log."""

    async def acts(core: Inside) -> None:
        client = core.client
        waits = (await asked(client, "/v1/reviews?operator=o2", REVIEWER))["dialogs"]
        told = {
            key: waits[0][key]
            for key in ("dialog", "operator", "department", "reason", "messages", "mood", "rating", "scale")
        }
        assert (len(waits), told) == (1, {
            "dialog": "web/u1#1", "operator": "o2", "department": "general", "reason": "operator", "messages": 3,
            "mood": -1 / 3, "rating": 4, "scale": 5,
        })  # fmt: skip
        path = "/v1/reviews/web/u1/1"
        before = await asked(client, path, REVIEWER)
        assert (before["dialog"], before["review"], before["more"]) == (waits[0], None, False)
        assert before["entries"] == await client.history("web/u1")
        page = await asked(client, f"{path}?after=2&limit=3", REVIEWER)
        assert (page["entries"], page["more"]) == (before["entries"][2:5], True)
        for score, comment in ((2, "curt"), (5, "on second thoughts: fine")):
            given = {"score": score, "by": "reviewer", "comment": comment}
            assert await client.rest("PUT", path, {"score": score, "comment": comment}, REVIEWER) == (200, given)
            assert (await asked(client, path, REVIEWER))["review"] == given
        assert (await asked(client, "/v1/reviews?operator=o2", REVIEWER))["dialogs"] == []
        groups = (await asked(client, "/v1/analytics?by=operator"))["groups"]
        assert {group["name"]: group["reviews"] for group in groups if group["reviews"]["n"]} == {
            "o2": {"n": 1, "mean": 5}
        }
        stored = [entry for entry in (await asked(client, "/v1/audit/0"))["entries"] if entry["op"] == "review"]
        kept = {"op": "review", "dialog": "web/u1#1", "by": "reviewer"}
        assert [plain(entry) for entry in stored] == [
            kept | {"score": 2, "comment": "curt"}, kept | {"score": 5, "comment": "on second thoughts: fine"},
        ]  # fmt: skip
        assert await client.history("web/u1") == before["entries"], "no customer sees it"

    with_core(tmp_path, acts)


REFUSED = [
    ("web/nobody/1", {"score": 1}, 404, "unknown_contact"),
    ("web/u1/2", {"score": 1}, 404, "unknown_dialog"),
    ("web/u1/0", {"score": 1}, 404, "not_found"),
    ("web/u2/1", {"score": 1}, 403, "open"),
    ("web/u1/1", {"score": 6}, 400, "unreadable"),
    ("web/u1/1", {"score": 1, "comment": "x" * 1_001}, 400, "unreadable"),
]


def test_what_is_open_or_not_sampled_is_neither_read_nor_scored(tmp_path: Path) -> None:
    """Each is refused with its reason, and nothing is stored; without a sample nothing waits."""

    async def whole(core: Inside) -> None:
        before = core.states()
        for where, body, status, code in REFUSED:
            found, answer = await core.client.rest("PUT", f"/v1/reviews/{where}", body, REVIEWER)
            assert (found, answer["error"]) == (status, code), where
        assert (await core.client.rest("GET", "/v1/reviews/web/u2/1", bearer=REVIEWER))[1]["error"] == "open"
        assert core.states() == before

    async def nothing(core: Inside) -> None:
        for method, body in (("GET", None), ("PUT", {"score": 1})):
            status, answer = await core.client.rest(method, "/v1/reviews/web/u1/1", body, REVIEWER)
            assert (status, answer["error"]) == (403, "not_sampled")
        assert await asked(core.client, "/v1/reviews", REVIEWER) == {"dialogs": [], "more": False}

    with_core(tmp_path, whole)
    with_core(tmp_path, nothing, sample=0.0)


def test_the_words_are_taken_over_when_they_are_edited(tmp_path: Path) -> None:
    """Later texts are judged by the new lists; lists that cannot be used change nothing."""

    async def acts(core: Inside) -> None:
        path, gateway = tmp_path / "words.json", core.gateway

        def judged(refused: int, counted: tuple[int, int]) -> bool:
            now = gateway.counters.get("words_refused", 0), gateway.dialogs.words.count("am I fired?")
            return now == (refused, counted)

        for content, refused, counted in (
            ('{"good": ["fired"]}', 0, (1, 0)),
            ('{"good": ["two words"]}', 1, (1, 0)),
            ('{"bad": ["fired"]}', 1, (0, 1)),
        ):
            new = path.with_suffix(".new")
            new.write_text(content)
            new.replace(path)

            await until(partial(judged, refused, counted))

    with_core(tmp_path, acts)


@pytest.mark.parametrize(
    "text, counted",
    [
        ("", (0, 0)),
        ("THANKS, thanks!", (2, 0)),
        ("thanksgiving", (0, 0)),
        ("Спасибо; спасибочки… спас", (2, 0)),
        ("awful-awful thanks", (1, 2)),
        ("not_awful", (0, 0)),
    ],
)
def test_a_mood_is_words_of_the_lists(text: str, counted: tuple[int, int]) -> None:
    """Whole words in whatever case, and those that begin as a word with a star."""
    assert Words(Lists(good=("Thanks", "спасиб*"), bad=("awful",))).count(text) == counted


@given(st.lists(st.sampled_from(["thanks", "awful", "hello"])))
def test_moods_add_up(words: list[str]) -> None:
    """A text has the words of its parts, whatever stands between them."""
    lists = Words(Lists(good=("thanks",), bad=("awful",)))
    assert lists.count(", ".join(words)) == (words.count("thanks"), words.count("awful"))


@pytest.mark.parametrize(
    "content", ["{", '{"goods": []}', '{"good": ["two words"]}', '{"good": ["*"]}', '{"good": [""]}']
)
def test_lists_that_make_no_sense_are_refused(tmp_path: Path, content: str) -> None:
    """A wrong file is told by its name."""
    path = tmp_path / "words.json"
    path.write_text(content)
    with pytest.raises(BadConfig, match=r"words\.json"):
        load(path)


def test_the_sample_is_by_the_dialog_alone_and_as_large_as_asked_for() -> None:
    """The same dialogs every time, a larger sample holds the smaller one, and the share is kept to within 4 sigma."""
    ids = [f"web/u{user}#{number}" for user in range(4_000) for number in range(1, 6)]
    assert [draw(dialog) for dialog in ("web/u1#1", "web/u1#2", "tg/77#1")] == [3488823912, 2033667100, 3545120125]
    samples = {share: {each for each in ids if draw(each) < winning(share)} for share in (0.0, 0.05, 0.2, 1.0)}
    assert samples[0.0] == set() < samples[0.05] < samples[0.2] < samples[1.0] == set(ids)
    for share in (0.05, 0.2):
        sigma = (len(ids) * share * (1 - share)) ** 0.5
        assert abs(len(samples[share]) - share * len(ids)) < 4 * sigma
    assert all(0 <= draw(each) < DRAWS for each in ids)
