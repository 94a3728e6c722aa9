"""A person over several channels: one window for who owns a dialog of theirs, and nothing for anybody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chatcore.edges import histories
from chatcore.machines.binding import MASK, TEXTS
from tests.chatcore import bank as banks
from tests.chatcore.bank import code_in, knowing
from tests.chatcore.client import Customer, Desk, Frame, token, until
from tests.chatcore.cores import Inside, inside, play
from tests.chatcore.post import Relay, relaying
from tests.chatcore.scenes import PARTITIONS

WEB, APP, HR = "web/u1", "app/u2", "hr/u3"
ACCOUNTS = [
    {"id": "web", "channel": "web", "bot": "keywords"},
    {"id": "app", "channel": "app", "bot": "keywords"},
    {"id": "hr", "channel": "web", "bot": "keywords", "department": "hr"},
]
OPERATORS = [{"id": "o1"}, {"id": "o2"}, {"id": "o3", "departments": ["hr"]}]


@asynccontextmanager
async def bank_core(partitions: int) -> AsyncIterator[tuple[Inside, Relay]]:
    """A core with two channels, and a third for an internal department; who rests soon leaves its memory."""
    async with banks.serving() as bank, relaying() as relay:
        settings = knowing(bank, relay, *ACCOUNTS) | {"operators": OPERATORS, "partitions": partitions}
        settings |= {"snapshot_every": 1}
        async with inside(departments=[{"id": "hr", "internal": True}], **settings) as core:
            yield core, relay


async def bound(core: Inside, relay: Relay, contact: str) -> Customer:
    """A contact that the bank knows as Anna's, in the first dialog."""
    customer, mails = await core.client.customer(contact), len(relay.mails)
    for cid, text in (("b1", "know me"), ("b2", "40817")):
        await customer.say(cid, text)
    await until(lambda: len(relay.mails) > mails)
    contacts = core.core.partition_of(contact).state.by_key
    await until(lambda: contacts[contact].binding.hash)
    await customer.say("b3", code_in(relay.bodies[-1]))
    return customer


async def status(core: Inside, contact: str, operator: str, scope: str = "contact") -> int:
    """How an operator's wish to read a history is answered."""
    path = f"/v1/history/{contact}?scope={scope}"
    return (await core.client.rest("GET", path, bearer=token("operator", operator)))[0]


def texts(page: Frame) -> list[str]:
    """The customer's texts in a page or a frame."""
    return [entry["text"] for entry in page["entries"] if entry["author"] == "customer"]


@PARTITIONS
def test_the_owner_sees_all_channels(partitions: int) -> None:
    """Who accepts gets the dialog, then the person's other contacts, marked; but not what is another department's."""

    async def acts() -> None:
        async with bank_core(partitions) as (core, relay):
            for contact in (APP, HR):
                customer = await bound(core, relay, contact)
                await customer.say("more", f"operator of {contact}")
            customer = await bound(core, relay, WEB)
            desk = await core.client.desk("o1", presence="online")
            await desk.accept(await desk.until(op="offered", dialog=f"{APP}#1"))
            assert {(await desk.next())["contact"] for _ in range(2)} == {WEB, HR}
            await customer.say("more", "operator")
            offer = await desk.until(op="offered", dialog=f"{WEB}#1")
            own = await desk.accept(offer)
            assert set(own) == {"op", "dialog", "entries"}
            others = {frame["contact"]: frame for frame in (await desk.next(), await desk.next())}
            app = await core.client.history(APP)
            assert others[APP] == {
                "op": "entries", "dialog": f"{WEB}#1", "person": "anna", "contact": APP, "entries": app,
                "cursor": f"1.{app[-1]['seq']}", "more": False,
            }  # fmt: skip
            assert texts(others[APP]) == ["know me", "40817", MASK, f"operator of {APP}"]
            assert others[HR]["entries"] == []

    play(acts)


@PARTITIONS
def test_a_desk_that_comes_back_sees_all_channels_again(partitions: int) -> None:
    """Behind its own entries it gets the contacts of the same person, as at the first time, be its cursor new or old.

    What was merely offered to it, or is another's, brings nothing.
    """

    async def acts() -> None:
        async with bank_core(partitions) as (core, relay):
            await bound(core, relay, APP)
            customer = await bound(core, relay, WEB)
            await customer.say("more", "operator")
            desk = await core.client.desk("o1", presence="online")
            offer = await desk.until(op="offered", dialog=f"{WEB}#1")

            async def others(found: Desk) -> list[Frame]:
                return [frame for frame in await found.asked() if "person" in frame]

            assert await others(await core.client.desk("o1")) == []
            desk = await core.client.desk("o1")
            await desk.accept(await desk.until(op="offered"))
            first = await desk.next()
            assert (first["contact"], texts(first)) == (APP, ["know me", "40817", MASK])
            for seq in (0, 7):
                again = await core.client.desk("o1", {offer["dialog"]: seq})
                assert await others(again) == [first]
            assert await others(await core.client.desk("o2")) == []

    play(acts)


def test_more_contacts_than_are_shown_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sees but some of a person's contacts is told how many there are more, on the desk and over REST."""
    monkeypatch.setattr(histories, "CONTACTS_MOST", 1)

    async def acts() -> None:
        async with bank_core(2) as (core, relay):
            for contact in (APP, HR):
                await bound(core, relay, contact)
            customer = await bound(core, relay, WEB)
            await customer.say("more", "operator")
            desk = await core.client.desk("o1", presence="online")
            await desk.own(f"{WEB}#1")
            shown = await desk.next()
            _, page = await core.client.rest("GET", f"/v1/history/{WEB}?scope=person")
            assert (shown["left_out"], page["left_out"], len(page["further"])) == (1, 1, 1)
            assert [frame for frame in await desk.asked() if "person" in frame] == []

    play(acts)


@PARTITIONS
def test_who_may_read_a_persons_history(partitions: int) -> None:
    """The owner of one dialog reads all of its person, only while owning; no other operator, and no customer."""

    async def acts() -> None:
        async with bank_core(partitions) as (core, relay):
            await bound(core, relay, APP)
            customer = await bound(core, relay, WEB)
            await customer.say("more", "operator")
            desk, other = [await core.client.desk(name, presence="online") for name in ("o1", "o3")]
            offer = await desk.until(op="offered")
            for contact in (WEB, APP):
                assert await status(core, contact, "o1", "person") == 403
            await desk.accept(offer)
            for contact in (WEB, APP):
                for scope in ("contact", "person"):
                    assert await status(core, contact, "o1", scope) == 200
                    assert await status(core, contact, "o2", scope) == 403
                    assert await status(core, contact, "o3", scope) == 403
            for contact, scope, found in ((WEB, "person", 403), (WEB, "contact", 200), (APP, "contact", 403)):
                path = f"/v1/history/{contact}?scope={scope}"
                assert (await core.client.rest("GET", path, bearer=token("customer", WEB)))[0] == found
            await desk.end(offer)
            for contact in (WEB, APP):
                assert await status(core, contact, "o1", "person") == 403
            await other.hang_up()

    play(acts)


async def whole(core: Inside, contact: str, limit: int) -> dict[str, list[Frame]]:
    """All entries of the person's contacts, page by page, each from its own cursor."""
    _, page = await core.client.rest("GET", f"/v1/history/{contact}?scope=person&limit={limit}")
    assert page["person"] == "anna"
    found: dict[str, list[Any]] = {}
    for first in (page, *page.get("further", ())):
        entries, now = list(first["entries"]), first
        while now["more"]:
            path = f"/v1/history/{first['contact']}?after={now['cursor']}&limit={limit}"
            _, now = await core.client.rest("GET", path)
            assert "person" not in now
            entries += now["entries"]
        found[first["contact"]] = entries
    return found


@PARTITIONS
@pytest.mark.parametrize("limit", [1, 4, 100])
def test_a_persons_history_in_pages(partitions: int, limit: int) -> None:
    """However small the pages, they make up the histories of all contacts, and no others; asked of either contact."""

    async def acts() -> None:
        async with bank_core(partitions) as (core, relay):
            for contact in (APP, WEB):
                await bound(core, relay, contact)
            stranger = await core.client.customer("web/u9")
            await stranger.say("c1", "balance")
            wanted = {contact: await core.client.history(contact) for contact in (APP, WEB)}
            assert [entry.get("text") for entry in wanted[WEB]][-1] == TEXTS["bind:done"]
            for contact in (APP, WEB):
                assert await whole(core, contact, limit) == wanted

    play(acts)
