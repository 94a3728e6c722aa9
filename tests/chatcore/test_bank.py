"""A messenger's account is bound by a mailed code, over the wire: the bank's service, a mail server, a messenger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chatcore.journal.memory import Disk
from chatcore.machines import binding
from chatcore.machines.binding import MASK, TEXTS
from chatcore.machines.commands import Leave
from tests.chatcore import bank as banks
from tests.chatcore import provider as providers
from tests.chatcore.bank import EMAIL, Bank, code_in, knowing
from tests.chatcore.client import Client, until, update
from tests.chatcore.cores import Inside, inside, play, restarting, running, telegram
from tests.chatcore.post import Relay, relaying
from tests.chatcore.provider import BotApi

TOLD = "anna has 42 roubles."


class Around(NamedTuple):
    """What a core has around it."""

    bank: Bank
    relay: Relay
    provider: BotApi

    def settings(self, **bank: Any) -> dict[str, Any]:
        return knowing(self.bank, self.relay, telegram(self.provider.api, bot="keywords"), **bank)

    async def code(self, number: int = 1) -> str:
        """The code in the mail of that number, once it is there."""
        await until(lambda: len(self.relay.mails) >= number)
        assert self.relay.mails[number - 1][1] == [EMAIL]
        return code_in(self.relay.bodies[number - 1])

    async def told(self, text: str, count: int = 1) -> None:
        """Wait until the customer was told a text so many times."""
        await until(lambda: self.provider.taken.count((77, text)) == count)


@asynccontextmanager
async def around() -> AsyncIterator[Around]:
    async with banks.serving() as bank, relaying() as relay, providers.serving() as provider:
        yield Around(bank, relay, provider)


class Anna:
    """The customer behind chat 77."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.said = 0

    async def say(self, text: str, message_id: int | None = None) -> None:
        self.said += 1
        number = message_id or self.said
        assert await self.client.webhook(update(self.said, text, message_id=number)) == (200, {})

    async def ask(self) -> None:
        """Ask to be known, and name her account."""
        await self.say("know me")
        await self.say("40817")


async def issued(core: Inside) -> None:
    """Wait until a code's hash is there."""
    contacts = core.core.partition_of("tg/77").state.by_key
    await until(lambda: contacts["tg/77"].binding.hash)


def test_the_five_steps(tmp_path: Path) -> None:
    """Who asks for a balance names an account, gets a code by mail, types it, and is told; ever after at once.

    The code stands in no file of the core.
    """

    async def acts() -> None:
        async with around() as world, running(tmp_path, **world.settings()) as core, Client(core.url) as client:
            anna = Anna(client)
            await anna.say("balance please")
            await world.told(TEXTS["bind:account"])
            await anna.say("40817")
            await world.told(TEXTS["bind:code"])
            code = await world.code()
            await anna.client.until_state(lambda found: found["unsettled"] == 0)
            await bound_by(world, anna, code)
            await anna.say("balance please")
            await world.told(TOLD)
            shown = [entry["text"] for entry in await client.history("tg/77") if entry["author"] == "customer"]
            assert shown[:2] == ["balance please", "40817"]
            assert set(shown[2:]) == {MASK, "balance please"}
            asked = [("accounts", {"account": "40817"}), ("operations/balance", {"person": "anna"})]
            assert world.bank.asked == asked
            await core.end()
            await core.start()
            async with Client(core.url) as again:
                anna.client = again
                await anna.say("balance please")
                await world.told(TOLD, 2)
            await core.end()
        codes.append(code)

    codes: list[str] = []
    play(acts)
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"40817" in written
    assert codes[0].encode() not in written


async def bound_by(world: Around, anna: Anna, code: str) -> None:
    """Type the code until it is one that the core has: the mail may come before the hash is stored."""
    while not world.provider.taken.count((77, TEXTS["bind:done"])):
        await anna.say(code)
        await anna.client.until_state(lambda found: found["unsettled"] == 0)


def test_wrong_codes_end_it() -> None:
    """The third wrong code locks; the right one then is a text like any other."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            anna = Anna(core.client)
            await anna.ask()
            code = await world.code()
            await issued(core)
            for wrong in ("x00000", "x00001", "x00002"):
                await anna.say(wrong)
            await world.told(TEXTS["bind:locked"])
            await anna.say(code)
            await world.told("Pardon?")
            assert core.core.partition_of("tg/77").state.by_key["tg/77"].person == ""

    play(acts)


def test_a_code_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """A code whose time is over binds nobody."""
    monkeypatch.setattr(binding, "CODE_LASTS_MS", 0)

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            anna = Anna(core.client)
            await anna.ask()
            code = await world.code()
            await issued(core)
            await anna.say(code)
            await world.told(TEXTS["bind:failed"])
            assert core.core.partition_of("tg/77").state.by_key["tg/77"].person == ""

    play(acts)


def test_an_unknown_account_looks_like_a_known_one() -> None:
    """Who names an account that is not there, or whose mail is refused, is told the same, and guesses in vain."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            world.relay.answers = ["550 5.1.1 no such mailbox"]
            anna = Anna(core.client)
            for name in ("4711", "40817"):
                await anna.say("know me")
                await anna.say(name)
                await issued(core)
                for guess in ("123456", "", "x"):
                    await anna.say(guess or "0")
                await core.client.until_state(lambda found: found["unsettled"] == 0)
                said = [text for _, text in world.provider.taken]
                wrong = TEXTS["bind:wrong"]
                assert said == [TEXTS["bind:account"], TEXTS["bind:code"], wrong, wrong, TEXTS["bind:locked"]]
                world.provider.taken.clear()
                core.core.partition_of("tg/77").state.by_key["tg/77"].binding.locked = 0  # the hour is over
            assert core.core.partition_of("tg/77").state.by_key["tg/77"].person == ""

    play(acts)


async def ask_for_code(core: Inside, chat: int, account: str, number: int) -> str:
    """Begin a binding in a dialog of its own; the rule of the last text that follows."""
    for message, text in enumerate(("know me", account), 10 * number):
        assert await core.client.webhook(update(message, text, chat=chat)) == (200, {})
    partition = core.core.partition_of(f"tg/{chat}")
    contact = partition.state.by_key[f"tg/{chat}"]
    await until(lambda: contact.binding.hash or not contact.binding.stage)
    await core.client.until_state(lambda found: found["unsettled"] == 0)
    partition.submit(Leave(f"tg/{chat}"))
    rules = [entry["cause"]["rule"] for entry in await core.client.history(f"tg/{chat}") if "cause" in entry]
    return str(rules[-1])


@pytest.mark.parametrize("account", ["40817", "4711"])
def test_a_contact_may_not_ask_for_many_codes(account: str) -> None:
    """After three it is told that this is not possible, be the account known or not; another contact may ask."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            rules = [await ask_for_code(core, 77, account, number) for number in range(1, 6)]
            assert rules == ["bind:code"] * 3 + ["bind:unable"] * 2
            assert await ask_for_code(core, 78, account, 1) == "bind:code"
            assert len(world.bank.asked) == 4
            assert len(world.relay.mails) == (4 if account == "40817" else 0)

    play(acts)


def test_a_person_is_not_mailed_many_codes() -> None:
    """After five mails, whoever asks under any of the person's accounts is told the same, and none leaves."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            for number in range(8):
                account = ("40817", "+7 900")[number % 2]
                assert await ask_for_code(core, 100 + number, account, 1) == "bind:code"
            assert len(world.relay.mails) == 5
            assert await ask_for_code(core, 200, "40818", 1) == "bind:code"
            assert len(world.relay.mails) == 6

    play(acts)


@pytest.mark.parametrize("fault", ["down", "slow", "500", "other form", "mail down", "no address"])
def test_trouble_is_told(fault: str) -> None:
    """When the bank or the mail server is not to be had, or talks nonsense, the customer is told; nothing is bound."""

    async def acts() -> None:
        async with around() as world:
            settings = world.settings(timeout_ms=100) if fault == "slow" else world.settings()
            if fault == "slow":
                world.bank.hold()
            elif fault == "down":
                settings["bank"]["api"] = "http://127.0.0.1:9/bank"
            elif fault == "mail down":
                settings["accounts"][-1]["api"] = "smtp://127.0.0.1:9"
            elif fault == "500":
                world.bank.status = 500
            elif fault == "other form":
                world.bank.body = b'{"person": 7}'
            else:
                world.bank.body = b'{"person": "anna", "email": "a\\nb"}'
            async with inside(**settings) as core:
                anna = Anna(core.client)
                await anna.ask()
                await world.told(TEXTS["bind:unable"])
                await anna.say("know me")
                await world.told(TEXTS["bind:account"], 2)
                assert world.relay.mails == []

    play(acts)


async def bound(world: Around, core: Inside) -> Anna:
    """A customer whom the bank knows."""
    anna = Anna(core.client)
    await anna.ask()
    code = await world.code()
    await issued(core)
    await anna.say(code)
    await world.told(TEXTS["bind:done"])
    return anna


@pytest.mark.parametrize("fault", ["slow", "500", "other form"])
def test_an_operation_that_fails_is_told(fault: str) -> None:
    """A service that is slow, broken or wrong ends in one sentence to the customer, who may ask again."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings(timeout_ms=1_500)) as core:
            anna = await bound(world, core)
            if fault == "slow":
                world.bank.hold()
            else:
                world.bank.status, world.bank.body = (500, None) if fault == "500" else (200, b"[]")
            await anna.say("balance")
            await world.told(TEXTS["bind:unable"])
            world.bank.release()
            world.bank.status, world.bank.body = 200, None
            await anna.say("balance")
            await world.told(TOLD)

    play(acts)


@pytest.mark.parametrize("partitions", [1, 4])
def test_what_was_under_way_is_asked_again(partitions: int) -> None:
    """After a crash while the bank looks an account up, and one while it does an operation, both are asked again."""

    async def acts() -> None:
        async with around() as world:
            settings = world.settings() | {"partitions": partitions}
            world.bank.hold()
            disk = Disk()
            async with restarting(disk, **settings) as core:
                anna = Anna(core.client)
                await anna.ask()
                await until(lambda: len(world.bank.asked) == 1)
                await core.crash()
            world.bank.release()
            async with restarting(disk, **settings) as core:
                code = await world.code()
                await issued(core)
                anna.client = core.client
                await anna.say(code)
                await world.told(TEXTS["bind:done"])
                world.bank.hold()
                await anna.say("balance")
                await until(lambda: len(world.bank.asked) == 3)
                await core.crash()
            world.bank.release()
            async with restarting(disk, **settings):
                await world.told(TOLD)
            asked = ["accounts", "accounts", "operations/balance", "operations/balance"]
            assert [path for path, _ in world.bank.asked] == asked

    play(acts)


def test_what_was_masked_stays_masked() -> None:
    """A repeat is the same message before and after the mask; an edit shows what it hides at no time."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            anna = await bound(world, core)
            code = code_in(world.relay.bodies[0])
            before = await core.client.history("tg/77")
            await anna.say("40817", message_id=2)
            await anna.say(code, message_id=3)
            edited = update(9, code, message_id=3)
            edited["edited_message"] = edited.pop("message")
            assert await core.client.webhook(edited) == (200, {})
            assert await core.client.history("tg/77") == before
            assert (await core.client.state())["counters"] == {}
            assert code not in repr(before)

    play(acts)


def test_an_edit_made_while_a_code_is_awaited_is_masked() -> None:
    """A code written over an earlier message is shown to nobody; a repeat of what came before is still a repeat."""

    async def acts() -> None:
        async with around() as world, inside(**world.settings()) as core:
            anna = Anna(core.client)
            await anna.ask()
            code = await world.code()
            await anna.say("40817", message_id=2)
            edited = update(9, code, message_id=1)
            edited["edited_message"] = edited.pop("message")
            assert await core.client.webhook(edited) == (200, {})
            history = await core.client.history("tg/77")
            assert [entry["text"] for entry in history if entry["author"] == "customer"] == ["know me", "40817", MASK]
            assert (await core.client.state())["counters"] == {}

    play(acts)


def test_a_repeat_on_a_socket_is_acknowledged() -> None:
    """A code that is sent again after its acknowledgement was lost gets the same acknowledgement."""

    async def acts() -> None:
        async with around() as world:
            web = {"id": "web", "channel": "web", "bot": "keywords"}
            async with inside(**knowing(world.bank, world.relay, web)) as core:
                customer = await core.client.customer("web/u1")
                for cid, text in (("c1", "know me"), ("c2", "40817")):
                    await customer.say(cid, text)
                code = await world.code()
                contacts = core.core.partition_of("web/u1").state.by_key
                await until(lambda: contacts["web/u1"].binding.hash)
                ack = await customer.say("c3", code)
                assert (await customer.until(cause={"seq": ack["seq"], "rule": "bind:done"}))["text"] == TEXTS[
                    "bind:done"
                ]
                assert await customer.say("c3", code) == ack

    play(acts)
