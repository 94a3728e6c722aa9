"""Telegram Bot API: webhooks with one Update each and a secret in a header, replies through `sendMessage`.

Formats as documented at core.telegram.org/bots/api; Telegram knows no delivery or read updates, so a message it took
counts as delivered. There is no idempotency key: a repeated `sendMessage` is a second message.
"""

import hmac
from collections.abc import Mapping

import msgspec
import orjson

from chatcore.channels.shapes import Inbound, Outcome
from chatcore.config import Account

SECRET_HEADER = "x-telegram-bot-api-secret-token"


class _Chat(msgspec.Struct):
    id: int
    type: str


class _Message(msgspec.Struct):
    message_id: int
    chat: _Chat
    text: str | None = None


class _Update(msgspec.Struct):
    update_id: int
    message: _Message | None = None


class _Sent(msgspec.Struct):
    message_id: int


class _Parameters(msgspec.Struct):
    retry_after: float = 1.0


class _Answer(msgspec.Struct):
    ok: bool = False
    description: str = ""
    result: _Sent | None = None
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


_update = msgspec.json.Decoder(_Update)
_answer = msgspec.json.Decoder(_Answer)


def verify(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the header carries the secret that was given to `setWebhook`."""
    given = headers.get(SECRET_HEADER, "")
    return hmac.compare_digest(given.encode(errors="surrogateescape"), account.webhook_secret.encode())


def parse(body: bytes) -> list[Inbound]:
    """The text message of a private chat; anything else (edits, albums, buttons, membership) is none.

    Raises:
        ValueError: not an Update.
    """
    message = _update.decode(body).message
    if message is None or not message.text or message.chat.type != "private":
        return []
    return [Inbound(str(message.chat.id), str(message.message_id), message.text)]


def build(account: Account, user: str, text: str) -> tuple[str, bytes]:
    """`sendMessage` to the chat of `user`."""
    return f"{account.api}/bot{account.token}/sendMessage", orjson.dumps({"chat_id": int(user), "text": text})


def outcome(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """200 is delivered, 429 waits as long as it says, 5xx is tried again, the rest has failed for good."""
    try:
        answer = _answer.decode(body)
    except ValueError:
        answer = _Answer()
    if status == 200 and answer.ok and answer.result is not None:
        return Outcome("delivered", provider_id=str(answer.result.message_id))
    if status == 429:
        return Outcome("again", after_s=max(0.0, answer.parameters.retry_after))
    if status >= 500 or status == 200:
        return Outcome("again")
    return Outcome("failed", reason=answer.description or f"status {status}")
