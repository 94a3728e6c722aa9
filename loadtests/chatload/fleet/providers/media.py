"""Images and documents: small byte strings that follow from their names, so that a damaged one is known as such.

A name says whose message it belongs to and how long it is: `abc123-c42-3-2000.png`.
"""

import re
from collections.abc import Callable
from functools import partial
from hashlib import shake_256
from typing import Final
from urllib.parse import unquote, urlsplit

from chatload.fleet import codes
from chatload.fleet.clock import Time
from chatload.fleet.http import Answer, Http, NoAnswer

TYPES: Final = {"png": "image/png", "pdf": "application/pdf"}
CONNECTIONS: Final = 16
TIMEOUT_S: Final = 10.0
_MAGIC: Final = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-1.7\n"}
_NAME: Final = re.compile(r"([0-9a-f]+)-([cop]-?\d+)-(\d+)-(\d{1,7})\.(png|pdf)")


def named(cid: str, size: int, kind: str) -> str:
    """The name of an attachment of the message whose own id this is."""
    return f"{cid[1:-1].replace(':', '-')}-{size}.{kind}"


def mark_of(name: str) -> str:
    """The own id of the message that an attachment belongs to; "" if the name is none of ours."""
    found = _NAME.fullmatch(name)
    return f"[{found[1]}:{found[2]}:{found[3]}]" if found else ""


def is_image(name: str) -> bool:
    """Whether it is an image; else it is a document."""
    return name.endswith(".png")


def size_of(name: str) -> int:
    """How many bytes it has; -1 for a name that is none of ours."""
    found = _NAME.fullmatch(name)
    return int(found[4]) if found else -1


def content(name: str) -> bytes:
    """The bytes of this name, which must be one of ours."""
    head = _MAGIC[name[-3:]] + name.encode() + b"\n"
    return head + shake_256(name.encode()).digest(max(0, size_of(name) - len(head)))


def name_in(data: bytes) -> str:
    """The name of the attachment whose bytes these are; "" if they are not whole, or none of ours."""
    for kind, magic in _MAGIC.items():
        if data.startswith(magic):
            name = data[len(magic) :].partition(b"\n")[0][:80].decode("latin-1")
            if name.endswith(kind) and size_of(name) == len(data) and content(name) == data:
                return name
    return ""


def part_of(body: bytes) -> bytes:
    """The first file in a multipart form; what is no form is the file itself."""
    if not body.startswith(b"--"):
        return body
    boundary = body.partition(b"\r\n")[0]
    for part in body.split(boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return data.removesuffix(b"\r\n")
    return b""


Fetched = Callable[[int, int, int, str], None]  # outcome, size, done_ns, reason


class Files:
    """Fetches what the platform sends by URL, and keeps the names of what it uploads."""

    def __init__(self, clock: Time) -> None:
        self._clock = clock
        self._servers: dict[str, Http] = {}
        self._uploads: dict[str, str] = {}

    def upload(self, body: bytes) -> str:
        """Take an uploaded file; the token that stands for it in a send."""
        token = f"up{len(self._uploads) + 1}"
        self._uploads[token] = name_in(part_of(body))
        return token

    def mark(self, link: str, token: str) -> str:
        """The own id of the message that sends an attachment by URL, or by the token of an upload."""
        return mark_of(unquote(urlsplit(link).path.rpartition("/")[2]) if link else self._uploads.get(token, ""))

    def uploaded(self, token: str) -> bool:
        """Whether a whole file was uploaded under this token."""
        return bool(self._uploads.get(token))

    def fetch(self, url: str, fetched: Fetched) -> None:
        """Get a file; `fetched` is told whether it is whole."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            fetched(codes.REJECTED, -1, -1, "not a URL")
            return
        base = f"{parts.scheme}://{parts.netloc}"
        server = self._servers.get(base)
        if server is None:
            server = self._servers[base] = Http(self._clock, base, CONNECTIONS, TIMEOUT_S)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        server.ask(server.head("GET", path or "/", {}), partial(_came, fetched))

    async def close(self) -> None:
        """Give up what is under way."""
        for server in self._servers.values():
            await server.close()


def _came(fetched: Fetched, answer: Answer | NoAnswer) -> None:
    if isinstance(answer, NoAnswer):
        fetched(codes.INDETERMINATE, -1, -1, answer.reason)
    elif not answer.ok:
        fetched(codes.REJECTED, -1, answer.stamp_ns, f"http {answer.status}")
    else:
        whole = bool(name_in(answer.body))
        fetched(codes.OK if whole else codes.REJECTED, len(answer.body), answer.stamp_ns, "" if whole else "not whole")
