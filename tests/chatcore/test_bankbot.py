"""The bank's own bot over HTTP: what it says is said, and whatever is wrong with it, the customer gets an operator."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from chatcore import config
from chatcore.errors import BadConfig
from chatcore.journal.memory import Disk
from chatcore.machines import commands as c
from chatcore.machines import dialog
from chatcore.machines import events as e
from tests.chatcore.bankbot import TOKEN, BankBot, serving
from tests.chatcore.client import HOOK_SECRET, Frame, message, plain, system, token, until
from tests.chatcore.cores import Inside, Steered, inside, play, restarting
from tests.chatcore.test_max import Max, new

TOPICS = Path(__file__).parent / "topics.json"
ACCOUNTS = [{"id": "web", "channel": "web", "bot": "http"}]
NEVER_MS = 10_000_000


def settings(bot: BankBot, timeout_ms: int = NEVER_MS, **changes: Any) -> dict[str, Any]:
    """A core whose web account has the bank's bot."""
    service = {"url": bot.url, "token": TOKEN, "timeout_ms": timeout_ms}
    return {"accounts": ACCOUNTS, "bot": service} | changes


def with_bot(acts: Callable[[Inside, BankBot], Awaitable[None]], timeout_ms: int = NEVER_MS, **changes: Any) -> None:
    """Play with a core and a bot."""

    async def scene() -> None:
        async with serving() as bot, inside(**settings(bot, timeout_ms, **changes)) as core:
            await acts(core, bot)
            assert core.fatal == []

    play(scene)


async def history(core: Inside) -> list[Frame]:
    """What web/u1's dialogs show, without times."""
    return [plain(entry) for entry in await core.client.history("web/u1")]


def test_the_bot_reads_the_history_of_who_is_with_it() -> None:
    """While it has the dialog: this contact's, without what is an internal department's; then no more."""

    async def acts(core: Inside, bot: BankBot) -> None:
        async def read(query: str = "") -> tuple[int, list[str]]:
            status, answer = await core.client.rest("GET", f"/v1/history/web/u1{query}", bearer=token("bot", "b"))
            return status, [entry["text"] for entry in answer.get("entries", ()) if entry["kind"] == "message"]

        assert await read() == (403, [])
        customer = await core.client.customer("web/u1")
        bot.body = {"kind": "handover", "topic": "cards"}
        await customer.say("c1", "am I fired?")
        await customer.until(kind="queued")
        assert await read() == (403, [])
        await customer.send(op="end")
        await customer.until(kind="closed")
        bot.body = {"kind": "answer", "rule": "r", "text": "It is 42."}
        await customer.say("c2", "how much?")
        await customer.until(author="bot")
        assert await read() == (200, ["how much?", "It is 42."])
        assert await read("?scope=person") == (403, [])

    with_bot(acts, answers=str(TOPICS), departments=[{"id": "cards", "internal": True}])


def test_what_the_bot_says_is_said() -> None:
    """It is shown dialog, seq and text; its texts carry the message as their cause; a topic finds its department."""

    async def acts(core: Inside, bot: BankBot) -> None:
        customer = await core.client.customer("web/u1")
        await customer.say("c1", "how much?")
        await customer.until(author="bot")
        bot.body = {"kind": "suggestion", "rule": "s", "text": "Say: my balance."}
        await customer.say("c2", "dunno")
        await customer.until(author="bot")
        bot.body = {"kind": "handover", "topic": "cards"}
        await customer.say("c3", "a card")
        await customer.until(kind="queued")
        assert bot.calls == [
            {"dialog": "web/u1#1", "seq": 1, "text": "how much?"},
            {"dialog": "web/u1#1", "seq": 3, "text": "dunno"},
            {"dialog": "web/u1#1", "seq": 5, "text": "a card"},
        ]
        entries = await core.client.history("web/u1")
        assert bot.entries == [entries[:0], entries[:2], entries[:4]], "what was said before"
        assert bot.tokens == {f"Bearer {TOKEN}"}
        assert await history(core) == [
            message("web/u1#1", 1, "customer", "how much?", "c1"),
            message("web/u1#1", 2, "bot", "It is 42.", cause={"seq": 1, "rule": "bot:r"}),
            message("web/u1#1", 3, "customer", "dunno", "c2"),
            message("web/u1#1", 4, "bot", "Say: my balance.", cause={"seq": 3, "rule": "suggestion:s"}),
            message("web/u1#1", 5, "customer", "a card", "c3"),
            system("web/u1#1", 6, "queued", department="cards", topic="cards"),
        ]

    with_bot(acts, answers=str(TOPICS))


FAULTS = {
    "a server's error": (500, {"kind": "answer", "text": "x"}, "bot_broken"),
    "no JSON": (200, b"<html>", "bot_broken"),
    "an unknown kind": (200, {"kind": "poem", "text": "x"}, "bot_wrong"),
    "no text": (200, {"kind": "answer"}, "bot_wrong"),
    "too long": (200, {"kind": "answer", "text": "x" * 4_097}, "bot_wrong"),
    "another shape": (200, ["answer"], "bot_wrong"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_bot_hands_over(fault: str) -> None:
    """A customer whose question it cannot answer waits for an operator at once, and the record says why."""

    async def acts(core: Inside, bot: BankBot) -> None:
        bot.status, bot.body, reason = FAULTS[fault]
        customer = await core.client.customer("web/u1")
        await customer.say("c1", "how much?")
        queued = plain(await customer.until(kind="queued"))
        assert queued == system("web/u1#1", 2, "queued", department="general", reason=reason)
        assert core.gateway.counters[reason] == 1

    with_bot(acts)


def test_an_answer_that_the_messenger_does_not_carry_hands_over() -> None:
    """What is too long for the customer's messenger is a wrong answer, although another channel would take it."""

    async def acts(core: Inside, bot: BankBot) -> None:
        bot.body = {"kind": "answer", "text": "x" * 4_001}
        message = orjson.dumps(new("how much?"))
        await core.client.hook("max/max", message, {"X-Max-Bot-Api-Secret": HOOK_SECRET})
        await until(lambda: core.gateway.counters.get("bot_wrong"))
        assert (await core.client.history("max/5001"))[-1]["kind"] == "queued"

    with_bot(acts, accounts=[Max().account() | {"api": "http://127.0.0.1:9", "bot": "http"}])


def test_an_absent_bot_hands_over() -> None:
    """Where nobody listens, the customer waits for an operator at once."""

    async def scene() -> None:
        async with serving() as bot:
            gone = settings(bot)
        async with inside(**gone) as core:
            customer = await core.client.customer("web/u1")
            await customer.say("c1", "how much?")
            assert (await customer.until(kind="queued"))["reason"] == "bot_broken"

    play(scene)


def test_a_slow_bot_hands_over_and_its_late_answer_changes_nothing() -> None:
    """After the stated time the customer waits for an operator; what the bot says then is nowhere."""

    async def acts(core: Inside, bot: BankBot) -> None:
        customer = await core.client.customer("web/u1")
        await customer.say("c0", "quick?")
        await customer.until(author="bot")
        owner = core.core.partitions[0]
        await until(
            lambda: owner._deadlines._armed == {1: owner.state.contacts[1].deadline}
        )  # the reminder of inactivity is on
        bot.hold()
        await customer.say("c1", "how much?")
        assert (await customer.until(kind="queued"))["reason"] == "bot_slow"
        bot.release()
        await until(lambda: core.gateway.counters.get("bot_late"))
        assert [entry["author"] for entry in await history(core)] == ["customer", "bot", "customer", "system"]

    with_bot(acts, timeout_ms=2_000)


def test_a_burst_is_one_question_more() -> None:
    """What comes while a question is under way is asked together; the answer to the older question is not said."""

    async def acts(core: Inside, bot: BankBot) -> None:
        bot.hold()
        customer = await core.client.customer("web/u1")
        for cid, text in (("c1", "one"), ("c2", "two"), ("c3", "three")):
            await customer.say(cid, text)
        await until(lambda: bot.calls)
        bot.release()
        await customer.until(author="bot")
        await customer.asked()
        assert bot.calls == [
            {"dialog": "web/u1#1", "seq": 1, "text": "one"},
            {"dialog": "web/u1#1", "seq": 3, "text": "two\nthree"},
        ]
        assert [[entry["text"] for entry in entries] for entries in bot.entries] == [[], ["one"]]
        said = [entry for entry in await history(core) if entry["author"] == "bot"]
        assert said == [message("web/u1#1", 4, "bot", "It is 42.", cause={"seq": 3, "rule": "bot:r"})]

    with_bot(acts)


def test_after_a_crash_the_question_is_asked_again() -> None:
    """A question without an answer survives the process: it is asked once more, and its answer is said."""

    async def scene() -> None:
        disk = Disk()
        async with serving() as bot:
            bot.hold()
            async with inside(Steered(disk), **settings(bot)) as core:
                customer = await core.client.customer("web/u1")
                await customer.say("c1", "how much?")
                await until(lambda: bot.calls)
                await core.crash()
            bot.release()
            async with restarting(disk, **settings(bot)) as core:
                await until(lambda: core.core.partitions[0].messages)
                assert bot.calls == [{"dialog": "web/u1#1", "seq": 1, "text": "how much?"}] * 2
                assert [entry["author"] for entry in await history(core)] == ["customer", "bot"]

    play(scene)


def test_after_a_crash_a_whole_burst_is_asked_again() -> None:
    """All that the bot has not answered is one question then, with what was said before it."""

    async def scene() -> None:
        disk = Disk()
        async with serving() as bot:
            async with inside(Steered(disk), **settings(bot)) as core:
                customer = await core.client.customer("web/u1")
                await customer.say("c0", "hello")
                await customer.until(author="bot")
                bot.hold()
                for cid, text in (("c1", "one"), ("c2", "two"), ("c3", "three")):
                    await customer.say(cid, text)
                await until(lambda: len(bot.calls) == 2)
                await core.crash()
            bot.release()
            async with restarting(disk, **settings(bot)) as core:
                await until(lambda: core.core.partitions[0].messages)
                assert bot.calls[2:] == [{"dialog": "web/u1#1", "seq": 5, "text": "one\ntwo\nthree"}]
                assert bot.entries[2] == (await core.client.history("web/u1"))[:2]

    play(scene)


def test_the_bot_is_shown_so_many_entries_at_most() -> None:
    """A long dialog's beginning is not sent along."""

    async def acts(core: Inside, bot: BankBot) -> None:
        customer = await core.client.customer("web/u1")
        for number in range(14):
            await customer.say(f"c{number}", f"question {number}")
            await customer.until(author="bot")
        assert [entry["seq"] for entry in bot.entries[-1]] == list(range(7, 27))

    with_bot(acts)


def test_after_a_crash_the_deadline_still_comes() -> None:
    """A bot that is silent before and after a crash hands over, by the deadline that the state holds."""

    async def scene() -> None:
        disk = Disk()
        async with serving() as bot:
            bot.hold()
            async with inside(Steered(disk), **settings(bot, 300)) as core:
                customer = await core.client.customer("web/u1")
                await customer.say("c1", "how much?")
                await core.crash()
            async with restarting(disk, **settings(bot, 300)) as core:
                await until(lambda: core.core.floor.state.waiting)
                assert [entry.get("reason") for entry in await history(core)] == [None, "bot_slow"]

    play(scene)


def test_who_goes_on_writing_is_not_kept_from_an_operator() -> None:
    """The deadline is that of the first message without an answer, however many follow; an answer sets it anew."""
    state = dialog.Partition(c.Rules(bot_ms=3_000))

    def ask(command: c.DialogCommand, now: int) -> list[e.DialogEvent]:
        events = dialog.decide(state, command, now)
        for event in events:
            dialog.apply(state, event)
        return events

    def write(number: int, now: int) -> int:
        sent = ("web/u1", False, "general", f"m{number}", number, "text", c.Choice("ask"))
        asked = ask(c.Receive(*sent), now)[-1]
        assert isinstance(asked, e.Asked)
        return asked.deadline

    assert [write(1, 1_000), write(2, 2_000), write(3, 3_900)] == [4_000, 4_000, 4_000]
    answered = c.Answered(1, 1, 3, c.Choice("answer", "bot:r", "text"), "general")
    assert len(ask(answered, 3_950)) == 1
    assert write(4, 5_000) == 8_000
    assert ask(c.Remind(1), 7_999) == []
    assert ask(c.Remind(1, "loans"), 8_000) == [e.Queued(1, 1, 6, 8_000, "loans", 0, "", reason="bot_slow")]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"accounts": ACCOUNTS}, "bot.url"),
        ({"accounts": [{"id": "web", "channel": "web", "bot": True}]}, "$.accounts[0].bot"),
        ({"bot": {"url": "http://bank/ask", "token": "a\r\nb"}}, "bot.token"),
        ({"hints": {"token": "кот"}}, "hints.token"),
    ],
)
def test_what_cannot_be_configured(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    """A bot that is nowhere, the old switch, or a token that fits no header is refused by its name."""
    path = tmp_path / "core.json"
    path.write_text(json.dumps({"secret": "s"} | changes))
    with pytest.raises(BadConfig) as refused:
        config.load(path)
    assert told in str(refused.value)
