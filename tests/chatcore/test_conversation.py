"""A customer's way through bot, queue and operator, as everyone on a socket sees it; in one partition and in four."""

from tests.chatcore.client import Client, message, plain, system
from tests.chatcore.scenes import PARTITIONS, handed_over, owned, scene


@PARTITIONS
def test_bot_answers_with_its_cause(partitions: int) -> None:
    """A message is acknowledged before the bot's answer, which names the message and the rule that caused it."""

    async def acts(client: Client) -> None:
        customer = await client.customer("web/u1")
        assert customer.welcome == {
            "op": "welcome", "contact": "web/u1", "dialog": 0, "state": "none", "cursor": "0.0",
        }  # fmt: skip
        await customer.send(op="send", cid="c1", text="My BALANCE?")
        answer = message("web/u1#1", 2, "bot", "42 roubles.", cause={"seq": 1, "rule": "bot:balance"})
        assert [plain(frame) for frame in await customer.asked()] == [
            {"op": "ack", "cid": "c1", "dialog": "web/u1#1", "seq": 1},
            answer,
        ]
        asked = message("web/u1#1", 1, "customer", "My BALANCE?", "c1")
        assert [plain(entry) for entry in await client.history("web/u1")] == [asked, answer]

    scene(partitions, acts)


@PARTITIONS
def test_words_and_misses_hand_over(partitions: int) -> None:
    """A hand-over word queues at once; so does the second text in a row that no rule answers, but not the first."""

    async def acts(client: Client) -> None:
        asking, lost = await client.customer("web/u1"), await client.customer("web/u2")
        await asking.say("c1", "Operator!")
        assert plain(await asking.next()) == system("web/u1#1", 2, "queued", department="general")
        for cid, text in [("c1", "what"), ("c2", "balance"), ("c3", "what"), ("c4", "why")]:
            await lost.say(cid, text)
        again = {"author": "bot", "text": "Pardon?", "rule": "bot:again"}
        shown = [plain(frame) for frame in await lost.asked()]
        replies = [plain(frame) for frame in lost.taken if frame["op"] == "entry"]
        assert shown == [system("web/u2#1", 8, "queued", department="general")]
        assert replies == [
            message("web/u2#1", 2, "bot", again["text"], cause={"seq": 1, "rule": again["rule"]}),
            message("web/u2#1", 4, "bot", "42 roubles.", cause={"seq": 3, "rule": "bot:balance"}),
            message("web/u2#1", 6, "bot", again["text"], cause={"seq": 5, "rule": again["rule"]}),
            *shown,
        ]

    scene(partitions, acts)


@PARTITIONS
def test_a_whole_dialog_is_the_same_for_both_sides(partitions: int) -> None:
    """Offer, acceptance with the dialog so far, messages and closing have one dense numbering for everyone."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer = await client.customer("web/u1")
        await customer.say("c1", "balance")
        await customer.say("c2", "operator")
        offer = await desk.next()
        assert offer == {
            "op": "offered", "dialog": "web/u1#1", "number": 1, "place": 1, "priority": 0, "department": "general",
            "skill": "", "language": "", "weight": 1,
        }  # fmt: skip
        entries = (await desk.accept(offer))["entries"]
        assert desk.taken[-2] == {"op": "accepted", "dialog": "web/u1#1", "number": 1, "seq": 5}
        ack = {"op": "ack", "dialog": "web/u1#1"}
        assert await desk.say(offer, "m1", "Hello") == ack | {"cid": "m1", "seq": 6}
        assert await customer.say("c3", "Hi") == ack | {"cid": "c3", "seq": 7}
        await desk.until(seq=7)
        closed = await desk.end(offer)
        whole = [
            message("web/u1#1", 1, "customer", "balance", "c1"),
            message("web/u1#1", 2, "bot", "42 roubles.", cause={"seq": 1, "rule": "bot:balance"}),
            message("web/u1#1", 3, "customer", "operator", "c2"),
            system("web/u1#1", 4, "queued", department="general"),
            system("web/u1#1", 5, "assigned", operator="o1", number=1),
            message("web/u1#1", 6, "o1", "Hello", "m1"),
            message("web/u1#1", 7, "customer", "Hi", "c3"),
            system("web/u1#1", 8, "closed", reason="operator"),
        ]
        assert [plain(entry) for entry in await client.history("web/u1")] == whole
        assert [plain(entry) for entry in entries] == whole[:5]
        live = [plain(frame) for frame in desk.taken if frame["op"] == "entry"]
        assert live == [whole[6], whole[7]] == [whole[6], plain(closed)]
        await customer.until(kind="closed")
        shown = [plain(frame) for frame in customer.taken if frame["op"] == "entry"]
        assert shown == [entry for entry in whole if entry["author"] != "customer"]

    scene(partitions, acts)


@PARTITIONS
def test_other_sessions_see_what_one_session_sends(partitions: int) -> None:
    """Another session of the contact gets the entry, the sender only its acknowledgement, other contacts nothing."""

    async def acts(client: Client) -> None:
        phone, tablet = await client.customer("app/u1", "phone"), await client.customer("app/u1", "tablet")
        stranger = await client.customer("app/u2")
        await phone.send(op="send", cid="c1", text="hello")
        queued = system("app/u1#1", 2, "queued", department="general")
        assert [plain(frame) for frame in await phone.asked()] == [
            {"op": "ack", "cid": "c1", "dialog": "app/u1#1", "seq": 1},
            queued,
        ]
        assert [plain(frame) for frame in await tablet.asked()] == [
            message("app/u1#1", 1, "customer", "hello", "c1"),
            queued,
        ]
        assert await stranger.asked() == []

    scene(partitions, acts)


@PARTITIONS
def test_a_message_after_closing_opens_the_next_dialog(partitions: int) -> None:
    """After closing, a message opens #2; a late operator's send to #1 is refused as closed, before and after that."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", desk)
        await desk.end(offer)
        late = {"op": "refused", "dialog": "web/u1#1", "reason": "closed"}
        assert await desk.say(offer, "m1", "late") == late | {"cid": "m1"}
        assert await customer.say("c2", "balance") == {"op": "ack", "cid": "c2", "dialog": "web/u1#2", "seq": 1}
        assert await desk.say(offer, "m2", "late") == late | {"cid": "m2"}
        assert await desk.end(offer) == late | {"number": 1}
        assert [entry["text"] for entry in await client.history("web/u1") if entry["kind"] == "message"] == [
            "operator please", "balance", "42 roubles.",
        ]  # fmt: skip

    scene(partitions, acts)


@PARTITIONS
def test_only_the_owner_acts(partitions: int) -> None:
    """Who does not own the dialog, or shows another number, is refused and changes nothing."""

    async def acts(client: Client) -> None:
        first, second = await client.desk("o1", presence="online"), await client.desk("o2")
        _, offer = await owned(client, "web/u1", first)
        before = await client.history("web/u1")
        not_owner = {"op": "refused", "cid": "m1", "dialog": "web/u1#1", "reason": "not_owner"}
        assert await second.say(offer, "m1", "mine?") == not_owner
        assert await first.say(offer | {"number": 9}, "m1", "mine?") == not_owner
        assert await first.say(offer | {"dialog": "web/u1#2"}, "m1", "?") == not_owner | {"dialog": "web/u1#2"}
        await second.send(op="accept", dialog="web/u1#1", number=offer["number"])
        withdrawn = {"op": "refused", "dialog": "web/u1#1", "number": offer["number"], "reason": "withdrawn"}
        assert await second.next() == withdrawn
        assert await client.history("web/u1") == before

    scene(partitions, acts)


@PARTITIONS
def test_a_repeat_returns_the_original_place(partitions: int) -> None:
    """The same id with the same text returns the first place, also after closing; with other text it is a conflict."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", desk)
        said = await desk.say(offer, "m1", "Hello")
        first = {"op": "ack", "cid": "ask", "dialog": "web/u1#1", "seq": 1}
        conflict = {"op": "refused", "cid": "ask", "reason": "conflict"}
        for _ in range(2):
            assert await customer.say("ask", "operator please") == first
            assert await customer.say("ask", "other") == conflict
            assert await desk.say(offer, "m1", "Hello") == said
            refused = {"op": "refused", "cid": "m1", "dialog": "web/u1#1", "reason": "conflict"}
            assert await desk.say(offer, "m1", "Other") == refused
            await desk.end(offer)
        kinds = [entry["kind"] for entry in await client.history("web/u1")]
        assert kinds == ["message", "queued", "assigned", "message", "closed"]

    scene(partitions, acts)


@PARTITIONS
def test_a_customers_id_never_meets_an_operators(partitions: int) -> None:
    """A customer who guesses how operators' ids are kept apart changes nothing for the operator."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", desk)
        assert (await customer.say("o1/m1", "x"))["op"] == "ack"
        bad = {"op": "refused", "cid": "\no1/m1", "reason": "bad_frame"}
        assert await customer.say("\no1/m1", "x") == bad
        assert (await desk.say(offer, "m1", "Hello"))["op"] == "ack"
        ids = [entry["id"] for entry in await client.history("web/u1") if entry["kind"] == "message"]
        assert ids == ["ask", "o1/m1", "m1"]

    scene(partitions, acts)


@PARTITIONS
def test_silent_customers_are_closed(partitions: int) -> None:
    """Silence after the bot's or the operator's last word closes the dialog as inactive, and frees the slot."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        silent = await client.customer("web/u2")
        await silent.say("c1", "balance")
        assert plain(await silent.until(kind="closed")) == system("web/u2#1", 3, "closed", reason="inactive")
        customer, offer = await owned(client, "web/u1", desk)
        await desk.say(offer, "m1", "Hello")
        assert plain(await customer.until(kind="closed")) == system("web/u1#1", 5, "closed", reason="inactive")
        await desk.until(kind="closed")
        assert (await client.state())["open"] == []

    scene(partitions, acts, timers_ms={"inactivity": 300})


@PARTITIONS
def test_the_customer_may_end_in_every_state(partitions: int) -> None:
    """`end` closes a dialog with the bot, in the queue, on offer and owned; without a dialog it does nothing."""

    async def acts(client: Client) -> None:
        nobody = await client.customer("web/u0")
        await nobody.send(op="end")
        bot, queued = await client.customer("web/u1"), await client.customer("web/u2")
        await bot.say("c1", "balance")
        await queued.say("c1", "operator")
        for customer, seq in ((bot, 3), (queued, 3)):
            await customer.send(op="end")
            closed = plain(await customer.until(kind="closed"))
            assert closed == system(f"{customer.welcome['contact']}#1", seq, "closed", reason="customer")
        desk = await client.desk("o1", presence="online")
        offered, offer = await handed_over(client, "web/u3", desk)
        await offered.send(op="end")
        assert await desk.until(op="withdrawn") == {"op": "withdrawn", "dialog": "web/u3#1", "number": offer["number"]}
        assigned, offer = await owned(client, "web/u4", desk)
        await assigned.send(op="end")
        assert plain(await desk.until(kind="closed")) == system("web/u4#1", 4, "closed", reason="customer")
        await assigned.send(op="end")
        assert [frame["kind"] for frame in await assigned.asked()] == ["closed"]
        found = await client.until_state(lambda found: found["dialogs"]["closed"] == 4)
        assert (found["open"], found["waiting"], await nobody.asked()) == ([], 0, [])

    scene(partitions, acts)


@PARTITIONS
def test_what_is_too_long_is_refused(partitions: int) -> None:
    """A text over 4096 characters is refused on both sides and takes no place."""

    async def acts(client: Client) -> None:
        desk = await client.desk("o1", presence="online")
        customer, offer = await owned(client, "web/u1", desk)
        long = "ж" * 4097
        assert await customer.say("c1", long) == {"op": "refused", "cid": "c1", "reason": "too_long"}
        refused = {"op": "refused", "cid": "m1", "dialog": "web/u1#1", "most": 4096, "reason": "too_long"}
        assert await desk.say(offer, "m1", long) == refused
        assert (await customer.say("c2", long[1:]))["seq"] == 4

    scene(partitions, acts)
