"""The bank's answers: what the file may say, what the menu chooses, and that an edit counts without a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatcore.answers import load
from chatcore.bot import Bot
from chatcore.errors import BadConfig
from chatcore.machines.commands import Choice
from tests.chatcore.client import Customer, Frame, message, plain, system, until
from tests.chatcore.cores import inside, play

FULL = Path(__file__).parent / "answers_full.json"
MENU = "What is it about?\n1. Hours\n2. Cards\n3. Loans"
CARDS = "Which?\n1. Lost card\n2. New card\n0. ←"
AGAIN = "Pardon?\n1. Hours\n2. Cards\n3. Loans"


@pytest.mark.parametrize(
    "text, at, expected",
    [
        ("hello", None, Choice("answer", "menu:", MENU, menu="")),
        ("1", None, Choice("answer", "menu:", MENU, menu="")),
        ("cards", None, Choice("answer", "menu:Cards", CARDS, menu="Cards")),
        (" 1 ", "", Choice("answer", "menu:Hours", "Nine to five.", menu="")),
        ("2", "", Choice("answer", "menu:Cards", CARDS, menu="Cards")),
        ("1", "Cards", Choice("answer", "menu:Cards/Lost card", "Call us at once.", menu="Cards")),
        ("NEW CARD", "Cards", Choice("handover", department="cards", topic="cards")),
        ("0", "Cards", Choice("answer", "menu:", MENU, menu="")),
        ("LOANS", "", Choice("handover", topic="loans")),
        ("my balance", "Cards", Choice("answer", "bot:balance", "42 roubles.")),
        ("Operator!", None, Choice("handover")),
        ("4", "", Choice("miss", "menu:again", AGAIN, menu="")),
        ("0", "", Choice("miss", "menu:again", AGAIN, menu="")),
        ("9", "gone/with the edit", Choice("miss", "menu:again", AGAIN, menu="")),
    ],
)
def test_the_menu_is_walked_by_number_or_name(text: str, at: str | None, expected: Choice) -> None:
    """A line gives its answer, its submenu, or a hand-over with its topic; keywords and hand-over words stay known."""
    assert Bot(load(FULL)).by_menu(text, at) == expected


def test_the_row_that_fits_best_is_said(tmp_path: Path) -> None:
    """An account's own text wins over a department's, and that over anybody's; without a row nothing is said."""
    rows = [
        {"event": "waiting", "text": "all"},
        {"event": "waiting", "department": "cards", "text": "cards"},
        {"event": "waiting", "account": "web", "text": "web"},
        {"event": "greeting", "account": "app", "text": "app"},
    ]
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"replies": rows}))
    bot = Bot(load(path))
    found = [bot.replies(account, department, 0) for account in ("web", "app") for department in ("cards", "loans")]
    assert found == [
        {"waiting": "web"}, {"waiting": "web"}, {"greeting": "app", "waiting": "cards"},
        {"greeting": "app", "waiting": "all"},
    ]  # fmt: skip


BROKEN: list[tuple[Any, str]] = [
    ({"anwers": []}, "`anwers`"),
    ({"menu": {"items": [{"name": "A", "txt": "a"}]}}, "`txt`"),
    ({"menu": {"items": [{"name": "A"}]}}, "menu/A: a line needs a text or a topic"),
    ({"menu": {"items": [{"name": "A", "text": "a", "topic": "t"}]}}, "menu/A: a line with a topic hands over"),
    ({"menu": {"items": [{"name": "A", "text": "a"}, {"name": "a", "text": "b"}]}}, "menu/A: a name of its own"),
    ({"menu": {"items": [{"name": "A", "text": "a", "items": [{"name": "7", "text": "b"}]}]}}, "menu/A/7: a name"),
    ({"replies": [{"event": "lunch", "text": "x"}]}, "'lunch'"),
    ({"feedback": {"scale": 7}}, "7"),
    ({"hours": {"loans": {"zone": "Moon/Crater", "windows": ["mon 09:00-10:00"]}}}, "hours.loans: no time zone"),
    ({"hours": {"loans": {"zone": "UTC", "windows": ["mon 9-10"]}}}, "hours.loans: 'mon 9-10' is no window"),
    ("{", "truncated"),
]


@pytest.mark.parametrize("content, told", BROKEN, ids=[told for _, told in BROKEN])
def test_a_mistake_is_told_in_one_line(content: Any, told: str, tmp_path: Path) -> None:
    """What the file cannot say is refused in one line that names the file and the place."""
    path = tmp_path / "answers.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BadConfig) as refused:
        load(path)
    assert str(path) in str(refused.value)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_edit_counts_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new file is taken over while the core runs; a faulty one leaves the old answers, and one line in the log."""
    path = tmp_path / "answers.json"

    def write(text: str) -> None:
        path.write_text(json.dumps({"answers": [{"rule": "r", "keywords": ["limit"], "text": text}]}))

    async def scene() -> None:
        write("one")
        async with inside(answers=str(path)) as core:
            customer = await core.client.customer("web/u1")
            assert await answered(customer, "c1") == "one"
            before = core.gateway.bot
            write("two, and longer")
            await until(lambda: core.gateway.bot.answers != before.answers)
            assert await answered(customer, "c2") == "two, and longer"
            path.write_text('{"anwers": []}')
            await until(lambda: core.gateway.counters.get("answers_refused"))
            assert await answered(customer, "c3") == "two, and longer"

    play(scene)
    told = [record.getMessage() for record in caplog.records if "old answers" in record.getMessage()]
    assert [("`anwers`" in line, "\n" in line) for line in told] == [(True, False)]


async def answered(customer: Customer, cid: str) -> str:
    """What the bot says to a question for the limit."""
    await customer.say(cid, "limit?")
    return str((await customer.until(author="bot"))["text"])


def test_a_dialog_by_the_menu() -> None:
    """The dialog begins with the menu; the choice of a line with a topic queues for the topic's department."""

    async def scene() -> None:
        accounts = [{"id": "web", "channel": "web", "bot": "menu"}]
        async with inside(answers=str(FULL), accounts=accounts) as core:
            customer = await core.client.customer("web/u1")
            for cid, text in (("c1", "hello"), ("c2", "2"), ("c3", "2")):
                await customer.say(cid, text)
            await customer.asked()
            assert [plain(entry) for entry in await core.client.history("web/u1")] == [
                message("web/u1#1", 1, "customer", "hello", "c1"),
                automatic(2, "Good day.", 1, "greeting"),
                message("web/u1#1", 3, "bot", MENU, cause={"seq": 1, "rule": "menu:"}),
                message("web/u1#1", 4, "customer", "2", "c2"),
                message("web/u1#1", 5, "bot", CARDS, cause={"seq": 4, "rule": "menu:Cards"}),
                message("web/u1#1", 6, "customer", "2", "c3"),
                system("web/u1#1", 7, "queued", department="cards", topic="cards"),
                automatic(8, "Cards are busy.", 7, "waiting"),
            ]

    play(scene)


def automatic(seq: int, text: str, cause: int, event: str) -> Frame:
    """The entry of an automatic text of web/u1's first dialog."""
    return message("web/u1#1", seq, "system", text, cause={"seq": cause, "rule": f"auto:{event}"})
