"""Who gets which dialog, and what becomes of it when they are gone; in one partition and in four."""

from tests.chatcore.client import Client, message, plain, system
from tests.chatcore.scenes import PARTITIONS, handed_over, owned, scene


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
            "bot": 0, "queued": 1, "offered": 2, "assigned": 0, "closed": 0,
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

    scene(partitions, acts, timers_ms={"offer": 400})


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

    scene(partitions, acts, timers_ms={"grace": 300})


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
