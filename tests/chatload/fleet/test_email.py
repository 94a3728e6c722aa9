"""E-mail's side of the providers' contract, over real SMTP: a bank's server of aiosmtpd, and what the core reads."""

import asyncio
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any, cast

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from chatcore.channels import email
from chatcore.channels.shapes import Inbound, Receipt
from chatcore.config import Account
from chatload.fleet.frames import provider_number
from chatload.fleet.providers import media
from chatload.fleet.world import MessengerAccount, Target
from tests.chatload.fleet.bank import Person
from tests.chatload.fleet.stage import Row, Stage, columns, dialog, of, played

OURS = "1001@bank.example"
ACCOUNT = Account("mail", "email", sender=OURS, webhook_secret="secret")
TAKEN = "250 2.0.0 taken"
HANG_UP = ""
NAME = "<r1@bank.example>"
SIGNED = ["", "\n-- \nАнна", "\n--\nАнна"]  # noqa: RUF001 - a Russian name


class Bank:
    """Takes every mail, unless `answers` holds what is said next; keeps what came, and counts connections."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.mails: list[bytes] = []
        self.senders: list[str] = []
        self.connections = 0
        self.held = asyncio.Event()
        self.held.set()
        self.url = ""
        self._open: list[SMTP] = []

    async def handle_DATA(self, host: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert envelope.rcpt_tos == [OURS]
        self.mails.append(envelope.original_content or b"")
        self.senders.append(envelope.mail_from or "")
        await self.held.wait()
        answer = self.answers.pop(0) if self.answers else TAKEN
        if answer == HANG_UP:
            cast(asyncio.Transport, host.transport).abort()
        return answer

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._conversation, "127.0.0.1", 0)
        self.url = f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for each in self._open:
            if each.transport is not None:
                cast(asyncio.Transport, each.transport).abort()
        await asyncio.sleep(0)

    def events(self) -> list[Any]:
        """What the core reads in each mail."""
        return [
            email.parse(ACCOUNT, f"Return-Path: <{sender}>\r\n".encode() + mail)
            for sender, mail in zip(self.senders, self.mails, strict=True)
        ]

    def _conversation(self) -> SMTP:
        self.connections += 1
        self._open.append(SMTP(self, hostname="bank", loop=asyncio.get_running_loop()))
        return self._open[-1]


def at_a_bank(folder: Path, bank: Bank, act: Callable[[Stage], Awaitable[None]], **settings: Any) -> list[Row]:
    """The ledger after `act` on a stage whose customers write to `bank`; what is tried again is so at once."""

    async def aimed(stage: Stage) -> None:
        await bank.start()
        accounts = {"mail": MessengerAccount("token", "secret", OURS)}
        stage.world.target = Target("http://127.0.0.1:9", "secret", accounts, mail=bank.url)
        stage.provider.begin()
        try:
            await act(stage)
        finally:
            await bank.stop()

    dialogs = [dialog(n, "handover", channel="email") for n in range(1, 6)]
    limits = {"rate_per_s": 1000.0, "chat_rate_per_s": 1000.0, "burst": 100.0, "time_scale": 20_000.0}
    return played(folder, dialogs, aimed, speed=1.0, channel="email", **limits | settings)


async def send(stage: Stage, to: str, text: str, name: str = NAME, sender: str = OURS) -> tuple[int, str]:
    """Send a reply as a platform does; the server's last words."""
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=int(stage.provider.url.rpartition(":")[2]), start_tls=False, timeout=60
    )
    mail = f"Message-ID: {name}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    try:
        await client.connect()
        _, said = await client.sendmail(sender, [to], mail.encode())
    except aiosmtplib.SMTPRecipientsRefused as refused:
        return refused.recipients[0].code, refused.recipients[0].message
    except aiosmtplib.SMTPResponseException as refused:
        return refused.code, refused.message
    finally:
        client.close()
    return 250, said


@pytest.mark.parametrize(
    "said, outcome, reason",
    [
        ("451 4.3.0 recovering", "REJECTED", "smtp 451"),
        ("421 4.3.2 restarting", "INDETERMINATE", "smtp 421"),
        (HANG_UP, "INDETERMINATE", "disconnected"),
    ],
)
def test_a_mail_is_offered_until_it_is_taken(said: str, outcome: str, reason: str, tmp_path: Path) -> None:
    """After 4xx, and after a lost or doubtful answer: the same bytes again; each attempt is a row, the last one OK."""
    bank = Bank(said)

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        person.say(1)
        await stage.until(lambda: person.heard.acknowledged_counters == [1])

    ledger = at_a_bank(tmp_path, bank, act)
    first, second = bank.mails
    assert first == second
    rows = of(ledger, "SEND", channel="EMAIL")
    assert columns(rows, "who", "sender", "attempt", "outcome", "reason") == [
        ("email", "c1", 1, outcome, reason),
        ("email", "c1", 2, "OK", ""),
    ]
    assert len({row["provider_id"] for row in rows}) == 1


def test_a_refusal_for_good_is_final(tmp_path: Path) -> None:
    """After 5xx the mail is not offered again; the customer's next one is."""
    bank = Bank("550 5.1.1 no such mailbox")

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        person.say(1)
        await stage.until(lambda: len(bank.mails) == 1)
        person.say(2)
        await stage.until(lambda: person.heard.acknowledged_counters == [2])
        assert stage.clock._heap == [] or all(timer.call is None for _, _, timer in stage.clock._heap)

    ledger = at_a_bank(tmp_path, bank, act, shuffle_ms=0.0)
    assert columns(of(ledger, "SEND"), "counter", "attempt", "outcome", "reason") == [
        (1, 1, "REJECTED", "smtp 550"),
        (2, 1, "OK", ""),
    ]


def test_what_was_taken_may_come_again(tmp_path: Path) -> None:
    """With a share of one each mail comes twice, under one Message-ID, and is acknowledged once."""
    bank = Bank()
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "email", 1))
        people[0].say(1)
        await stage.until(lambda: stage.recorder.rows == 2)

    ledger = at_a_bank(tmp_path, bank, act, repeat_share=1.0, late_ms=20.0)
    assert len(set(bank.mails)) == 1
    assert columns(of(ledger, "SEND"), "attempt", "outcome") == [(1, "OK"), (2, "OK")]
    assert people[0].heard.acknowledged_counters == [1]


def test_connections_are_kept_and_bounded(tmp_path: Path) -> None:
    """Six mails at once go over two connections where two are allowed, and later ones over the same."""
    bank = Bank()

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        bank.held.clear()
        for counter in range(1, 7):
            person.say(counter)
        await stage.until(lambda: len(bank.mails) == 2)
        bank.held.set()
        await stage.until(lambda: len(person.heard.acknowledged_counters) == 6)
        person.say(7)
        await stage.until(lambda: len(person.heard.acknowledged_counters) == 7)

    at_a_bank(tmp_path, bank, act, connections=2, shuffle_ms=0.0)
    assert bank.connections == 2


def test_the_core_reads_every_form_of_mail_alike(tmp_path: Path) -> None:
    """Plain, HTML, both, signed, quoting, with a file: sender, Message-ID, and a text that opens with its identity."""
    bank = Bank()

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        for counter in range(1, 41):
            person.say(counter, "" if counter % 3 else "pdf")
            await stage.until(lambda: len(person.heard.acknowledged_counters) == len(bank.mails) == counter)  # noqa: B023 - called before the next turn
            assert await send(stage, person.user, f"[abc123:o1:{counter}] Сейчас", f"<r{counter}@b>") == (
                250,
                "2.0.0 queued",
            )

    ledger = at_a_bank(tmp_path, bank, act, shuffle_ms=0.0)
    events = [found for (found,) in bank.events()]
    sends = of(ledger, "SEND")
    assert [provider_number(event.id) for event in events] == [row["provider_id"] for row in sends]
    for counter, event in enumerate(events, 1):
        mark = f"[abc123:c1:{counter}]"
        assert event.user == "5000000001@customers.example"
        subject, _, said = event.text.partition("\n\n")
        assert subject == (f"{mark} Re: Письмо" if counter > 1 else f"{mark} Письмо")
        assert said.replace("\n\n", "\n") in [f"{mark} Привет{signed}" for signed in SIGNED]
        assert [media.name_in(file.data) == file.name for file in event.files] == [True] * len(event.files)
    raw = [mail.decode() for mail in bank.mails]
    assert any("text/html" in mail and "text/plain" not in mail for mail in raw)
    assert any("multipart/alternative" in mail for mail in raw)
    assert [bool(event.files) for event in events] == [counter % 3 == 0 for counter in range(1, 41)]
    assert 0 < sum("Анна" in event.text for event in events) < 40
    assert [f"In-Reply-To: <r{counter}@b>" in mail for counter, mail in enumerate(raw)] == [False] + [True] * 39
    assert f"References: {events[0].id} <r39@b>" in raw[39]


def test_quotations_are_written(tmp_path: Path) -> None:
    """Most answers hold what they answer, which the core takes for no part of the text."""
    bank = Bank()

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        for counter in range(1, 11):
            await send(stage, person.user, f"[abc123:o1:{counter}] Сейчас", f"<r{counter}@b>")
            person.say(counter)
            await stage.until(lambda: len(person.heard.acknowledged_counters) == counter)  # noqa: B023 - as above

    at_a_bank(tmp_path, bank, act, shuffle_ms=0.0)
    texts = [text_of(message_from_bytes(mail)) for mail in bank.mails]
    assert 0 < sum("Банк пишет:" in text for text in texts) < 10
    assert not any("Сейчас" in event.text for (event,) in bank.events())


def text_of(mail: Message) -> str:
    """All parts of a mail."""
    parts = (part.get_payload(decode=True) for part in mail.walk())
    return "".join(part.decode() for part in parts if isinstance(part, bytes))


def test_a_reply_reaches_its_customer(tmp_path: Path) -> None:
    """The ledger has its Message-ID, and the customer sees the text; a repeat is recorded, and told once."""
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "email", 1))
        for _ in range(2):
            assert (await send(stage, people[0].user, "[abc123:o3:7] добрый день"))[0] == 250

    ledger = at_a_bank(tmp_path, Bank(), act)
    assert people[0].heard.saw_texts == ["[abc123:o3:7] добрый день"]
    number = provider_number(NAME)
    names = ("who", "sender", "counter", "provider_id", "outcome")
    assert columns(of(ledger, "ATTEMPT"), *names, "attempt") == [
        ("email", "o3", 7, number, "OK", 1),
        ("email", "o3", 7, number, "OK", 2),
    ]
    assert columns(of(ledger, "ENTRY"), *names) == [("c1", "o3", 7, number, "OK")] * 2


@pytest.mark.parametrize(
    "changes, settings, code",
    [
        ({"sender": "robber@bank.example"}, {}, "550 5.7.1"),
        ({"to": "5000000002@customers.example"}, {}, "550 5.1.1"),
        ({"text": ""}, {}, "554 5.6.0"),
        ({"name": ""}, {}, "554 5.6.0"),
        ({"text": "x" * 100_001}, {}, "552 5.3.4"),
        ({}, {"blocked_share": 1.0}, "550 5.7.1"),
    ],
)
def test_what_cannot_be_delivered_is_refused_for_good(
    changes: dict[str, str], settings: dict[str, float], code: str, tmp_path: Path
) -> None:
    """A mail from or to a stranger, an empty one, one without a name, too long a one, one that is not wanted."""
    answers: list[tuple[int, str]] = []
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "email", 1))
        asked = {"to": people[0].user, "text": "[abc123:o3:2] x"} | changes
        answers.append(await send(stage, **asked))

    ledger = at_a_bank(tmp_path, Bank(), act, **settings)
    assert [f"{status} {text.partition(' ')[0]}" for status, text in answers] == [code]
    assert people[0].heard.saw_texts == []
    assert of(ledger, "ATTEMPT", outcome="OK") == []


def test_one_reply_too_many_is_to_come_again(tmp_path: Path) -> None:
    """450, which the ledger calls by the name that all messengers' limits have."""
    answers: list[int] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        for counter in (1, 2):
            answers.append((await send(stage, person.user, f"[abc123:o3:{counter}] x"))[0])

    ledger = at_a_bank(tmp_path, Bank(), act, chat_rate_per_s=0.01, burst=1)
    assert answers == [250, 450]
    assert columns(of(ledger, "ATTEMPT"), "outcome", "reason") == [("OK", ""), ("REJECTED", "429")]


def test_a_reply_may_bounce(tmp_path: Path) -> None:
    """The core reads a failure of that reply, with the reason; the customer never sees it, and the ledger has a row."""
    bank = Bank()
    people: list[Person] = []

    async def act(stage: Stage) -> None:
        people.append(Person(stage, "email", 1))
        await send(stage, people[0].user, "[abc123:o1:1] x")
        await stage.until(lambda: stage.recorder.rows == 2)

    ledger = at_a_bank(tmp_path, bank, act, failed_share=1.0, delivered_ms=1.0)
    assert bank.senders == ["<>"]
    reason = "552 5.2.2 Mailbox full"
    assert bank.events() == [[Receipt(people[0].user, "failed", NAME, reason=reason)]]
    number = provider_number(NAME)
    assert columns(of(ledger, "CALLBACK"), "reason", "outcome", "provider_id") == [("failed", "OK", number)]
    assert people[0].heard.saw_texts == []


def test_automatic_mails_are_no_messages(tmp_path: Path) -> None:
    """Neither to the core nor to the ledger."""
    bank = Bank()

    async def act(stage: Stage) -> None:
        person = Person(stage, "email", 1)
        for counter in range(1, 9):
            person.say(counter)
        await stage.until(lambda: stage.tally.messages == 8 and len(bank.mails) > 8)

    ledger = at_a_bank(tmp_path, bank, act, other_share=1.0)
    events = bank.events()
    assert len(of(ledger, "SEND")) == 8
    assert sum(len(found) for found in events) == 8
    assert all(isinstance(event, Inbound) for found in events for event in found)


def test_a_target_must_say_where_it_takes_mails(tmp_path: Path) -> None:
    """Otherwise nothing is played."""

    async def act(stage: Stage) -> None:
        stage.world.target = Target("http://127.0.0.1:9", "s", stage.world.target.accounts)
        with pytest.raises(ValueError, match="mail: the target does not say where it takes mails"):
            stage.provider.begin()

    at_a_bank(tmp_path, Bank(), act)
