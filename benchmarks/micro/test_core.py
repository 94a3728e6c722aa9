"""The core's hot paths: parse, decide, apply, append, encode."""

import asyncio
from itertools import count, cycle
from pathlib import Path
from typing import Any

import orjson

from chatcore import wire
from chatcore.channels import telegram
from chatcore.config import Account
from chatcore.edges.door import read_head
from chatcore.journal.sqlite import SqliteJournal
from chatcore.machines import commands as c
from chatcore.machines import dialog
from chatcore.machines import events as e

TEXT = "x" * 60
BATCH = 64
RULES = c.Rules(inactivity_ms=60_000, offer_ms=2_000, grace_ms=3_000, bot_misses=2)
SENDER = {"id": 5001, "is_bot": False, "first_name": "A"}
MESSAGE = {"message_id": 7, "date": 1, "from": SENDER, "chat": {"id": 5001, "type": "private"}, "text": TEXT}
UPDATE = orjson.dumps({"update_id": 1, "message": MESSAGE})
SAID = e.Said(1, 1, 3, 1_000, "customer", "m1", 17, TEXT, -1, "", 0)
FRAME = orjson.dumps({"op": "send", "dialog": "web/u1#1", "number": 7, "cid": "[ab12cd:o1:1]", "text": TEXT})


def receive(number: int) -> c.Receive:
    return c.Receive("web/u1", False, "general", f"m{number}", number, TEXT, c.Choice("answer", "bot:x", "y" * 60))


def test_parse_a_telegram_update(benchmark: Any) -> None:
    assert benchmark(telegram.parse, Account("tg", "telegram"), UPDATE)[0].text == TEXT


def test_read_a_webhooks_head(benchmark: Any) -> None:
    """One that has come before but for its signature."""
    names = (
        b"Host: bank.example",
        b"User-Agent: facebookexternalua",
        b"Accept: */*",
        b"Content-Type: application/json",
    )
    first = b"\r\n".join((b"POST /webhooks/messenger/fb HTTP/1.1", *names, b"Content-Length: 412"))
    heads = cycle([b"%b\r\nX-Hub-Signature-256: sha256=%064x" % (first, number) for number in range(1_000)])
    head = benchmark(lambda: read_head(next(heads)))
    assert head is not None
    assert head.length == 412


def test_parse_a_desk_frame(benchmark: Any) -> None:
    assert benchmark(orjson.loads, FRAME)["text"] == TEXT


def test_decide_a_message(benchmark: Any) -> None:
    state = dialog.Partition(RULES)
    assert benchmark(dialog.decide, state, receive(1), 1_000)


def test_decide_and_apply_a_message(benchmark: Any) -> None:
    state, numbers = dialog.Partition(RULES), count()

    def take() -> None:
        number = next(numbers)
        for event in dialog.decide(state, receive(number), 1_000 + number):
            dialog.apply(state, event)

    benchmark(take)
    assert state.by_key["web/u1"].seq >= 2


def test_encode_a_record(benchmark: Any) -> None:
    assert benchmark(e.encode_record, e.Record(1_000, "", 0, [SAID, SAID]))


def test_encode_an_entry(benchmark: Any) -> None:
    assert benchmark(lambda: wire.dumps(wire.entry("web/u1#1", SAID)))


def test_append_a_batch(benchmark: Any, tmp_path: Path) -> None:
    """A commit of 64 records, flushed."""
    records = [e.encode_record(e.Record(1_000, "", 0, [SAID])) for _ in range(BATCH)]
    with asyncio.Runner() as runner:
        journal = SqliteJournal(tmp_path)
        epoch = journal.open(["dialogs-0"])["dialogs-0"].epoch
        positions = count(0, BATCH)

        async def commit() -> None:
            stored = asyncio.get_running_loop().create_future()
            journal.append("dialogs-0", next(positions), epoch, records, stored.set_result)
            assert await stored is None

        benchmark(lambda: runner.run(commit()))
        runner.run(journal.close())
