"""What the core logs names things, never what was said or what opens a door."""

import logging
from typing import Any

import pytest

from chatcore.machines import commands as c
from chatcore.machines import dialog
from tests.chatcore.bankbot import TOKEN
from tests.chatcore.client import BOT_TOKEN, HOOK_SECRET, SECRET, token, update
from tests.chatcore.cores import inside, play, telegram
from tests.chatcore.scenes import owned

NOBODY = "http://127.0.0.1:9"  # refuses every connection
SAID, ANSWERED, POISON = "my card is 4242", "your pin is 1234", "what breaks the machine"


def test_texts_and_tokens_are_not_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog over a broken messenger, a broken bot and a machine that raises: logged, without a text or a token."""
    decide = dialog._DECIDE[c.Receive]

    def raising(state: Any, command: c.Receive, now: int) -> list[Any]:
        if command.text == POISON:
            raise ValueError(command.text)
        return decide(state, command, now)

    async def acts() -> None:
        accounts = [telegram(NOBODY), {"id": "web", "channel": "web", "bot": "http"}]
        bot = {"url": NOBODY, "token": TOKEN, "timeout_ms": 100}
        async with inside(accounts=accounts, bot=bot, hints={"url": NOBODY, "token": TOKEN}) as core:
            desk = await core.client.desk("o1", presence="online")
            customer, offer = await owned(core.client, "web/u1", desk)
            await customer.say("c1", SAID)
            await desk.send(op="hint", dialog=offer["dialog"], number=offer["number"])
            assert (await desk.until(op="hint"))["texts"] == []
            await core.client.webhook(update(1, SAID))
            written = await desk.own("tg/77#1")
            await desk.say(written, "m1", ANSWERED)
            assert (await core.client.webhook(update(2, SAID), secret="not the secret"))[0] == 401
            monkeypatch.setitem(dialog._DECIDE, c.Receive, raising)
            assert (await customer.say("c2", POISON))["reason"] == "unprocessable"
            assert (await core.client.rest("GET", "/v1/state", bearer=token("customer", "web/u1")))[0] == 403

    with caplog.at_level(logging.DEBUG):
        play(acts)
    assert "a Receive was set aside: ValueError" in caplog.text
    secrets = (SAID, ANSWERED, POISON, SECRET, HOOK_SECRET, BOT_TOKEN, TOKEN, "Bearer")
    assert [secret for secret in secrets if secret in caplog.text] == []
