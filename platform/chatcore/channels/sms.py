"""SMS through Infobip: texts both ways, and delivery reports; secrets and errors are those of `infobip`."""

from typing import Final

from chatcore.channels import infobip
from chatcore.channels.infobip import Result, fetch, handshake, verify
from chatcore.channels.shapes import Event, Inbound, Outbound, Outcome, Sending
from chatcore.config import Account

__all__ = ["OK", "fetch", "handshake", "parse", "send", "verify"]

OK: Final = infobip.OK


def parse(account: Account, body: bytes) -> list[Event]:
    """Messages and delivery reports, each element in its place.

    Raises:
        ValueError: not an envelope of Infobip.
    """
    return infobip.events(body, _inbound)


def _inbound(result: Result) -> Inbound | None:
    return Inbound(result.user, result.message_id, result.text) if result.user and result.text else None


def send(account: Account, message: Outbound) -> Sending:
    """A text under an id of our own; an attachment cannot be sent."""
    if message.file is not None:
        return Outcome("failed", reason="SMS carries no attachments")
    destination = {"to": message.user, "messageId": infobip.message_id(message)}
    text = {
        "sender": account.sender,
        "destinations": [destination],
        "content": {"text": message.text},
        "webhooks": {"callbackData": message.key},
    }
    return infobip.outcome(account, (yield infobip.call(account, "/sms/3/messages", {"messages": [text]})))
