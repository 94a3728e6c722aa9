"""What Meta's messengers share: the signature over the raw body, and the handshake."""

import msgspec
import pytest

from chatcore.channels import meta
from chatcore.config import Account

ACCOUNT = Account("fb", "messenger", webhook_secret="secret", verify_token="a verify token")
HEX = "aa9e2e3575f5d7098b6caccd790888c36d5fdb63342a73bada2d6a51747a8494"
ESCAPED = "36698e30ea020835e92a7a73e1d0346a572d188592aaab036b301f649cff595d"
SIGNED: dict[str, tuple[dict[str, str], bytes, bool]] = {
    "the known vector": ({"x-hub-signature-256": f"sha256={HEX}"}, b'{"a":1}', True),
    "escapes are signed as they are": (
        {"x-hub-signature-256": f"sha256={ESCAPED}"},
        rb'{"t":"\u041f\u0440\u0438\u0432\u0435\u0442"}',
        True,
    ),
    "not what the escapes stand for": (
        {"x-hub-signature-256": f"sha256={ESCAPED}"},
        '{"t":"Привет"}'.encode(),
        False,
    ),
    "another body": ({"x-hub-signature-256": f"sha256={HEX}"}, b'{"a": 1}', False),
    "without its prefix": ({"x-hub-signature-256": HEX}, b'{"a":1}', False),
    "upper case": ({"x-hub-signature-256": f"sha256={HEX.upper()}"}, b'{"a":1}', False),
    "an upper-case prefix": ({"x-hub-signature-256": f"SHA256={HEX}"}, b'{"a":1}', False),
    "no hex": ({"x-hub-signature-256": "sha256=ж" + HEX[1:]}, b'{"a":1}', False),
    "bytes that are no text": ({"x-hub-signature-256": "sha256=\udcff"}, b'{"a":1}', False),
    "half of it": ({"x-hub-signature-256": f"sha256={HEX[:32]}"}, b'{"a":1}', False),
    "empty": ({"x-hub-signature-256": ""}, b'{"a":1}', False),
    "none": ({}, b'{"a":1}', False),
    "the legacy one alone": ({"x-hub-signature": f"sha1={HEX[:40]}"}, b'{"a":1}', False),
}


@pytest.mark.parametrize("kind", SIGNED)
def test_a_webhook_is_signed_over_its_raw_body(kind: str) -> None:
    """Only the documented form is taken: prefix, lower-case hex, HMAC of the bytes under the app secret."""
    headers, body, right = SIGNED[kind]
    assert meta.verify(ACCOUNT, headers, body) is right
    assert not meta.verify(msgspec.structs.replace(ACCOUNT, webhook_secret="other"), headers, body)


ASKS = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "a verify token"}


@pytest.mark.parametrize(
    "changes, answer",
    [
        ({}, b"1158201444"),
        ({"hub.verify_token": "another"}, None),
        ({"hub.verify_token": "ж"}, None),
        ({"hub.verify_token": ""}, None),
        ({"hub.mode": "unsubscribe"}, None),
    ],
)
def test_the_handshake_wants_the_verify_token(changes: dict[str, str], answer: bytes | None) -> None:
    """The challenge goes back to whom the verify token is known, and to nobody else."""
    assert meta.handshake(ACCOUNT, ASKS | changes, b"") == answer
    assert meta.handshake(ACCOUNT, {}, b"{}") is None
