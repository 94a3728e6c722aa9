"""Customers who choose from the service menu, on every channel that has one, with the reference core as a process."""

from pathlib import Path

import pytest

from chatload.draws import Draws
from chatload.plan import Rating
from chatload.plan.dialogs import Dialogs
from chatload.scenario import Channel, load, shape_of
from chatload.scenario.bot import Line, Menu
from tests.chatload.fleet.stage import columns, dialog, make_plan, of
from tests.chatload.fleet.test_service import Service, scenario

LINES = (Line(name="Rates", text="The rates are on our site."), Line(name="Cards", topic="cards"))
MENU = Menu(text="How can we help?", walks=1, lines=LINES)
BOT = load("smoke").scenario.bot.model_copy(update={"menu": MENU})
WRITTEN: tuple[Channel, ...] = ("web", "telegram", "email")
WALKED = ("telegram", "whatsapp", "viber", "vk", "infobip", "messenger", "sms", "max")


def test_customers_walk_the_menu_to_an_operator(tmp_path: Path) -> None:
    """The first words bring the menu up; then numbers alone, to a text and to a topic, whose operator answers.

    In messengers, too, where nothing but the messenger's id says whose a number is: no promise is broken over it.
    """
    score = Rating(score=2, after_ms=1000.0)  # who gives one stays until the dialog is closed
    walkers = [
        dialog(index, "bot", "bot", "handover", "operator", walks=True, channel=channel, rating=score)
        for index, channel in enumerate(("web", *WALKED), 1)
    ]
    everywhere = scenario().channels.model_copy(
        update={name: played.model_copy(update={"bot": True}) for name, played in scenario().channels.played().items()}
    )
    changes = {"bot": BOT, "replies": None, "channels": everywhere}
    played = Service(tmp_path, scenario().model_copy(update=changes), walkers)
    ledger = played.play()
    sent = columns(of(ledger, "SEND", who="c1", outcome="OK"), "counter", "seq", "size")
    assert [(counter, seq) for counter, seq, _ in sent] == [(1, 1), (2, 3), (3, 5), (4, 9)]
    assert [size for _, _, size in sent[1:3]] == [1, 1]
    answers = of(ledger, "ENTRY", who="c1", author="bot")
    assert columns(answers, "rule", "cause_seq") == [("menu:", 1), ("menu:Rates", 3)]
    shown = {(row["sender"], row["counter"]) for row in of(ledger, "ENTRY", author="customer", channel="WEB")}
    mine = [row for row in played.history if row["contact"] == "web/u1" and row.get("author") == "customer"]
    assert shown == {(row["sender"], row["counter"]) for row in mine} == {("c1", counter) for counter in (1, 2, 3, 4)}
    for index, channel in enumerate(WALKED, 2):
        wrote = of(ledger, "SEND", plan=index, sender=f"c{index}", outcome="OK", kind="MESSAGE")
        assert [size for _, size in sorted(set(columns(wrote, "counter", "size")))][1:3] == [1, 1], channel
        seen = of(ledger, "ENTRY", author="customer", channel=channel.upper())
        assert {row["sender"] for row in seen if row["size"] == 1} == {""}
    assert set(columns(of(ledger, "DIALOG"), "outcome")) == {("COMPLETED",)}
    found = played.judged()
    assert {name: each.examples for name, each in found.items() if each.status == "violated"} == {}


def test_who_walks_the_menu_in_a_messenger_is_planned() -> None:
    """As many as the scenario says, nobody where it says nothing, and nobody by mail; a number leads to its turn."""
    found, indices = scenario(), range(2000)

    def walking(**share: float) -> dict[str, float]:
        menu = Menu(text="How can we help?", walks=1, lines=LINES, **share)
        changed = found.model_copy(update={"bot": found.bot.model_copy(update={"menu": menu, "service": None})})
        details = Dialogs(changed, shape_of(changed), Draws(7))
        return {channel: sum(details._walks(index, channel) for index in indices) / 2000 for channel in WRITTEN}

    assert walking() == {"web": 1, "telegram": 0, "email": 0}
    assert walking(walks_in_messengers=0.3) == {"web": 1, "telegram": pytest.approx(0.3, abs=0.03), "email": 0}
    walker = dialog(1, "bot", "bot", "handover", "operator", walks=True, channel="telegram")
    plan = make_plan([walker], scenario=found.model_copy(update={"bot": BOT}))
    assert [plan.pressed(1, text) for text in ("1", "2", "3", "two", "")] == [1, 2, None, None, None]
    assert plan.pressed(-5, "1") is None
