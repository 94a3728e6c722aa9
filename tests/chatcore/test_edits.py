"""Edits over every messenger that tells of them: they append in the order in which they were made, once each."""

import hmac
from typing import Any, NamedTuple

import orjson
import pytest

from tests.chatcore import test_max as max_messenger
from tests.chatcore import test_messenger as messenger
from tests.chatcore import vk_api as vk
from tests.chatcore.client import HOOK_SECRET, Frame
from tests.chatcore.client import update as of_telegram
from tests.chatcore.cores import inside, play, telegram

NOWHERE = "http://127.0.0.1:9"
WORDS = ["once", "twice", "thrice"]


class Case(NamedTuple):
    """An account, the contact and the path of its webhooks; how it tells of a message, and of its n-th edit."""

    account: Frame
    contact: str
    path: str
    said: Any
    edited: Any


def _telegram(text: str, nth: int) -> Frame:
    told = of_telegram(10 + nth, text, message_id=1)
    return {"update_id": 10 + nth, "edited_message": told["message"] | {"edit_date": 1_700_000_000 + nth}}


def _max(text: str, nth: int) -> Frame:
    told = max_messenger.update("message_edited", message=max_messenger.written(text))
    return told | {"timestamp": 1767225600100 + nth}


def _messenger(text: str, nth: int) -> Frame:
    edit = {"mid": "m_1", "text": text, "num_edit": nth}
    return messenger.envelope([messenger.event(message_edit=edit)])


CASES = {
    "telegram": Case(telegram(NOWHERE), "tg/77", "telegram/tg", lambda text: of_telegram(1, text), _telegram),
    "max": Case(
        max_messenger.Max().account() | {"api": NOWHERE}, "max/5001", "max/max", max_messenger.new, _max
    ),
    "messenger": Case(
        messenger.KEYS | {"api": NOWHERE},
        f"fb/{messenger.USER}",
        "messenger/fb",
        lambda text: messenger.envelope([messenger.said("m_1", text)]),
        _messenger,
    ),
    "vk": Case(
        vk.Vk().account() | {"api": NOWHERE},
        "vk/5001",
        "vk/vk",
        lambda text: vk.new(vk.written(text)),
        lambda text, nth: vk.event("message_edit", vk.written(text, update_time=1767225600 + nth)),
    ),
    "vk, in one second": Case(
        vk.Vk().account() | {"api": NOWHERE},
        "vk/5001",
        "vk/vk",
        lambda text: vk.new(vk.written(text)),
        lambda text, nth: vk.event("message_edit", vk.written(text, update_time=1767225600, version=10000041 + nth)),
    ),
}  # fmt: skip


def headers(body: bytes) -> dict[str, str]:
    """What proves the sender, for each of them."""
    signature = hmac.digest(str(messenger.KEYS["webhook_secret"]).encode(), body, "sha256").hex()
    of_max, of_tg = {"X-Max-Bot-Api-Secret": HOOK_SECRET}, {"X-Telegram-Bot-Api-Secret-Token": HOOK_SECRET}
    return {"X-Hub-Signature-256": f"sha256={signature}"} | of_max | of_tg


@pytest.mark.parametrize("messenger_name", CASES)
def test_a_late_edit_appends_nothing(messenger_name: str) -> None:
    """An edit that comes after a newer one of its message, for the first time or again, takes no place."""
    case = CASES[messenger_name]

    async def acts() -> None:
        async with inside(accounts=[case.account]) as core:
            told = [case.said("first"), *(case.edited(text, nth) for nth, text in enumerate(WORDS, 1))]
            for number in (0, 1, 3, 2, 1, 3, 2):
                body = orjson.dumps(told[number])
                assert (await core.client.hook(case.path, body, headers(body)))[0] == 200
            entries = await core.client.history(case.contact)
            assert [entry["text"] for entry in entries if "text" in entry] == ["first", "once", "thrice"]

    play(acts)
