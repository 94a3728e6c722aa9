"""Bearer tokens of the reference core: `ROLE.SUBJECT.EXPIRES.SIGNATURE`."""

import base64
import hmac
import time
from typing import Literal

Role = Literal["customer", "operator", "auditor", "admin"]


def make(secret: str, role: Role, subject: str, lives_s: float = 7 * 86_400) -> str:
    """A token for `subject` (a contact, an operator's id, an administrator's name) that expires `lives_s` from now."""
    name = base64.urlsafe_b64encode(subject.encode()).rstrip(b"=").decode()
    claim = f"{role}.{name}.{int(time.time() + lives_s)}"
    return f"{claim}.{hmac.digest(secret.encode(), claim.encode(), 'sha256').hex()[:32]}"
