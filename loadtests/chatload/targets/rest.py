"""What those in charge ask the reference core over REST: blocking, one request at a time, standard library only."""

import http.client
import json
from typing import Any, Self
from urllib.parse import urlsplit

TIMEOUT_S = 10.0


class Unanswered(Exception):
    """No answer, or one that is not 200; `status` is 0 without an answer."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what)
        self.status = status


class Admin:
    """One keep-alive connection with such a token, closed at the end of its `with`."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> dict[str, Any]:
        """The JSON answer of `path`; `Unanswered` otherwise."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to `body`; `Unanswered` otherwise."""
        return self._ask("POST", path, json.dumps(body).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _ask(self, verb: str, path: str, body: bytes | None) -> dict[str, Any]:
        try:
            self._connection.request(verb, path, body, self._headers)
            response = self._connection.getresponse()
            data = response.read()
            if response.status != 200:
                said = data[:200].decode("utf-8", "replace")
                raise Unanswered(f"{verb} {path}: {response.status} {said}", response.status)
            answer: dict[str, Any] = json.loads(data)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise Unanswered(f"{verb} {path}: {error}", 0) from error
        return answer
