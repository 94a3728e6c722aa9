"""What Meta's two messengers share: the handshake, the signature over the raw body, and the shape of errors."""

import hmac
import json
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from chatload.fleet.providers.provider import Hello, Provider, Refusal
from chatload.fleet.server import reply

CHALLENGE: Final = "1158201444"
_encode: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def escaped(event: Any) -> bytes:
    """JSON as Meta writes it: what is not ASCII as lower-case escapes."""
    return _encode(event).encode()


class Meta(Provider):
    """`webhook_secret` is the app secret, `token` the access token, `sender` the page or the phone number's id."""

    def hello(self) -> Hello:
        """The challenge must come back as it is."""
        asked = {"hub.mode": "subscribe", "hub.challenge": CHALLENGE, "hub.verify_token": self.keys.verify_token}
        return Hello("GET", urlencode(asked), None, CHALLENGE.encode())

    def lines(self, body: bytes, attempt: int) -> bytes:
        """HMAC-SHA256 of the body, keyed with the app secret."""
        signature = hmac.digest(self.keys.webhook_secret.encode(), body, "sha256").hex()
        return b"\r\nX-Hub-Signature-256: sha256=" + signature.encode()

    def refused(self, refusal: Refusal, wait_s: int) -> bytes:
        """One `error` object, by whose code platforms decide; no Retry-After is documented."""
        error = {"message": refusal.text, "type": "OAuthException", "code": refusal.code, "fbtrace_id": "AbC"}
        if refusal.subcode:
            error["error_subcode"] = refusal.subcode
        return reply(refusal.status, orjson.dumps({"error": error}))
