"""Tokens: a role and a subject, signed with the installation's secret, compared in constant time.

`ROLE.SUBJECT.EXPIRES.SIGNATURE`: the subject base64url without padding, the expiry in Unix seconds, the signature
the first 32 hex digits of HMAC-SHA256 over what stands before it.
"""

import base64
import hmac
from hashlib import sha256
from typing import Final, Literal, get_args

from chatcore.errors import Unauthorized

Role = Literal["customer", "operator", "supervisor", "reviewer", "bot", "auditor", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


def sign(secret: str, role: str, subject: str, expires_s: int) -> str:
    """A token for `subject` in `role` until `expires_s`."""
    encoded = base64.urlsafe_b64encode(subject.encode()).rstrip(b"=").decode()
    head = f"{role}.{encoded}.{expires_s}"
    return f"{head}.{_signature(secret, head)}"


def _signature(secret: str, head: str) -> str:
    return hmac.new(secret.encode(), head.encode(), sha256).hexdigest()[:32]


def verify(secret: str, token: str, now_s: float) -> tuple[str, str]:
    """(role, subject) of a valid token.

    Raises:
        Unauthorized: malformed, not signed by `secret`, or expired.
    """
    if not token.isascii():
        raise Unauthorized
    head, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(secret, head).encode(), signature.encode()):
        raise Unauthorized
    try:
        role, encoded, expires = head.split(".")
        subject = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        if int(expires) < now_s:
            raise Unauthorized
    except ValueError as error:
        raise Unauthorized from error
    return role, subject
