"""The fleet's HTTP client: a narrow seam, so that a leaner client can take its place."""

from collections.abc import Mapping
from typing import NamedTuple

import aiohttp

from chatload.fleet.clock import now_ns


class Answer(NamedTuple):
    """An HTTP answer, and when its last byte had come."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stamp_ns: int

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status <= 299


class NoAnswer(Exception):
    """The server may or may not have done what was asked; `reason` says what broke."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Http:
    """Keep-alive connections to one server, at most `connections` at once."""

    def __init__(self, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float = 30.0) -> Answer:
        """Read `url`.

        Raises:
            NoAnswer: connection or time ran out.
        """
        return await self._ask("GET", url, None, headers, timeout_s)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
        """Send `body` to `url`; redirects are not followed.

        Raises:
            NoAnswer: connection or time ran out.
        """
        return await self._ask("POST", url, body, headers, timeout_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
    ) -> Answer:
        limit = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                content = await response.read()
                return Answer(response.status, response.headers, content, now_ns())
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(type(error).__name__) from error
