"""The contract of every simulated messenger, over real HTTP: what holds whatever its formats are."""

from pathlib import Path
from typing import Any

import pytest

from chatload.accounts import ACCOUNTS, MESSENGERS
from chatload.fleet.frames import provider_number
from chatload.fleet.providers import PROVIDERS
from chatload.fleet.world import MessengerAccount
from chatload.scenario import PLAYED
from chatload.targets.nullserver.dialects import DIALECTS, sent_id
from chatreport.rundir import MESSENGERS as CODES
from tests.chatload.fleet.bank import KEYS, Bank, Person, at_a_bank, send
from tests.chatload.fleet.stage import Stage, columns, of

CHANNELS = sorted(DIALECTS)  # e-mail, which is no webhook, and calls, which are no texts, have tests of their own
WITH_RECEIPTS = [channel for channel in CHANNELS if PROVIDERS[channel].statuses]
BATCHING = [channel for channel in CHANNELS if PROVIDERS[channel].profile.batch > 1]
FAST: dict[str, Any] = {"delivered_ms": 1.0, "read_ms": 2.0, "read_share": 1.0, "chat_rate_per_s": 1000.0, "burst": 50}


def test_every_messenger_has_its_rows() -> None:
    """A provider, an account, a place in scenarios, a code in the ledger, and the null target's side of it."""
    missing = {
        "accounts.MESSENGERS": set(PROVIDERS) - set(MESSENGERS),
        "PROVIDERS": set(MESSENGERS) - set(PROVIDERS),
        "scenario.model.Channel": set(PROVIDERS) - set(PLAYED),
        "rundir.Channel": set(PROVIDERS) - {channel.name.lower() for channel in CODES},
        "DIALECTS": set(PROVIDERS) - set(DIALECTS) - {"email", "phone"},
    }
    assert {table: channels for table, channels in missing.items() if channels} == {}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_message_is_posted_until_it_is_taken(channel: str, tmp_path: Path) -> None:
    """After a 500 the same message comes again, with the same id; each attempt is a row, the last one OK."""
    bank = Bank(channel, [500])

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        await stage.until(lambda: person.heard.acknowledged_counters == [1])

    ledger = at_a_bank(tmp_path, bank, act, time_scale=200.0)
    assert [call.path for call in bank.calls] == [f"/webhooks/{channel}/{ACCOUNTS[channel]}"] * 2
    first, second = bank.said()
    assert first == second
    assert first[2] == "[abc123:c1:1] Привет"
    rows = of(ledger, "SEND")
    assert columns(rows, "who", "sender", "attempt", "outcome", "reason") == [
        (channel, "c1", 1, "INDETERMINATE", "http 500"),
        (channel, "c1", 2, "OK", ""),
    ]
    assert {row["channel"] for row in rows} == {channel.upper()}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_failed_message_holds_up_its_chat_only_where_there_is_an_order(channel: str, tmp_path: Path) -> None:
    """Telegram and Messenger post the second message after the first was taken, the others before."""
    bank = Bank(channel)
    ordered = PROVIDERS[channel].profile.ordered

    def refuses(raw: bytes) -> bool:
        """The first message twice, or until the second was there."""
        counters = [text.partition("]")[0][-1] for text in bank.texts()]
        enough = counters.count("1") > 2 if ordered else counters.count("1") > 1 and "2" in counters
        return b"[abc123:c1:1]" in raw and not enough

    bank.refuses = refuses

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        person.say(2)
        await stage.until(lambda: len(person.heard.acknowledged_counters) == 2)

    ledger = at_a_bank(tmp_path, bank, act, time_scale=200.0, batch_share=0.0)
    counters = columns(of(ledger, "SEND", outcome="OK"), "counter")
    assert counters == ([(1,), (2,)] if ordered else [(2,), (1,)])
    assert len(bank.texts()) > 2


@pytest.mark.parametrize("channel", CHANNELS)
def test_only_the_messengers_own_success_counts(channel: str, tmp_path: Path) -> None:
    """A 204 is enough for those that take any 2xx, and is posted again by the others."""
    bank = Bank(channel, [204])

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        await stage.until(lambda: person.heard.acknowledged_counters == [1])

    ledger = at_a_bank(tmp_path, bank, act, time_scale=200.0)
    taken = PROVIDERS[channel].profile.success == "2xx"
    assert columns(of(ledger, "SEND"), "outcome") == ([("OK",)] if taken else [("INDETERMINATE",), ("OK",)])


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_reply_reaches_its_customer(channel: str, tmp_path: Path) -> None:
    """The API's answer names the id that the ledger has, and the customer sees the text."""
    answers: list[Any] = []
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        people.append(person)
        person.say(1)
        answers.append(await send(stage, person.user, "[abc123:o3:7] good day"))

    ledger = at_a_bank(tmp_path, Bank(channel), act)
    ((status, answer),) = answers
    found = sent_id(DIALECTS[channel], answer)
    assert (status, people[0].heard.saw_texts) == (200, ["[abc123:o3:7] good day"])
    number = provider_number(found)
    assert number > 0
    names = ("who", "sender", "counter", "provider_id", "outcome")
    assert columns(of(ledger, "ATTEMPT"), *names) == [(channel, "o3", 7, number, "OK")]
    assert columns(of(ledger, "ENTRY"), *names) == [("c1", "o3", 7, number, "OK")]


REFUSED: dict[str, dict[str, tuple[int, Any]]] = {
    "telegram": {
        "token": (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
        "user": (400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}),
        "blocked": (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
    },
    "messenger": {
        "token": (400, 190), "user": (400, 100), "many": (400, 613), "window": (400, 10), "blocked": (400, 551),
    },
    "whatsapp": {
        "token": (401, 190), "user": (400, 131026), "many": (429, 130429), "window": (400, 131047),
        "blocked": (400, 131026),
    },
    "viber": {"token": (200, 2), "user": (200, 5), "many": (200, 12), "blocked": (200, 6)},
    "vk": {"token": (200, 5), "user": (200, 901), "many": (200, 6), "blocked": (200, 901)},
    "infobip": {
        "token": (401, "E401"), "user": (400, "E400"), "many": (429, "E429"), "window": (400, "E400"),
        "blocked": (400, "E400"),
    },
    "sms": {"token": (401, "E401"), "user": (400, "E400"), "many": (429, "E429"), "blocked": (400, "E400")},
    "max": {
        "token": (401, "verify.token"), "user": (404, "chat.not.found"), "many": (429, "too.many.requests"),
        "blocked": (403, "chat.denied"),
    },
}  # fmt: skip


def code_of(answer: Any) -> Any:
    """The messenger's own code in a refusal; the whole of it where it has none."""
    error = answer.get("error", {})
    for found in (error.get("code"), error.get("error_code"), answer.get("errorCode"), answer.get("code")):
        if found is not None:
            return found
    return answer.get("status", answer)


@pytest.mark.parametrize(
    "channel, problem", [(channel, problem) for channel in CHANNELS for problem in REFUSED[channel]]
)
def test_refusals_have_the_messengers_own_shape(channel: str, problem: str, tmp_path: Path) -> None:
    """A wrong token, a stranger, one message too many, a closed window, a customer who has blocked the bank."""
    answers: list[tuple[int, Any]] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        if problem != "window":
            person.say(1)
        if problem == "many":
            await send(stage, person.user, "[abc123:o3:1] x")
        keys = MessengerAccount("no", "", KEYS.sender) if problem == "token" else KEYS
        user = Person(stage, channel, 1).user.replace("1", "2") if problem == "user" else person.user
        answers.append(await send(stage, user, "[abc123:o3:2] x", keys))

    settings: dict[str, Any] = {"chat_rate_per_s": 0.01, "burst": 1} if problem == "many" else {}
    ledger = at_a_bank(tmp_path, Bank(channel), act, blocked_share=problem == "blocked", **settings)
    status, answer = answers[0]
    assert (status, code_of(answer)) == REFUSED[channel][problem]
    assert of(ledger, "ATTEMPT", counter=2, outcome="OK") == []
    if problem == "many":
        assert columns(of(ledger, "ATTEMPT", counter=2), "outcome", "reason") == [("REJECTED", "429")]


@pytest.mark.parametrize("channel", WITH_RECEIPTS)
def test_receipts_follow_a_reply_in_their_order(channel: str, tmp_path: Path) -> None:
    """Each status but failed comes once, after its intended time, with the reply's id in the ledger."""
    bank = Bank(channel)
    answers: list[Any] = []
    expected = [status for status in PROVIDERS[channel].statuses if status != "failed"]

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        answers.append((await send(stage, person.user, "[abc123:o3:1] x"))[1])
        await stage.until(lambda: stage.recorder.rows == 3 + len(expected))

    rows = of(at_a_bank(tmp_path, bank, act, **FAST), "CALLBACK")
    number = provider_number(sent_id(DIALECTS[channel], answers[0]))
    assert sorted(columns(rows, "reason", "provider_id", "outcome")) == [
        (status, number, "OK") for status in sorted(expected)
    ]
    assert [row["reason"] for row in sorted(rows, key=lambda row: int(row["intended"]))] == expected
    assert all(row["intended"] <= row["started"] <= row["done"] for row in rows)


@pytest.mark.parametrize("channel", WITH_RECEIPTS)
def test_a_receipt_may_come_before_the_answer_to_the_send(channel: str, tmp_path: Path) -> None:
    """With a share of one the send's answer waits until the first receipt's webhook has been answered."""
    bank = Bank(channel)
    seen: list[int] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        await stage.until(lambda: len(bank.calls) == 1)
        status, _ = await send(stage, person.user, "[abc123:o3:1] x")
        seen.extend([status, len(bank.calls)])

    ledger = at_a_bank(tmp_path, bank, act, early_share=1.0, delivered_ms=60_000.0, read_share=0.0)
    assert seen == [200, 2]
    (callback,), (attempt,) = of(ledger, "CALLBACK"), of(ledger, "ATTEMPT")
    assert callback["done"] <= attempt["done"]
    assert callback["provider_id"] == attempt["provider_id"]


@pytest.mark.parametrize("channel", [channel for channel in WITH_RECEIPTS if PROVIDERS[channel].watermarks])
def test_a_watermark_covers_all_replies_before_it(channel: str, tmp_path: Path) -> None:
    """Five replies are read with one event, and each has its row."""
    bank = Bank(channel)

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        for counter in range(1, 6):
            await send(stage, person.user, f"[abc123:o3:{counter}] x")
        await stage.until(lambda: len(of_read(bank)) == 1)

    ledger = at_a_bank(tmp_path, bank, act, **FAST | {"delivered_ms": 0.0, "read_ms": 400.0})
    covered = of(ledger, "CALLBACK", reason="read")
    assert len({row["provider_id"] for row in covered}) == len(covered) == 5
    assert len({row["started"] for row in covered}) == 1


def of_read(bank: Bank) -> list[bytes]:
    """The calls that tell of reading."""
    return [
        call.raw for call in bank.calls if b'"read"' in call.raw or b"seen" in call.raw or b"message_read" in call.raw
    ]


@pytest.mark.parametrize("channel", [name for name in WITH_RECEIPTS if "failed" in PROVIDERS[name].statuses])
def test_a_reply_may_fail_after_it_was_taken(channel: str, tmp_path: Path) -> None:
    """Its only receipt says so, and the customer never sees it."""
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, channel, 1))
        people[0].say(1)
        await send(stage, people[0].user, "[abc123:o3:1] x")
        await stage.until(lambda: stage.recorder.rows == 3)

    ledger = at_a_bank(tmp_path, Bank(channel), act, failed_share=1.0, delivered_ms=1.0)
    assert columns(of(ledger, "CALLBACK"), "reason", "outcome") == [("failed", "OK")]
    assert people[0].heard.saw_texts == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_was_taken_may_come_again(channel: str, tmp_path: Path) -> None:
    """With a share of one each message comes twice, with the same id, and is acknowledged once."""
    bank = Bank(channel)
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, channel, 1))
        people[0].say(1)
        await stage.until(lambda: stage.recorder.rows == 2)

    ledger = at_a_bank(tmp_path, bank, act, repeat_share=1.0, late_ms=20.0)
    first, second = bank.said()
    assert first == second
    assert columns(of(ledger, "SEND"), "attempt", "outcome") == [(1, "OK"), (2, "OK")]
    assert people[0].heard.acknowledged_counters == [1]


@pytest.mark.parametrize("channel", [channel for channel in CHANNELS if channel != "sms"])
def test_other_kinds_are_posted_and_are_no_messages(channel: str, tmp_path: Path) -> None:
    """Edits, reactions and whatever else a messenger tells: to the ledger they are no messages."""
    bank = Bank(channel)

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        for counter in range(1, 11):
            person.say(counter)
        await stage.until(lambda: len(person.heard.acknowledged_counters) == 10 and len(bank.calls) == 20)

    ledger = at_a_bank(tmp_path, bank, act, other_share=1.0, batch_share=0.0)
    assert len(bank.said()) == 10
    assert len(bank.calls) == 20
    assert len(of(ledger, "SEND", kind="MESSAGE")) == 10


@pytest.mark.parametrize("channel", BATCHING)
def test_a_request_may_carry_several_customers_messages(channel: str, tmp_path: Path) -> None:
    """What is ready in one turn of the loop shares a request; each message has its row, and all share its answer."""
    bank = Bank(channel, [503])

    async def act(stage: Stage) -> None:
        people = [Person(stage, channel, index) for index in range(1, 6)]
        for person in people:
            person.say(1)
        await stage.until(lambda: all(person.heard.acknowledged_counters for person in people))

    ledger = at_a_bank(tmp_path, bank, act, batch_share=1.0, shuffle_ms=0.0, time_scale=200.0)
    first = list(DIALECTS[channel].heard(bank.calls[0].body))
    assert [text for _, _, text in first] == [f"[abc123:c{index}:1] Привет" for index in range(1, 6)]
    rows = of(ledger, "SEND")
    assert sorted(columns(rows, "attempt", "sender", "outcome")) == sorted(
        [(1, f"c{index}", "INDETERMINATE") for index in range(1, 6)] + [(2, f"c{index}", "OK") for index in range(1, 6)]
    )
