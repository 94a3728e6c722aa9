"""Valid webhooks of every channel, and what becomes of them in hostile hands."""

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

import msgspec
import orjson

from chatcore.config import Account
from chatcore.edges.gateway import MAX_BODY
from tests.chatcore import (
    infobip,
    test_infobip,
    test_max,
    test_messenger,
    test_viber,
    test_vk,
    test_whatsapp,
    vk_api,
    whatsapp,
)
from tests.chatcore.client import HOOK_SECRET, update
from tests.chatcore.cores import telegram

Body = bytes


class Seed(NamedTuple):
    """A channel's account, the headers that its provider sends with a body, and some of its bodies."""

    account: Mapping[str, Any]
    headers: Callable[[Body], dict[str, str]]
    bodies: list[Body]


def _signed(header: str, key: str, prefix: str = "") -> Callable[[Body], dict[str, str]]:
    """Signs a body as Meta and Viber do."""
    return lambda body: {header: prefix + hmac.new(key.encode(), body, "sha256").hexdigest()}


def _basic(account: Account) -> Callable[[Body], dict[str, str]]:
    pair = b64encode(f"infobip:{account.webhook_secret}".encode()).decode()
    return lambda body: {"Authorization": f"Basic {pair}"}


def _told(account: Account, headers: Callable[[Body], dict[str, str]], told: Mapping[str, tuple[Any, Any]]) -> Seed:
    """The bodies of a channel's own tests."""
    plain = {name: getattr(account, name) for name in ("id", "channel", "token", "webhook_secret", "sender")}
    given = plain | {"verify_token": account.verify_token, "api": "http://127.0.0.1:9"}
    return Seed(given, headers, [orjson.dumps(body) for body, _ in told.values()])


def _bodies(account: Account, headers: Callable[[Body], dict[str, str]], *bodies: Body) -> Seed:
    return _told(account, headers, {})._replace(bodies=list(bodies))


SMS = msgspec.structs.replace(infobip.ACCOUNT, id="sms", channel="sms")
SEEDS: dict[str, Seed] = {
    "telegram": Seed(
        telegram("http://127.0.0.1:9"),
        lambda body: {"X-Telegram-Bot-Api-Secret-Token": HOOK_SECRET},
        [
            orjson.dumps(update(1)),
            orjson.dumps(update(2, text=None)),
            orjson.dumps({"update_id": 3, "edited_message": update(1)["message"] | {"edit_date": 1_700_000_001}}),
            orjson.dumps(update(4, chat=2**52)),
        ],
    ),
    "messenger": _told(
        test_messenger.ACCOUNT,
        _signed("X-Hub-Signature-256", test_messenger.ACCOUNT.webhook_secret, "sha256="),
        {name: (test_messenger.envelope([event]), told) for name, (event, told) in test_messenger.TOLD.items()},
    ),
    "viber": _told(test_viber.ACCOUNT, _signed("X-Viber-Content-Signature", test_viber.ACCOUNT.token), test_viber.TOLD),
    "vk": _told(vk_api.ACCOUNT, lambda body: {}, test_vk.TOLD),
    "max": _told(
        test_max.ACCOUNT, lambda body: {"X-Max-Bot-Api-Secret": test_max.ACCOUNT.webhook_secret}, test_max.TOLD
    ),
    "whatsapp": _bodies(
        whatsapp.ACCOUNT,
        _signed("X-Hub-Signature-256", whatsapp.ACCOUNT.webhook_secret, "sha256="),
        *(test_whatsapp.EXAMPLE.encode(), test_whatsapp.ANY),
    ),
    "infobip": _bodies(
        infobip.ACCOUNT,
        _basic(infobip.ACCOUNT),
        *(test_infobip.EXAMPLE.encode(), test_infobip.REPORT.encode(), test_infobip.ANY),
    ),
    "sms": _bodies(SMS, _basic(SMS), test_infobip.REPORT.encode(), test_infobip.ANY),
}
HERE = "@@here@@"
RAW = [
    *(b"null", b"true", b"-1", b"0.5", b"[]", b"{}", b'""', b"[[[]]]", b'{"id":1}'),
    *(b"9007199254740993", b"18446744073709551616", b"9" * 5_000, b"1e400", b"-1e-400", b"1" + b"0" * 400, b"NaN"),
    *(b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\u0000"', b'"\xff"', b'"\xed\xa0\x80"', b'"' + b"x" * 20_000 + b'"'),
    *(b"[" * 9_000 + b"]" * 9_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"[" * 30_000),
]


def truncated(draw: Random, body: Body) -> Body:
    """It ends too early."""
    return body[: draw.randrange(len(body))]


def flipped(draw: Random, body: Body) -> Body:
    """Some of its bytes are others."""
    changed = bytearray(body)
    for _ in range(draw.randint(1, 5)):
        changed[draw.randrange(len(changed))] ^= draw.randint(1, 255)
    return bytes(changed)


def replaced(draw: Random, body: Body) -> Body:
    """A value in it is of another type, without bounds, or no text at all."""
    tree = orjson.loads(body)
    places = list(nodes(tree))
    parent, key = places[draw.randrange(len(places))]
    parent[key] = HERE
    return orjson.dumps(tree).replace(orjson.dumps(HERE), draw.choice(RAW))[:MAX_BODY]


def doubled(draw: Random, body: Body) -> Body:
    """A key occurs twice, with different values."""
    tree = orjson.loads(body)
    places = [(parent, key) for parent, key in nodes(tree) if isinstance(parent, dict)]
    parent, key = places[draw.randrange(len(places))]
    parent[HERE] = parent[key]
    text = orjson.dumps(tree).replace(orjson.dumps(HERE), orjson.dumps(key))
    return text if draw.random() < 0.5 else text.replace(orjson.dumps(key) + b":", orjson.dumps(key) + b":0,", 1)


def emptied(draw: Random, body: Body) -> Body:
    """It is nothing that was ever sent."""
    noise = draw.randbytes(draw.randint(1, 300))
    return draw.choice([b"", draw.choice(RAW), noise, b"a=b&c=d", b"<xml/>", b"\x00" * 99])


MUTATIONS = (truncated, flipped, replaced, doubled, emptied)


def nodes(tree: Any) -> Any:
    """(container, key) of every value in a tree of JSON."""
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from nodes(value)


def forged(draw: Random, headers: dict[str, str]) -> dict[str, str]:
    """The headers with the signature as it should be, or wrong, or missing."""
    kind = draw.random()
    if kind < 0.6:
        return headers
    wrong = {name: draw.choice(["", "wrong", value[:-1], value + "0"]) for name, value in headers.items()}
    return {} if kind < 0.8 else wrong
