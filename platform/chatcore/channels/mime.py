"""Reading and writing MIME: what a mail says and encloses. Pure, and bounded however hostile a mail is."""

import re
from contextlib import suppress
from email.header import decode_header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Final, NamedTuple

from chatcore.channels.shapes import Enclosure, File

LINES_MOST: Final = 250_000
PARTS_MOST: Final = 50
HEADER_MOST: Final = 8_192
HTML_MOST: Final = 100_000
TEXT_MOST: Final = 100_000
CHARSET: Final = re.compile(
    r"utf-?8|us-ascii|iso-?8859-\d+|(windows-|cp)\d+|koi8-[ru]|gb\d+|big5|shift_jis|euc-\w+", re.IGNORECASE
)
MIME: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}")
FORWARDED: Final = re.compile(
    r"^-{2,} ?(original message|исходное сообщение|пересылаемое сообщение) ?-{2,}", re.MULTILINE | re.IGNORECASE
)


class Content(NamedTuple):
    """What a mail says, and what it encloses."""

    text: str
    files: tuple[File, ...]


class _Bounded(Compat32):
    """The parser's policy: an endless header is no header."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        if sum(map(len, sourcelines)) > HEADER_MOST:
            raise ValueError("a header is too long")
        return super().header_source_parse(sourcelines)


_BOUNDED: Final = _Bounded()


def read(data: bytes) -> Message:
    """The mail.

    Raises:
        ValueError: it cannot be read, or has too many lines or parts.
    """
    if data.count(b"\n") > LINES_MOST:
        raise ValueError("too many lines")
    parts = 0

    def part(policy: Compat32 = _BOUNDED) -> Message:
        nonlocal parts
        parts += 1
        if parts > PARTS_MOST:
            raise ValueError("too many parts")
        return Message(policy)

    return BytesParser(part, policy=_BOUNDED).parsebytes(data)


def header(part: Message, name: str) -> str:
    """A header's value in one line, decoded; "" without one."""
    return " ".join(_decoded(_raw(part, name)).split())


def _raw(part: Message, name: str) -> str:
    found = part[name]
    return "" if found is None else str(found).replace("\0", "")  # which a history cannot store


def _decoded(value: str) -> str:
    pieces = decode_header(value[:2_000])
    return "".join(piece if isinstance(piece, str) else text(piece, charset or "") for piece, charset in pieces)


def address(part: Message, name: str) -> str:
    """The address in a header, in small letters."""
    return parseaddr(_raw(part, name)[:2_000])[1].lower()


def text(data: bytes, charset: str) -> str:
    """Decoded as far as it can be; only charsets that are cheap to decode count."""
    known = charset if CHARSET.fullmatch(charset) else "utf-8"
    try:
        found = data.decode(known, "replace")
    except LookupError:
        found = data.decode("utf-8", "replace")
    return found.replace("\0", "").replace("\r\n", "\n")


def content(mail: Message) -> Content:
    """The first plain part, else the first of HTML, without the quotation at its end; all else is enclosed."""
    said: dict[str, str] = {}
    files = []
    for part in mail.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        data = _payload(part)
        name = part.get_filename()
        if name is None and kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            said.setdefault(kind, text(data[:TEXT_MOST], part.get_content_charset() or ""))
        elif data:
            files.append(_file(kind, name, data))
    plain = said.get("text/plain") or plain_of(said.get("text/html", ""))
    return Content(without_quotation(plain), tuple(files))


def enclosed_head(parts: list[Message]) -> Message | None:
    """The head of the mail that a report encloses, whole or not."""
    for part in parts:
        if part["Message-ID"]:
            return part
        if part.get_content_type() == "text/rfc822-headers":
            return read(_payload(part))
    return None


def _payload(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _file(kind: str, name: str | None, data: bytes) -> File:
    mime = kind if MIME.fullmatch(kind) else "application/octet-stream"
    shown = "".join(letter for letter in _decoded(name or "") if letter.isprintable())
    return File("image" if mime.startswith("image/") else "document", shown or "attachment", mime, "", len(data), data)


def without_quotation(said: str) -> str:
    """Without the lines with ">" at the end and the line with a colon that leads to them; without a forwarded mail.

    A text that is nothing else is kept.
    """
    lines = FORWARDED.split(said, maxsplit=1)[0].rstrip().split("\n")
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith(">")):
        end -= 1
    if 0 < end < len(lines) and lines[end - 1].rstrip().endswith(":"):
        end -= 1
    return "\n".join(lines[:end]).strip() or said.strip()


def plain_of(html: str) -> str:
    """The text of HTML; that of a blockquote is marked with ">"."""
    stripper = _Stripper()
    with suppress(AssertionError):  # at a broken declaration; what was read until there counts
        stripper.feed(html[:HTML_MOST])
        stripper.close()
    return stripper.text()


class _Stripper(HTMLParser):
    LINES = frozenset(("p", "div", "br", "li", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "blockquote"))
    SILENT = frozenset(("head", "style", "script", "title"))

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[bool, list[str]]] = [(False, [])]
        self._quoted = self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count(tag, 1)

    def handle_endtag(self, tag: str) -> None:
        self._count(tag, -1)

    def _count(self, tag: str, step: int) -> None:
        self._quoted = max(0, self._quoted + step * (tag == "blockquote"))
        self._silent = max(0, self._silent + step * (tag in self.SILENT))
        if tag in self.LINES:
            self._lines.append((self._quoted > 0, []))

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._lines[-1][1].append(data)

    def text(self) -> str:
        """What was fed, in lines."""
        lines = ((quoted, " ".join("".join(pieces).split())) for quoted, pieces in self._lines)
        return "\n".join(f"> {line}" if quoted else line for quoted, line in lines if line)


def enclose(mail: EmailMessage, file: Enclosure) -> None:
    """Add an attachment."""
    main, _, sub = (file.mime if MIME.fullmatch(file.mime) else "application/octet-stream").partition("/")
    name = "".join(letter for letter in file.name if letter.isprintable())
    mail.add_attachment(file.data, main, sub, filename=name)
