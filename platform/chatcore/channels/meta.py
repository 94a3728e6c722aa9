"""What Meta's messengers share: handshake, signature over the raw body, errors that are told apart by their codes."""

import hmac
from collections.abc import Mapping
from typing import Final

import msgspec

from chatcore.channels.shapes import Answer, Outcome, refused
from chatcore.config import Account

SIGNATURE_HEADER: Final = "x-hub-signature-256"


class _Error(msgspec.Struct):
    message: str = ""
    code: int = 0
    error_subcode: int = 0
    is_transient: bool = False


class _Answer(msgspec.Struct):
    error: _Error | None = None


_answer = msgspec.json.Decoder(_Answer)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the header is `sha256=` and the body's HMAC under the app secret, in lower-case hex."""
    expected = b"sha256=" + hmac.digest(account.webhook_secret.encode(), body, "sha256").hex().encode()
    return hmac.compare_digest(headers.get(SIGNATURE_HEADER, "").encode(errors="surrogateescape"), expected)


def handshake(account: Account, query: Mapping[str, str], body: bytes) -> bytes | None:
    """The challenge of a subscription that knows the verify token."""
    shown = query.get("hub.verify_token", "").encode(errors="surrogateescape")
    if query.get("hub.mode") != "subscribe" or not hmac.compare_digest(shown, account.verify_token.encode()):
        return None
    return query.get("hub.challenge", "").encode(errors="surrogateescape")


def failed(account: Account, answer: Answer, again: Mapping[int, float | None]) -> Outcome:
    """What an answer without a message's id means: the error's code decides, the HTTP status only without one.

    `again`: the codes that pass, and after how many seconds; None leaves that to the outbox.
    """
    try:
        error = _answer.decode(answer.body).error
    except ValueError:
        error = None
    if error is None or not error.code:
        passing = answer.status in (200, 429) or answer.status >= 500
        return Outcome("again") if passing else refused(account, f"status {answer.status}")
    subcode = f"/{error.error_subcode}" if error.error_subcode else ""
    outcome = refused(account, f"{error.code}{subcode} {error.message}")
    if error.code not in again and not error.is_transient:
        return outcome
    return outcome._replace(kind="again", after_s=again.get(error.code))
