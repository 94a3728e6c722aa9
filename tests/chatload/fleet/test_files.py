"""Images and documents both ways, over real HTTP: each messenger's own way to them, and whether they are whole."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from chatload.fleet.providers import media
from chatload.targets.nullserver.dialects import DIALECTS
from tests.chatload.fleet.bank import KEYS, Bank, Person, ask, at_a_bank
from tests.chatload.fleet.stage import Stage, columns, of

CHANNELS = sorted(DIALECTS)  # e-mail has its own test


def urls_in(found: Any) -> list[str]:
    """All URLs in a body."""
    if isinstance(found, dict):
        return [url for value in found.values() for url in urls_in(value)]
    if isinstance(found, list):
        return [url for value in found for url in urls_in(value)]
    return [found] if isinstance(found, str) and found.startswith("http://") else []


async def urls_of(stage: Stage, channel: str, body: Any) -> list[str]:
    """Where a platform gets a message's files, by the messenger's own way."""
    if channel == "telegram":
        message = body["message"]
        file_id = (message.get("document") or message["photo"][-1])["file_id"]
        _, answer = await ask(stage, f"/bot{KEYS.token}/getFile", body={"file_id": file_id})
        return [f"{stage.provider.url}/file/bot{KEYS.token}/{orjson.loads(answer)['result']['file_path']}"]
    if channel == "whatsapp":
        (message,) = body["entry"][0]["changes"][0]["value"]["messages"]
        bearer = {"Authorization": f"Bearer {KEYS.token}"}
        _, answer = await ask(stage, f"/v23.0/{message[message['type']]['id']}", bearer, method="GET")
        return [orjson.loads(answer)["url"]]
    return urls_in(body)


@pytest.mark.parametrize("channel", [channel for channel in CHANNELS if channel != "sms"])
def test_customers_send_files_that_can_be_fetched(channel: str, tmp_path: Path) -> None:
    """Images and documents, each whole and named after its message."""
    bank = Bank(channel)
    names: list[str] = []

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        for counter in range(1, 11):
            person.say(counter, ("png", "pdf")[counter % 2])
        await stage.until(lambda: len(bank.calls) == 10)
        bearer = {"Authorization": f"Bearer {KEYS.token}"}
        for call in bank.calls:
            for url in await urls_of(stage, channel, call.body):
                status, data = await ask(stage, url, bearer, method="GET")
                assert status == 200
                names.append(media.name_in(data))

    at_a_bank(tmp_path, bank, act, batch_share=0.0)
    assert sorted(name.rsplit("-", 1)[0] for name in names) == sorted(f"abc123-c1-{n}" for n in range(1, 11))
    assert {name[-3:] for name in names} == {"png", "pdf"}


LINKS: dict[str, Any] = {
    "telegram": (f"/bot{KEYS.token}/sendPhoto", lambda user, url: {"chat_id": int(user), "photo": url, "caption": "x"}),
    "messenger": (
        f"/v25.0/{KEYS.sender}/messages?access_token={KEYS.token}",
        lambda user, url: {
            "recipient": {"id": user}, "message": {"attachment": {"type": "image", "payload": {"url": url}}},
        },
    ),
    "viber": (
        "/pa/send_message",
        lambda user, url: {
            "auth_token": KEYS.token, "receiver": user, "type": "picture", "text": "x", "media": url,
            "sender": {"name": "Bank"},
        },
    ),
    "whatsapp": (
        f"/v23.0/{KEYS.sender}/messages", lambda user, url: {"to": user, "type": "image", "image": {"link": url}},
    ),
    "infobip": (
        "/whatsapp/1/message/image", lambda user, url: {"from": "1", "to": user, "content": {"mediaUrl": url}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("channel", sorted(LINKS))
def test_a_file_sent_by_url_is_fetched_and_checked(channel: str, tmp_path: Path) -> None:
    """A whole one is OK, a damaged one and an absent one are not."""
    name = "abc123-o3-7-2000.png"
    bank = Bank(channel)
    bank.files = {"/files/whole": media.content(name), "/files/damaged": media.content(name)[:-1] + b"?"}
    scheme = "App" if channel == "infobip" else "Bearer"

    async def act(stage: Stage) -> None:
        person = Person(stage, channel, 1)
        person.say(1)
        path, make = LINKS[channel]
        for sends, file in enumerate(("whole", "damaged", "none"), 1):
            body = make(person.user, f"{bank.url}/files/{file}")
            assert (await ask(stage, path, {"Authorization": f"{scheme} {KEYS.token}"}, body))[0] == 200
            rows = 1 + 3 * sends  # the customer's message; an attempt, an entry and a fetch each
            await stage.until(lambda rows=rows: stage.recorder.rows == rows)  # type: ignore[misc]  # a default binds it

    ledger = at_a_bank(tmp_path, bank, act, chat_rate_per_s=1000.0, delivered_ms=600_000.0)
    assert columns(of(ledger, "FETCH"), "outcome", "size", "reason") == [
        ("OK", 2000, ""),
        ("REJECTED", 2000, "not whole"),
        ("REJECTED", -1, "http 404"),
    ]


def test_a_form_gives_its_file() -> None:
    """The file part of a multipart form; a body without a form is the file."""
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n\r\nbytes\r\n\r\n--b--\r\n'
    assert media.part_of(form) == b"\r\nbytes\r\n"
    assert media.part_of(b"bytes") == b"bytes"
