"""What every messenger channel translates to and from."""

from typing import Literal, NamedTuple


class Inbound(NamedTuple):
    """A customer's message: the provider's user and message ids, and the text."""

    user: str
    id: str
    text: str


class Outcome(NamedTuple):
    """How a send ended: delivered with the provider's id, failed with a reason, or to be tried again after a while.

    `after_s` is None when the provider names no delay and the outbox backs off by itself.
    """

    kind: Literal["delivered", "failed", "again"]
    provider_id: str = ""
    reason: str = ""
    after_s: float | None = None
