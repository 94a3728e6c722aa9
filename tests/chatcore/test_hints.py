"""Hints over HTTP while the operator types: shown to the owner alone, one question a dialog, no message waits."""

from collections.abc import Awaitable, Callable

import pytest

from tests.chatcore.bankbot import TOKEN, BankBot, serving
from tests.chatcore.client import Desk, Frame, until
from tests.chatcore.cores import Inside, inside, play
from tests.chatcore.scenes import owned

Acts = Callable[[Inside, BankBot, Desk, Frame], Awaitable[None]]


def with_owner(acts: Acts) -> None:
    """Play with a service of hints and a dialog that o1 owns."""

    async def scene() -> None:
        async with serving() as service, inside(hints={"url": service.url, "token": TOKEN}) as core:
            service.body = {"texts": ["Say 42."]}
            desk = await core.client.desk("o1", presence="online")
            _, offer = await owned(core.client, "web/u1", desk)
            await acts(core, service, desk, offer)
            assert core.fatal == []

    play(scene)


async def hinted(desk: Desk, offer: Frame) -> Frame:
    """The answer to the wish for a hint."""
    await desk.send(op="hint", dialog=offer["dialog"], number=offer["number"])
    while (frame := await desk.next())["op"] not in ("hint", "refused"):
        pass
    return frame


def test_the_owner_gets_hints() -> None:
    """The service sees the dialog's last entries and the token; its texts are shown, and stored nowhere."""

    async def acts(core: Inside, service: BankBot, desk: Desk, offer: Frame) -> None:
        before = await core.client.history("web/u1")
        about = {"dialog": "web/u1#1", "number": 1}
        assert await hinted(desk, offer) == {"op": "hint", "texts": ["Say 42."]} | about
        assert (service.calls, service.entries) == ([{"dialog": "web/u1#1"}], [before])
        assert service.tokens == {f"Bearer {TOKEN}"}
        assert await core.client.history("web/u1") == before
        other = await core.client.desk("o2")
        refused = {"op": "refused", "reason": "not_owner"} | about
        assert await hinted(other, offer) == refused
        assert await hinted(desk, offer | {"number": 7}) == refused | {"number": 7}

    with_owner(acts)


def test_a_slow_service_delays_nothing() -> None:
    """Messages pass while it thinks; a second wish for the dialog is refused until it has answered."""

    async def acts(core: Inside, service: BankBot, desk: Desk, offer: Frame) -> None:
        service.hold()
        await desk.send(op="hint", dialog=offer["dialog"], number=offer["number"])
        await until(lambda: service.calls)
        assert (await desk.say(offer, "m1", "Hello"))["op"] == "ack"
        assert (await hinted(desk, offer))["reason"] == "busy"
        service.release()
        assert (await desk.until(op="hint"))["texts"] == ["Say 42."]
        assert (await hinted(desk, offer))["texts"] == ["Say 42."]

    with_owner(acts)


FAULTS = {
    "a server's error": (500, {"texts": ["x"]}),
    "no JSON": (200, b"<html>"),
    "another shape": (200, {"texts": "x"}),
    "too many": (200, {"texts": ["x"] * 6}),
    "too long": (200, {"texts": ["x" * 4_097]}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_service_gives_no_hints(fault: str) -> None:
    """Whatever is wrong with it, the operator sees no hint, and the desk goes on."""

    async def acts(core: Inside, service: BankBot, desk: Desk, offer: Frame) -> None:
        service.status, service.body = FAULTS[fault]
        assert (await hinted(desk, offer))["texts"] == []
        assert (await desk.say(offer, "m1", "Hello"))["op"] == "ack"

    with_owner(acts)


def test_without_a_service_there_are_no_hints() -> None:
    """It is refused with the reason."""

    async def scene() -> None:
        async with inside() as core:
            desk = await core.client.desk("o1", presence="online")
            _, offer = await owned(core.client, "web/u1", desk)
            assert (await hinted(desk, offer))["reason"] == "no_hints"

    play(scene)
