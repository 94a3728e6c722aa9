"""What Infobip's simulator does with the client's own ids, and outside the window."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.chatload.fleet.bank import KEYS, Bank, Person, ask, at_a_bank
from tests.chatload.fleet.stage import Stage, columns, of

KEY = {"Authorization": f"App {KEYS.token}"}


def calls(user: str, name: dict[str, str]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By what is sent: channel, path and body of a call to a user, where `name` may say what the client calls it."""
    placeholders = {"templateName": "hello", "templateData": {"body": {"placeholders": ["x"]}}, "language": "ru"}
    template, text = {"to": user, "content": placeholders, **name}, {"to": user, "content": {"text": "x"}, **name}
    sms = {"destinations": [{"to": user, **name}], "content": {"text": "x"}}
    return {
        "text": ("infobip", "/whatsapp/1/message/text", text),
        "template": ("infobip", "/whatsapp/1/message/template", {"messages": [template]}),
        "sms": ("sms", "/sms/3/messages", {"messages": [sms]}),
    }


@pytest.mark.parametrize("what", ["text", "template", "sms"])
def test_a_message_goes_by_the_clients_own_id(what: str, tmp_path: Path) -> None:
    """In the answer and in the record; without one the simulator makes one."""
    ids: list[str] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        for name in ({"messageId": "ours-7"}, {}):
            _, path, body = calls(person.user, name)[what]
            status, answer = await ask(stage, path, KEY, body)
            found = orjson.loads(answer)
            assert status == 200
            ids.append(found["messages"][0]["messageId"] if "messages" in found else found["messageId"])

    channel = calls("", {})[what][0]
    ledger = at_a_bank(tmp_path, Bank(channel), act, delivered_ms=600_000.0, burst=3)
    assert ids[0] == "ours-7"
    assert ids[1] not in ("", "ours-7")
    assert len({row["provider_id"] for row in of(ledger, "ATTEMPT", outcome="OK")}) == 2


def test_outside_the_window_only_templates_pass(tmp_path: Path) -> None:
    """Who has not written for 24 hours gets no text, and is refused as Infobip refuses."""
    found: list[int] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, "infobip", 1)
        for what in ("text", "template"):
            _, path, body = calls(person.user, {})[what]
            found.append((await ask(stage, path, KEY, body))[0])

    ledger = at_a_bank(tmp_path, Bank("infobip"), act, delivered_ms=600_000.0)
    assert found == [400, 200]
    assert columns(of(ledger, "ATTEMPT"), "outcome", "reason") == [("REJECTED", "E400"), ("OK", "")]
