"""Whole dialogs between simulated customers and operators, over real sockets against the stub platform."""

from collections import deque
from pathlib import Path
from typing import Any

import pytest

from chatload.fleet.clock import MS
from chatload.scenario.service import ON_HOLD
from tests.chatload.fleet.stage import LONG_MS, SPEED, Stage, columns, dialog, of, played

WHOLE = ("bot", "handover", "operator")


ELSEWHERE = {"op": "entry", "dialog": "app/u9#1", "seq": 1, "kind": "message", "author": "customer", "text": "hello"}


@pytest.mark.parametrize("further", [[], [{"person": "anna", "contact": "app/u9", "entries": [ELSEWHERE]}]])
def test_a_dialog_leaves_exactly_its_rows(tmp_path: Path, further: list[dict[str, Any]]) -> None:
    """A web dialog through bot, queue and operator: every step of both sides is recorded once, with its place.

    What the dialog's person said elsewhere is only to be read.
    """

    async def act(stage: Stage) -> None:
        stage.core.further = further
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, *WHOLE)], act)
    customer = [row for row in ledger if row["who"] == "c5"]
    assert columns(customer, "what", "kind", "seq", "sender", "counter", "outcome", "reason") == [
        ("CONNECT", "NONE", -1, "", -1, "OK", ""),
        ("SEND", "MESSAGE", 1, "c5", 1, "OK", ""),
        ("ENTRY", "MESSAGE", 2, "", -1, "OK", ""),
        ("ENTRY", "QUEUED", 4, "", -1, "OK", "general"),
        ("SEND", "MESSAGE", 3, "c5", 2, "OK", ""),
        ("ENTRY", "ASSIGNED", 5, "", -1, "OK", ""),
        ("ENTRY", "MESSAGE", 6, "o1", 1, "OK", ""),
        ("SEND", "MESSAGE", 7, "c5", 3, "OK", ""),
        ("ENTRY", "MESSAGE", 8, "o1", 2, "OK", ""),
        ("ENTRY", "CLOSED", 9, "", -1, "OK", "operator"),
        ("DIALOG", "NONE", -1, "", 3, "COMPLETED", "closed: operator"),
    ]
    seat = [row for row in ledger if row["who"] == "o1" and row["what"] not in {"HISTORY", "PRESENCE", "CONNECT"}]
    assert columns(seat, "what", "kind", "seq", "sender", "counter", "assignment", "plan") == [
        ("OFFER", "NONE", -1, "", -1, 1, 5),
        ("ACCEPT", "NONE", 5, "", -1, 1, 5),
        ("ENTRY", "MESSAGE", 1, "c5", 1, -1, 5),
        ("ENTRY", "MESSAGE", 2, "", -1, -1, 5),
        ("ENTRY", "MESSAGE", 3, "c5", 2, -1, 5),
        ("ENTRY", "QUEUED", 4, "", -1, -1, 5),
        ("ENTRY", "ASSIGNED", 5, "", -1, 1, 5),
        ("SEND", "MESSAGE", 6, "o1", 1, 1, 5),
        ("ENTRY", "MESSAGE", 7, "c5", 3, -1, 5),
        ("SEND", "MESSAGE", 8, "o1", 2, 1, 5),
        ("ENTRY", "CLOSED", 9, "", -1, -1, 5),
        ("CLOSE", "NONE", -1, "", -1, 1, 5),
    ]
    assert {(row["contact"], row["number"], row["channel"]) for row in seat} == {("web/u5", 1, "WEB")}


def test_an_automatic_text_is_nobodys_answer(tmp_path: Path) -> None:
    """Who is told to wait is still answered by the operator, who sees the text among the entries before."""

    async def act(stage: Stage) -> None:
        stage.core.please_wait = "Please wait."
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, *WHOLE)], act)
    sent = [row for row in ledger if row["what"] == "SEND"]
    assert columns(sent, "sender", "counter", "seq") == [
        ("c5", 1, 1), ("c5", 2, 3), ("o1", 1, 7), ("c5", 3, 8), ("o1", 2, 9),
    ]  # fmt: skip


def test_the_bots_answer_names_its_cause(tmp_path: Path) -> None:
    """An automatic text is recorded with author, rule and the seq of what it answers."""

    async def act(stage: Stage) -> None:
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot")], act)
    (answer,) = of(ledger, "ENTRY", author="bot")
    assert (answer["cause_seq"], answer["rule"][:4], answer["seq"]) == (1, "bot:", 2)


def test_steps_are_intended_from_the_plan_and_from_what_was_read(tmp_path: Path) -> None:
    """The first step counts from the plan's start, a later one from the receipt of the answer; none starts early."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, *WHOLE)], act)
    think_ns = 1_000_000  # one business second at speed 1000
    first, second, third = of(ledger, "SEND", who="c5")
    (script,) = of(ledger, "DIALOG")
    (bot,) = of(ledger, "ENTRY", who="c5", author="bot")
    (reply, _) = of(ledger, "ENTRY", who="c5", author="o1", kind="MESSAGE")
    assert first["intended"] == script["intended"] + think_ns
    assert second["intended"] == bot["done"] + think_ns
    assert third["intended"] == reply["done"] + think_ns
    assert all(row["intended"] <= row["started"] <= row["done"] for row in of(ledger, "SEND"))


def test_an_operator_reacts_to_what_is_on_the_screen(tmp_path: Path) -> None:
    """Acceptance counts from the offer, the answer from the message's stamp, each with the plan's reaction."""
    stages: list[Stage] = []

    async def act(stage: Stage) -> None:
        stages.append(stage)
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "handover", "operator")], act)
    world, plan = stages[0].world, stages[0].plan
    (offer,), (accept,) = of(ledger, "OFFER"), of(ledger, "ACCEPT")
    assert accept["intended"] == offer["done"] + world.wall(plan.accept_ms(5, offer["assignment"]))
    seen = of(ledger, "ENTRY", who="o1", author="customer")
    sends = of(ledger, "SEND", who="o1")
    reactions = [world.wall(plan.reply(5, turn).react_ms) for turn in (0, 1)]
    assert [row["intended"] for row in sends] == [row["done"] + ns for row, ns in zip(seen, reactions, strict=True)]


def test_a_contained_dialog_is_ended_by_its_customer(tmp_path: Path) -> None:
    """After the bot's last answer the customer asks for the end, and the closed entry completes the dialog."""

    async def act(stage: Stage) -> None:
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot", "bot")], act)
    assert columns(of(ledger, "CLOSE"), "who", "outcome", "number") == [("c5", "OK", 1)]
    assert columns(of(ledger, "DIALOG"), "outcome", "reason", "counter") == [("COMPLETED", "closed: customer", 2)]


def test_a_silent_customer_of_the_bot_just_goes(tmp_path: Path) -> None:
    """Nothing is said at the end: no close, and the platform still has the dialog open."""

    async def act(stage: Stage) -> None:
        assert await stage.play()
        assert stage.core.contact("web/u5").state == "bot"

    ledger = played(tmp_path, [dialog(5, "bot", silent=True)], act)
    assert of(ledger, "CLOSE") == []
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == [("COMPLETED", "")]


@pytest.mark.parametrize(
    "channel, silent, closes",
    [("web", False, 1), ("app", True, 0), ("telegram", False, 0)],
    ids=["says so", "vanishes", "falls silent"],
)
def test_patience_ends_in_the_queue(tmp_path: Path, channel: str, silent: bool, closes: int) -> None:
    """With nobody on duty the customer leaves when patience, counted from the queue entry, is over, and no later."""

    async def act(stage: Stage) -> None:
        assert await stage.play()

    planned = dialog(5, "handover", channel=channel, silent=silent, patience_ms=50_000.0)
    ledger = played(tmp_path, [planned], act)
    (script,) = of(ledger, "DIALOG")
    assert (script["outcome"], script["reason"]) == ("ABANDONED", "queue")
    assert len(of(ledger, "CLOSE", outcome="OK")) == closes
    entered = of(ledger, "ENTRY", kind="QUEUED") or of(ledger, "SEND", outcome="OK")
    assert 50 * MS <= script["done"] - entered[0]["done"] < LONG_MS / SPEED / 2 * MS


def test_a_late_answer_is_not_waited_for(tmp_path: Path) -> None:
    """A customer whose message nobody answers gives up when the patience for an answer is over."""

    async def act(stage: Stage) -> None:
        stage.core.answers.clear()
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot", reply_patience_ms=30_000.0)], act)
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == [("ABANDONED", "reply")]


def test_a_seat_holds_several_dialogs_at_once(tmp_path: Path) -> None:
    """Three customers of one operator all get their answers, each in their own dialog."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(n, "handover", "operator") for n in (1, 2, 3)], act)
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)] * 3
    counters = sorted(row["counter"] for row in of(ledger, "SEND", who="o1"))
    assert counters == [1, 2, 3, 4, 5, 6]
    answers = of(ledger, "ENTRY", author="o1", kind="MESSAGE")
    assert all(row["who"] == f"c{row['contact'].removeprefix('web/u')}" for row in answers)


def test_being_asked_to_wait_is_no_answer(tmp_path: Path) -> None:
    """Who is put on hold is told so in the bot's name: they go on waiting, and leave when they have had enough."""

    async def act(stage: Stage) -> None:
        stage.core.answers = dict.fromkeys(stage.core.answers, ON_HOLD)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot", reply_patience_ms=20_000.0)], act)
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == [("ABANDONED", "reply")]


def test_an_operator_puts_on_hold_once_and_takes_back_before_the_answer(tmp_path: Path) -> None:
    """While the first answer is prepared; the dialog goes on as planned."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, *WHOLE)], act, people={"hold_share": 1.0})
    assert [row["kind"] for row in of(ledger, "ENTRY", who="o1") if row["kind"] in ("HELD", "RESUMED")] == [
        "HELD",
        "RESUMED",
    ]
    held, resumed = (of(ledger, "ENTRY", who="o1", kind=kind)[0]["seq"] for kind in ("HELD", "RESUMED"))
    assert held < resumed < of(ledger, "SEND", who="o1")[0]["seq"]
    assert columns(of(ledger, "DIALOG"), "outcome", "counter") == [("COMPLETED", 3)]


@pytest.mark.parametrize("refusal, sent_on", [("", True), ("nobody_there", False)])
def test_a_dialog_is_sent_on_once_and_answered_by_its_next_owner(refusal: str, sent_on: bool, tmp_path: Path) -> None:
    """Whoever has it then answers what is unanswered; if the transfer is refused, that is who wanted it."""

    async def act(stage: Stage) -> None:
        stage.core.refuse["transfer"] = deque([refusal])
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, *WHOLE)], act, people={"transfer_share": 1.0})
    moved = of(ledger, "ENTRY", who="o1", kind="TRANSFERRED")
    assert columns(moved, "author", "assignment")[:1] == ([("o1", 1)] if sent_on else [])
    assert {row["sender"] for row in moved} <= {"o2", "o3"}
    accepted = columns(of(ledger, "ACCEPT"), "assignment", "outcome")
    assert accepted == ([(1, "OK"), (2, "OK")] if sent_on else [(1, "OK")])
    assert columns(of(ledger, "HISTORY"), "assignment") == [(number,) for number, _ in accepted]
    assert {row["assignment"] for row in of(ledger, "SEND", who="o1")} == {len(accepted)}
    assert columns(of(ledger, "DIALOG"), "outcome", "counter") == [("COMPLETED", 3)]


def test_the_operator_reads_the_history_once(tmp_path: Path) -> None:
    """On acceptance the whole history is read over all its pages, with the desk's own token, and its end recorded."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, *WHOLE)], act)
    (read,) = of(ledger, "HISTORY")
    assert (read["who"], read["contact"], read["number"], read["outcome"]) == ("o1", "web/u5", 1, "OK")
    assert read["seq"] == read["size"] >= 5


def test_ramp_dialogs_wait_for_their_time(tmp_path: Path) -> None:
    """A dialog from before t0 says its opening turn, then nothing until t0 plus its hold; all of it is ramp."""

    async def act(stage: Stage) -> None:
        stage.world.t0_ns += 100_000_000
        assert await stage.play()

    planned = dialog(-3, "bot", "bot", user="r3", phase="ramp", start_ms=-50_000.0, hold_ms=80_000.0)
    ledger = played(tmp_path, [planned], act)
    (script,) = of(ledger, "DIALOG")
    first, second = of(ledger, "SEND")
    t0_ns = script["intended"] + 50_000_000
    assert first["started"] < t0_ns
    assert second["intended"] == t0_ns + 80_000_000
    assert {row["phase"] for row in ledger if row["contact"] == "web/r3"} == {"RAMP"}
