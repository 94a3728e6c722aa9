"""Notices over the wire: templates, consent, the window, repeats, crashes and the bill."""

from typing import Any

import pytest

from chatcore import config
from chatcore.channels import telegram as channel
from chatcore.channels.shapes import Consent, Inbound, Outbound, Receipt, Sending, Template
from chatcore.journal.memory import Disk
from chatcore.machines.notices import month_of
from chatcore.server import now_ms
from tests.chatcore.client import Client, Frame, plain, until, update
from tests.chatcore.cores import inside, play, restarting, telegram
from tests.chatcore.post import account as mailbox
from tests.chatcore.post import relaying
from tests.chatcore.provider import Provider, serving
from tests.chatcore.scenes import PARTITIONS

TEMPLATES = [
    {"name": "due", "text": "Rate {1} is due on {2}.", "provider_name": "rate_due_v2", "language": "ru"},
    {"name": "invite", "text": "Talk to us: {1}"},
    {"name": "news", "text": "Rates fall.", "broadcast": True},
]


def settings(provider: Provider, **changes: Any) -> dict[str, Any]:
    return {"accounts": [{"id": "web", "channel": "web"}, telegram(provider.api)], "templates": TEMPLATES} | changes


async def notify(
    client: Client, template: str, *contacts: str, notice: str = "n1", more: Frame | None = None
) -> tuple[int, Any]:
    """Send a notice; the status, and what was refused and why, or the error."""
    body = {"template": template, "id": notice, "contacts": contacts, **(more or {})}
    status, answer = await client.rest("POST", "/v1/notices", body)
    if status != 200:
        return status, answer["error"]
    return status, {each["contact"]: each["reason"] for each in answer["notices"] if not each["accepted"]}


@PARTITIONS
def test_a_notice_is_sent_once(partitions: int) -> None:
    """Contacts who never wrote get an invitation each, once, however often it is asked for; it opens no dialog."""

    async def acts() -> None:
        async with serving() as provider, inside(**settings(provider), partitions=partitions) as core:
            link = {"parameters": ["https://bank.example/chat"]}
            for _ in range(2):
                assert await notify(core.client, "invite", "tg/77", "tg/78", more=link) == (200, {})
            other = await notify(
                core.client, "invite", "tg/77", "tg/nobody", "web/u1", "x/1", more={"parameters": ["other"]}
            )
            assert other == (200, {"tg/77": "conflict", "web/u1": "unknown_account", "x/1": "unknown_account"})
            await core.client.until_state(lambda found: found["unsettled"] == 0)
            text = "Talk to us: https://bank.example/chat"
            assert sorted(provider.taken) == [(77, text), (78, text)]
            (entry,) = await core.client.history("tg/77")
            notice = {"op": "entry", "dialog": "tg/77#0", "seq": 1, "kind": "notice", "author": "system"}
            assert plain(entry) == notice | {"id": "n1", "template": "invite", "text": text}
            rows = [row for index in range(partitions) for row in await audited(core.client, index)]
            failed = [row for row in rows if row.get("status") == "failed"]
            assert [(row["dialog"], row["seq"], row["reason"]) for row in failed] == [
                ("tg/nobody#0", 1, "no chat has this id")
            ]
            assert (await core.client.state())["dialogs"]["closed"] == 0
            assert await core.client.webhook(update(1, "hello")) == (200, {})
            first, second, _ = await core.client.history("tg/77")
            assert (first, second["dialog"]) == (entry, "tg/77#1")

    play(acts)


async def audited(client: Client, partition: int) -> list[Frame]:
    """Everything in a partition's log."""
    return list((await client.rest("GET", f"/v1/audit/{partition}"))[1]["entries"])


WRONG: list[tuple[str, Frame, int, str]] = [
    ("nothing", {}, 404, "unknown_template"),
    ("due", {"parameters": ["1"]}, 400, "wrong_parameters"),
    ("news", {"parameters": ["1"]}, 400, "wrong_parameters"),
    ("invite", {"parameters": ["x" * 513]}, 400, "unreadable"),
    ("news", {"contacts": []}, 400, "unreadable"),
    ("news", {"contacts": ["tg/1"] * 101}, 400, "unreadable"),
    ("news", {"contacts": ["tg/1\r\nBcc: x"]}, 400, "unreadable"),
    ("news", {"contacts": ["tg"]}, 400, "unreadable"),
]


def test_a_wrong_notice_is_refused_whole() -> None:
    """A template that is not there, other parameters than it takes, contacts that are none: nothing is stored."""

    async def acts() -> None:
        async with serving() as provider, inside(**settings(provider)) as core:
            before = core.states()
            for template, more, status, error in WRONG:
                assert await notify(core.client, template, "tg/77", more=more) == (status, error), more
            status, answer = await core.client.rest("PUT", "/v1/consent/web/u1")
            assert (status, answer["error"]) == (404, "unknown_account")
            assert core.states() == before
            assert provider.calls == []

    play(acts)


@pytest.mark.parametrize("way", ["rest", "messenger"])
def test_broadcasts_go_to_who_agreed(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broadcast is refused until the customer agrees, to bank or messenger, and once they took it back."""
    monkeypatch.setattr(channel, "parse", lambda account, body: [Consent("77", body == b"yes")])

    async def acts() -> None:
        async with serving() as provider, inside(**settings(provider)) as core:

            async def agree(given: bool) -> None:
                if way == "messenger":
                    assert await core.client.webhook(b"yes" if given else b"no") == (200, {})
                else:
                    answer = await core.client.rest("PUT" if given else "DELETE", "/v1/consent/tg/77")
                    assert answer == (200, {"contact": "tg/77", "consent": given})

            assert await notify(core.client, "news", "tg/77") == (200, {"tg/77": "no_consent"})
            await agree(True)
            assert await notify(core.client, "news", "tg/77") == (200, {})
            await until(lambda: provider.taken == [(77, "Rates fall.")])
            await agree(False)
            assert await notify(core.client, "news", "tg/77", notice="n2") == (200, {"tg/77": "no_consent"})

    play(acts)


def test_a_notice_survives_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the messenger had not answered before a crash is sent again, with the template as the provider knows it."""
    sent: list[Template | None] = []
    real = channel.send

    def noted(account: config.Account, outbound: Outbound) -> Sending:
        sent.append(outbound.template)
        return real(account, outbound)

    monkeypatch.setattr(channel, "send", noted)

    async def acts() -> None:
        async with serving() as provider:
            disk = Disk()
            provider.hold()
            async with restarting(disk, **settings(provider)) as core:
                assert await notify(core.client, "due", "tg/77", more={"parameters": ["7", "5 May"]}) == (200, {})
                await until(lambda: len(provider.calls) == 1)
                await core.crash()
            provider.release()
            await until(lambda: not provider.in_flight[77])
            before = len(provider.taken)
            async with restarting(disk, **settings(provider)) as core:
                await core.client.until_state(lambda found: found["unsettled"] == 0)
                assert provider.taken[before:] == [(77, "Rate 7 is due on 5 May.")]
        assert sent == [Template("rate_due_v2", "ru", ("7", "5 May"))] * 2

    play(acts)


def test_free_texts_wait_for_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the window an operator's text is refused before the provider sees it, and a template passes."""
    windowed = config.LIMITS["telegram"]._replace(window_h=24)
    monkeypatch.setitem(config.LIMITS, "telegram", windowed)

    async def acts() -> None:
        timers = {"offer": 600_000, "grace": 600_000, "inactivity": 600_000, "window": 1}
        async with serving() as provider, inside(**settings(provider), timers_ms=timers) as core:
            desk = await core.client.desk("o1", presence="online")
            await core.client.webhook(update(1, "hello"))
            offer = await desk.until(op="offered")
            await desk.accept(offer)
            contact = core.core.partition_of("tg/77").state.by_key["tg/77"]
            await until(lambda: now_ms() > contact.heard + 1)
            assert (await desk.say(offer, "r1", "text"))["reason"] == "window_closed"
            assert await notify(core.client, "due", "tg/77", more={"parameters": ["7", "5 May"]}) == (200, {})
            await until(lambda: provider.taken == [(77, "Rate 7 is due on 5 May.")])

    play(acts)


def test_the_bill_survives_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Customers who wrote and notices that were delivered are counted once each; read counts as delivered, sent not."""
    limits = config.LIMITS["telegram"]._replace(receipts=True)
    monkeypatch.setitem(config.LIMITS, "telegram", limits)
    told: list[Any] = []
    monkeypatch.setattr(channel, "parse", lambda account, body: told)

    async def acts() -> None:
        async with serving() as provider:
            disk = Disk()
            async with restarting(disk, **settings(provider), partitions=4) as core:
                contacts = [f"tg/{chat}" for chat in (1, 2, 3, 4)]
                assert await notify(core.client, "invite", *contacts, more={"parameters": ["x"]}) == (200, {})
                await core.client.until_state(lambda found: found["unsettled"] == 0)
                found = {key: core.core.partition_of(key).state.by_key[key] for key in contacts}
                ids = {key: contact.tracked[0].provider_id for key, contact in found.items()}
                told.extend([Inbound("9", "m1", "hello"), Inbound("9", "m2", "hello"), Inbound("1", "m1", "hello")])
                told.extend([Receipt("1", "delivered", ids["tg/1"])] * 2)
                told.extend([Receipt("1", "read", ids["tg/1"]), Receipt("2", "read", ids["tg/2"])])
                told.append(Receipt("3", "failed", ids["tg/3"]))
                assert await core.client.webhook(b"") == (200, {})
                await core.crash()
            month = month_of(now_ms())
            async with restarting(disk, **settings(provider), partitions=4) as core:
                bill = {"account": "tg", "month": month, "active": 2, "notices_delivered": 2}
                assert await core.client.rest("GET", "/v1/billing") == (200, {"bills": [bill]})

    play(acts)


def test_a_notice_by_mail_begins_with_its_subject() -> None:
    """A mail that answers none has the text's first line as its subject."""

    async def acts() -> None:
        async with relaying() as relay:
            templates = [{"name": "due", "text": "Your rate is due\n\nIt is due on {1}."}]
            async with inside(accounts=[mailbox(relay.url)], templates=templates, smtp_port=0) as core:
                answer = await notify(core.client, "due", "mail/anna@example.org", more={"parameters": ["5 May"]})
                assert answer == (200, {})
                await until(lambda: relay.mails)
                _, to, mail = relay.mails[0]
                assert (to, mail["Subject"]) == (["anna@example.org"], "Your rate is due")
                assert (mail["Auto-Submitted"], mail["In-Reply-To"]) == ("auto-replied", None)

    play(acts)
