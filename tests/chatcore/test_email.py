"""E-mail over real SMTP in both directions: 250 means durable, threads hold together, robots are not talked to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatcore.edges import mail as door
from chatcore.edges import outbox
from tests.chatcore.client import Client, Desk, Frame, eventually, message, plain, system, token, until
from tests.chatcore.cores import Inside, Steered, inside, play, running
from tests.chatcore.hostile_mails import HOSTILE
from tests.chatcore.post import ANNA, OURS, account, mail, post, relaying

NOWHERE = account("smtp://127.0.0.1:9")
KEY = f"mail/{ANNA}"
TAKEN = (250, "2.0.0 stored")
PDF, PNG = b"%PDF-1.7 " + bytes(range(256)), b"\x89PNG"
WORDS = "Card\n\n" + ("слово " * 3_000).strip()
ROBOTS = [
    {"Auto_Submitted": "auto-replied"},
    {"Precedence": "bulk"},
]


async def pour(writer: asyncio.StreamWriter, flood: bytes) -> None:
    """Far more than is taken."""
    for _ in range(1_000):
        writer.write(flood)
        await writer.drain()


def bounce(name: str) -> bytes:
    """A DSN of Postfix's kind for our mail of this name to Anna."""
    return BOUNCE.replace("NAME", name).replace("\n", "\r\n").encode()


BOUNCE = f"""\
From: MAILER-DAEMON@example.org
To: {OURS}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; example.org

Final-Recipient: rfc822; {ANNA}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
--b
Content-Type: text/rfc822-headers

Message-ID: NAME
From: {OURS}
To: {ANNA}
Subject: Re: Card
--b--
"""


def core(api: str = NOWHERE["api"], journal: Steered | None = None, *, wait: bool = True) -> Any:
    """A core with one e-mail account."""
    return inside(journal, wait=wait, smtp_port=0, accounts=[account(api)])


async def owned(found: Inside, number: int = 1, **changes: Any) -> tuple[Desk, Frame]:
    """Let Anna write and an operator accept."""
    desk = await found.client.desk("o1", presence="online")
    assert await post(found.gateway.smtp_port, mail(number, **changes)) == TAKEN
    offer = await desk.until(op="offered")
    await desk.accept(offer)
    return desk, offer


def test_a_mail_is_a_message_and_a_repeat_takes_no_second_place() -> None:
    """Subject and text are the message, the Message-ID its id; sent again it changes nothing."""

    async def acts() -> None:
        async with core() as found:
            for _ in range(3):
                assert await post(found.gateway.smtp_port, mail(1)) == TAKEN
            assert await post(found.gateway.smtp_port, mail(1, "something else")) == TAKEN
            assert [plain(entry) for entry in await found.client.history(KEY)] == [
                message(f"{KEY}#1", 1, "customer", "Card\n\nWhere is my card?", "<m1@example.org>"),
                system(f"{KEY}#1", 2, "queued", department="general"),
            ]
            assert (await found.client.state())["counters"] == {"webhook_conflict": 1}

    play(acts)


def test_a_mail_is_acknowledged_when_it_is_durable() -> None:
    """No 250 while the commit is held."""

    async def acts() -> None:
        async with core() as found:
            found.journal.hold()
            partition = found.core.partition_of(KEY)
            before = partition.position
            posting = asyncio.create_task(post(found.gateway.smtp_port, mail(1)))
            await until(lambda: partition.position > before)
            await found.client.rest("GET", "/healthz")
            assert not posting.done()
            found.journal.release()
            assert await posting == TAKEN

    play(acts)


def test_replies_are_mails_in_the_customers_thread() -> None:
    """A reply names what it answers and all before it, under the same subject; its name is its place's."""

    async def acts() -> None:
        async with relaying() as relay, core(relay.url) as found:
            desk, offer = await owned(found)
            await desk.say(offer, "r1", "Добрый день!")
            await until(lambda: len(relay.mails) == 1)
            (_, _, first) = relay.mails[0]
            again = mail(2, "Thanks.\n\nAm Tue wrote Bank:\n> Good day\n", "Re: Card", In_Reply_To=first["Message-ID"])
            assert await post(found.gateway.smtp_port, again) == TAKEN
            assert (await desk.until(kind="message", author="customer"))["text"] == "Re: Card\n\nThanks."
            await desk.say(offer, "r2", "Goodbye")
            await found.client.until_state(lambda state: state["unsettled"] == 0)
            assert [(sender, to, sent["From"], sent["To"]) for sender, to, sent in relay.mails] == [
                (OURS, [ANNA], OURS, ANNA)
            ] * 2
            assert relay.bodies == ["Добрый день!", "Goodbye"]
            names = [sent["Message-ID"] for _, _, sent in relay.mails]
            assert [name.partition(".")[2][:2] for name in names] == ["4.", "6."]
            assert [
                (sent["Subject"], sent["In-Reply-To"], sent["References"].split()) for _, _, sent in relay.mails
            ] == [
                ("Re: Card", "<m1@example.org>", ["<m1@example.org>"]),
                ("Re: Card", "<m2@example.org>", ["<m1@example.org>", names[0], "<m2@example.org>"]),
            ]
            assert all(sent["Date"] and sent["Auto-Submitted"] is None for _, _, sent in relay.mails)

    play(acts)


def test_a_reply_that_is_tried_again_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """4xx and a connection that breaks after the mail was written lead to the same mail again, 5xx to a failure."""
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.02)

    async def acts() -> None:
        async with relaying() as relay, core(relay.url) as found:
            desk, offer = await owned(found)
            relay.hangs_up = True
            relay.answers = ["250 never read", "451 4.7.1 greylisted"]
            await desk.say(offer, "r1", "Hello")
            await found.client.until_state(lambda state: state["unsettled"] == 0)
            names = [tried["Message-ID"] for _, _, tried in relay.mails]
            assert names == [names[0]] * 3
            sent = await desk.until(op="receipt")
            assert (sent["status"], sent["provider_id"]) == ("sent", names[0])
            relay.answers = ["550 5.7.1 you are on a list"]
            await desk.say(offer, "r2", "Hello?")
            failed = await desk.until(op="receipt")
            assert (failed["status"], failed["reason"]) == ("failed", "550 5.7.1 you are on a list")

    play(acts)


def test_attachments_go_both_ways() -> None:
    """What a mail encloses is stored before the 250 and fetched by reference; an operator's file leaves as one."""

    async def acts() -> None:
        async with relaying() as relay, core(relay.url) as found:
            desk = await found.client.desk("o1", presence="online")
            enclosing = mail(1)
            enclosing.add_attachment(PDF, "application", "pdf", filename="Договор.pdf")
            enclosing.add_attachment(PNG, "image", "png", filename="card.png")
            assert await post(found.gateway.smtp_port, enclosing) == TAKEN
            offer = await desk.until(op="offered")
            (said, _, _) = (await desk.accept(offer))["entries"]
            assert [(file["kind"], file["name"], file["mime"], file["size"]) for file in said["files"]] == [
                ("document", "Договор.pdf", "application/pdf", len(PDF)),
                ("image", "card.png", "image/png", len(PNG)),
            ]
            assert [await found.gateway.files.read(file["ref"]) for file in said["files"]] == [PDF, PNG]
            back = {key: said["files"][0][key] for key in ("kind", "name", "mime", "ref")}
            number = offer["number"]
            await desk.send(op="send", dialog=offer["dialog"], number=number, cid="r1", text="", files=[back])
            await until(lambda: relay.mails)
            (enclosed,) = relay.mails[0][2].iter_attachments()  # type: ignore[attr-defined]  # an EmailMessage
            assert (enclosed.get_filename(), enclosed.get_content_type()) == ("Договор.pdf", "application/pdf")
            assert enclosed.get_content() == PDF

    play(acts)


def test_a_long_text_is_shown_from_its_beginning_and_enclosed_whole() -> None:
    """Nothing of a text is dropped because a message holds less."""

    async def acts() -> None:
        async with core() as found:
            assert await post(found.gateway.smtp_port, mail(1, "слово " * 3_000)) == TAKEN
            (said, _) = await found.client.history(KEY)
            (file,) = said["files"]
            whole = await found.gateway.files.read(file["ref"])
            assert whole is not None
            beginning = f"{WORDS[:16_384]}\n[{len(WORDS) - 16_384} more characters]"
            assert (whole.decode(), said["text"]) == (WORDS, beginning)

    play(acts)


def test_what_is_not_taken_is_refused_as_smtp_says() -> None:
    """Unknown mailbox 550, too much 552, unreadable or without a sender 554: counted, and nothing changes."""

    async def acts() -> None:
        async with core() as found:
            before, port = found.states(), found.gateway.smtp_port
            assert await post(port, mail(1), to="sales@bank.example") == (550, "5.1.1 no such mailbox here")
            assert (await post(port, mail(1, ("x" * 900 + "\n") * (door.MAX_MAIL // 900))))[0] == 552
            many = mail(1)
            for number in range(11):
                many.add_attachment(b"x", "application", "pdf", filename=f"{number}.pdf")
            assert (await post(port, many))[0] == 552
            assert (await post(port, mail(1, From="nobody")))[0] == 554
            assert found.states() == before
            counters = (await found.client.state())["counters"]
            assert counters == {"mail_unknown_recipient": 1, "mail_unreadable": 1}

    play(acts)


def test_a_core_that_recovers_says_come_back() -> None:
    """451 until it is ready, then the same mail is taken."""

    async def acts() -> None:
        journal = Steered()
        journal.hold()
        async with core(journal=journal, wait=False) as found:
            assert (await post(found.gateway.smtp_port, mail(1)))[0] == 451
            journal.release()
            await until(lambda: found.gateway.ready)
            assert await post(found.gateway.smtp_port, mail(1)) == TAKEN

    play(acts)


@pytest.mark.parametrize("headers", ROBOTS, ids=lambda headers: next(iter(headers)))
def test_robots_open_no_dialog(headers: dict[str, str]) -> None:
    """Out-of-office answers and lists are taken, counted, and change nothing."""

    async def acts() -> None:
        async with core() as found:
            before = found.states()
            assert await post(found.gateway.smtp_port, mail(1, **headers)) == TAKEN
            assert (await found.client.state())["counters"] == {"mail_ignored": 1}
            assert found.states() == before

    play(acts)


def test_what_nobody_sent_opens_no_dialog() -> None:
    """A mail with the null sender is a bounce, whatever its form; it is counted and changes nothing."""

    async def acts() -> None:
        async with core() as found:
            before = found.states()
            assert await post(found.gateway.smtp_port, mail(1), sender="") == TAKEN
            assert (await found.client.state())["counters"] == {"mail_ignored": 1}
            assert found.states() == before

    play(acts)


def test_a_bounce_marks_the_reply_failed() -> None:
    """A DSN with the reply's name fails it with the provider's reason; one with a made-up name does nothing."""

    async def acts() -> None:
        async with relaying() as relay, core(relay.url) as found:
            desk, offer = await owned(found)
            await desk.say(offer, "r1", "Hello")
            assert (await desk.until(op="receipt"))["status"] == "sent"
            (_, _, sent) = relay.mails[0]
            for name in ("<1.4.0123456789abcdef01234567@bank.example>", sent["Message-ID"]):
                assert await post(found.gateway.smtp_port, bounce(name), sender="") == TAKEN
            failed = await desk.until(op="receipt")
            reason = "550 5.1.1 User unknown"
            assert (failed["dialog"], failed["seq"], failed["status"], failed["reason"]) == (
                f"{KEY}#1", 4, "failed", reason)  # fmt: skip
            assert len([frame for frame in desk.taken + await desk.asked() if frame["op"] == "receipt"]) == 2

    play(acts)


def test_nobody_sends_without_an_end() -> None:
    """A line, lines or bytes without an end are cut off; a full house is told so; others are served meanwhile."""

    async def acts() -> None:
        async with core() as found:
            port = found.gateway.smtp_port
            for flood in (b"x" * 65_536, b"\r\n" * 32_768, (b"x" * 900 + b"\r\n") * 64):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"EHLO x\r\nMAIL FROM:<{ANNA}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode())
                await reader.readuntil(b"354")
                with pytest.raises(ConnectionError):
                    await pour(writer, flood)
                writer.close()
            others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(door.CONNECTIONS_MOST)]
            assert all([(await reader.readline()).startswith(b"220") for reader, _ in others])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await reader.readline()).startswith(b"421")
            for each in (writer, *(other for _, other in others)):
                each.close()
            await eventually(lambda: post(port, mail(1)), lambda reply: reply == TAKEN)

    play(acts)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_are_taken_or_refused(name: str) -> None:
    """Whatever it is made of, a mail ends in 250, 552 or 554, at once, and the next one is read as ever."""

    async def acts() -> None:
        async with core() as found:
            code, _ = await post(found.gateway.smtp_port, HOSTILE[name])
            assert code in {250, 552, 554}
            assert await post(found.gateway.smtp_port, mail(2)) == TAKEN
            stored = [entry["id"] for entry in await found.client.history(KEY) if entry["author"] == "customer"]
            assert stored[-1] == "<m2@example.org>"
            assert (await found.client.state())["inert"] == 0

    play(acts)


def test_what_got_250_outlives_a_kill(tmp_path: Path) -> None:
    """Mails and their attachments that a process took are there after `kill -9`, and sent again take no place."""

    async def acts() -> None:
        async with running(tmp_path, smtp_port=0, accounts=[NOWHERE]) as found:
            mails = [mail(number) for number in range(1, 21)]
            mails[0].add_attachment(PDF, "application", "pdf", filename="a.pdf")
            for each in mails:
                assert await post(int(found.smtp.rpartition(":")[2]), each) == TAKEN
            await found.end()
            await found.start()
            for each in mails[::-1]:
                assert await post(int(found.smtp.rpartition(":")[2]), each) == TAKEN
            async with Client(found.url) as client:
                stored = [entry for entry in await client.history(KEY) if entry["author"] == "customer"]
                assert [entry["id"] for entry in stored] == [f"<m{number}@example.org>" for number in range(1, 21)]
                (file,) = stored[0]["files"]
                assert await client.bytes(f"/v1/files/{file['ref']}", token("operator", "o1")) == (200, PDF)
            assert found.log() == []

    play(acts)


def test_a_reply_that_cannot_be_read_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a reply follows is not to be had for a moment: it is told in the log, and the reply leaves later."""
    monkeypatch.setattr(outbox, "LONGEST_DELAY_S", 0.05)

    async def acts() -> None:
        async with relaying() as relay, core(relay.url) as found:
            desk, offer = await owned(found)
            partition = found.core.partition_of(KEY)
            faults = [OSError("the disk is away")]
            read = partition.said

            async def said(contact: int, number: int, seq: int) -> Any:
                if faults:
                    raise faults.pop()
                return await read(contact, number, seq)

            monkeypatch.setattr(partition, "said", said)
            await desk.say(offer, "r1", "Hello")
            await until(lambda: relay.bodies == ["Hello"])
            assert [record.message for record in caplog.records] == ["outbox of mail: a reply could not be handled"]

    play(acts)
