"""Broken sockets, refusals and restarts: nothing is lost, and everything is recorded as what it was."""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from chatload.fleet.clock import Timer, now_ns
from chatload.fleet.customers import LATE_S
from chatload.fleet.link import BACKOFF_MOST_NS, BACKOFF_NS, backoff_ns
from chatload.fleet.script import Script
from chatload.fleet.session import Session
from tests.chatload.fleet.stage import Stage, columns, dialog, of, played

ATTEMPT = ("attempt", "outcome", "reason", "seq", "epoch")


def test_the_app_drops_its_socket_and_comes_back(tmp_path: Path) -> None:
    """After a drop the app shows its cursor, takes what it missed, and sends the unacknowledged message again."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert await stage.play()
        assert len(of_contact(stage, "app/u5")) == len({entry["seq"] for entry in of_contact(stage, "app/u5")})

    planned = dialog(5, "bot", "handover", "operator", channel="app")
    turns = tuple(msgspec.structs.replace(turn, drop_ms=20_000.0) for turn in planned.turns)
    ledger = played(tmp_path, [msgspec.structs.replace(planned, turns=turns)], act)
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]
    *cut, last = of(
        ledger, "SEND", who="c5", counter=1
    )  # a bot's quick answer, and the next drop, may overtake its ack
    assert cut
    assert {(row["outcome"], row["reason"], row["done"]) for row in cut} == {("INDETERMINATE", "dropped", -1)}
    assert [row["attempt"] for row in (*cut, last)] == list(range(1, len(cut) + 2))
    assert (last["outcome"], last["seq"], last["intended"]) == ("OK", 1, cut[0]["intended"])
    resumes = of(ledger, "RESUME", who="c5")
    assert columns(resumes, "outcome", "epoch") == [("OK", 2), ("OK", 3), ("OK", 4)]
    assert all(row["intended"] <= row["started"] <= row["done"] for row in resumes)


def of_contact(stage: Stage, key: str) -> list[dict[str, object]]:
    """The entries that the platform holds of a contact."""
    return stage.core.contact(key).entries


def test_a_lost_acknowledgement_is_asked_for_again(tmp_path: Path) -> None:
    """The socket breaks after storing: the attempt is indeterminate, the next one gets the original place."""

    async def act(stage: Stage) -> None:
        stage.core.swallow = 1
        assert await stage.play()
        assert [entry["kind"] for entry in of_contact(stage, "web/u5")] == ["message", "message", "closed"]

    ledger = played(tmp_path, [dialog(5, "bot")], act)
    assert columns(of(ledger, "SEND"), *ATTEMPT) == [(1, "INDETERMINATE", "broken", -1, 1), (2, "OK", "", 1, 2)]
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]


def test_not_stored_is_sent_again_and_other_refusals_are_not(tmp_path: Path) -> None:
    """A platform that could not store is asked again; a refused message ends the dialog as failed."""

    async def act(stage: Stage) -> None:
        stage.core.refuse["send"] = deque(["not_stored", "", "too_long"])
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot", "bot")], act)
    assert columns(of(ledger, "SEND"), "counter", *ATTEMPT) == [
        (1, 1, "REJECTED", "not_stored", -1, 1),
        (1, 2, "OK", "", 1, 1),
        (2, 1, "REJECTED", "too_long", -1, 1),
    ]
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == [("FAILED", "too_long")]


def test_a_platform_that_is_down_is_dialled_until_it_is_back(tmp_path: Path) -> None:
    """While nothing can be reached every dial is a row, the due message is an attempt, and nothing raises."""

    async def act(stage: Stage) -> None:
        stage.core.down = True
        stage.customers.begin()
        await stage.until(lambda: stage.recorder.rows >= 3)
        stage.core.down = False
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot")], act)
    dials = of(ledger, "CONNECT")
    assert columns(dials[:1], "outcome", "reason", "done") == [("INDETERMINATE", "http 503", -1)]
    assert [row["outcome"] for row in dials].count("OK") == 1
    first, last = of(ledger, "SEND")
    assert (first["attempt"], first["outcome"], last["attempt"], last["outcome"]) == (1, "INDETERMINATE", 2, "OK")
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]


def test_a_customer_the_platform_will_not_have_fails(tmp_path: Path) -> None:
    """A refused token is not tried again."""

    async def act(stage: Stage) -> None:
        stage.core.customers_role = "nobody"
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "bot")], act)
    assert columns(of(ledger, "CONNECT"), "outcome", "reason") == [("REJECTED", "unauthorized")]
    assert columns(of(ledger, "DIALOG"), "outcome", "reason") == [("FAILED", "unauthorized")]


def test_a_hold_whose_end_was_lost_ends_with_the_next_connection(tmp_path: Path) -> None:
    """The platform has the dialog on hold, and its operator does not: it is taken back, and goes on."""

    def kinds(stage: Stage) -> list[object]:
        return [entry["kind"] for entry in of_contact(stage, "web/u5")]

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.customers.begin()
        await stage.until(lambda: "assigned" in kinds(stage))
        stage.core.contact("web/u5").state = "on_hold"
        stage.core.break_all()
        await stage.until(lambda: "resumed" in kinds(stage))
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "handover", "operator")], act)
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]


def test_both_sides_survive_a_crash_in_the_middle(tmp_path: Path) -> None:
    """Every socket breaks while a dialog runs: both resume with their cursors and see each entry once."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.customers.begin()
        await stage.until(lambda: len(of_contact(stage, "web/u5")) >= 5)
        stage.core.break_all()
        assert await stage.play()
        desk = [hello for hello in stage.core.hellos if "cursors" in hello]
        assert list(desk[1]["cursors"]) == ["web/u5#1"]

    ledger = played(tmp_path, [dialog(5, "handover", "operator", "operator", "operator")], act, speed=300.0)
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]
    assert columns(of(ledger, "PRESENCE"), "reason")[:3] == [("online",), ("lost",), ("online",)]
    for who in ("c5", "o1"):
        assert columns(of(ledger, "RESUME", who=who), "outcome") == [("OK",)]
        seen = [row["seq"] for row in of(ledger, "ENTRY", who=who)]
        sent = [row["seq"] for row in of(ledger, "SEND", who=who, outcome="OK")]
        assert sorted({*seen, *sent}) == list(range(1, 12))


def test_who_takes_a_dialog_over_answers_what_is_unanswered(tmp_path: Path) -> None:
    """A dialog taken from its operator before the answer is answered by the next one, who also closes it."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.customers.begin()
        contact = stage.core.contact("web/u5")
        await stage.until(lambda: contact.state == "assigned" and contact.seq >= 6)
        stage.seats.set(1, on=False)
        await stage.seat(2)
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "handover", "operator", "operator")], act, speed=300.0)
    assert columns(of(ledger, "DIALOG"), "outcome") == [("COMPLETED",)]
    assert columns(of(ledger, "ENTRY", who="c5", kind="RELEASED"), "author", "assignment") == [("o1", 1)]
    answers = of(ledger, "ENTRY", who="c5", kind="MESSAGE")
    assert [row["author"] for row in answers] in (["o1", "o2", "o2"], ["o1", "o1", "o2"])
    assert columns(of(ledger, "CLOSE"), "who", "assignment", "outcome") == [("o2", 2, "OK")]


def test_a_withdrawn_offer_is_not_accepted(tmp_path: Path) -> None:
    """An offer that lapses on the screen leaves a WITHDRAWN row and no acceptance of its number."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.customers.begin()
        contact = stage.core.contact("web/u5")
        await stage.until(lambda: contact.state == "offered")
        await stage.core.release(contact, "lapsed")
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "handover")], act, speed=60.0)
    assert columns(of(ledger, "WITHDRAWN"), "assignment") == [(1,)]
    assert columns(of(ledger, "ACCEPT"), "assignment", "outcome") == [(2, "OK")]


def test_a_refused_acceptance_is_recorded(tmp_path: Path) -> None:
    """The platform refuses an acceptance: rejected, with its reason, and the dialog stays another seat's."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        stage.core.refuse["accept"] = deque(["withdrawn"])
        stage.customers.begin()
        await stage.until(lambda: not stage.core.refuse["accept"])
        await stage.core.release(stage.core.contact("web/u5"), "lapsed")
        assert await stage.play()

    ledger = played(tmp_path, [dialog(5, "handover")], act)
    assert columns(of(ledger, "ACCEPT"), "assignment", "outcome", "reason") == [
        (1, "REJECTED", "withdrawn"),
        (2, "OK", ""),
    ]


def test_going_off_duty_waits_for_the_platform(tmp_path: Path) -> None:
    """A seat that leaves says offline, waits until the platform knows, and only then counts as off."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        assert stage.tally.seats == 1
        stage.seats.set(1, on=False)
        await stage.until(lambda: (1, False) in stage.seated)
        assert stage.core.online == set()
        assert stage.tally.seats == 0

    ledger = played(tmp_path, [], act)
    assert columns(of(ledger, "PRESENCE"), "reason", "outcome", "size") == [("online", "OK", 3), ("offline", "OK", 3)]


def test_a_seat_taken_elsewhere_is_empty_here(tmp_path: Path) -> None:
    """Fenced off by a newer connection of the same operator, the seat is told as off and does not come back."""

    async def act(stage: Stage) -> None:
        await stage.seat(1)
        await stage.core.desks["o1"].close(code=4001)
        await stage.until(lambda: (1, False) in stage.seated)
        assert stage.tally.seats == 0

    ledger = played(tmp_path, [], act)
    assert columns(of(ledger, "PRESENCE"), "reason") == [("online",), ("lost",)]
    assert columns(of(ledger, "CONNECT"), "outcome") == [("OK",)]
    assert of(ledger, "RESUME") == []


@pytest.mark.parametrize("due", [False, True], ids=["later dialogs not due", "later dialogs due"])
def test_a_drain_ends_with_one_row_for_every_dialog(tmp_path: Path, due: bool) -> None:
    """What the deadline cuts off is in flight, what was due and not started is unsent; nothing has both or none."""
    started = [dialog(n, "bot", "handover") for n in (1, 2, 3)]
    late = [dialog(n, "bot", start_ms=60_000_000.0) for n in (8, 9)]  # a minute on the wall

    async def act(stage: Stage) -> None:
        stage.customers.begin()
        await stage.until(lambda: stage.tally.waiting == 3)
        if due:
            stage.world.t0_ns -= 90_000_000_000  # the late ones are due now, and nobody started them
        assert await stage.customers.drain(now_ns()) is False
        assert stage.customers.unsent == 2 * due

    ledger = played(tmp_path, started + late, act)
    assert sorted(columns(of(ledger, "DIALOG"), "plan", "outcome")) == [(n, "IN_FLIGHT") for n in (1, 2, 3)]
    assert columns(of(ledger, "UNSENT"), "plan", "reason") == ([(8, "dialog"), (9, "dialog")] if due else [])


@pytest.mark.parametrize(
    "silent_ns, unsent",
    [(None, True), (0, True), (-1, False)],
    ids=["no drain", "due when the silence begins", "due after the silence began"],
)
def test_a_due_step_that_never_started_is_unsent(tmp_path: Path, silent_ns: int | None, unsent: bool) -> None:
    """A script held up beyond the time of its next step, and cut off there, says so, unless it was to be silent."""
    think_ns = 50_000_000
    planned = dialog(5, "bot", "bot", think_ms=50_000.0)

    async def act(stage: Stage) -> None:
        ended: list[bool] = []
        script = Script(stage.world, stage.live, planned, Session, lambda _, unsent: ended.append(unsent), print)
        script.play()
        await stage.until(lambda: stage.recorder.rows == 3)  # connected, sent, and the answer seen
        await asyncio.sleep(0)
        if silent_ns is not None:
            stage.world.silence_ns = script._due_ns + silent_ns
        hold_up(think_ns)
        script.cut_off()
        assert ended == [unsent]

    ledger = played(tmp_path, [planned], act)
    assert columns(of(ledger, "DIALOG", outcome="IN_FLIGHT"), "counter") == [(1,)]
    assert columns(of(ledger, "UNSENT", reason="step"), "plan", "counter") == ([(5, 2)] if unsent else [])


def hold_up(ns: int) -> None:
    """Keep the loop busy for so long."""
    until_ns = now_ns() + ns
    while now_ns() < until_ns:
        pass


@pytest.mark.parametrize("late_s, sent", [(0.3, 2), (LATE_S + 1, 1)], ids=["in time", "too late"])
def test_what_is_due_before_the_drains_deadline_may_start_a_moment_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_s: float, sent: int
) -> None:
    """A script that wakes too late for the deadline still does what was due before; half a second on it is unsent."""
    planned = dialog(5, "bot", "handover", think_ms=50_000.0)

    async def act(stage: Stage) -> None:
        on_time = stage.clock.at

        def at(due_ns: int, call: Callable[[], None]) -> Timer:
            late = isinstance(getattr(call, "__self__", None), Script)
            return on_time(due_ns + int(late_s * 1e9) * late, call)

        monkeypatch.setattr(stage.clock, "at", at)
        stage.customers.begin()
        await stage.until(lambda: stage.recorder.rows == 3)  # connected, sent, and the answer seen
        assert await stage.customers.drain(now_ns() + 100_000_000) is False
        assert stage.customers.unsent == 2 - sent

    ledger = played(tmp_path, [planned], act)
    assert columns(of(ledger, "DIALOG"), "outcome", "counter") == [("IN_FLIGHT", sent)]
    assert columns(of(ledger, "UNSENT"), "reason", "counter") == [("step", 2)] * (2 - sent)


def test_back_off_doubles_up_to_a_limit_and_is_the_same_every_time() -> None:
    """Each wait lies within half and one and a half of its step, depends on party and attempt only, and is bounded."""
    waits = [backoff_ns(failures, "c5", failures + 1) for failures in range(12)]
    assert waits == [backoff_ns(failures, "c5", failures + 1) for failures in range(12)]
    for failures, wait in enumerate(waits):
        step = min(BACKOFF_NS << failures, BACKOFF_MOST_NS)
        assert 0.5 * step <= wait <= 1.5 * step
    assert len({backoff_ns(0, f"c{n}", 1) for n in range(50)}) > 40
