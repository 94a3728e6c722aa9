"""Who gets which dialog, and what becomes of it when they are gone; in one partition and in four."""

from typing import Any

from tests.chatcore.client import Client, Desk, Frame, message, plain, system, token
from tests.chatcore.scenes import PARTITIONS, handed_over, owned, scene


async def hired(client: Client, operator: str, **profile: Any) -> None:
    """Add or change an operator over REST."""
    body = {"operators": [{"id": operator} | profile]}
    assert await client.rest("POST", "/v1/operators", body) == (200, {"added": 1})


async def staff(client: Client, operator: str, **profile: Any) -> Desk:
    """The desk of an operator who was added just now."""
    await hired(client, operator, **profile)
    return await client.desk(operator, presence="online")


@PARTITIONS
def test_who_is_offered_the_next_dialog(partitions: int) -> None:
    """The previous operator comes first, then the least loaded, then the longest idle."""

    async def acts(client: Client) -> None:
        desks = {name: await client.desk(name, presence="online") for name in ("o1", "o2", "o3")}
        _, first = await handed_over(client, "web/u1", desks["o1"])  # longest idle
        await desks["o1"].accept(first)
        customer, second = await handed_over(client, "web/u2", desks["o2"])  # less loaded than o1, idle before o3
        await desks["o2"].accept(second)
        await desks["o2"].end(second)  # idle after o3
        await handed_over(client, "web/u3", desks["o3"])
        await customer.say("again", "operator")  # o2 is the previous and the least loaded
        await desks["o2"].until(op="offered", dialog="web/u2#2")
        await desks["o1"].end(first)
        await (await client.customer("web/u4")).say("c1", "operator")
        await desks["o1"].until(op="offered", dialog="web/u4#1")  # least loaded
        back = await client.customer("web/u2", "s2")
        await back.send(op="end")
        await desks["o2"].until(op="withdrawn", dialog="web/u2#2")
        await desks["o1"].accept(desks["o1"].taken[-1])
        await desks["o1"].end(desks["o1"].taken[-3] | {"dialog": "web/u4#1"})
        await (await client.customer("web/u4")).say("c2", "operator")
        await desks["o1"].until(op="offered", dialog="web/u4#2")  # previous, though o2 is idle as well

    scene(partitions, acts)


@PARTITIONS
def test_nobody_is_offered_more_than_their_slots(partitions: int) -> None:
    """With all slots used a dialog waits, and is offered the moment one is free."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        offers = [(await handed_over(client, f"web/u{n}", desk))[1] for n in (1, 2)]
        waiting = await client.customer("web/u3")
        await waiting.say("c1", "operator")
        assert (await client.until_state(lambda found: found["waiting"] == 1))["dialogs"] == {
            "bot": 0, "queued": 1, "offered": 2, "assigned": 0, "closed": 0, "on_hold": 0, "callback": 0,
        }  # fmt: skip
        assert await desk.asked() == []
        await desk.accept(offers[0])
        await desk.end(offers[0])
        assert (await desk.until(op="offered"))["dialog"] == "web/u3#1"

    scene(partitions, acts)


@PARTITIONS
def test_an_offer_that_lapses_goes_to_another(partitions: int) -> None:
    """No acceptance in time withdraws the offer; somebody else gets the dialog with its old place and a new number."""

    async def acts(client: Client) -> None:
        first = await client.desk("o1", presence="online")
        _, offer = await handed_over(client, "web/u1", first)
        second = await client.desk("o2", presence="online")
        assert await first.until(op="withdrawn") == {"op": "withdrawn", "dialog": "web/u1#1", "number": 1}
        assert await second.until(op="offered") == offer | {"number": 2}
        await first.send(op="accept", dialog="web/u1#1", number=1)
        assert await first.next() == {"op": "refused", "dialog": "web/u1#1", "number": 1, "reason": "withdrawn"}
        assert (await second.accept(offer | {"number": 2}))["entries"][-1]["operator"] == "o2"

    scene(partitions, acts, timers_ms={"offer": 1_500})


@PARTITIONS
def test_a_lost_desk_keeps_its_dialogs_for_a_while(partitions: int) -> None:
    """A desk that is not back within the grace time loses its dialogs to their old places, before what came later."""

    async def acts(client: Client) -> None:
        lost = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", lost)
        await lost.hang_up()
        assert (await client.until_state(lambda found: found["operators"]["lost"] == 1))["dialogs"]["assigned"] == 1
        later = await client.customer("web/u2")
        await later.say("c1", "operator")
        released = await customer.until(kind="released")
        assert plain(released) == system(
            "web/u1#1", 4, "released", operator="o1", number=offer["number"], reason="lost"
        )
        desk = await client.desk("o2", presence="online")
        offers = [await desk.until(op="offered"), await desk.until(op="offered")]
        assert [(offer["dialog"], offer["place"]) for offer in offers] == [("web/u1#1", 1), ("web/u2#1", 2)]
        assert (await client.state())["operators"] == {"online": 1, "lost": 0, "away": 0, "offline": 2}

    scene(partitions, acts, timers_ms={"grace": 1_500})


@PARTITIONS
def test_a_desk_back_in_time_keeps_its_dialogs(partitions: int) -> None:
    """A desk that is back within the grace time owns what it owned, is on duty, and has missed nothing."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", desk)
        await desk.hang_up()
        await client.until_state(lambda found: found["operators"]["lost"] == 1)
        await customer.say("c1", "still there?")
        back = await client.desk("o1", {"web/u1#1": 3})
        listed = {"dialog": "web/u1#1", "number": offer["number"], "state": "assigned", "seq": 4}
        assert back.welcome == {"op": "welcome", "operator": "o1", "presence": "online", "open": [listed]}
        assert [plain(frame) for frame in await back.asked()] == [
            message("web/u1#1", 4, "customer", "still there?", "c1")
        ]
        assert (await back.say(offer, "m1", "yes"))["seq"] == 5
        assert (await client.state())["operators"]["lost"] == 0

    scene(partitions, acts)


@PARTITIONS
def test_signing_off_releases_at_once(partitions: int) -> None:
    """Presence offline gives dialogs and offers back to their old places at once; nothing is offered to who is away."""

    async def acts(client: Client) -> None:
        leaving = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", leaving)
        _, second = await handed_over(client, "web/u2", leaving)
        away = await client.desk("o3", presence="away")
        desk = await client.desk("o2", presence="online")
        await leaving.presence("offline")
        assert [(await desk.until(op="offered"))["place"] for _ in range(2)] == [offer["place"], second["place"]]
        assert plain(await customer.until(kind="released")) == system(
            "web/u1#1", 4, "released", operator="o1", number=offer["number"], reason="offline"
        )
        assert plain(await leaving.until(kind="released"))["dialog"] == "web/u1#1"
        assert await leaving.until(op="withdrawn") == {"op": "withdrawn", "dialog": "web/u2#1", "number": 2}
        assert await away.asked() == []

    scene(partitions, acts)


@PARTITIONS
def test_operators_are_added_while_it_runs(partitions: int) -> None:
    """An operator added over REST can log in and is offered what waits; one who is not known cannot."""

    async def acts(client: Client) -> None:
        customer = await client.customer("web/u1")
        await customer.say("c1", "operator")
        new = {"id": "o9", "departments": ["general"], "slots": 1}
        assert await client.rest("POST", "/v1/operators", {"operators": [new]}) == (200, {"added": 1})
        desk = await client.desk("o9", presence="online")
        assert (await desk.until(op="offered"))["dialog"] == "web/u1#1"
        assert await client.rest("POST", "/v1/operators", {"operators": [new | {"slots": 0}]}) == (
            400,
            {"error": "unreadable", "detail": "Expected `int` >= 1 - at `$.operators[0].slots`"},
        )

    scene(partitions, acts)


WEB = {"id": "web", "channel": "web", "bot": "keywords"}
CHANNELS = [
    WEB,
    {"id": "kk", "channel": "web", "language": "kk"},
    {"id": "loans", "channel": "web", "skill": "mortgage"},
    {"id": "phone", "channel": "web", "weight": 0},
    {"id": "heavy", "channel": "web", "weight": 2},
    {"id": "urgent", "channel": "web", "priority": -1},
]


async def waiting(client: Client, *accounts: str) -> None:
    """Somebody waits on each of these accounts, in this order."""
    for number, account in enumerate(accounts):
        await (await client.customer(f"{account}/u{number}")).say("c1", "operator")
    await client.until_state(lambda found: found["waiting"] == len(accounts))


async def offered(desk: Desk) -> list[str]:
    """The accounts of the offers that the desk has now, in order."""
    frames: list[Frame] = await desk.asked()
    return [frame["dialog"].partition("/")[0] for frame in frames if frame["op"] == "offered"]


@PARTITIONS
def test_skills_and_languages_block_nobody(partitions: int) -> None:
    """What nobody there can take waits and lets the others pass; it is offered when somebody learns it."""

    async def acts(client: Client) -> None:
        await waiting(client, "kk", "loans", "web", "urgent")
        desk = await staff(client, "o4", slots=9)
        assert await offered(desk) == ["urgent", "web"]
        other = await staff(client, "o5", slots=9, skills=["mortgage"], languages=["ru"])
        assert await offered(other) == ["loans"]
        await hired(client, "o4", slots=9, languages=["ru", "kk"])
        frame = await desk.until(op="offered", dialog="kk/u0#1")
        assert (frame["place"], frame["language"], frame["skill"]) == (1, "kk", "")

    scene(partitions, acts, accounts=CHANNELS)


@PARTITIONS
def test_a_call_is_alone(partitions: int) -> None:
    """A call goes only to somebody with nothing else, who gets nothing beside it; what weighs 2 takes two slots."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        _, offer = await owned(client, "web/u9", desk)
        await waiting(client, "phone", "heavy")
        assert await offered(desk) == [], "one slot of two is in use"
        await desk.end(offer)
        call = await desk.until(op="offered")
        assert (call["dialog"], call["weight"]) == ("phone/u0#1", 0)
        assert await offered(desk) == []
        await hired(client, "o1", slots=5)
        other = await staff(client, "o4", slots=3)
        assert (await offered(other)) == ["heavy"]
        await (await client.customer("web/u5")).say("c1", "operator")
        await other.until(op="offered", dialog="web/u5#1")
        await (await client.customer("web/u6")).say("c1", "operator")
        assert (await client.until_state(lambda found: found["waiting"] == 1))["dialogs"]["offered"] == 3

    scene(partitions, acts, accounts=CHANNELS)


HR = {
    "accounts": [WEB, {"id": "hr", "channel": "web", "department": "hr"}],
    "departments": [{"id": "hr", "internal": True}],
    "operators": [{"id": "o1"}, {"id": "o2", "departments": ["hr", "general"]}, {"id": "o3", "departments": ["hr"]}],
}


@PARTITIONS
def test_an_internal_department_is_invisible_to_others(partitions: int) -> None:
    """Its dialogs are offered to its own operators only, cannot be sent out of it, and are lost by who leaves it."""

    async def acts(client: Client) -> None:
        general, own = await client.desk("o1", presence="online"), await client.desk("o2", presence="online")
        customer, offer = await owned(client, "hr/u1", own)
        for to, reason in (
            ({"department": "general"}, "internal"), ({"operator": "o1"}, "internal"), ({"skill": "x"}, "nobody_there")
        ):  # fmt: skip
            await own.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to=to)
            assert (await own.until(op="refused"))["reason"] == reason
        assert await general.asked() == []
        other = await client.desk("o3", presence="online")
        await own.send(op="transfer", dialog=offer["dialog"], number=offer["number"], to={"operator": "o3"})
        again = await other.until(op="offered")
        assert len((await other.accept(again))["entries"]) == 6
        await hired(client, "o3", departments=["general"])
        assert (await customer.until(reason="moved"))["operator"] == "o3"
        assert (await own.until(op="offered"))["place"] == 1

    scene(partitions, acts, **HR)


def test_a_history_leaves_out_what_is_internal() -> None:
    """A dialog that went to an internal department is no part of the history for a later owner who is not in it."""

    async def acts(client: Client) -> None:
        general, own = await client.desk("o1", presence="online"), await client.desk("o2")
        customer, offer = await owned(client, "web/u1", general)
        await general.send(
            op="transfer", dialog="web/u1#1", number=offer["number"], to={"operator": "o2", "department": "hr"}
        )
        await own.presence("online")
        await own.accept(await own.until(op="offered"))
        await own.send(op="close", dialog="web/u1#1", number=2)
        await customer.until(kind="closed")
        await own.presence("away")
        await customer.say("c2", "operator")
        await general.accept(await general.until(op="offered"))
        bearer = token("operator", "o1")
        status, page = await client.rest("GET", "/v1/history/web/u1?limit=2", bearer=bearer)
        seen = page["entries"]
        while page["more"]:
            status, page = await client.rest("GET", f"/v1/history/web/u1?limit=2&after={page['cursor']}", bearer=bearer)
            seen += page["entries"]
        whole = await client.history("web/u1")
        assert (status, seen) == (200, [entry for entry in whole if entry["dialog"] == "web/u1#2"])
        assert {entry["dialog"] for entry in whole} == {"web/u1#1", "web/u1#2"}

    scene(1, acts, **HR)
