"""Automatic texts around a dialog and its rating, as customers, operators and messengers see them."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chatcore.client import Customer, Frame, message, plain, system, update
from tests.chatcore.cores import Inside, inside, play, telegram
from tests.chatcore.provider import BotApi, serving

FULL = Path(__file__).parent / "answers_full.json"


def with_core(acts: Callable[[Inside], Awaitable[None]], answers: Path = FULL, **changes: Any) -> None:
    """Play with a core whose customers have no bot."""

    async def scene() -> None:
        accounts = [{"id": "web", "channel": "web"}]
        async with inside(**{"answers": str(answers), "accounts": accounts} | changes) as core:
            await acts(core)
            assert core.fatal == []

    play(scene)


def automatic(seq: int, text: str, cause: int, event: str, dialog: str = "web/u1#1") -> Frame:
    """The entry of an automatic text."""
    return message(dialog, seq, "system", text, cause={"seq": cause, "rule": f"auto:{event}"})


async def closed_dialog(core: Inside) -> Customer:
    """A customer whose dialog an operator has just closed."""
    desk = await core.client.desk("o1", presence="online")
    customer = await core.client.customer("web/u1")
    await customer.say("c1", "hello")
    offer = await desk.until(op="offered")
    await desk.accept(offer)
    await desk.end(offer)
    await customer.until(kind="closed")
    return customer


async def ratings(core: Inside) -> list[Frame]:
    """What the audit knows of ratings."""
    status, body = await core.client.rest("GET", "/v1/audit/0")
    assert status == 200
    return [plain(entry) for entry in body["entries"] if entry["op"] == "rating"]


def test_texts_stand_around_a_dialog_for_everyone() -> None:
    """Greeting and waiting follow their causes; what is said at closing stands before it, on the owner's desk, too."""

    async def acts(core: Inside) -> None:
        desk = await core.client.desk("o1", presence="online")
        customer = await core.client.customer("web/u1")
        await customer.say("c1", "hello")
        offer = await desk.until(op="offered")
        await desk.accept(offer)
        await desk.end(offer)
        await customer.until(kind="closed")
        end = [
            automatic(6, "Goodbye.", 5, "closing"),
            automatic(7, "Were we good, 1 to 5?", 5, "feedback"),
            system("web/u1#1", 8, "closed", reason="operator"),
        ]
        whole = [
            message("web/u1#1", 1, "customer", "hello", "c1"),
            automatic(2, "Good day.", 1, "greeting"),
            system("web/u1#1", 3, "queued", department="general"),
            automatic(4, "Please wait.", 3, "waiting"),
            system("web/u1#1", 5, "assigned", operator="o1", number=1),
            *end,
        ]
        assert [plain(entry) for entry in await core.client.history("web/u1")] == whole
        assert [plain(frame) for frame in desk.taken if frame["op"] == "entry"] == end
        assert [plain(frame) for frame in customer.taken if frame["op"] == "entry"] == whole[1:]

    with_core(acts)


def test_a_text_rates_the_dialog_and_opens_no_other() -> None:
    """A number in the window is the rating, acknowledged without a place, once; the next text opens dialog 2."""

    async def acts(core: Inside) -> None:
        customer = await closed_dialog(core)
        ack = {"op": "ack", "cid": "c2", "dialog": "web/u1#1", "seq": 0}
        assert [await customer.say("c2", "4"), await customer.say("c2", "4")] == [ack, ack]
        assert (await core.client.customer("web/u1", "s2")).welcome["state"] == "rated"
        assert (await customer.say("c3", "5"))["dialog"] == "web/u1#2"
        rating = {"op": "rating", "dialog": "web/u1#1", "score": 4, "scale": 5, "id": "c2", "text": "4"}
        assert await ratings(core) == [rating]

    with_core(acts)


def test_a_frame_rates_the_dialog() -> None:
    """A button of the app rates once; a second time, or out of scale, it is refused."""

    async def acts(core: Inside) -> None:
        customer = await closed_dialog(core)
        answers = []
        for score in (6, True, 3, 3):
            await customer.send(op="rate", score=score)
            answers.append(await customer.next())
        refused = {"op": "refused", "cid": "", "reason": "not_ratable"}
        unknown = {"op": "refused", "cid": None, "reason": "bad_frame"}
        rated = {"op": "rated", "dialog": "web/u1#1", "score": 3, "scale": 5}
        assert answers == [refused, unknown, rated, refused]
        assert await ratings(core) == [{"op": "rating", "dialog": "web/u1#1", "score": 3, "scale": 5}]

    with_core(acts)


@pytest.mark.parametrize("text", ["7", "four", "thanks"])
def test_another_text_after_closing_opens_a_dialog(text: str) -> None:
    """What is no rating opens the next dialog, as ever."""

    async def acts(core: Inside) -> None:
        customer = await closed_dialog(core)
        assert (await customer.say("c2", text))["dialog"] == "web/u1#2"
        assert await ratings(core) == []

    with_core(acts)


def test_nothing_is_rated_after_the_window(tmp_path: Path) -> None:
    """When the window is over, a number is a message like any other."""
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"feedback": {"scale": 5, "window_s": 1}}))

    async def acts(core: Inside) -> None:
        customer = await closed_dialog(core)
        owner = core.core.partitions[0]
        owner.state.now += 10_000  # the log's clock is ahead of the wall's
        assert (await customer.say("c2", "4"))["dialog"] == "web/u1#2"

    with_core(acts, path)


def test_a_messengers_user_rates_in_words(tmp_path: Path) -> None:
    """The invitation leaves through the messenger before the dialog closes; `good` comes back by webhook, twice."""
    path = tmp_path / "answers.json"
    rows = [{"event": "feedback", "text": "Good or bad?"}]
    path.write_text(json.dumps({"replies": rows, "feedback": {"scale": 2}}))

    async def scene() -> None:
        async with serving() as provider, inside(answers=str(path), accounts=[telegram(provider.api)]) as core:
            await _rated_by_telegram(core, provider)

    play(scene)


async def _rated_by_telegram(core: Inside, provider: BotApi) -> None:
    desk = await core.client.desk("o1", presence="online")
    await core.client.webhook(update(1, "hello"))
    offer = await desk.until(op="offered")
    await desk.accept(offer)
    await desk.end(offer)
    for _ in range(2):
        assert (await core.client.webhook(update(2, " GOOD ")))[0] == 200
    await core.client.until_state(lambda state: not state["unsettled"])
    assert provider.taken == [(77, "Good or bad?")]
    found = [(entry["dialog"], entry["score"], entry["scale"]) for entry in await ratings(core)]
    assert found == [("tg/77#1", 2, 2)]
    assert {entry["dialog"] for entry in await core.client.history("tg/77")} == {"tg/77#1"}


def test_who_waits_may_ask_for_their_place() -> None:
    """By a frame, or by a word, which is answered once by a text whose cause it is; who does not wait has no place."""

    async def acts(core: Inside) -> None:
        first, second = await core.client.customer("web/u0"), await core.client.customer("web/u1")
        await second.send(op="place")
        assert await second.next() == {"op": "place", "place": 0}
        await first.say("c1", "hello")
        await core.client.until_state(lambda state: state["waiting"] == 1)
        await second.say("c1", "hello")
        await core.client.until_state(lambda state: state["waiting"] == 2)
        await second.send(op="place")
        assert (await second.until(op="place"))["place"] == 2
        await second.say("c2", "Place?")
        asked = [plain(frame) for frame in await second.asked()]
        assert asked == [automatic(6, "You are number 2.", 5, "place")]

    with_core(acts)


def test_out_of_hours_the_customer_is_told_and_waits(tmp_path: Path) -> None:
    """G12: a department that is closed says when it opens; the dialog has its place in the queue all the same."""
    opens = datetime.now(UTC) + timedelta(days=3)
    hours = {"general": {"zone": "UTC", "windows": [f"{opens:%a} 09:00-18:00"]}}
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(json.loads(FULL.read_text()) | {"hours": hours}))

    async def acts(core: Inside) -> None:
        customer = await core.client.customer("web/u1")
        await customer.say("c1", "hello")
        told = [plain(frame) for frame in await customer.asked()]
        assert told == [
            automatic(2, "Good day.", 1, "greeting"),
            system("web/u1#1", 3, "queued", department="general"),
            automatic(4, f"We open at {opens:%Y-%m-%d} 09:00.", 3, "out_of_hours"),
        ]
        assert core.core.floor.state.waiting == 1

    with_core(acts, path)
