"""What an owner does with a dialog besides answering: transfer it with its history, or put it on hold."""

import pytest

from chatcore.journal.memory import Disk
from tests.chatcore.client import Client, Frame, message, plain, system
from tests.chatcore.cores import play, restarting
from tests.chatcore.scenes import PARTITIONS, handed_over, owned, scene
from tests.chatcore.test_operators import staff

BANK = [
    {"id": "o1", "slots": 2},
    {"id": "o2", "slots": 2, "departments": ["loans"]},
    {"id": "o3", "slots": 2, "departments": ["loans", "general"], "skills": ["mortgage"]},
]


def sent_on(offer: Frame, seq: int, **to: str) -> list[Frame]:
    """The two entries of a transfer by o1."""
    about = {"operator": "o1", "number": offer["number"]}
    return [
        system(offer["dialog"], seq, "transferred", **about, to=to),
        system(offer["dialog"], seq + 1, "released", **about, reason="transferred"),
    ]


@PARTITIONS
def test_a_dialog_goes_to_a_department_with_its_history(partitions: int) -> None:
    """The new owner gets every entry, the old one none behind the release, and the customer sees where it went."""

    async def acts(client: Client) -> None:
        first, second = await client.desk("o1", presence="online"), await client.desk("o2", presence="online")
        customer, offer = await owned(client, "web/u1", first)
        await first.say(offer, "m1", "I ask the loans department.")
        await first.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"department": "loans"})
        told = sent_on(offer, 5, department="loans")
        assert [plain(await first.until(kind=entry["kind"])) for entry in told] == told
        assert [plain(await customer.until(kind=entry["kind"])) for entry in told] == told
        again = await second.until(op="offered")
        assert again == offer | {"number": 2, "department": "loans"}, "the old place, a new number"
        entries = (await second.accept(again))["entries"]
        assert [plain(entry) for entry in entries[3:-1]] == [
            message("web/u1#1", 4, "o1", "I ask the loans department.", "m1"), *told,
        ]  # fmt: skip
        assert entries == await client.history("web/u1")
        await customer.say("c2", "Are you the loans department?")
        assert (await second.until(kind="message"))["text"] == "Are you the loans department?"
        assert await first.asked() == []
        refused = await first.say(offer, "m2", "Good bye")
        assert (refused["op"], refused["reason"]) == ("refused", "not_owner")

    scene(partitions, acts, operators=BANK)


@PARTITIONS
def test_a_dialog_goes_to_whoever_has_the_skill(partitions: int) -> None:
    """A specialist is found by skill, and only they are offered the dialog."""

    async def acts(client: Client) -> None:
        desks = [await client.desk(name, presence="online") for name in ("o1", "o2", "o3")]
        await desks[2].presence("away")
        _, offer = await owned(client, "web/u1", desks[0])
        to = {"department": "loans", "skill": "mortgage"}
        await desks[0].send(op="transfer", dialog=offer["dialog"], number=offer["number"], to=to)
        assert plain(await desks[0].until(kind="transferred")) == sent_on(offer, 4, **to)[0]
        assert await desks[1].asked() == []
        await desks[2].presence("online")
        asked = {"number": 2, "department": "loans", "skill": "mortgage"}
        assert await desks[2].until(op="offered") == offer | asked

    scene(partitions, acts, operators=BANK)


@PARTITIONS
def test_a_dialog_waits_for_the_operator_it_was_sent_to(partitions: int) -> None:
    """It waits for one who is not there, passes nobody else on, and then goes to the department with its old place."""

    async def acts(client: Client) -> None:
        first = await client.desk("o1", presence="online")
        _, offer = await owned(client, "web/u1", first)
        other = await staff(client, "o4")
        later = await client.customer("web/u2")
        await first.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"operator": "o3"})
        assert plain(await first.until(kind="transferred")) == sent_on(offer, 4, operator="o3", department="general")[0]
        await later.say("c1", "operator")
        assert (await other.until(op="offered"))["dialog"] == "web/u2#1", "it does not block those behind it"
        assert await other.until(op="offered") == offer | {"number": 3}, "nobody came in time"
        assert (await client.state())["operators"]["online"] == 2

    scene(partitions, acts, operators=BANK, timers_ms={"transfer": 1_500})


@PARTITIONS
def test_a_dialog_is_offered_to_the_operator_it_was_sent_to(partitions: int) -> None:
    """Whoever is named gets the dialog when they come, though others were free all the time."""

    async def acts(client: Client) -> None:
        first = await client.desk("o1", presence="online")
        other = await staff(client, "o4")
        _, offer = await owned(client, "web/u1", first)
        await first.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"operator": "o3"})
        await first.until(kind="released")
        assert await other.asked() == []
        named = await client.desk("o3", presence="online")
        assert await named.until(op="offered") == offer | {"number": 2}
        assert len((await named.accept(offer | {"number": 2}))["entries"]) == 6

    scene(partitions, acts, operators=BANK)


def test_an_operator_who_lets_a_transfer_lapse_is_not_waited_for() -> None:
    """Whoever is named and does not accept in time loses it to the department at once."""

    async def acts(client: Client) -> None:
        first, named = await client.desk("o1", presence="online"), await client.desk("o3", presence="away")
        _, offer = await owned(client, "web/u1", first)
        other = await staff(client, "o4")
        await named.presence("online")
        await first.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"operator": "o3"})
        assert await named.until(op="offered") == offer | {"number": 2}
        assert await other.until(op="offered") == offer | {"number": 3}

    scene(1, acts, operators=BANK, timers_ms={"offer": 1_500, "transfer": 600_000})


def test_whoever_transfers_is_the_last_to_be_asked() -> None:
    """Within their own department a dialog does not come back to who sent it on, unless nobody else is there."""

    async def acts(client: Client) -> None:
        first, other = await client.desk("o1", presence="online"), await client.desk("o3", presence="away")
        _, offer = await owned(client, "web/u1", first)
        await first.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"department": "general"})
        assert await first.until(op="offered") == offer | {"number": 2}
        await first.accept(offer | {"number": 2})
        await other.presence("online")
        await first.send(op="transfer", dialog=offer["dialog"], number=2, to={"department": "general"})
        assert await other.until(op="offered") == offer | {"number": 3}

    scene(1, acts, operators=BANK)


WRONG: list[tuple[object, str]] = [
    ({"operator": "o9"}, "nobody_there"),
    ({"department": "cards"}, "nobody_there"),
    ({"skill": "mortgage", "department": "cards"}, "nobody_there"),
    ({"operator": "o2", "department": "general"}, "nobody_there"),
    ({"operator": "o1"}, "own_dialog"),
    ({}, "bad_frame"),
    ({"skill": ""}, "bad_frame"),
    ({"operator": "o3", "skill": "mortgage"}, "bad_frame"),
    ({"operator": 3}, "bad_frame"),
    ({"floor": "second"}, "bad_frame"),
    ("o3", "bad_frame"),
]


@pytest.mark.parametrize("to, reason", WRONG)
def test_a_transfer_to_nobody_is_refused(to: object, reason: str) -> None:
    """What nobody could ever take is refused, and the dialog stays where it is."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        _, offer = await owned(client, "web/u1", desk)
        await desk.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to=to)
        assert (await desk.until(op="refused"))["reason"] == reason
        assert (await desk.say(offer, "m1", "Still mine"))["seq"] == 4

    scene(1, acts, operators=BANK)


def test_only_the_owner_transfers_and_holds() -> None:
    """Another operator, or an older number, is refused."""

    async def acts(client: Client) -> None:
        desk, other = await client.desk("o1", presence="online"), await client.desk("o3", presence="online")
        _, offer = await owned(client, "web/u1", desk)
        for peer, number in ((other, 1), (desk, 7)):
            for op, more in (("transfer", {"to": {"department": "loans"}}), ("hold", {}), ("resume", {})):
                await peer.send(op=op, dialog="web/u1#1", number=number, **more)
                refused = {"op": "refused", "dialog": "web/u1#1", "number": number, "reason": "not_owner"}
                assert await peer.until(op="refused") == refused
        assert len(await client.history("web/u1")) == offer["number"] + 2

    scene(1, acts, operators=BANK)


def test_a_transfer_survives_a_crash() -> None:
    """After a crash the dialog still waits for the operator it was sent to, and no longer than was said."""

    async def whole() -> None:
        disk = Disk()
        async with restarting(disk, operators=BANK) as core:
            first = await core.client.desk("o1", presence="online")
            _, offer = await owned(core.client, "web/u1", first)
            await first.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"operator": "o3"})
            await first.until(kind="released")
            await core.client.settled()
            await core.crash()
        async with restarting(disk, timers_ms={"transfer": 1}) as core:
            other = await staff(core.client, "o4")
            assert await other.asked() == [], "the time that counts is the one it was sent with"
            named = await core.client.desk("o3", presence="online")
            assert await named.until(op="offered") == offer | {"number": 2}
            await core.crash()

    play(whole)


@PARTITIONS
def test_a_dialog_on_hold(partitions: int) -> None:
    """The customer is told, silence does not close it, it keeps its slot, and both go on writing when it is back."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", desk)
        await handed_over(client, "web/u2", desk)
        await desk.say(offer, "m1", "May I have a moment?")
        frame = {"dialog": offer["dialog"], "number": offer["number"]}
        about = {"operator": "o1", "number": offer["number"]}
        for op in ("hold", "hold"):  # the second changes nothing
            await desk.send(op=op, **frame)
        told = [
            system("web/u1#1", 5, "held", **about),
            message("web/u1#1", 6, "bot", "One moment.", cause={"seq": 5, "rule": "hold"}),
        ]
        assert [plain(await customer.until(seq=seq)) for seq in (5, 6)] == told
        assert [plain(await desk.until(seq=seq)) for seq in (5, 6)] == told
        silent = await client.customer("web/u3")
        await silent.say("c1", "balance")
        assert (await silent.until(kind="closed"))["reason"] == "inactive", "time enough for the other's to pass"
        found = await client.state()
        assert (found["dialogs"]["on_hold"], found["dialogs"]["offered"], found["waiting"]) == (1, 1, 0)
        await customer.say("c2", "Take your time")
        assert (await desk.until(id="c2"))["seq"] == 7
        await desk.say(offer, "m2", "Still looking")
        await desk.send(op="resume", **frame)
        assert plain(await customer.until(kind="resumed")) == system("web/u1#1", 9, "resumed", **about)
        assert (await customer.until(kind="closed"))["reason"] == "inactive", "silence counts again"

    timers = {"inactivity": 1_500, "offer": 600_000, "grace": 600_000}
    scene(partitions, acts, timers_ms=timers, hold_text="One moment.")


def test_what_is_on_hold_goes_back_with_its_owner_or_ends() -> None:
    """On hold a dialog can be transferred and closed, and its owner's going releases it."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        for contact, ends in (("web/u1", "transferred"), ("web/u2", "offline"), ("web/u3", "closed")):
            _, offer = await owned(client, contact, desk)
            frame = {"dialog": offer["dialog"], "number": offer["number"]}
            await desk.send(op="hold", **frame)
            await desk.until(kind="held")
            if ends == "transferred":
                await desk.send(op="transfer", **frame, to={"department": "loans"})
            elif ends == "closed":
                await desk.send(op="close", **frame)
            else:
                await desk.presence("offline")
            frame = await desk.until_any(("released", offer["dialog"]), ("closed", offer["dialog"]))
            assert frame["reason"] == (ends if ends != "closed" else "operator")
            await (await client.customer(contact)).send(op="end")
            await desk.presence("online")
        await client.until_state(lambda found: found["dialogs"]["closed"] == 3 and found["waiting"] == 0)
        assert await desk.asked() == [] or not desk.taken[-1].get("number")

    scene(1, acts, operators=BANK)
